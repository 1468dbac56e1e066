"""One module per kind of figure, and `render` for any artifact; may import tables and below."""
