"""The library's training step against the reference step, which was written without it."""

import pytest
import torch

from cdd.methods.capacity_dynamic import RetrievalGuided
from tests.training.reference_network import Shape
from tests.training.twins import GUIDED, Twins


@pytest.mark.parametrize(
    "epochs",
    [(1,), (1, 2, 3), (20, 21, 22, 23, 24), (5, 11, 41, 42, 100)],
    ids=["first step", "warm-up", "start of RGGR", "whole schedule"],
)
def test_every_step_equals_the_reference(tmp_path, epochs):
    Twins(tmp_path).train(epochs)


@pytest.mark.parametrize("distance", ["cosine", "euclidean"])
@pytest.mark.parametrize(("neighbours", "ratio"), [(1, 0.5), (2, 0.7), (3, 0.75)])
def test_every_setting_of_rggr_equals_the_reference(tmp_path, distance, neighbours, ratio):
    guided = GUIDED.model_copy(update={"distance": distance, "neighbours": neighbours, "ratio": ratio})
    twins = Twins(tmp_path, guided=guided)
    twins.train((20, 21, 22, 23))
    assert any(map(any, twins.masked()))


def test_the_steps_compared_have_masks_that_grow_and_a_queue_that_wraps(tmp_path):
    twins = Twins(tmp_path)
    twins.train((20, 21))
    first = sum(map(sum, twins.masked()))
    twins.train((22, 23))
    second = sum(map(sum, twins.masked()))
    assert 0 < first < second < sum(map(len, twins.masked())) / 2
    assert twins.reference.blocks[0].pointer == 8


def test_the_step_in_single_precision_stays_near_the_reference(tmp_path):
    # One step only: later a rounding of 6e-8 may choose another hardest image, and with it another gradient.
    twins = Twins(tmp_path, dtype=torch.float32, tolerance=2e-3)
    twins.train((21,))
    assert any(map(any, twins.masked()))


@pytest.mark.slow
def test_resnet101_equals_the_reference(tmp_path):
    # Three steps through 101 layers leave up to 2e-9 where the small network's leave 2e-11.
    twins = Twins(
        tmp_path,
        shape=Shape(),
        noise=0.0,
        height=64,
        guided=RetrievalGuided(queue=24),
        tolerance=1e-7,
    )
    twins.train((20, 21, 22))
    assert len(twins.masked()) == 33
    assert all(map(any, twins.masked()))
