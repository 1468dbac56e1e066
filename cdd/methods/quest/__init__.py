"""QuEST: its settings and distiller, the visual words it needs, and retrieval by them."""
