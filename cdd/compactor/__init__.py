"""Compactors (the paper's DGC): layer, selection of surviving channels, folding into a smaller network."""

from cdd.compactor.fold import drop_inputs, drop_outputs, fold, fold_batch_norm, merge
from cdd.compactor.layer import Compactor
from cdd.compactor.select import kept_rows

__all__ = ["Compactor", "drop_inputs", "drop_outputs", "fold", "fold_batch_norm", "kept_rows", "merge"]
