"""QuEST: settings and distiller, visual words, and retrieval by them; may import gradients and below."""
