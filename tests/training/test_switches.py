"""What each field of `Fidelity` changes in a training step, and that it changes nothing else."""

import pytest
import torch
from torch import nn

from cdd.contract import CODE, PAPER
from cdd.recipe import Augmentation
from tests.training.reference_network import MEAN, normalised, start
from tests.training.twins import BATCH, SMALL, STUDENT_SEED, TEACHER_SEED, Twins, close, differing

BLOCKS = sum(SMALL.blocks)
ACTIVE = (21, 22, 23, 24)
HEAD = {
    "classifier.bn_in.weight",
    "classifier.bn_in.bias",
    "classifier.linear.weight",
    "classifier.bn_out.weight",
    "classifier.bn_out.bias",
    "classifier.identities.weight",
}
ERASING = Augmentation(flip=0, padding=0, erasing=1)


def switched(**fields):
    return CODE.model_copy(update=fields)


def pair(folder, **fields):
    """The release's step, and the same with one field switched."""
    return Twins(folder), Twins(folder, fidelity=switched(**fields))


@pytest.mark.parametrize(
    "fidelity",
    [
        switched(tap_reduction="mean"),
        switched(sticky_masks=False),
        switched(teacher_batch_norm="running"),
        switched(neck_learning_rate_factor=1.0),
        switched(compactor_weight_decay=False),
        PAPER,
    ],
    ids=["taps", "masks", "teacher", "neck", "decay", "paper"],
)
def test_every_switch_equals_the_reference_with_the_same_switch(tmp_path, fidelity):
    Twins(tmp_path, fidelity=fidelity).train((20, *ACTIVE))


def test_the_sum_is_the_number_of_blocks_times_the_mean_in_loss_and_gradient(tmp_path):
    release, text = pair(tmp_path, tap_reduction="mean")
    without = Twins(tmp_path, tap_weight=0)
    found, wanted = release.step(1), text.step(1)
    assert without.step(1)["tap"] == 0
    assert found["tap"] == pytest.approx(BLOCKS * wanted["tap"], rel=1e-14)
    assert all(found[name] == wanted[name] for name in ("identity", "triplet", "logit"))
    rest = without.gradients()
    summed = {name: value - rest[name] for name, value in release.gradients().items()}
    averaged = {name: BLOCKS * (value - rest[name]) for name, value in text.gradients().items()}
    changed = differing(release.gradients(), text.gradients())
    close({n: summed[n] for n in changed}, {n: averaged[n] for n in changed})
    assert changed.isdisjoint(HEAD)


def test_sticky_masks_are_the_union_of_the_fresh_ones(tmp_path):
    sticky, fresh = pair(tmp_path, sticky_masks=False)
    union = [[False] * len(mask) for mask in sticky.masked()]
    for epoch in ACTIVE:
        # Until the masks differ for the first time, both trainings are the same to the last bit.
        assert sticky.step(epoch) == fresh.step(epoch)
        union = [[*map(any, zip(*masks, strict=True))] for masks in zip(union, fresh.masked(), strict=True)]
        assert sticky.masked() == union
        if union != fresh.masked():
            break
        assert not differing(sticky.state(), fresh.state())
    released = [
        [old and not new for old, new in zip(*masks, strict=True)]
        for masks in zip(union, fresh.masked(), strict=True)
    ]
    assert any(map(any, released))
    assert_only_these_rows_differ(sticky, fresh, released)


def assert_only_these_rows_differ(first, second, rows):
    """Only the gradients of these compactors' rows differ, and with them these rows alone of all weights."""
    for found, wanted in ((first.gradients(), second.gradients()), (first.state(), second.state())):
        names = dict(zip(first.reference.compactors, rows, strict=True))
        assert differing(found, wanted) == {name for name, chosen in names.items() if any(chosen)}
        for name, chosen in names.items():
            assert (found[name] != wanted[name]).flatten(1).any(1).tolist() == chosen


def test_the_teachers_batch_norm_changes_what_it_says_but_not_the_labels_losses(tmp_path):
    batch, running = pair(tmp_path, teacher_batch_norm="running")
    found, wanted = batch.step(1), running.step(1)
    assert all(found[name] == wanted[name] for name in ("identity", "triplet"))
    assert all(abs(found[name] / wanted[name] - 1) > 0.01 for name in ("logit", "tap"))


def test_running_statistics_that_equal_the_batchs_give_the_same_step(tmp_path):
    batch, running = pair(tmp_path, teacher_batch_norm="running")
    found = batch.step(21)
    teacher, images = running.library.teacher, normalised(batch.feed.last_batch()[0], torch.float64)
    norms = [module for module in teacher.modules() if isinstance(module, nn.BatchNorm1d | nn.BatchNorm2d)]
    handles = [norm.register_forward_pre_hook(take_statistics) for norm in norms]
    teacher(images)
    for handle in handles:
        handle.remove()
    assert running.step(21) == pytest.approx(found, rel=1e-9)
    assert running.masked() == batch.masked()
    close(running.gradients(), batch.gradients())
    close(running.state(), batch.state())


def take_statistics(norm, inputs):
    axes = [axis for axis in range(inputs[0].ndim) if axis != 1]
    norm.running_mean, norm.running_var = inputs[0].mean(axes), inputs[0].var(axes, unbiased=False)


def test_the_releases_drift_of_the_teachers_statistics_changes_no_number(tmp_path):
    twins, before = Twins(tmp_path), start(SMALL, TEACHER_SEED)
    kept = {name: value.clone() for name, value in twins.library.teacher.state_dict().items()}
    twins.train((20, *ACTIVE))
    drifted = differing(twins.reference.teacher, before)
    assert drifted == {name for name in before if "running" in name}
    now = twins.library.teacher.state_dict()
    assert all(torch.equal(now[name], value) for name, value in kept.items() if "tracked" not in name)


def test_the_neck_and_the_classifier_move_one_and_a_half_times_as_far(tmp_path):
    release, text = pair(tmp_path, neck_learning_rate_factor=1.0)
    before = start(SMALL, STUDENT_SEED, noise=release.noise)
    # In epoch 11 the rate is the peak, 0.01; the factor multiplies the peak, not the final rate.
    assert release.step(11) == text.step(11)
    assert not differing(release.gradients(), text.gradients())
    assert not differing(release.momentum(), text.momentum())
    assert differing(release.state(), text.state()) == HEAD
    for name in HEAD:
        moved, slower = (twins.state()[name] - before[name] for twins in (release, text))
        torch.testing.assert_close(moved, 1.5 * slower, rtol=0, atol=1e-12 * float(before[name].abs().max()))


def test_weight_decay_on_compactors_adds_its_share_to_their_momentum_alone(tmp_path):
    release, text = pair(tmp_path, compactor_weight_decay=False)
    before = start(SMALL, STUDENT_SEED, noise=release.noise)
    assert release.step(21) == text.step(21)
    assert not differing(release.gradients(), text.gradients())
    compactors = set(release.reference.compactors)
    assert differing(release.state(), text.state()) == compactors
    assert differing(release.momentum(), text.momentum()) == compactors
    for name in compactors:
        added = release.momentum()[name] - text.momentum()[name]
        torch.testing.assert_close(added, 5e-4 * before[name], rtol=0, atol=1e-15)


def entered(twins):
    """The images that enter the student in the epochs to come, one batch per epoch."""
    batches = []
    twins.library.student.register_forward_pre_hook(lambda module, images: batches.append(images[0]))
    return batches


def test_the_fill_of_erased_boxes_is_all_that_differs_between_the_images(tmp_path):
    release = Twins(tmp_path, augmentation=ERASING)
    text = Twins(tmp_path, augmentation=ERASING, fidelity=switched(erasing_fill="zero"))
    filled, emptied = entered(release), entered(text)
    for epoch in (20, 21):
        release.step(epoch)
        text.step(epoch)
        pixels, labels = release.feed.last_batch()
        plain = normalised(pixels, torch.float64)
        boxes = (filled[-1] != emptied[-1]).all(1, keepdim=True)
        mean = torch.tensor(MEAN).double()[:, None, None]
        assert boxes.flatten(1).any(1).tolist() == [True] * BATCH.size
        assert torch.equal(filled[-1], torch.where(boxes, mean, plain))
        assert torch.equal(emptied[-1], torch.where(boxes, 0.0, plain))
        # With the images as they entered, both are the same step of the reference.
        for twins, images in ((release, filled[-1]), (text, emptied[-1])):
            twins.reference.step(images, labels, epoch)
            twins.assert_equal()
