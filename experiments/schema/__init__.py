"""How a table, a figure and a claim are declared; may import cdd.recipe and cdd.contract."""
