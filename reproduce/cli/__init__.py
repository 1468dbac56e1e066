"""The command line, and the only room that prints; may import every other room."""
