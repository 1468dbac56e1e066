"""Capacity Dynamic Distillation (CDD), alone, with retrieval-guided (RGGR) or weight-guided resetting (CWGR).

Source: Xie et al., "Towards a Smaller Student: Capacity Dynamic Distillation for Efficient Image
Retrieval", CVPR 2023, Sections 3.1 and 3.2; supplement, Section 1.2, for CWGR.
"""

from collections.abc import Callable, Sequence
from typing import Literal, Self

import torch
from pydantic import model_validator
from torch import Tensor, nn

from cdd.compactor.layer import Compactor
from cdd.compactor.multiply_adds import CostsOfStudent
from cdd.compactor.select import kept_rows
from cdd.contract import Distiller, Fidelity, Labels, LossTerms, Method, RetrievalOutput, Settings
from cdd.gradients.resetting import RetrievalGuidedResetting, reset_gradients
from cdd.gradients.weight_guided import WeightGuidedResetting
from cdd.losses import group_lasso, row_norms, tap_distance
from cdd.models.network import RetrievalNetwork
from cdd.values import Count, NonNegative, Positive, Rows, Share, Switch, Whole

QUANTILES = (0.0, 0.1, 0.25, 0.5, 0.75, 0.9, 1.0)
"""Quantiles of the norms of all rows, reported after every epoch."""


class RetrievalGuided(Settings):
    """Settings of RGGR (Section 3.2)."""

    neighbours: Count = 2
    ratio: Share = 0.5
    queue: Rows = 24_000
    """Gallery size per block; a multiple of the batch size."""
    after_epoch: Whole = 20
    query: Literal["teacher", "student"] = "teacher"
    """`student` is the supplement's standard retrieval strategy."""
    distance: Literal["cosine", "euclidean"] = "cosine"
    self_match: Switch = True
    """Whether a query may retrieve its own row; the release enqueues the batch before the retrieval."""

    @model_validator(mode="after")
    def _retrieves_from_the_queue(self) -> Self:
        if self.neighbours > self.queue:
            raise ValueError(
                f"neighbours is {self.neighbours}, but they come from a queue of {self.queue}: make it longer"
            )
        return self


class WeightGuided(Settings):
    """Settings of CWGR: the smallest rows of all compactors are reset, as in ResRep."""

    target: Share = 0.343
    """Share of the multiply-adds at which no further row is reset: what RGGR left on VeRi-776."""
    after_epoch: Whole = 20
    interval: Count = 200
    """Iterations from one update of the masks to the next."""
    growth: Count = 4
    """Rows that one update may reset beyond those that are."""


class CapacityDynamic(Method):
    """CDD; with RGGR or CWGR where `resetting` is given."""

    key = "cdd.methods.capacity_dynamic:CapacityDynamic"

    sparsity: NonNegative = 0.004
    """Weight of the group lasso, alpha in Eq. 3."""
    tap_weight: NonNegative = 0.5
    """Weight of the block-wise distance, the 1/2 in Eq. 3."""
    target: Literal["compactor", "filter"] = "compactor"
    """Weights under the lasso; `filter`, the 3x3 convolution itself, is the paper's "CDD w/o DGC"."""
    resetting: RetrievalGuided | WeightGuided | None = None
    threshold: Positive = 1e-5
    """Rows with a smaller norm are pruned: lambda in Section 3.1.2."""
    slim_every: Whole = 0
    """Epochs between removals of dead rows during training, which make its steps cheaper; 0 for none.
    A row is dead if it is permanently masked and its norm is below the oscillation threshold, `threshold` +
    2 x learning rate x `sparsity`. A removed row counts as zero, which changes numbers by up to this norm."""

    @property
    def reads_maps(self) -> bool:
        """The sizes of the student's maps alone, where multiply-adds are counted."""
        return isinstance(self.resetting, WeightGuided)

    @model_validator(mode="after")
    def _resets_compactors(self) -> Self:
        if isinstance(self.resetting, WeightGuided) and self.target != "compactor":
            raise ValueError("weight-guided resetting chooses rows of compactors: set target=compactor")
        if self.slim_every and not (
            isinstance(self.resetting, RetrievalGuided) and self.target == "compactor"
        ):
            raise ValueError(
                f"slim_every is {self.slim_every}, but only rows of compactors that retrieval-guided "
                "resetting has masked stay dead: set resetting and target=compactor, or slim_every=0"
            )
        return self

    def build(self, student: nn.Module, teacher: nn.Module | None, fidelity: Fidelity) -> Distiller:
        """The distiller for a student that has its compactors."""
        if not isinstance(student, RetrievalNetwork):
            raise ValueError(f"CDD compresses a RetrievalNetwork, not a {type(student).__name__}")
        return CapacityDynamicDistiller(self, student, fidelity)


class CapacityDynamicDistiller(Distiller):
    """Distils block by block and drives rows of the compactors (or 3x3 filters) to zero."""

    def __init__(self, method: CapacityDynamic, student: RetrievalNetwork, fidelity: Fidelity):
        super().__init__()
        self.method, self.fidelity = method, fidelity
        layers = [b.compactor if method.target == "compactor" else b.conv2 for b in student.bottlenecks]
        if not layers or not all(isinstance(layer, nn.Conv2d) for layer in layers):
            raise ValueError(
                "CDD needs a student of bottleneck blocks with compactors: set compactors=true (or "
                "method.target=filter for CDD without them)"
            )
        if method.slim_every and not fidelity.sticky_masks:
            raise ValueError(
                f"slim_every is {method.slim_every}, but masks that are made anew in every step let rows "
                "return: set fidelity.sticky_masks=true or method.slim_every=0"
            )
        # In a tuple, so that the student's parameters do not become the distiller's own as well.
        self.layers = tuple(layer for layer in layers if isinstance(layer, nn.Conv2d))
        self.weights = tuple(layer.weight for layer in self.layers)
        self.active = False
        self.costs = CostsOfStudent(student)
        self.resetting = _resetting(method.resetting, self.weights, fidelity)

    def start_epoch(self, epoch: int) -> None:
        """Enables the resetting after its first epochs; RGGR's queues are filled only from then on."""
        self.active = self.method.resetting is not None and epoch > self.method.resetting.after_epoch

    def dead_channels(self, epoch: int, learning_rate: float) -> list[Tensor] | None:
        """Dead rows per block, at least one row kept per block; None between removals."""
        every = self.method.slim_every
        if not every or (epoch - 1) % every or self.resetting is None:
            return None
        above = self._rows_above(self._oscillation_threshold(learning_rate))
        return [~(kept | own) for kept, own in zip(self.resetting.kept(), above, strict=True)]

    def terms(self, student: RetrievalOutput, teacher: RetrievalOutput | None, labels: Labels) -> LossTerms:
        """Eq. 1 with its weight; the lasso is added to the gradients instead, which is the same."""
        if teacher is None:
            raise ValueError("CDD needs a teacher in every step")
        if isinstance(self.resetting, WeightGuidedResetting):
            self.costs.see(student)
        elif self.active and self.resetting is not None:
            # A channel that has left the student is zero; the lists have its place as before.
            after = self._each(lambda layer, tap: layer.widened(tap, axis=1), student.after_compactor)
            self.resetting.update(after, teacher.before_compactor)
        distance = tap_distance(
            student.before_compactor, teacher.before_compactor, self.fidelity.tap_reduction
        )
        return {"tap": self.method.tap_weight * distance}

    def edit_gradients(self) -> None:
        """Eq. 5: masks the task's gradient, then adds the lasso's, which no mask touches."""
        if isinstance(self.resetting, WeightGuidedResetting):
            self.resetting.step(self.weights, self.costs if self.active else None)
        kept = None if self.resetting is None else self._each(Compactor.narrowed, self.resetting.kept())
        reset_gradients(self.weights, kept, self.method.sparsity)

    def kept_channels(self) -> list[Tensor]:
        """Rows at or above the pruning threshold, at least one per block."""
        return self._rows_above(self.method.threshold)

    def report(self, learning_rate: float) -> dict[str, float]:
        """Lasso, quantiles of the row norms, channels left and rows masked, in all and per block.

        `channels/above_oscillation` counts with the threshold below which a row at zero swings while the
        learning rate is high: only at the end of a run does the pruning threshold itself mean something.
        """
        with torch.no_grad():
            norms = torch.cat(self._each(Compactor.widened, [row_norms(weight) for weight in self.weights]))
            above = int((norms >= self._oscillation_threshold(learning_rate)).sum())
            figures = {"lasso": float(group_lasso(self.weights)), "channels/above_oscillation": float(above)}
            quantiles = norms.quantile(norms.new_tensor(QUANTILES)).tolist()
            figures |= {
                f"row_norm/quantile_{100 * q:03.0f}": v for q, v in zip(QUANTILES, quantiles, strict=True)
            }
        kept = [float(mask.sum()) for mask in self.kept_channels()]
        figures |= {"channels/kept": sum(kept), **_per_block("channels", kept)}
        if self.resetting is not None:
            shares = self.resetting.masked_share()
            rows = [len(mask) for mask in self.resetting.kept()]
            masked = sum(share * count for share, count in zip(shares, rows, strict=True))
            figures |= {"masked/share": masked / sum(rows), **_per_block("masked", shares)}
        if self.method.slim_every:
            figures["channels/removed"] = float(len(norms) - sum(len(weight) for weight in self.weights))
        return figures

    def _oscillation_threshold(self, learning_rate: float) -> float:
        """The norm below which a row without a task gradient only oscillates about zero."""
        return self.method.threshold + 2 * learning_rate * self.method.sparsity

    def _rows_above(self, threshold: float) -> list[Tensor]:
        """Rows at or above the threshold, per block, at least one; removed rows are false."""
        return self._each(
            Compactor.widened, [kept_rows(weight.detach(), threshold) for weight in self.weights]
        )

    def _each(self, change: Callable[[Compactor, Tensor], Tensor], values: Sequence[Tensor]) -> list[Tensor]:
        """Values per block, mapped by the block's compactor where there is one."""
        pairs = zip(self.layers, values, strict=True)
        return [change(layer, value) if isinstance(layer, Compactor) else value for layer, value in pairs]


def _resetting(
    settings: RetrievalGuided | WeightGuided | None, weights: Sequence[Tensor], fidelity: Fidelity
) -> RetrievalGuidedResetting | WeightGuidedResetting | None:
    if settings is None:
        return None
    if isinstance(settings, WeightGuided):
        return WeightGuidedResetting(
            weights, target=settings.target, growth=settings.growth, interval=settings.interval
        )
    return RetrievalGuidedResetting(
        [len(weight) for weight in weights],
        capacity=settings.queue,
        neighbours=settings.neighbours,
        ratio=settings.ratio,
        distance=settings.distance,
        sticky=fidelity.sticky_masks,
        query=settings.query,
        self_match=settings.self_match,
    )


def _per_block(name: str, values: list[float]) -> dict[str, float]:
    return {f"{name}/block_{index + 1:02d}": value for index, value in enumerate(values)}
