"""One file per distillation or pruning method: its settings and the distiller they build."""
