"""One file per method, its settings and distiller; may import compactor, gradients and below."""
