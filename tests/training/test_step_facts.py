"""What follows from the rules of CDD with RGGR for a whole training step."""

import pytest
import torch

from tests.training.reference_network import normalised
from tests.training.reference_step import lasso
from tests.training.twins import GUIDED, SMALL, TOLERANCE, Twins, close, differing

ALPHA, RATE, MOMENTUM, DECAY = 0.004, 0.01, 0.9, 5e-4


def galleries(twins):
    return [block.gallery for block in twins.distiller.resetting.blocks]


def test_the_tap_distance_reaches_what_lies_before_the_last_tap_and_nothing_behind(tmp_path):
    with_taps, without = Twins(tmp_path), Twins(tmp_path, tap_weight=0)
    with_taps.step(1)
    without.step(1)
    gradients = with_taps.gradients()
    *_, (last, _, _, _) = SMALL.layers()
    behind = tuple(f"{last}.{layer}" for layer in ("dgc", "conv3", "bn3", "downsample")) + ("classifier",)
    reached = {name for name in gradients if not name.startswith(behind)}
    assert differing(gradients, without.gradients()) == reached


def test_a_tap_depends_on_the_compactors_before_it_alone(tmp_path):
    twins = Twins(tmp_path)
    twins.step(1)
    images = normalised(twins.feed.last_batch()[0], torch.float64)
    output, weights = twins.library.student(images, tapped=True), twins.distiller.weights
    for own, (before, after) in enumerate(zip(output.before_compactor, output.after_compactor, strict=True)):
        for tap, reached in ((before, own), (after, own + 1)):
            found = torch.autograd.grad(tap.square().sum(), weights, retain_graph=True, allow_unused=True)
            assert [gradient is not None for gradient in found] == [
                index < reached for index in range(len(weights))
            ]


def test_a_masked_row_still_moves_by_lasso_weight_decay_and_momentum(tmp_path):
    twins = Twins(tmp_path)
    twins.step(20)
    weights, momentum = twins.state(), twins.momentum()
    twins.step(21)
    names = twins.reference.compactors
    assert any(map(any, twins.masked()))
    for name, masked in zip(names, twins.masked(), strict=True):
        rows = weights[name].flatten(1)
        unit = rows / rows.norm(dim=1, keepdim=True)
        velocity = MOMENTUM * momentum[name].flatten(1) + ALPHA * unit + DECAY * rows
        alone = rows - RATE * velocity
        followed = ((twins.state()[name].flatten(1) - alone).abs() < 1e-12).all(1)
        assert followed.tolist() == masked
        assert (twins.state()[name] != weights[name]).all()


def test_a_mask_changes_the_gradient_of_its_rows_alone(tmp_path):
    guided, unguided = Twins(tmp_path), Twins(tmp_path, guided=None)
    assert guided.step(21) == unguided.step(21)
    masks = dict(zip(guided.reference.compactors, guided.masked(), strict=True))
    found, wanted = guided.gradients(), unguided.gradients()
    assert differing(found, wanted) == {name for name, masked in masks.items() if any(masked)}
    for name, masked in masks.items():
        assert (found[name] != wanted[name]).flatten(1).any(1).tolist() == masked


def test_rggr_sleeps_with_empty_queues_up_to_its_last_epoch_without(tmp_path):
    guided, unguided = Twins(tmp_path), Twins(tmp_path, guided=None)
    for epoch in (1, 19, 20):
        assert guided.step(epoch) == unguided.step(epoch)
        assert not any(map(any, guided.masked()))
        assert {gallery.filled for gallery in galleries(guided)} == {0}
    assert not differing(guided.state(), unguided.state())
    for epoch, filled, position in ((21, 8, 8), (22, 16, 0), (23, 16, 8)):
        guided.step(epoch)
        assert {(gallery.filled, gallery.position) for gallery in galleries(guided)} == {(filled, position)}
    assert any(map(any, guided.masked()))


def test_the_first_neighbour_is_the_query_itself(tmp_path):
    # One neighbour: whatever else is in the queue, masks and weights are the same; two: they are not.
    for neighbours, same in ((1, True), (2, False)):
        short, long = (
            Twins(tmp_path, guided=GUIDED.model_copy(update={"neighbours": neighbours, "queue": queue}))
            for queue in (8, 24)
        )
        for epoch in (21, 22, 23):
            short.step(epoch)
            long.step(epoch)
        assert (short.masked() == long.masked()) == same
        assert (not differing(short.state(), long.state())) == same


@pytest.mark.parametrize("epoch", [20, 21])
def test_the_lasso_in_the_loss_equals_the_lasso_added_to_the_gradient(tmp_path, epoch):
    with_lasso, without = Twins(tmp_path, guided=None), Twins(tmp_path, guided=None, sparsity=0)
    weights = [weight.detach().clone().requires_grad_() for weight in with_lasso.distiller.weights]
    penalty = torch.autograd.grad(ALPHA * lasso(weights), weights)
    losses = with_lasso.step(epoch)
    assert losses == without.step(epoch)
    added, wanted = with_lasso.gradients(), without.gradients()
    names = with_lasso.reference.compactors
    close(
        {name: added[name] - wanted[name] for name in names},
        dict(zip(names, penalty, strict=True)),
    )
    assert differing(added, wanted) == set(names)


def test_the_reference_adds_the_lasso_to_loss_or_gradient_alike(tmp_path):
    # Lists of no channel: no mask, so that only the way of the lasso is left to differ.
    late = Twins(tmp_path, guided=GUIDED.model_copy(update={"ratio": 0.01}))
    early = Twins(tmp_path, guided=GUIDED.model_copy(update={"ratio": 0.01, "after_epoch": 0}))
    for epoch in (1, 2, 3):
        late.step(epoch)
        images, labels = late.feed.last_batch()
        images = normalised(images, torch.float64)
        found = late.reference.step(images, labels, epoch)
        assert found == pytest.approx(early.reference.step(images, labels, epoch), rel=TOLERANCE)
        close(late.reference.gradients, early.reference.gradients)
    late.assert_equal()
