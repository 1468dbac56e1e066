"""The library's training and the reference step, from one start, on one stream of batches.

The library runs its own loop, `Trainer.train_epoch`, one batch per epoch. Its networks are made float64
after they are built, and a hook makes the images float64 as they enter; nothing else is touched.
The seed recipe of the weights is `tests.training.reference_network.start`, of the images `Feed`.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from cdd.architecture import Backbone
from cdd.contract import CODE, Fidelity
from cdd.data.records import Dataset, ImageRecord
from cdd.methods.capacity_dynamic import CapacityDynamic, CapacityDynamicDistiller, RetrievalGuided
from cdd.methods.supervised import Supervised
from cdd.recipe import Augmentation, Batch, Data, Recipe, Schedule
from cdd.training.trainer import Trainer
from tests.training.reference_network import Shape, State, is_parameter, normalised, start
from tests.training.reference_step import Reference, Settings

SMALL = Shape(blocks=(1, 2, 2, 1), planes=(6, 8, 10, 12), embedding=16)
GUIDED = RetrievalGuided(queue=16)
"""The release's settings but for the queue, which two batches of 8 fill."""
UNCHANGED = Augmentation(flip=0, padding=0, erasing=0)
BATCH = Batch(identities=4, images=2)
STUDENT_SEED, TEACHER_SEED, IMAGE_SEED = 11, 12, 13
TOLERANCE = 1e-9
"""Relative to the largest value of a tensor. Both sides compute in float64; other orders of summation, batch
norms over 8 images and five steps of feedback leave up to 2e-11 of its rounding of 1e-16."""


@dataclass
class Feed:
    """Six identities with three images each: coloured noise. Remembers which images were asked for.

    A batch of four identities with two images leaves nothing for a second one, so an epoch has one batch.
    """

    height: int = 32
    asked: NDArray[np.int64] = field(default_factory=lambda: np.zeros(0, dtype=np.int64))

    def __post_init__(self) -> None:
        generator = np.random.default_rng(IMAGE_SEED)
        colours = generator.integers(96, 160, (6, 1, 3, 1, 1))
        noise = generator.integers(-90, 90, (6, 3, 3, self.height, self.height))
        images = np.clip(colours + noise, 0, 255).astype(np.uint8)
        self.images = torch.from_numpy(images).flatten(0, 1)

    def pixels(self, indices: Sequence[int] | NDArray[np.int64]) -> Tensor:
        self.asked = np.asarray(indices)
        return self.images[torch.from_numpy(self.asked)]

    def dataset(self) -> Dataset:
        records = tuple(ImageRecord(f"feed#{i}", i // 3, 0, "training") for i in range(len(self.images)))
        return Dataset(name="feed", records=records, protocols=(), pixels=self.pixels, digest="feed")

    def last_batch(self) -> tuple[Tensor, Tensor]:
        """Images and labels of the last batch that the library took."""
        return self.images[torch.from_numpy(self.asked)], torch.from_numpy(self.asked // 3)


def library_name(name: str) -> str:
    """What the library calls a tensor of the reference."""
    neck = {"bn_in": "neck.0", "linear": "neck.2", "bn_out": "neck.3", "identities": "classifier"}
    if not name.startswith("classifier."):
        return f"backbone.{name.replace('.dgc.', '.compactor.')}"
    _, layer, tensor = name.split(".")
    return f"{neck[layer]}.{tensor}"


def assign(network: nn.Module, state: State, dtype: torch.dtype) -> None:
    """Converts a library network and gives it the reference's state."""
    network.to(dtype)
    renamed = {library_name(name): value for name, value in state.items()}
    missing, unexpected = network.load_state_dict(renamed, strict=False)
    assert not unexpected
    assert all(name.endswith("num_batches_tracked") for name in missing)
    network.register_forward_pre_hook(lambda module, images: (images[0].to(dtype),))


@dataclass
class Twins:
    """One start, two implementations; `train` takes the library and then the reference through epochs."""

    folder: Path
    shape: Shape = SMALL
    guided: RetrievalGuided | None = GUIDED
    fidelity: Fidelity = CODE
    augmentation: Augmentation = UNCHANGED
    sparsity: float = 0.004
    tap_weight: float = 0.5
    noise: float = 0.3
    height: int = 32
    dtype: torch.dtype = torch.float64
    tolerance: float = TOLERANCE

    def __post_init__(self) -> None:
        student = start(self.shape, STUDENT_SEED, noise=self.noise)
        teacher = start(self.shape, TEACHER_SEED)
        self.feed = Feed(self.height)
        recipe = self._recipe()
        assert recipe.teacher is not None
        path = self.folder / "teacher.pt"
        torch.save({library_name(n): v for n, v in teacher.items()} | self._counters(teacher), path)
        weights = {recipe.teacher.run_id: path}
        cpu = torch.device("cpu")
        self.library = Trainer(recipe, self.feed.dataset(), weights, cpu, torch.float32)
        assert self.library.teacher is not None
        assign(self.library.student, student, self.dtype)
        assign(self.library.teacher, teacher, self.dtype)
        self.library.distiller.to(self.dtype)
        self.reference = Reference(self.shape, student, teacher, self._settings())

    def _recipe(self) -> Recipe:
        shape = self.shape
        backbone = Backbone(
            block="bottleneck", blocks=shape.blocks, planes=shape.planes, embedding=shape.embedding
        )
        supervised = Recipe(
            data=Data(name="feed", height=self.height, width=self.height),
            student=backbone,
            initialisation="random",
            method=Supervised(),
            batch=BATCH,
            schedule=Schedule(),
            augmentation=self.augmentation,
            precision="float32",
            fidelity=self.fidelity,
        )
        method = CapacityDynamic(sparsity=self.sparsity, tap_weight=self.tap_weight, resetting=self.guided)
        return supervised.model_copy(update={"teacher": supervised, "compactors": True, "method": method})

    def _settings(self) -> Settings:
        fidelity = self.fidelity.model_dump(exclude={"erasing_fill"})
        if self.guided is not None:
            fidelity |= self.guided.model_dump(exclude={"query", "self_match"})
        return Settings(alpha=self.sparsity, tap_weight=self.tap_weight, **fidelity)

    def _counters(self, state: State) -> State:
        means = [library_name(name) for name in state if name.endswith("running_mean")]
        return {n.replace("running_mean", "num_batches_tracked"): torch.tensor(0) for n in means}

    def train(self, epochs: Iterable[int]) -> None:
        """Trains both and compares everything after each step."""
        for epoch in epochs:
            found = self.step(epoch)
            images, labels = self.feed.last_batch()
            wanted = self.reference.step(normalised(images, torch.float64), labels, epoch)
            assert found == pytest.approx(wanted, rel=self.tolerance)
            self.assert_equal()

    def step(self, epoch: int) -> dict[str, float]:
        """The library's one step of an epoch; its losses by name."""
        finished: list[tuple[int, int]] = []
        report = self.library.train_epoch(epoch, lambda step, steps, _: finished.append((step, steps)))
        assert finished == [(1, 1)]
        return {n.removeprefix("loss/"): value for n, value in report.items() if n.startswith("loss/")}

    def assert_equal(self) -> None:
        """Gradients as edited, masks, weights, statistics and momentum of both are equal."""
        close(self.gradients(), self.reference.gradients, self.tolerance)
        close(self.momentum(), self.reference.momentum, self.tolerance)
        close(self.state(), self.reference.student, self.tolerance)
        masks = [(block.mask == 0).tolist() for block in self.reference.blocks]
        assert self.masked() == masks

    @property
    def distiller(self) -> CapacityDynamicDistiller:
        assert isinstance(self.library.distiller, CapacityDynamicDistiller)
        return self.library.distiller

    def masked(self) -> list[list[bool]]:
        """Per block, true for the channels whose task gradient is reset."""
        if self.distiller.resetting is None:
            return [[False] * len(weight) for weight in self.distiller.weights]
        return [(~kept).tolist() for kept in self.distiller.resetting.kept()]

    def state(self) -> State:
        """Copies of the library's weights and statistics by the reference's names."""
        stored = self.library.student.state_dict()
        return {name: stored[library_name(name)].clone() for name in self.reference.student}

    def gradients(self) -> State:
        """Copies of the gradients that the library's last step used."""
        return self._of_parameters(lambda p: p.grad)

    def momentum(self) -> State:
        """Copies of the library's momentum."""
        return self._of_parameters(lambda p: self.library.optimiser.state[p]["momentum_buffer"])

    def _of_parameters(self, read) -> State:
        named = dict(self.library.student.named_parameters())
        names = filter(is_parameter, self.reference.student)
        return {name: read(named[library_name(name)]).detach().clone() for name in names}


def close(found: State, wanted: State, tolerance: float = TOLERANCE) -> None:
    """Fails where a tensor differs by more than the tolerance, relative to its own largest value."""
    assert found.keys() == wanted.keys()
    for name, value in wanted.items():
        error, size = float((found[name].to(value.dtype) - value).abs().max()), float(value.abs().max())
        assert error <= tolerance * size, f"{name} differs by {error:.3g}, its largest value is {size:.3g}"


def differing(first: State, second: State) -> set[str]:
    """Names of the tensors that are not equal to the last bit."""
    assert first.keys() == second.keys()
    return {name for name, value in first.items() if not torch.equal(value, second[name])}
