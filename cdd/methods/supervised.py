"""Training from labels alone: teachers, pretraining, baselines without a teacher."""

from torch import nn

from cdd.contract import Distiller, Fidelity, Method


class Supervised(Method):
    """Cross entropy and triplet loss only; no teacher, nothing pruned."""

    key = "cdd.methods.supervised:Supervised"

    @property
    def needs_teacher(self) -> bool:
        """False: the labels suffice."""
        return False

    def build(self, student: nn.Module, teacher: nn.Module | None, fidelity: Fidelity) -> Distiller:
        """A distiller without additional losses."""
        return Distiller()
