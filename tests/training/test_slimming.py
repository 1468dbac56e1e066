"""A student from which dead rows were taken learns what the whole student learns."""

from pathlib import Path

import pytest
import torch
from torch import Tensor

from cdd.compactor.deploy import deploy
from cdd.compactor.slim import removed, restored
from cdd.methods.resrep import ResRep
from cdd.training.optimiser import slim
from cdd.training.trainer import Trainer
from tests.small import small_dataset, teacher_recipe
from tests.training.twins import GUIDED, Twins

GUIDED_EPOCHS = range(GUIDED.after_epoch + 1, GUIDED.after_epoch + 4)
LATER = range(GUIDED.after_epoch + 4, GUIDED.after_epoch + 9)
TOLERANCE = 1e-10
"""Relative to a tensor's largest value, in float64."""


def killed(twins: Twins) -> list[Tensor]:
    """Sets some of the masked rows, and their momentum, to zero; true for these."""
    assert twins.distiller.resetting is not None
    dead = []
    for weight, kept in zip(twins.distiller.weights, twins.distiller.resetting.kept(), strict=True):
        mask = torch.arange(len(kept)) % 2 == 0
        kept.masked_fill_(mask, False)
        with torch.no_grad():
            weight[mask] = 0
        twins.library.optimiser.state[weight]["momentum_buffer"][mask] = 0
        dead.append(mask)
    return dead


@pytest.fixture
def pair(tmp_path: Path) -> tuple[Twins, Twins, list[Tensor]]:
    """Two trainings that stand at the same point, with the same dead rows; they have left the second."""
    made = []
    for name in ("whole", "slim"):
        (tmp_path / name).mkdir()
        twins = Twins(tmp_path / name, sparsity=0.01)
        for epoch in GUIDED_EPOCHS:
            twins.step(epoch)
        dead = killed(twins)
        made.append(twins)
    assert slim(made[1].library.student, made[1].library.optimiser, dead)
    return made[0], made[1], dead


def assert_same_where_alive(whole: Twins, slimmed: Twins, dead: list[Tensor]) -> None:
    expected = dict(whole.library.student.state_dict())
    for block, mask in zip(whole.library.student.bottlenecks, dead, strict=True):
        name = next(n for n, p in whole.library.student.named_parameters() if p is block.conv3.weight)
        # What reads a dead channel is decayed where it still exists, and never told anything.
        expected[name] = expected[name].clone()
        expected[name][:, mask] = 0
    found = restored(slimmed.library.student).state_dict()
    for name, value in expected.items():
        error = float((found[name] - value).abs().max())
        assert error <= TOLERANCE * max(1.0, float(value.abs().max())), f"{name} differs by {error}"


def test_losses_weights_and_masks_are_those_of_the_whole_student(pair) -> None:
    whole, slimmed, dead = pair
    assert [len(weight) for weight in slimmed.distiller.weights] == [int((~mask).sum()) for mask in dead]
    for epoch in LATER:
        wanted = whole.step(epoch)
        assert slimmed.step(epoch) == pytest.approx(wanted, rel=TOLERANCE)
        assert slimmed.masked() == whole.masked()
        assert_same_where_alive(whole, slimmed, dead)


def test_the_deployed_network_is_that_of_the_whole_student(pair) -> None:
    whole, slimmed, dead = pair
    for epoch in LATER:
        whole.step(epoch)
        slimmed.step(epoch)
    wanted, found = (
        deploy(restored(twins.library.student), twins.library.recipe.student, twins.distiller.kept_channels())
        for twins in (whole, slimmed)
    )
    assert [b.conv2.out_channels for b in found.bottlenecks] == [int((~mask).sum()) for mask in dead]
    images = torch.randn(3, 3, 32, 32)
    torch.testing.assert_close(found(images).embedding, wanted(images).embedding)


def test_every_figure_of_the_method_counts_all_rows(pair) -> None:
    whole, slimmed, _ = pair
    wanted = whole.distiller.report(0.01)
    assert slimmed.distiller.report(0.01) == pytest.approx(wanted, rel=TOLERANCE)


def test_only_what_was_cut_loses_momentum(pair) -> None:
    whole, slimmed, _ = pair
    for name, parameter in slimmed.library.student.named_parameters():
        momentum = slimmed.library.optimiser.state[parameter]["momentum_buffer"]
        assert momentum.shape == parameter.shape
        if "conv3" not in name and "compactor" not in name:
            other = dict(whole.library.student.named_parameters())[name]
            assert torch.equal(momentum, whole.library.optimiser.state[other]["momentum_buffer"])


def test_nothing_happens_where_nothing_is_dead(pair) -> None:
    _, slimmed, dead = pair
    assert not slim(slimmed.library.student, slimmed.library.optimiser, dead)
    assert [mask.tolist() for mask in removed(slimmed.library.student)] == [mask.tolist() for mask in dead]


def test_a_smaller_student_passes_through_the_compiler_anew(monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[object] = []
    resets: list[None] = []

    def compile_nothing(network: object) -> object:
        seen.append(network)
        return network

    monkeypatch.setattr(torch, "compile", compile_nothing)
    monkeypatch.setattr(torch.compiler, "reset", lambda: resets.append(None))
    recipe = teacher_recipe(compactors=True, method=ResRep())
    first, second = (
        Trainer(recipe, small_dataset(16, 16), {}, torch.device("cpu"), torch.float32, compiled=True)
        for _ in range(2)
    )
    second.load_state(first.state())
    for training in (first, second):
        assert training.passes is not None
    assert (seen, resets) == ([first.student, second.student], [])
    slim(first.student, first.optimiser, [torch.arange(width) > 1 for width in (4, 4, 8, 8)])
    second.load_state(first.state())
    assert second.passes is not None
    assert (seen[2:], resets) == ([second.student], [None])
    assert [mask.sum() for mask in removed(second.student)] == [2, 2, 6, 6]
