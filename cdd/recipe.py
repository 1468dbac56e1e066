"""Recipe of a run: frozen, validated, hashable; every setting that can change a number, and nothing else."""

import hashlib
import json
from typing import Annotated, Any, Literal, Self

from pydantic import AliasChoices, Field, SerializeAsAny, field_validator, model_validator

from cdd.architecture import Network
from cdd.contract import CODE, PAPER, Fidelity, Method, Settings
from cdd.method_keys import key_of, load_method
from cdd.values import (
    Count,
    Fraction,
    FractionRange,
    Momentum,
    Name,
    NonNegative,
    Pixels,
    Positive,
    PositiveRange,
    Seed,
    Several,
    Switch,
    Use,
)

LARGEST_BATCH = 1_000_000
MICRO_BATCH_SIZE = Field(validation_alias=AliasChoices("micro_batch_size", "at_once"))
"""Recipes stored by earlier versions have the second name."""


class Data(Settings):
    """Data set, image size, and the images used for training and evaluation.

    Retrieval: `standard` trains on all training identities and evaluates on the test identities; `tuning`
    sets the validation identities aside from training and evaluates on them; `pretraining` trains on
    identities that serve nothing else and also evaluates on the validation identities.

    Classification: `classification` trains on images of the classes and evaluates top-1 on held-out
    images of the SAME classes: the data set's own test images, or one image in five of each training
    identity where its test identities are others. `classification-tuning` sets one in five of the images
    that are left aside from training and evaluates on them, never on held-out ones.
    """

    name: Name
    height: Pixels = 256
    width: Pixels = 256
    use: Use = "standard"
    msmt17_lists: Literal["train", "train+val"] = "train+val"
    """MSMT17's lists of training images; both together are the 32,621 images of the text."""


class Objective(Settings):
    """The losses of every run (Section 3.1.1; values of the release); a weight of 0 disables one."""

    label_smoothing: Fraction = 0.1
    triplet_margin: NonNegative = 0.35
    triplet_weight: NonNegative = 1.0
    temperature: Positive = 2.0
    logit_weight: NonNegative = 1.0


class Batch(Settings):
    """Identities and images per identity in one batch (Section 4.2)."""

    identities: Several = 16
    images: Several = 6
    micro_batch_size: Annotated[Several | None, MICRO_BATCH_SIZE] = None
    """Images in the network at a time where the whole batch does not fit; batch norms see only these."""

    @property
    def size(self) -> int:
        """Images in a batch."""
        return self.identities * self.images

    @model_validator(mode="after")
    def _fits(self) -> Self:
        if self.size > LARGEST_BATCH:
            raise ValueError(
                f"a batch of {self.identities} identities with {self.images} images each has {self.size:,} "
                f"images, more than any machine takes: at most {LARGEST_BATCH:,}"
            )
        return self


class RandomBatch(Settings):
    """Images drawn at random, each once an epoch; a last, incomplete batch is dropped."""

    size: Several
    """Images in a batch."""
    micro_batch_size: Annotated[Several | None, MICRO_BATCH_SIZE] = None
    """Images in the network at a time, as in `Batch`."""


class Schedule(Settings):
    """Length and learning rates of training (Section 4.2): linear warm-up, constant, cosine; or steps."""

    epochs: Count = 100
    peak_learning_rate: Positive = 0.01
    warmup_factor: Fraction = 0.1
    warmup_epochs: NonNegative = 10
    flat_until_epoch: NonNegative = 40
    final_learning_rate: NonNegative = 1e-7
    step: Literal["epoch", "iteration"] = "epoch"
    milestones: tuple[NonNegative, ...] = ()
    """Finished epochs at which the rate is multiplied by `decay`, instead of the cosine."""
    decay: Fraction = 0.1

    @model_validator(mode="after")
    def _ordered(self) -> Self:
        if list(self.milestones) != sorted(self.milestones):
            raise ValueError(f"milestones are {self.milestones}: give them from the first to the last")
        if not self.warmup_epochs <= self.flat_until_epoch < self.epochs:
            raise ValueError(
                f"warmup_epochs {self.warmup_epochs}, flat_until_epoch {self.flat_until_epoch} and epochs "
                f"{self.epochs} must satisfy warmup_epochs <= flat_until_epoch < epochs"
            )
        if not self.milestones and self.final_learning_rate > self.peak_learning_rate:
            raise ValueError(
                f"the learning rate falls from peak_learning_rate {self.peak_learning_rate:g} to "
                f"final_learning_rate {self.final_learning_rate:g}: make the final one no larger"
            )
        return self


class Optimiser(Settings):
    """SGD without Nesterov or dampening."""

    momentum: Momentum = 0.9
    weight_decay: NonNegative = 5e-4


class Augmentation(Settings):
    """Random flip, pad and crop, erasing; pixels are of the training resolution."""

    flip: Fraction = 0.5
    padding: Annotated[int, Field(strict=True, ge=0, le=8_192)] = 10
    erasing: Fraction = 0.5
    erasing_area: FractionRange = (0.02, 0.4)
    erasing_aspect: PositiveRange = (0.3, 3.33)


class Recipe(Settings):
    """All settings of one training. Two recipes with one `run_id` are the same run."""

    data: Data
    student: Network
    compactors: Switch | Literal["both"] = False
    """Whether a 1x1 compactor stands behind every 3x3 convolution of the student; `both`: behind the
    1x1 convolution before it as well, as in ResRep."""
    initialisation: "Literal['random', 'imagenet', 'tiny-imagenet'] | Recipe" = "imagenet"
    """`imagenet`: torchvision's weights; `tiny-imagenet`: those that are shipped, for a few small networks.
    A recipe here is a run whose backbone the student starts from: a pretraining run, or, where it was
    trained on the same identities, a base that neck and classifier come from too. Of a base with
    compactors, a student without any is the deployed network: pruned, folded, trained further as it is."""
    teacher: "Recipe | None" = None
    method: SerializeAsAny[Method]
    objective: Objective = Objective()
    batch: Batch | RandomBatch = Batch()
    schedule: Schedule = Schedule()
    optimiser: Optimiser = Optimiser()
    augmentation: Augmentation = Augmentation()
    precision: Literal["float32", "mixed", "bfloat16", "float16"] = "mixed"
    """Type of autocast. `mixed`: bfloat16 where the device computes it natively, else float16 on CUDA and
    float32 elsewhere."""
    evaluate_every: Count = 1
    """Epochs between evaluations while training; the last epoch is always evaluated."""
    fidelity: Fidelity = CODE
    seed: Seed = 0

    @field_validator("fidelity", mode="before")
    @classmethod
    def _named_fidelity(cls, value: object) -> object:
        return {"code": CODE, "paper": PAPER}.get(value, value) if isinstance(value, str) else value

    @field_validator("method", mode="before")
    @classmethod
    def _method_from_json(cls, value: object) -> object:
        return load_method(value) if isinstance(value, dict) else value

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        if self.method.needs_teacher and self.teacher is None:
            raise ValueError(f"{type(self.method).__name__} distils from a teacher, but the recipe has none")
        if isinstance(self.batch, RandomBatch) and self.objective.triplet_weight:
            raise ValueError(
                "a batch of random images has no positive pairs for the triplet loss: set "
                "objective.triplet_weight=0, or batches of identities"
            )
        start = self.initialisation
        if isinstance(start, Recipe) and start.student != self.student:
            raise ValueError(f"the student is {self.student!r}, but starts from a run of {start.student!r}")
        student = self.student
        if self.compactors and student.without_bottlenecks:
            raise ValueError(
                f"compactors stand behind the 3x3 convolution of a bottleneck; {student.without_bottlenecks}"
            )
        needed, size = student.image_size, (self.data.height, self.data.width)
        if needed and needed != size:
            raise ValueError(
                f"the student takes images of {needed[0]}x{needed[1]}, but data has {size[0]}x{size[1]}: "
                "make both the same"
            )
        return self

    @property
    def continues(self) -> bool:
        """Whether the student starts from a whole network trained on the same identities."""
        return isinstance(self.initialisation, Recipe) and self.initialisation.data.use == self.data.use

    @property
    def continues_pruned(self) -> bool:
        """Whether the student is the deployed network of its base."""
        start = self.initialisation
        return self.continues and isinstance(start, Recipe) and bool(start.compactors and not self.compactors)

    @property
    def dependencies(self) -> tuple["Recipe", ...]:
        """The runs whose weights this run needs: pretraining or base, teacher."""
        start = (self.initialisation,) if isinstance(self.initialisation, Recipe) else ()
        return start + ((self.teacher,) if self.teacher else ())

    @property
    def run_id(self) -> str:
        """Hash of the canonical recipe: 12 hexadecimal digits, the run's name everywhere."""
        return hashlib.sha256(json.dumps(canonical(self), sort_keys=True).encode()).hexdigest()[:12]

    def to_json(self) -> dict[str, Any]:
        """The whole recipe, defaults included, as plain values for `from_json`."""
        return {name: _plain(getattr(self, name)) for name in type(self).model_fields}

    @classmethod
    def from_json(cls, values: dict[str, Any]) -> Self:
        """The recipe that `to_json` wrote."""
        return cls.model_validate(values)


def canonical(settings: Settings) -> dict[str, Any]:
    """Plain values of the fields that differ from their defaults; a method is named by its key.

    Defaults are left out so that a new field with a default keeps every older run's id.
    """
    values: dict[str, Any] = {}
    for name, field in type(settings).model_fields.items():
        value = getattr(settings, name)
        if field.is_required() or value != field.default:
            values[name] = canonical(value) if isinstance(value, Settings) else value
    if isinstance(settings, Method):
        values["method"] = key_of(type(settings))
    return values


def _plain(value: Any) -> Any:
    if isinstance(value, Recipe):
        return value.to_json()
    if isinstance(value, Method):
        return {"method": key_of(type(value)), **value.model_dump(mode="json")}
    return value.model_dump(mode="json") if isinstance(value, Settings) else value
