"""Claims of the papers, part by part and all in order; may import quest, common and schema."""
