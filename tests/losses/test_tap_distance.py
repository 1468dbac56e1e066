import pytest
import torch

from cdd.losses import tap_distance


@pytest.fixture
def taps():
    generator = torch.Generator().manual_seed(0)
    dims, double = (4, 8, 16), torch.float64
    return [[torch.randn(6, dim, generator=generator, dtype=double) for dim in dims] for _ in range(2)]


def test_a_block_is_the_mean_distance_worked_by_hand():
    student = torch.tensor([[3.0, 4.0], [0.0, 0.0]])
    assert tap_distance([student], [torch.zeros(2, 2)]).item() == pytest.approx((5 + 0) / 2)


def test_the_mean_is_the_sum_divided_by_the_blocks(taps):
    torch.testing.assert_close(tap_distance(*taps) / 3, tap_distance(*taps, "mean"))


def test_distance_scales_with_the_features_and_is_not_squared(taps):
    student, teacher = taps
    scaled = tap_distance([3 * tap for tap in student], [3 * tap for tap in teacher])
    torch.testing.assert_close(scaled, 3 * tap_distance(student, teacher))


def test_where_student_equals_teacher_the_gradient_is_zero(taps):
    student = [tap.clone().requires_grad_() for tap in taps[0]]
    loss = tap_distance(student, taps[0])
    loss.backward()
    assert loss.item() == 0
    assert all(torch.equal(tap.grad, torch.zeros_like(tap)) for tap in student)


def test_no_gradient_reaches_the_teacher(taps):
    student, teacher = ([tap.clone().requires_grad_() for tap in side] for side in taps)
    tap_distance(student, teacher).backward()
    assert all(tap.grad is not None for tap in student)
    assert all(tap.grad is None for tap in teacher)


def test_half_precision_is_computed_in_single():
    assert tap_distance([torch.full((2, 512), 60.0).half()], [torch.zeros(2, 512)]).item() > 1e3


@pytest.mark.parametrize(
    ("student", "teacher", "reduction", "text"),
    [
        ([], [], "sum", "at least one block"),
        ([torch.zeros(2, 3)], [], "sum", "1 student taps came with 0"),
        ([torch.zeros(2, 3)], [torch.zeros(2, 4)], "sum", "block 0 have shapes"),
        ([torch.zeros(2, 3)], [torch.zeros(2, 3)], "max", "only 'sum' and 'mean'"),
    ],
)
def test_what_does_not_fit_is_refused(unchecked_shapes, student, teacher, reduction, text):
    with pytest.raises(ValueError, match=text):
        tap_distance(student, teacher, reduction)
