"""The report of a scale: one page and one text; may import pipeline and below."""
