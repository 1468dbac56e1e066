"""What is fast here and how fast, as ratios measured in one run."""
