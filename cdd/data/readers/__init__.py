"""One reader per real data set, and what several readers need; may import the rest of data."""
