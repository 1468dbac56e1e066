"""Reconstructed MBDL: distances inside a batch, and how they change from stage to stage."""

import pytest
import torch

from cdd.contract import CODE, RetrievalOutput
from cdd.methods.mbdl import (
    MBDL,
    matching_behaviour_distance,
    matching_changes,
    matching_distances,
)
from tests.methods.descent import share_left

LABELS = torch.arange(8) // 2


def stages(channels=(4, 6, 8, 10), batch=8, dtype=torch.float32):
    sizes = ((8, 4), (4, 2), (2, 1), (2, 1))
    return tuple(
        torch.randn(batch, width, *size, dtype=dtype).relu()
        for width, size in zip(channels, sizes, strict=True)
    )


def output(maps):
    embedding = torch.zeros(8, 2)
    return RetrievalOutput(pooled=embedding, embedding=embedding, logits=embedding, stages=tuple(maps))


def loss(student, teacher):
    return (
        MBDL().build(torch.nn.Identity(), None, CODE).terms(output(student), output(teacher), LABELS)["mbdl"]
    )


def as_maps(rows):
    return torch.tensor(rows, dtype=torch.float64)[:, :, None, None]


def test_it_reads_the_maps():
    assert MBDL().reads_maps


def test_it_is_zero_where_both_agree_and_positive_elsewhere():
    student = stages(dtype=torch.float64)
    assert loss(student, student).item() == 0
    assert loss(student, stages(channels=(2, 3, 4, 5), dtype=torch.float64)) > 0


def test_scale_order_and_a_shared_distance_change_nothing():
    student, teacher = stages(dtype=torch.float64), stages((2, 3, 4, 5), dtype=torch.float64)
    wanted, order = loss(student, teacher), torch.randperm(8)
    scales = torch.rand(8, 1, 1, 1, dtype=torch.float64) + 0.1
    torch.testing.assert_close(loss([scales * stage for stage in student], teacher), wanted)
    found = loss([stage[order] for stage in student], [stage[order] for stage in teacher])
    torch.testing.assert_close(found, wanted)
    # Only changes count: a network whose stages all match alike equals any other of that kind.
    still, other = student[0], student[1]
    torch.testing.assert_close(loss([still] * 4, [other] * 4), torch.zeros((), dtype=torch.float64))


def test_an_empty_map_stays_finite():
    maps = [stage.clone() for stage in stages()]
    for stage in maps:
        stage[:2] = 0
    student = [stage.requires_grad_() for stage in maps]
    loss(student, stages()).backward()
    for stage in student:
        assert stage.grad.isfinite().all()
        torch.testing.assert_close(stage.grad[:2], torch.zeros_like(stage[:2]))


def test_two_images_are_enough():
    value = matching_behaviour_distance(stages(batch=2), stages((2, 3, 4, 5), batch=2))
    assert value > 0
    assert value.isfinite()


def test_the_teacher_gets_no_gradient():
    student, teacher = ([stage.requires_grad_() for stage in stages()] for _ in range(2))
    loss(student, teacher).backward()
    assert all(stage.grad is not None for stage in student)
    assert all(stage.grad is None for stage in teacher)


def test_autocast_changes_nothing():
    student, teacher = stages(), stages((2, 3, 4, 5))
    with torch.autocast("cpu", torch.bfloat16):
        found = loss(student, teacher)
        half = loss([stage.bfloat16() for stage in student], [stage.bfloat16() for stage in teacher])
    rounded = [[stage.bfloat16().float() for stage in maps] for maps in (student, teacher)]
    torch.testing.assert_close(half, loss(*rounded))
    torch.testing.assert_close(found, loss(student, teacher))
    assert half.dtype == torch.float32


def test_descent_lowers_it():
    student, teacher = [stage.requires_grad_() for stage in stages()], stages((2, 3, 4, 5))
    assert share_left(lambda: loss(student, teacher), student, 0.02) < 0.7


def test_a_teacher_must_be_there():
    distiller = MBDL().build(torch.nn.Identity(), None, CODE)
    with pytest.raises(ValueError, match="teacher"):
        distiller.terms(output(stages()), None, LABELS)


@pytest.mark.parametrize(("kept", "message"), [(1, "between two"), (0, "between two")])
def test_a_change_needs_two_stages(kept, message):
    with pytest.raises(ValueError, match=message):
        matching_behaviour_distance(stages()[:kept], stages()[:kept])


def test_stages_must_correspond():
    with pytest.raises(ValueError, match="4 stages and the teacher 3"):
        matching_behaviour_distance(stages(), stages()[:3])


def test_two_images_by_hand():
    apart, together = as_maps([[1.0, 0.0], [0.0, 2.0]]), as_maps([[1.0, 1.0], [3.0, 3.0]])
    zeros, ones = torch.zeros(2, 2, dtype=torch.float64), torch.tensor([[0.0, 1.0], [1.0, 0.0]]).double()
    torch.testing.assert_close(matching_distances(apart), ones)
    torch.testing.assert_close(matching_distances(together), zeros)
    torch.testing.assert_close(matching_changes([apart, together, apart]), torch.stack([-ones, ones]))
    # The teacher does not change; the student changes half the entries, in one of two steps.
    value = matching_behaviour_distance([apart, together, together], [apart, apart, apart])
    assert value.item() == pytest.approx(0.25)
