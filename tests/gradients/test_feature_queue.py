import pytest
import torch

from cdd.gradients import FeatureQueue


def rows(first, count=2):
    """Rows of unit length that differ in their angle."""
    angle = torch.arange(first, first + count) / 10
    return torch.stack((angle.cos(), angle.sin()), dim=1)


def test_the_oldest_batch_is_replaced():
    gallery = FeatureQueue(6, 2, distance="euclidean")
    for first in (0, 2, 4, 6, 8):
        gallery.enqueue(rows(first))
    assert torch.equal(gallery.contents(), torch.cat((rows(6), rows(8), rows(4))))
    assert (gallery.filled, gallery.position, gallery.capacity) == (6, 4, 6)


def test_only_the_filled_part_is_seen_and_it_is_a_view():
    gallery = FeatureQueue(6, 2)
    assert gallery.contents().shape == (0, 2)
    gallery.enqueue(rows(0))
    assert gallery.filled == 2
    assert gallery.contents().data_ptr() == gallery.features.data_ptr()


def test_rows_are_of_unit_length_for_cosine_only():
    batch = torch.tensor([[3.0, 4.0], [0.0, 0.0]])
    cosine, euclidean = FeatureQueue(2, 2), FeatureQueue(2, 2, distance="euclidean")
    cosine.enqueue(batch)
    euclidean.enqueue(batch)
    torch.testing.assert_close(cosine.contents(), torch.tensor([[0.6, 0.8], [0.0, 0.0]]))
    assert torch.equal(euclidean.contents(), batch)


def test_what_is_stored_does_not_follow_the_batch():
    gallery = FeatureQueue(2, 2, distance="euclidean")
    batch = rows(0).requires_grad_()
    gallery.enqueue(batch)
    batch.data.zero_()
    assert torch.equal(gallery.contents(), rows(0))
    assert not gallery.contents().requires_grad


def test_half_precision_is_stored_in_single():
    gallery = FeatureQueue(2, 2, distance="euclidean")
    gallery.enqueue(rows(0).half())
    assert gallery.contents().dtype == torch.float32


def test_a_saved_gallery_continues_where_it_was(tmp_path):
    gallery, restored = FeatureQueue(6, 2), FeatureQueue(6, 2)
    for first in (0, 2, 4, 6):
        gallery.enqueue(rows(first))
    torch.save(gallery.state_dict(), tmp_path / "gallery.pt")
    restored.load_state_dict(torch.load(tmp_path / "gallery.pt", weights_only=True))
    assert (restored.position, restored.filled) == (2, 6)
    for queue in (gallery, restored):
        queue.enqueue(rows(20))
    assert torch.equal(gallery.features, restored.features)


def test_the_nearest_multiples_are_named():
    with pytest.raises(ValueError, match=r"capacity 100 is no multiple of the batch size 24.* 96 or 120"):
        FeatureQueue(100, 2).enqueue(torch.ones(24, 2))
    with pytest.raises(ValueError, match="the nearest are 24"):
        FeatureQueue(10, 2).enqueue(torch.ones(24, 2))


def test_batches_that_do_not_line_up_or_fit_are_refused():
    gallery = FeatureQueue(12, 2)
    gallery.enqueue(rows(0, 2))
    with pytest.raises(ValueError, match="A batch of 4 came at row 2"):
        gallery.enqueue(rows(0, 4))
    with pytest.raises(ValueError, match="at least one row"):
        gallery.enqueue(torch.ones(0, 2))
    with pytest.raises(ValueError, match="rows of width 2"):
        gallery.enqueue(torch.ones(2, 3))
    with pytest.raises(ValueError, match="at least 1"):
        FeatureQueue(0, 2)
