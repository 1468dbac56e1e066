"""What the parts of the library agree on: settings, network outputs, methods and their distillers."""

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
    """Base of every declared value: frozen, keyword-only, plain values, unknown fields refused."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)


class Fidelity(Settings):
    """Where the text of the paper and the authors' release differ: which of the two a run follows.

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
    """What a retrieval network returns for one batch.

    Attributes:
        pooled: average over the last map, un-normalised; the triplet loss reads it.
        embedding: the retrieval feature, after the neck's last batch norm.
        logits: one score per training identity.
        before_compactor: per block, the average over space of the 3x3 convolution's batch-normed
            map, before compactor and ReLU; empty unless asked for.
        after_compactor: the same behind the compactor, before the ReLU.
        stages: the map that leaves each stage, after the ReLU; empty unless asked for.
        before_last_relu: the last map before its ReLU; None unless asked for.
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
    """What a method does inside the training loop. The base class does nothing.

    A module, so that what it learns or remembers (adapters, queues, masks) is trained with the
    student, lies on its device and travels in every checkpoint.
    """

    def prepare(self, teacher_outputs: TeacherOutputs) -> None:
        """Called once, before the first epoch; what is learnt here travels in the state dict.

        Args:
            teacher_outputs: gives, each time it is called, the teacher's outputs for all training
                images in evaluation mode and without augmentation, batch by batch.
        """

    def optimiser_settings(self) -> dict[str, float]:
        """Settings of SGD for the student's compactors that the method sets apart, by name; usually none."""
        return {}

    def start_epoch(self, epoch: int) -> None:
        """Called before the first batch of an epoch; epochs count from 1."""

    def dead_channels(self, epoch: int, learning_rate: float) -> list[Tensor] | None:
        """Per block, which channels behind the compactor are zero for good: they leave the student.

        Called after `start_epoch` of every epoch but the first. The student's compactors then know which
        rows are left; the parameters stay the same objects. None where nothing is to be removed.

        Args:
            epoch: that begins.
            learning_rate: of the last step before it.
        """
        return None

    def terms(self, student: RetrievalOutput, teacher: RetrievalOutput | None, labels: Labels) -> LossTerms:
        """The method's own weighted losses of a batch, beside the ones every run has."""
        return {}

    def edit_gradients(self) -> None:
        """Called between the backward pass and the optimiser's step, gradients unscaled."""

    def kept_channels(self) -> list[Tensor] | None:
        """Per block, which output channels of the 3x3 convolution survive; None where nothing is pruned."""
        return None

    def report(self, learning_rate: float) -> dict[str, float]:
        """Figures of the method itself at the end of an epoch, by name.

        Args:
            learning_rate: of the epoch's last step; what an oscillating row norm is judged by.
        """
        return {}


class Method(Settings):
    """Settings of a distillation or pruning method; `build` makes what runs.

    Attributes:
        key: names the class in stored recipes and in every run id; each class has its own, for good,
            in whatever file it lies. A new method's may be any text that no other has.
    """

    key: ClassVar[str]

    @property
    def needs_teacher(self) -> bool:
        """Whether the training needs a frozen teacher."""
        return True

    @property
    def weights(self) -> tuple[str, ...]:
        """Names of the fields that weigh the method's own losses: what can be tuned without changing it."""
        names = type(self).model_fields
        return tuple(name for name in names if name == "weight" or name.endswith("_weight"))

    @property
    def reads_maps(self) -> bool:
        """Whether `terms` or `prepare` reads the maps of the stages, of student and teacher."""
        return False

    @property
    def preparation(self) -> dict[str, object] | None:
        """Settings that, with the teacher and the images, decide what `prepare` learns into the buffers.

        What was learnt is then kept beside the teacher and shared by all its students, and what the
        distiller has learnt in the end is kept with the student; None where it is not worth it.
        """
        return None

    @abstractmethod
    def build(self, student: nn.Module, teacher: nn.Module | None, fidelity: Fidelity) -> Distiller:
        """The distiller for this student and teacher."""
