"""What several artifacts share: recipes, settings, columns, comparisons, sweeps; may import schema."""
