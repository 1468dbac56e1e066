"""The committed reference, for its maintainers; may import report and below."""
