"""Interfaces of the library: settings, network outputs, methods and their distillers."""

from abc import abstractmethod
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import ClassVar, Literal

from jaxtyping import Float, Int
from pydantic import BaseModel, ConfigDict
from torch import Tensor, nn

from cdd.values import NonNegative, Switch

LossTerms = Mapping[str, Tensor]
"""Named, weighted scalars of one batch; their sum is minimised."""

Labels = Int[Tensor, " batch"]


class Settings(BaseModel):
    """Base of all settings: frozen, keyword-only, plain values, unknown fields rejected."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)


class Fidelity(Settings):
    """The source that a run follows for each difference: the paper or the authors' release.

    The defaults follow the release, whose numbers are the published ones. `DIFFERENCES.md` has one
    numbered line per field.
    """

    tap_reduction: Literal["sum", "mean"] = "sum"
    """Eq. 1 averages the distance over the residual blocks; the release sums it."""
    sticky_masks: Switch = True
    """Eq. 11 rebuilds the mask in every step; in the release a masked row stays masked."""
    teacher_batch_norm: Literal["batch", "running"] = "batch"
    """A frozen teacher uses running statistics; in the release it normalises by the batch's own."""
    neck_learning_rate_factor: NonNegative = 1.5
    """The text has one learning rate; the release trains neck and classifier 1.5 times as fast."""
    compactor_weight_decay: Switch = True
    """Eq. 5 has no weight decay on compactors; the release decays every parameter."""
    erasing_fill: Literal["mean", "zero"] = "mean"
    """The release writes the channel means into the already normalised image; zero is the mean there."""


CODE = Fidelity()
PAPER = Fidelity(
    tap_reduction="mean",
    sticky_masks=False,
    teacher_batch_norm="running",
    neck_learning_rate_factor=1.0,
    compactor_weight_decay=False,
    erasing_fill="zero",
)


@dataclass(frozen=True)
class RetrievalOutput:
    """Outputs of a retrieval network for one batch.

    Attributes:
        pooled: average over the last map, un-normalised; the triplet loss reads it.
        embedding: the retrieval feature, after the neck's last batch norm.
        logits: one score per training identity.
        before_compactor: per block, the average over space of the 3x3 convolution's batch-normed
            map, before compactor and ReLU; empty unless requested.
        after_compactor: the same behind the compactor, before the ReLU.
        stages: the output map of each stage, after the ReLU; empty unless requested.
        before_last_relu: the last map before its ReLU; None unless requested.
    """

    pooled: Float[Tensor, "batch pooled"]
    embedding: Float[Tensor, "batch embedding"]
    logits: Float[Tensor, "batch identities"]
    before_compactor: tuple[Tensor, ...] = ()
    after_compactor: tuple[Tensor, ...] = ()
    stages: tuple[Tensor, ...] = ()
    before_last_relu: Tensor | None = None


TeacherOutputs = Callable[[], Iterator[RetrievalOutput]]


class Distiller(nn.Module):
    """Hooks of a method in the training loop. The base class does nothing.

    A module, so that its parameters and buffers (adapters, queues, masks) are trained with the student,
    are on the student's device and are part of every checkpoint.
    """

    def prepare(self, teacher_outputs: TeacherOutputs) -> None:
        """Called once, before the first epoch; the result must be part of the state dict.

        Args:
            teacher_outputs: every call returns the teacher's outputs for all training images, in
                evaluation mode and without augmentation, batch by batch.
        """

    def optimiser_settings(self) -> dict[str, float]:
        """Settings of SGD for the student's compactors that the method sets apart, by name; usually none."""
        return {}

    def start_epoch(self, epoch: int) -> None:
        """Called before the first batch of an epoch; epochs count from 1."""

    def dead_channels(self, epoch: int, learning_rate: float) -> list[Tensor] | None:
        """Masks of channels behind the compactor that stay zero, per block, to be removed from the student.

        Called after `start_epoch` of every epoch but the first. The student's compactors then record the
        remaining rows; the parameters stay the same objects. None if nothing is to be removed.

        Args:
            epoch: the epoch that begins.
            learning_rate: of the last step before the epoch.
        """
        return None

    def terms(self, student: RetrievalOutput, teacher: RetrievalOutput | None, labels: Labels) -> LossTerms:
        """The method's own weighted losses of a batch, in addition to those of every run."""
        return {}

    def edit_gradients(self) -> None:
        """Called between the backward pass and the optimiser's step, gradients unscaled."""

    def kept_channels(self) -> list[Tensor] | None:
        """Masks of the kept output channels of the 3x3 convolution, per block; None if nothing is pruned."""
        return None

    def report(self, learning_rate: float) -> dict[str, float]:
        """Metrics of the method at the end of an epoch, by name.

        Args:
            learning_rate: of the epoch's last step, from which the oscillation threshold follows.
        """
        return {}


class Method(Settings):
    """Settings of a distillation or pruning method; `build` makes its distiller.

    Attributes:
        key: names the class in stored recipes and in every run id. Unique and permanent, independent of
            the file of the class; any text that no other method uses.
    """

    key: ClassVar[str]

    @property
    def needs_teacher(self) -> bool:
        """Whether the training needs a frozen teacher."""
        return True

    @property
    def weights(self) -> tuple[str, ...]:
        """Names of the fields that weight the method's own losses, which a study may tune."""
        names = type(self).model_fields
        return tuple(name for name in names if name == "weight" or name.endswith("_weight"))

    @property
    def reads_maps(self) -> bool:
        """Whether `terms` or `prepare` reads the feature maps of the stages."""
        return False

    @property
    def preparation(self) -> dict[str, object] | None:
        """Settings that, with the teacher and the images, determine the result of `prepare`.

        The result is then stored with the teacher and shared by all its students, and the distiller's
        final state is stored with the student. None if nothing is to be stored.
        """
        return None

    @abstractmethod
    def build(self, student: nn.Module, teacher: nn.Module | None, fidelity: Fidelity) -> Distiller:
        """The distiller for this student and teacher."""
