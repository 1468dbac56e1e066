"""ResRep: pruning of a trained network by compactors, without a teacher.

The rows of the compactors that are smallest in the whole network lose their task gradient, a few more at
a time, until the multiply-adds reach a target; the penalty drives them to zero.

Source: Ding et al., "ResRep: Lossless CNN Pruning via Decoupling Remembering and Forgetting", ICCV 2021,
Section 3; the authors' release DingXiaoH/ResRep for the settings.
"""

from typing import ClassVar

import torch
from torch import Tensor, nn

from cdd.compactor.insert import compactors
from cdd.compactor.multiply_adds import CostsOfStudent
from cdd.compactor.select import kept_rows
from cdd.contract import Distiller, Fidelity, Labels, LossTerms, Method, RetrievalOutput
from cdd.gradients.resetting import reset_gradients
from cdd.gradients.weight_guided import WeightGuidedResetting
from cdd.losses import group_lasso
from cdd.models.network import RetrievalNetwork
from cdd.values import Count, Momentum, NonNegative, Positive, Share, Whole


class ResRep(Method):
    """ResRep on every compactor that the student has.

    The recipe determines their places: `compactors="both"` is the release's choice. The student should start
    from a trained network.

    Differs: learning rates, weight decay of all other parameters, losses and augmentation are those that
    every run of this suite has; the release trains on cross entropy, decays neither biases nor batch
    norms, and trains biases twice as fast.
    """

    key = "cdd.methods.resrep:ResRep"
    needs_teacher: ClassVar[bool] = False
    reads_maps: ClassVar[bool] = True
    """Their sizes alone, for the multiply-adds."""

    target: Share = 0.455
    """Share of the multiply-adds to be left; the release's for ResNet-50 on ImageNet."""
    sparsity: NonNegative = 1e-4
    """Weight of the group lasso."""
    after_epoch: Whole = 5
    """No row is masked up to the end of this epoch."""
    interval: Count = 200
    """Iterations from one update of the masks to the next."""
    growth: Count = 4
    """Rows that one update may mask beyond those that are masked."""
    momentum: Momentum = 0.99
    """Momentum of the compactors."""
    weight_decay: NonNegative = 0.0
    """Weight decay of the compactors."""
    threshold: Positive = 1e-5
    """Rows with a smaller norm are pruned at the end."""

    def build(self, student: nn.Module, teacher: nn.Module | None, fidelity: Fidelity) -> Distiller:
        """The pruner of a student that has its compactors."""
        if not isinstance(student, RetrievalNetwork) or not compactors(student):
            raise ValueError("ResRep needs a student with compactors: set compactors=both, or true")
        return ResRepDistiller(self, student)


class ResRepDistiller(Distiller):
    """Masks gradients of compactors; adds no loss."""

    def __init__(self, method: ResRep, student: RetrievalNetwork):
        super().__init__()
        self.method = method
        # In a tuple, so that the student's parameters do not become the distiller's own as well.
        self.weights = tuple(compactor.weight for compactor in compactors(student))
        self.masks = WeightGuidedResetting(
            self.weights, target=method.target, growth=method.growth, interval=method.interval
        )
        self.costs = CostsOfStudent(student)
        self.active = False

    def optimiser_settings(self) -> dict[str, float]:
        """More momentum and no weight decay, for the compactors alone."""
        return {"momentum": self.method.momentum, "weight_decay": self.method.weight_decay}

    def start_epoch(self, epoch: int) -> None:
        """Lets the masks grow after the first epochs."""
        self.active = epoch > self.method.after_epoch

    def terms(self, student: RetrievalOutput, teacher: RetrievalOutput | None, labels: Labels) -> LossTerms:
        """No loss; the first batch gives the sizes of the maps."""
        self.costs.see(student)
        return {}

    def edit_gradients(self) -> None:
        """Updates the masks when due, masks the task gradient and adds the group lasso's to all rows."""
        self.masks.step(self.weights, self.costs if self.active else None)
        reset_gradients(self.weights, self.masks.kept(), self.method.sparsity)

    def kept_channels(self) -> list[Tensor]:
        """Rows at or above the pruning threshold, at least one per compactor; masks do not decide."""
        return [kept_rows(weight.detach(), self.method.threshold) for weight in self.weights]

    @torch.no_grad()
    def report(self, learning_rate: float) -> dict[str, float]:
        """Lasso, rows left and masked, and the share of the multiply-adds that the masks would leave."""
        kept = sum(int(mask.sum()) for mask in self.kept_channels())
        figures = {"lasso": float(group_lasso(self.weights)), "channels/kept": float(kept)}
        rows = [len(mask) for mask in self.masks.kept()]
        masked = sum(share * count for share, count in zip(self.masks.masked_share(), rows, strict=True))
        figures["masked/share"] = masked / sum(rows)
        if self.costs.known:
            figures["masked/multiply_adds_left"] = self.masks.left(self.costs)
        return figures
