"""Training from labels alone: teachers, pretraining, baselines without a teacher."""

from typing import ClassVar

from torch import nn

from cdd.contract import Distiller, Fidelity, Method


class Supervised(Method):
    """Cross entropy and triplet loss only; no teacher, nothing pruned."""

    key = "cdd.methods.supervised:Supervised"
    needs_teacher: ClassVar[bool] = False

    def build(self, student: nn.Module, teacher: nn.Module | None, fidelity: Fidelity) -> Distiller:
        """A distiller without additional losses."""
        return Distiller()
