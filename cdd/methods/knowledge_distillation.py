"""Knowledge distillation (KD): the student learns the teacher's softened predictions.

Source: Hinton et al., "Distilling the Knowledge in a Neural Network", 2015, Section 2.
"""

from torch import nn

from cdd.contract import Distiller, Fidelity, Method


class KD(Method):
    """The logit loss alone.

    Every run with a teacher has that loss already, `logit` in the training loop, with the temperature
    and weight of the recipe's objective (T = 2, weight 1). So this method adds no term of its own; it
    represents the plain distillation that the other methods extend.
    """

    key = "cdd.methods.knowledge_distillation:KD"

    def build(self, student: nn.Module, teacher: nn.Module | None, fidelity: Fidelity) -> Distiller:
        """A distiller without additional losses."""
        return Distiller()
