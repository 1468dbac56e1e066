"""One finished run in one file, for another results folder; may import tracking and below."""
