"""One run written down: frozen, validated, hashable; everything that can change a number and nothing else."""

import hashlib
import json
from importlib import import_module
from typing import Annotated, Any, Literal, Self

from pydantic import Field, SerializeAsAny, field_validator, model_validator

from cdd.contract import CODE, PAPER, Fidelity, Method, Settings

Positive = Annotated[int, Field(ge=1)]
Fraction = Annotated[float, Field(ge=0, le=1)]
NonNegative = Annotated[float, Field(ge=0)]
FourStages = tuple[Positive, Positive, Positive, Positive]


class Data(Settings):
    """Which images, at which size, and which of them serve for what.

    Retrieval: `standard` trains on all training identities and evaluates on the test identities; `tuning`
    sets the validation identities aside from training and evaluates on them; `pretraining` trains on
    identities that serve nothing else and also evaluates on the validation identities.

    Classification: `classification` trains on images of the classes and evaluates top-1 on held-out
    images of the SAME classes: the data set's own test images, or one image in five of each training
    identity where its test identities are others. `classification-tuning` sets one in five of the images
    that are left aside from training and evaluates on them, never on held-out ones.
    """

    name: str
    height: Positive = 256
    width: Positive = 256
    use: Literal["standard", "tuning", "pretraining", "classification", "classification-tuning"] = "standard"
    msmt17_lists: Literal["train", "train+val"] = "train+val"
    """Which of MSMT17's lists are trained on; both are the 32,621 images of the text."""


class Backbone(Settings):
    """A ResNet: kind of block, blocks and planes of the four stages, stem, size of the embedding."""

    block: Literal["bottleneck", "basic"]
    blocks: FourStages
    planes: FourStages = (64, 128, 256, 512)
    stem: Literal["imagenet", "small"] = "imagenet"
    """`imagenet`: 7x7 stride 2, then 3x3 max pooling stride 2; `small`: 3x3 stride 2 without pooling."""
    embedding: Positive = 512


class VisionTransformer(Settings):
    """A vision transformer whose class token is the pooled feature; the defaults are ViT-B/16's."""

    image: Positive = 384
    """Height and width that its position embeddings are made for."""
    patch: Positive = 16
    layers: Positive = 12
    heads: Positive = 12
    width: Positive = 768
    hidden: Positive = 3072
    """Width inside the feed-forward part of a layer."""
    embedding: Positive = 512

    @model_validator(mode="after")
    def _divisible(self) -> Self:
        for name, whole, part in (("image", self.image, self.patch), ("width", self.width, self.heads)):
            if whole % part:
                raise ValueError(
                    f"{name} is {whole}, which {part} does not divide: patches and heads are equal"
                )
        return self


Network = Backbone | VisionTransformer


class Objective(Settings):
    """The losses that every run has (Section 3.1.1; values of the release)."""

    label_smoothing: Fraction = 0.1
    triplet_margin: NonNegative = 0.35
    temperature: Annotated[float, Field(gt=0)] = 2.0
    logit_weight: NonNegative = 1.0


class Batch(Settings):
    """Identities and images per identity in one batch (Section 4.2)."""

    identities: Annotated[int, Field(ge=2)] = 16
    images: Annotated[int, Field(ge=2)] = 6
    at_once: Annotated[int, Field(ge=2)] | None = None
    """Images in the network at a time where the whole batch does not fit; batch norms see only these."""

    @property
    def size(self) -> int:
        """Images in a batch."""
        return self.identities * self.images


class Schedule(Settings):
    """How long and how fast to train (Section 4.2): linear warm-up, flat, cosine."""

    epochs: Positive = 100
    peak_learning_rate: Annotated[float, Field(gt=0)] = 0.01
    warmup_factor: Fraction = 0.1
    warmup_epochs: NonNegative = 10
    flat_until_epoch: NonNegative = 40
    final_learning_rate: NonNegative = 1e-7
    step: Literal["epoch", "iteration"] = "epoch"

    @model_validator(mode="after")
    def _ordered(self) -> Self:
        if not self.warmup_epochs <= self.flat_until_epoch < self.epochs:
            raise ValueError(
                f"warmup_epochs {self.warmup_epochs}, flat_until_epoch {self.flat_until_epoch} and epochs "
                f"{self.epochs} must satisfy warmup_epochs <= flat_until_epoch < epochs"
            )
        return self


class Optimiser(Settings):
    """SGD without Nesterov or dampening."""

    momentum: Annotated[float, Field(ge=0, lt=1)] = 0.9
    weight_decay: NonNegative = 5e-4


class Augmentation(Settings):
    """Random flip, pad and crop, erasing; pixels are of the training resolution."""

    flip: Fraction = 0.5
    padding: Annotated[int, Field(ge=0)] = 10
    erasing: Fraction = 0.5
    erasing_area: tuple[Fraction, Fraction] = (0.02, 0.4)
    erasing_aspect: tuple[float, float] = (0.3, 3.33)


class Recipe(Settings):
    """One training, complete. Two recipes with one `run_id` are the same run."""

    data: Data
    student: Network
    compactors: Literal[False, True, "both"] = False
    """Whether a 1x1 compactor stands behind every 3x3 convolution of the student; `both`: behind the
    1x1 convolution before it as well, as in ResRep."""
    initialisation: "Literal['random', 'imagenet'] | Recipe" = "imagenet"
    """A recipe here is a run whose backbone the student starts from: a pretraining run, or, where it was
    trained on the same identities, a base that neck and classifier come from too. Of a base with
    compactors, a student without any is the deployed network: pruned, folded, trained further as it is."""
    teacher: "Recipe | None" = None
    method: SerializeAsAny[Method]
    objective: Objective = Objective()
    batch: Batch = Batch()
    schedule: Schedule = Schedule()
    optimiser: Optimiser = Optimiser()
    augmentation: Augmentation = Augmentation()
    precision: Literal["float32", "mixed", "bfloat16", "float16"] = "mixed"
    """Of autocast. `mixed`: bfloat16 where the device computes it natively, else float16 on CUDA and
    float32 elsewhere."""
    evaluate_every: Positive = 1
    """Epochs between evaluations while training; the last epoch is always evaluated."""
    fidelity: Fidelity = CODE
    seed: Annotated[int, Field(ge=0)] = 0

    @field_validator("fidelity", mode="before")
    @classmethod
    def _named_fidelity(cls, value: object) -> object:
        return {"code": CODE, "paper": PAPER}.get(value, value) if isinstance(value, str) else value

    @field_validator("method", mode="before")
    @classmethod
    def _method_from_json(cls, value: object) -> object:
        return _load_method(value) if isinstance(value, dict) else value

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        if self.method.needs_teacher and self.teacher is None:
            raise ValueError(f"{type(self.method).__name__} distils from a teacher, but the recipe has none")
        start = self.initialisation
        if isinstance(start, Recipe) and start.student != self.student:
            raise ValueError(f"the student is {self.student!r}, but starts from a run of {start.student!r}")
        if isinstance(self.student, VisionTransformer):
            self._check_transformer(self.student)
        elif self.compactors and self.student.block != "bottleneck":
            raise ValueError(
                "compactors stand behind the 3x3 convolution of a bottleneck; this student has basic blocks"
            )
        return self

    def _check_transformer(self, student: VisionTransformer) -> None:
        if self.compactors:
            raise ValueError("compactors stand behind 3x3 convolutions; a vision transformer has none")
        if (self.data.height, self.data.width) != (student.image, student.image):
            raise ValueError(
                f"the transformer's position embeddings are for images of {student.image}x{student.image}, "
                f"but data has {self.data.height}x{self.data.width}: make both the same"
            )

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
        """The runs whose weights this one needs: pretraining or base, teacher."""
        start = (self.initialisation,) if isinstance(self.initialisation, Recipe) else ()
        return start + ((self.teacher,) if self.teacher else ())

    @property
    def run_id(self) -> str:
        """Hash of the canonical recipe: 12 hexadecimal digits, the run's name everywhere."""
        return hashlib.sha256(json.dumps(canonical(self), sort_keys=True).encode()).hexdigest()[:12]

    def to_json(self) -> dict[str, Any]:
        """The whole recipe, defaults included, as plain values; `from_json` reads it back."""
        return {name: _plain(getattr(self, name)) for name in type(self).model_fields}

    @classmethod
    def from_json(cls, values: dict[str, Any]) -> Self:
        """The recipe that `to_json` wrote."""
        return cls.model_validate(values)


def canonical(settings: Settings) -> dict[str, Any]:
    """Plain values of the fields that differ from their defaults; a method is named by its import path.

    Defaults are left out so that a new field with a default keeps every older run's id.
    """
    values: dict[str, Any] = {}
    for name, field in type(settings).model_fields.items():
        value = getattr(settings, name)
        if field.is_required() or value != field.default:
            values[name] = canonical(value) if isinstance(value, Settings) else value
    if isinstance(settings, Method):
        values["method"] = _import_path(type(settings))
    return values


def _plain(value: Any) -> Any:
    if isinstance(value, Recipe):
        return value.to_json()
    if isinstance(value, Method):
        return {"method": _import_path(type(value)), **value.model_dump(mode="json")}
    return value.model_dump(mode="json") if isinstance(value, Settings) else value


def _import_path(kind: type[Method]) -> str:
    return f"{kind.__module__}:{kind.__qualname__}"


def _load_method(values: dict[str, Any]) -> Method:
    fields = dict(values)
    path = fields.pop("method", None)
    if not isinstance(path, str) or not path.startswith("cdd.methods."):
        raise ValueError(f"a stored method must name its class as cdd.methods.<module>:<class>, got {path!r}")
    module, _, name = path.partition(":")
    kind = getattr(import_module(module), name, None)
    if not (isinstance(kind, type) and issubclass(kind, Method)):
        raise ValueError(f"{path} is not a method of this version of the library")
    return kind.model_validate(fields)
