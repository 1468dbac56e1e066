"""ResRep: a trained network is pruned by compactors, without a teacher.

The rows of the compactors that are smallest in the whole network lose their task gradient, a few more at
a time, until the multiply-adds reach a target; the penalty drives them to zero.

Source: Ding et al., "ResRep: Lossless CNN Pruning via Decoupling Remembering and Forgetting", ICCV 2021,
Section 3; the authors' release DingXiaoH/ResRep for the settings.
"""

from typing import Annotated

import numpy as np
import torch
from numpy.typing import NDArray
from pydantic import Field
from torch import Tensor, nn

from cdd.compactor.insert import compactors
from cdd.compactor.select import kept_rows
from cdd.contract import Distiller, Fidelity, Labels, LossTerms, Method, RetrievalOutput
from cdd.gradients.mask_growth import grown_masks
from cdd.gradients.resetting import reset_gradient
from cdd.losses import group_lasso, row_norms
from cdd.models.network import RetrievalNetwork
from cdd.models.resnet import EXPANSION, ResNet


class ResRep(Method):
    """ResRep on every compactor that the student has.

    The recipe says where they are: `compactors="both"` is the release's choice. The student should start
    from a trained network.

    Differs: learning rates, weight decay of all other parameters, losses and augmentation are those that
    every run of this suite has; the release trains on cross entropy, decays neither biases nor batch
    norms, and trains biases twice as fast.
    """

    target: Annotated[float, Field(gt=0, lt=1)] = 0.455
    """Share of the multiply-adds to be left; the release's for ResNet-50 on ImageNet."""
    sparsity: Annotated[float, Field(ge=0)] = 1e-4
    """Weight of the group lasso."""
    after_epoch: Annotated[int, Field(ge=0)] = 5
    """No row is masked up to the end of this epoch."""
    interval: Annotated[int, Field(ge=1)] = 200
    """Iterations from one update of the masks to the next."""
    growth: Annotated[int, Field(ge=1)] = 4
    """Rows that one update may mask beyond those that are masked."""
    momentum: Annotated[float, Field(ge=0, lt=1)] = 0.99
    """Of the compactors alone."""
    weight_decay: Annotated[float, Field(ge=0)] = 0.0
    """Of the compactors alone."""
    threshold: Annotated[float, Field(gt=0)] = 1e-5
    """Rows with a smaller norm are pruned at the end."""

    @property
    def needs_teacher(self) -> bool:
        """The labels are enough."""
        return False

    @property
    def reads_maps(self) -> bool:
        """Their sizes alone, for the multiply-adds."""
        return True

    def build(self, student: nn.Module, teacher: nn.Module | None, fidelity: Fidelity) -> Distiller:
        """The pruner of a student whose compactors are in place."""
        if not isinstance(student, RetrievalNetwork) or not compactors(student):
            raise ValueError("ResRep needs a student with compactors: set compactors=both, or true")
        return ResRepDistiller(self, student)


class ResRepDistiller(Distiller):
    """Masks gradients of compactors; adds no loss."""

    def __init__(self, method: ResRep, student: RetrievalNetwork):
        super().__init__()
        self.method = method
        # In tuples, so that the student's parameters do not become the distiller's own as well.
        self._student = (student,)
        self.weights = tuple(compactor.weight for compactor in compactors(student))
        self.register_buffer("iterations", torch.zeros((), dtype=torch.int64))
        for number, weight in enumerate(self.weights):
            mask = torch.ones(len(weight), dtype=torch.bool, device=weight.device)
            self.register_buffer(f"kept_{number:02d}", mask)
        self.active = False
        self.costs: MultiplyAdds | None = None

    @property
    def kept(self) -> list[Tensor]:
        """Per compactor, the rows that keep their task gradient (the buffers themselves)."""
        return [self.get_buffer(f"kept_{number:02d}") for number in range(len(self.weights))]

    def optimiser_settings(self) -> dict[str, float]:
        """More momentum and no weight decay, for the compactors alone."""
        return {"momentum": self.method.momentum, "weight_decay": self.method.weight_decay}

    def start_epoch(self, epoch: int) -> None:
        """Lets the masks grow after the first epochs."""
        self.active = epoch > self.method.after_epoch

    def terms(self, student: RetrievalOutput, teacher: RetrievalOutput | None, labels: Labels) -> LossTerms:
        """No loss; the first batch tells the sizes of the maps."""
        if self.costs is None:
            sizes = [stage.shape[2] * stage.shape[3] for stage in student.stages]
            self.costs = MultiplyAdds(self._student[0], sizes)
        return {}

    def edit_gradients(self) -> None:
        """Updates the masks where it is time, masks the task's gradient and adds the lasso's to all rows."""
        iterations = self.get_buffer("iterations")
        iterations += 1
        if self.active and self.costs is not None and int(iterations) % self.method.interval == 0:
            norms = [row_norms(weight.detach()) for weight in self.weights]
            masks = grown_masks(
                norms, self.kept, self.costs, target=self.method.target, growth=self.method.growth
            )
            for mask, grown in zip(self.kept, masks, strict=True):
                mask.copy_(grown)
        for weight, mask in zip(self.weights, self.kept, strict=True):
            reset_gradient(weight, mask, self.method.sparsity)

    def kept_channels(self) -> list[Tensor]:
        """Rows at or above the pruning threshold, at least one per compactor; masks do not decide."""
        return [kept_rows(weight.detach(), self.method.threshold) for weight in self.weights]

    @torch.no_grad()
    def report(self, learning_rate: float) -> dict[str, float]:
        """Lasso, rows masked and rows left, and the share of the multiply-adds that the masks would leave."""
        kept, masks = self.kept_channels(), self.kept
        rows = sum(len(mask) for mask in masks)
        figures = {
            "lasso": float(group_lasso(self.weights)),
            "channels/kept": float(sum(int(mask.sum()) for mask in kept)),
            "masked/share": 1 - sum(int(mask.sum()) for mask in masks) / rows,
        }
        if self.costs is not None:
            figures["masked/multiply_adds_left"] = self.costs(_counts(masks)) / self.costs(self.costs.full)
        return figures


def _counts(masks: list[Tensor]) -> NDArray[np.int64]:
    return np.array([int(mask.sum()) for mask in masks])


class MultiplyAdds:
    """Multiply-adds of a network's convolutions and linear layers by the channels that its compactors keep.

    Bias additions and activations, which the tables count as well, are left out, as in the release.

    Attributes:
        full: channels of all compactors, none pruned.
    """

    def __init__(self, network: RetrievalNetwork, sizes: list[int]):
        """Reads the shapes.

        Args:
            network: with compactors behind the 3x3 convolution of every bottleneck or behind both.
            sizes: height times width of the map that leaves each stage.
        """
        blocks = network.bottlenecks
        self.full = np.array([len(compactor.weight) for compactor in compactors(network)])
        self.both = len(self.full) == 2 * len(blocks)
        self.planes = np.array([block.conv1.out_channels for block in blocks])
        self.inputs = np.array([block.conv1.in_channels for block in blocks])
        after, before = _positions(network, sizes)
        self.after, self.before = np.array(after), np.array(before)
        shortcuts = [block.downsample for block in blocks]
        self.fixed = _outside(network, sizes[0]) + sum(
            next(shortcut.parameters()).numel() * size
            for shortcut, size in zip(shortcuts, after, strict=True)
            if shortcut is not None
        )

    def __call__(self, kept: NDArray[np.int64]) -> float:
        """Multiply-adds of one image; `kept` has one count per compactor."""
        entry, inner = (kept[::2], kept[1::2]) if self.both else (self.planes, kept)
        outputs = EXPANSION["bottleneck"] * self.planes
        per_block = self.inputs * entry * self.before + (9 * entry + outputs) * inner * self.after
        return float(per_block.sum()) + self.fixed


def _positions(network: RetrievalNetwork, sizes: list[int]) -> tuple[list[int], list[int]]:
    """Per block, the positions of the map that leaves it and of the map that comes in."""
    if not isinstance(network.backbone, ResNet):
        raise ValueError("ResRep prunes a ResNet, whose blocks are known")
    after = [s for stage, s in zip(network.backbone.stages, sizes, strict=True) for _ in stage]
    return after, [after[0], *after[:-1]]


def _outside(network: RetrievalNetwork, size: int) -> float:
    """Multiply-adds of stem, neck and classifier."""
    linear = sum(layer.weight.numel() for layer in network.modules() if isinstance(layer, nn.Linear))
    backbone = network.backbone
    if not isinstance(backbone, ResNet):
        return float(linear)
    pooled = 4 if isinstance(backbone.maxpool, nn.MaxPool2d) else 1
    return float(linear + backbone.conv1.weight.numel() * size * pooled)
