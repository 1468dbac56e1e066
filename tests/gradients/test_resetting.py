from copy import deepcopy

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from cdd.gradients import RetrievalGuidedResetting, reset_gradient, reset_gradients, unimportant_channels
from cdd.gradients.resetting import smallest


def step_by_step(query, student, gallery, neighbours, ratio, distance="cosine"):
    """RGGR with loops, sets and full sorts, as the paper's equations read."""
    shared = set(range(student.shape[1]))
    places = int(student.shape[1] * ratio)
    for asked, own in zip(query.double(), student.double(), strict=True):
        if distance == "cosine":
            scores = [float(asked @ row / asked.norm() / row.norm()) for row in gallery.double()]
        else:
            scores = [-float((asked - row).norm()) for row in gallery.double()]
        ranking = sorted(range(len(scores)), key=lambda row: -scores[row])
        for row in ranking[:neighbours]:
            products = (own * gallery[row].double()).abs().tolist()
            order = sorted(range(len(products)), key=lambda channel: (products[channel], channel))
            shared &= set(order[:places])
    return shared


def channels(mask):
    return set(mask.nonzero().flatten().tolist())


def correlated(seed, rows=12, dim=20, extra=24):
    """Student, teacher and gallery with a few channels that are small everywhere."""
    generator = torch.Generator().manual_seed(seed)
    gallery = torch.randn(rows + extra, dim, generator=generator)
    teacher = gallery[:rows].clone()
    student = teacher + 0.3 * torch.randn(rows, dim, generator=generator)
    student[:, :5] *= 1e-3
    return student, teacher, gallery


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("distance", ["cosine", "euclidean"])
@pytest.mark.parametrize(("neighbours", "ratio"), [(1, 0.5), (2, 0.5), (4, 0.3), (3, 0.77)])
def test_equals_the_step_by_step_method(seed, distance, neighbours, ratio):
    student, teacher, gallery = correlated(seed)
    options = {"neighbours": neighbours, "ratio": ratio, "distance": distance}
    found = unimportant_channels(student, teacher, gallery, **options)
    assert channels(found) == step_by_step(teacher, student, gallery, neighbours, ratio, distance)
    single = unimportant_channels(student, teacher, gallery, similarity_dtype=torch.float32, **options)
    assert torch.equal(found, single)


def test_three_channels_worked_by_hand():
    gallery = torch.tensor([[1.0, 2.0, 0.1], [0.9, 2.0, 0.2], [-5.0, 0.1, 3.0]])
    student = torch.tensor([[1.0, 0.1, 1.0]])
    # Products with itself: 1, .2, .1; with its neighbour: .9, .2, .2: the tie goes to channel 1.
    mask = unimportant_channels(student, gallery[:1], gallery, neighbours=1, ratio=0.34)
    assert mask.tolist() == [False, False, True]
    assert unimportant_channels(student, gallery[:1], gallery, ratio=0.34).tolist() == [False, False, False]
    assert unimportant_channels(student, gallery[:1], gallery, ratio=0.67).tolist() == [False, True, True]


def test_the_order_of_the_gallery_and_the_length_of_any_row_do_not_matter():
    student, teacher, gallery = correlated(0)
    expected = unimportant_channels(student, teacher, gallery)
    assert expected.any()
    order = torch.randperm(len(gallery))
    lengths = 2.0 ** torch.randint(-3, 4, (len(gallery), 1)).float()
    found = unimportant_channels(4 * student, lengths[:12] * teacher, (lengths * gallery)[order])
    assert torch.equal(found, expected)


def test_more_neighbours_can_only_shrink_and_a_larger_ratio_only_grow_the_result():
    student, teacher, gallery = correlated(1)
    for few, many in ((1, 2), (2, 5)):
        smaller = unimportant_channels(student, teacher, gallery, neighbours=many)
        assert channels(smaller) <= channels(unimportant_channels(student, teacher, gallery, neighbours=few))
    for low, high in ((0.2, 0.5), (0.5, 0.9)):
        smaller = unimportant_channels(student, teacher, gallery, ratio=low)
        assert channels(smaller) <= channels(unimportant_channels(student, teacher, gallery, ratio=high))


def test_the_limits_of_the_ratio_are_none_and_all():
    student, teacher, gallery = correlated(2)
    assert not unimportant_channels(student, teacher, gallery, ratio=0.0).any()
    assert not unimportant_channels(student, teacher, gallery, ratio=0.049).any()
    assert unimportant_channels(student, teacher, gallery, ratio=1.0).all()


def test_dead_channels_are_unimportant_up_to_the_length_of_the_list():
    student, teacher, gallery = correlated(3)
    student[:, 4:18] = 0
    found = unimportant_channels(student, teacher, gallery, ratio=0.5)
    # Fourteen exact zeros for ten places: the lower indices take them, the same in every list.
    assert channels(found) == set(range(4, 14))


@given(
    st.lists(st.lists(st.integers(0, 4), min_size=9, max_size=9), min_size=1, max_size=5), st.integers(1, 9)
)
def test_smallest_takes_exactly_its_places_and_of_ties_the_first(rows, places):
    found = smallest(torch.tensor(rows, dtype=torch.float32), places)
    for row, mask in zip(rows, found, strict=True):
        assert channels(mask) == set(sorted(range(9), key=lambda channel: (row[channel], channel))[:places])


def test_autocast_and_gradients_do_not_reach_the_retrieval():
    student, teacher, gallery = correlated(0)
    expected = unimportant_channels(student, teacher, gallery)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        student.requires_grad_()
        found = unimportant_channels(student, teacher, gallery, similarity_dtype=torch.float32)
    assert torch.equal(found, expected)
    assert not found.requires_grad


@pytest.mark.parametrize(
    ("change", "text"),
    [
        ({"ratio": 1.1}, "use 0 to 1"),
        ({"ratio": float("nan")}, "use 0 to 1"),
        ({"neighbours": 37}, "the gallery holds 36 rows"),
        ({"neighbours": 0}, "neighbours is 0"),
        ({"distance": "l1"}, "only 'cosine' and 'euclidean'"),
        ({"teacher": torch.zeros(3, 20)}, "same batch"),
        ({"gallery": torch.zeros(9, 4)}, "same number of channels"),
    ],
)
def test_what_does_not_fit_is_refused(unchecked_shapes, change, text):
    student, teacher, gallery = correlated(0)
    arguments = {"student": student, "teacher": teacher, "gallery": gallery} | change
    with pytest.raises(ValueError, match=text):
        unimportant_channels(**arguments)


def test_masked_rows_keep_the_lasso_only_and_the_others_both():
    weight = torch.nn.Parameter(torch.tensor([[3.0, 4.0], [0.0, 2.0], [0.0, 0.0]]).reshape(3, 2, 1, 1))
    weight.grad = torch.tensor([[1.0, 1.0], [7.0, 7.0], [5.0, 5.0]]).reshape(3, 2, 1, 1)
    gradient = weight.grad
    reset_gradient(weight, torch.tensor([True, False, False]), 0.5)
    assert weight.grad is gradient
    torch.testing.assert_close(gradient.flatten(1), torch.tensor([[1.3, 1.4], [0.0, 0.5], [0.0, 0.0]]))


def test_with_all_rows_kept_the_gradient_is_that_of_the_loss_with_lasso():
    weight = torch.nn.Parameter(torch.randn(5, 5, 1, 1, dtype=torch.float64))
    task = torch.randn_like(weight)
    loss = (weight * task).sum() + 0.004 * weight.flatten(1).norm(dim=1).sum()
    (expected,) = torch.autograd.grad(loss, weight)
    weight.grad = task.clone()
    reset_gradient(weight, torch.ones(5, dtype=torch.bool), 0.004)
    torch.testing.assert_close(weight.grad, expected)


def test_reset_needs_a_gradient_and_a_fitting_mask(unchecked_shapes):
    weight = torch.nn.Parameter(torch.ones(2, 2))
    with pytest.raises(ValueError, match="run the backward pass"):
        reset_gradient(weight, torch.ones(2, dtype=torch.bool), 0.1)
    weight.grad = torch.ones(2, 2)
    for mask in (torch.ones(2), torch.ones(3, dtype=torch.bool)):
        with pytest.raises(ValueError, match=r"use torch.bool of shape \(2,\)"):
            reset_gradient(weight, mask, 0.1)


def batches(count, dims=(6, 10), rows=4):
    generator = torch.Generator().manual_seed(7)
    for _ in range(count):
        teacher = [torch.randn(rows, dim, generator=generator) for dim in dims]
        yield [tap + torch.randn(tap.shape, generator=generator) for tap in teacher], teacher


@pytest.mark.parametrize("distance", ["cosine", "euclidean"])
@pytest.mark.parametrize("query", ["teacher", "student"])
@pytest.mark.parametrize("sticky", [True, False])
def test_update_equals_the_functions_over_a_queue_kept_by_hand(distance, query, sticky):
    resetting = RetrievalGuidedResetting(
        (6, 10), capacity=8, neighbours=2, ratio=0.6, distance=distance, sticky=sticky, query=query
    )
    queues, masked = [torch.zeros(0, 6), torch.zeros(0, 10)], [set(), set()]
    for student, teacher in batches(6):
        resetting.update(student, teacher)
        for block, (own, tap) in enumerate(zip(student, teacher, strict=True)):
            queues[block] = torch.cat((queues[block], tap))[-8:]
            asked = tap if query == "teacher" else own
            found = step_by_step(asked, own, queues[block], 2, 0.6, distance)
            same = unimportant_channels(own, asked, queues[block], ratio=0.6, distance=distance)
            assert channels(same) == found
            masked[block] = masked[block] | found if sticky else found
        assert [channels(~kept) for kept in resetting.kept()] == masked
        assert resetting.masked_share() == pytest.approx([len(masked[0]) / 6, len(masked[1]) / 10])
    assert any(masked)


def test_sticky_masks_only_grow():
    resetting = RetrievalGuidedResetting((6, 10), capacity=8, ratio=0.6)
    before = resetting.kept()
    for student, teacher in batches(6):
        resetting.update(student, teacher)
        after = resetting.kept()
        assert all(bool((~now | then).all()) for then, now in zip(before, after, strict=True))
        before = [kept.clone() for kept in after]
    assert any(resetting.masked_share())


def test_the_query_finds_itself_first_because_the_batch_is_stored_before():
    resetting = RetrievalGuidedResetting((6,), capacity=8, neighbours=1, ratio=0.5)
    for student, teacher in batches(3, dims=(6,)):
        alone = unimportant_channels(student[0], teacher[0], teacher[0], neighbours=1)
        expected = resetting.kept()[0] & ~alone
        resetting.update(student, teacher)
        assert torch.equal(resetting.kept()[0], expected)


@pytest.mark.parametrize("distance", ["cosine", "euclidean"])
@pytest.mark.parametrize("query", ["teacher", "student"])
def test_without_the_self_match_every_query_skips_its_own_row_alone(distance, query):
    resetting = RetrievalGuidedResetting(
        (10,), capacity=12, ratio=0.7, distance=distance, sticky=False, query=query, self_match=False
    )
    queue, masked = torch.zeros(0, 10), []
    for (student,), (teacher,) in batches(7, dims=(10,)):
        resetting.update([student], [teacher])
        queue = torch.cat((queue, teacher))[-12:]
        asked = teacher if query == "teacher" else student
        each = zip(asked.split(1), student.split(1), range(len(queue) - 4, len(queue)), strict=True)
        others = [(one, own, torch.cat((queue[:row], queue[row + 1 :]))) for one, own, row in each]
        lists = [step_by_step(one, own, rest, 2, 0.7, distance) for one, own, rest in others]
        masked.append(set.intersection(*lists))
        assert channels(~resetting.kept()[0]) == masked[-1]
    assert any(masked)


def test_one_neighbour_more_than_the_query_itself_masks_no_more_than_it_without_the_query():
    with_it = RetrievalGuidedResetting((10,), capacity=12, neighbours=3, ratio=0.7)
    without = RetrievalGuidedResetting((10,), capacity=12, neighbours=2, ratio=0.7, self_match=False)
    for student, teacher in batches(7, dims=(10,)):
        with_it.update(student, teacher)
        without.update(student, teacher)
        assert channels(~with_it.kept()[0]) <= channels(~without.kept()[0])
    assert with_it.masked_share() < without.masked_share()


def test_a_gallery_with_too_few_rows_beside_the_query_is_refused(unchecked_shapes):
    resetting = RetrievalGuidedResetting((4,), capacity=4, neighbours=2, self_match=False)
    with pytest.raises(ValueError, match="holds 1 rows beside a query's own"):
        resetting.update([torch.ones(2, 4)], [torch.ones(2, 4)])


def test_a_restored_state_continues_bit_for_bit():
    def build():
        return RetrievalGuidedResetting((6, 10), capacity=12, ratio=0.7)

    whole, first, second = build(), build(), build()
    inputs = list(batches(7))
    for student, teacher in inputs:
        whole.update(student, teacher)
    for student, teacher in inputs[:4]:
        first.update(student, teacher)
    second.load_state_dict(first.state_dict())
    for student, teacher in inputs[4:]:
        second.update(student, teacher)
    for name, value in whole.state_dict().items():
        assert torch.equal(value, second.state_dict()[name]), name
    assert any(whole.masked_share())


def test_settings_that_do_not_exist_are_refused():
    for arguments, text in (
        ({"dims": ()}, "dims is empty"),
        ({"dims": (4,), "query": "both"}, "only 'teacher' and 'student'"),
        ({"dims": (4,), "neighbours": 9}, "gallery's capacity, 8"),
        ({"dims": (4,), "ratio": -0.1}, "use 0 to 1"),
        ({"dims": (4,), "distance": "l1"}, "only 'cosine'"),
    ):
        with pytest.raises(ValueError, match=text):
            RetrievalGuidedResetting(**{"capacity": 8, **arguments})


def test_another_number_of_blocks_or_another_batch_is_refused():
    resetting = RetrievalGuidedResetting((4,), capacity=8)
    with pytest.raises(ValueError, match="0 student taps and 1 teacher taps"):
        resetting.update([], [torch.ones(4, 4)])
    with pytest.raises(ValueError, match="same batch"):
        resetting.update([torch.ones(2, 4)], [torch.ones(4, 4)])
    assert resetting.masked_share() == [0.0]


def test_weights_of_several_widths_are_reset_as_each_alone():
    masks = [torch.arange(width) % 2 == 0 for width in (3, 5, 5, 8)]
    together = [torch.randn(len(mask), len(mask), 1, 1, requires_grad=True) for mask in masks]
    for weight in together:
        weight.grad = torch.randn_like(weight)
    for kept in (masks, None):
        alone = deepcopy(together)
        reset_gradients(together, kept, 0.1)
        for weight, mask, expected in zip(together, masks, alone, strict=True):
            reset_gradient(expected, mask if kept else torch.ones_like(mask), 0.1)
            assert torch.equal(weight.grad, expected.grad)
