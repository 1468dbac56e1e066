"""The P x K batch sampler."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cdd.data.sampler import identity_batches, part_of_rank, random_batches
from cdd.recipe import Batch, RandomBatch

COUNTS = st.lists(st.integers(1, 20), min_size=4, max_size=12)


def drawn(counts: list[int], batch: Batch, seed: int = 0) -> tuple[np.ndarray, list[np.ndarray]]:
    labels = np.repeat(np.arange(len(counts)), counts)
    return labels, identity_batches(labels, batch, np.random.default_rng(seed))


@given(COUNTS, st.integers(2, 5))
def test_every_batch_holds_p_identities_with_k_images_each(counts: list[int], images: int) -> None:
    batch = Batch(identities=4, images=images)
    labels, batches = drawn(counts, batch)
    for positions in batches:
        groups = labels[positions].reshape(4, images)
        assert (groups == groups[:, :1]).all()
        assert len(set(groups[:, 0])) == 4


@given(COUNTS)
def test_no_image_is_seen_twice_unless_its_identity_has_too_few(counts: list[int]) -> None:
    labels, batches = drawn(counts, Batch(identities=4, images=3))
    seen = np.concatenate(batches)
    enough = np.array(counts)[labels[seen]] >= 3
    assert len(set(seen[enough])) == enough.sum()


@given(COUNTS)
def test_drawing_stops_when_fewer_than_p_identities_have_a_group(counts: list[int]) -> None:
    labels, batches = drawn(counts, Batch(identities=4, images=3))
    groups = np.maximum(1, np.array(counts) // 3)
    used = np.zeros_like(groups)
    for positions in batches:
        np.add.at(used, labels[positions[::3]], 1)
    assert (used <= groups).all()
    assert (groups - used > 0).sum() < 4


def test_an_identity_with_too_few_images_is_drawn_with_replacement() -> None:
    _, batches = drawn([1, 3, 3, 3], Batch(identities=4, images=3))
    assert len(batches) == 1
    assert (batches[0] == 0).sum() == 3


def test_equal_identities_use_every_group() -> None:
    _, batches = drawn([6] * 8, Batch(identities=4, images=3))
    assert 3 <= len(batches) <= 4


def test_an_epoch_is_drawn_again_from_its_seed_and_differs_from_another() -> None:
    batch = Batch(identities=4, images=2)
    first, again, other = (np.concatenate(drawn([8] * 6, batch, seed)[1]) for seed in (1, 1, 2))
    assert (first == again).all()
    assert len(first) != len(other) or (first != other).any()


def test_too_few_identities_are_refused() -> None:
    with pytest.raises(ValueError, match=r"only 3 .*batch\.identities"):
        drawn([5, 5, 5], Batch(identities=4, images=2))


@pytest.mark.parametrize("ranks", [1, 2, 4])
def test_ranks_share_a_batch_by_whole_identities(ranks: int) -> None:
    settings = Batch(identities=8, images=3)
    labels = np.arange(8).repeat(3)
    (batch,) = identity_batches(labels, settings, np.random.default_rng(0))
    shares = [batch[part_of_rank(settings, rank, ranks)] for rank in range(ranks)]
    np.testing.assert_array_equal(np.concatenate(shares), batch)
    identities = [set(labels[share]) for share in shares]
    assert [len(found) for found in identities] == [8 // ranks] * ranks
    assert sum(map(len, identities)) == len(set().union(*identities))


@pytest.mark.parametrize(("rank", "ranks"), [(0, 3), (2, 2), (-1, 2)])
def test_an_uneven_share_is_refused(rank: int, ranks: int) -> None:
    with pytest.raises(ValueError, match="divides batch.identities"):
        part_of_rank(Batch(identities=8, images=3), rank, ranks)


def test_random_batches_are_shared_by_images() -> None:
    shares = [part_of_rank(RandomBatch(size=6), rank, 3) for rank in range(3)]
    assert [share.tolist() for share in shares] == [[0, 1], [2, 3], [4, 5]]
    with pytest.raises(ValueError, match=r"batch\.size = 6.*divides batch\.size"):
        part_of_rank(RandomBatch(size=6), 0, 4)


@given(st.integers(2, 40), st.integers(0, 60), st.integers(0, 3))
def test_random_batches_hold_each_image_once_but_for_a_rest(size: int, more: int, seed: int) -> None:
    batches = random_batches(size + more, RandomBatch(size=size), np.random.default_rng(seed))
    assert {len(batch) for batch in batches} == {size}
    assert len(batches) == (size + more) // size
    together = np.concatenate(batches)
    assert len(np.unique(together)) == len(together)
    again = random_batches(size + more, RandomBatch(size=size), np.random.default_rng(seed))
    assert all((one == other).all() for one, other in zip(batches, again, strict=True))


def test_too_few_images_for_one_batch_are_refused() -> None:
    with pytest.raises(ValueError, match="a batch holds 8 images, but only 3"):
        random_batches(3, RandomBatch(size=8), np.random.default_rng(0))
