"""Copies and variants are found, and no group of them is on two sides of a split."""

from collections import Counter

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tools.household.duplicates import (
    COPY,
    VARIANT_SHAPE,
    Appearance,
    connected,
    copies_of_earlier,
    differences,
    kinship,
    shared_label_links,
)
from tools.household.split import SCENERY, SHARES, Split, splits, stem

LINKS = st.lists(st.tuples(st.integers(0, 19), st.integers(0, 19)), max_size=30)


def seen(shape: float, colour: float, covered: float = 1.0) -> Appearance:
    """An object of one grey and one colour that fills its images."""
    pixels = (6, 4, 4)
    return Appearance(
        np.full((*pixels, 3), colour, np.float32),
        np.full(pixels, shape, np.float32),
        np.full(pixels, covered, np.float32),
    )


def test_differences_are_symmetric_and_zero_for_the_object_itself() -> None:
    for found in differences([seen(0.1, 0.2), seen(0.4, 0.1), seen(0.9, 0.9)]):
        np.testing.assert_allclose(found, found.T)
        np.testing.assert_array_equal(np.diag(found), 0)


def test_a_difference_is_the_mean_over_the_pixels_that_either_covers() -> None:
    half = seen(0.2, 0.2, covered=0.5)
    shape, colour = differences([half, seen(0.5, 0.3, covered=0.25)])
    assert shape[0, 1] == pytest.approx(0.3 / 0.5)
    assert colour[0, 1] == pytest.approx(0.1 / 0.5)


def test_a_copy_is_left_out_and_the_first_is_kept() -> None:
    objects = [seen(0.5, 0.5), seen(0.1, 0.9), seen(0.5 + COPY / 2, 0.5)]
    relation = kinship(objects, [["a"], ["b"], ["c"]])
    assert relation.copies == {2}
    assert relation.groups == [0, 1, 0]


def test_a_copy_of_a_copy_that_looks_otherwise_is_no_copy() -> None:
    grey = [0.5, 0.5 + 0.75 * COPY, 0.5 + 1.5 * COPY]
    difference = np.abs(np.subtract.outer(grey, grey)).astype(np.float32)
    assert copies_of_earlier(difference) == {1}


def test_the_same_shape_in_another_colour_is_a_variant_of_the_same_group() -> None:
    relation = kinship([seen(0.5, 0.1), seen(0.5 + VARIANT_SHAPE / 2, 0.9)], [["a"], ["b"]])
    assert not relation.copies
    assert relation.groups == [0, 0]


def test_shared_labels_make_a_group() -> None:
    assert shared_label_links([["a"], ["b"], ["b", "a"], ["c"]]) == [(1, 2), (0, 2)]


@given(LINKS)
def test_groups_are_the_connected_components(links: list[tuple[int, int]]) -> None:
    groups = connected(20, links)
    assert all(groups[first] == groups[second] for first, second in links)
    assert all(group <= number and groups[group] == group for number, group in enumerate(groups))
    merging = {group for number, group in enumerate(groups) if group != number}
    touched = {number for link in links if link[0] != link[1] for number in link}
    assert merging <= touched


def test_names_of_variants_have_one_stem() -> None:
    assert stem("a/sofa-02.obj") == stem("b/sofa_1.obj") == stem("sofaLeft.obj") == "sofa"
    assert stem("folder/42.obj") == "42"


def keys(count: int) -> list[str]:
    return [f"library/model{number}" for number in range(count)]


def test_a_group_is_never_on_two_sides() -> None:
    groups = [number // 5 * 5 for number in range(200)]
    found = splits(keys(200), groups)
    for group in set(groups):
        assert len({split for split, own in zip(found, groups, strict=True) if own == group}) == 1


def test_the_shares_are_met() -> None:
    counts = Counter(splits(keys(500), list(range(500))))
    for split, share in SHARES.items():
        assert counts[split] == pytest.approx(500 * share, abs=2)
    assert sum(SHARES.values()) == pytest.approx(1)


def test_the_split_does_not_depend_on_the_order() -> None:
    names = keys(60)
    forward = dict(zip(names, splits(names, list(range(60))), strict=True))
    backward = dict(zip(names[::-1], splits(names[::-1], list(range(60))), strict=True))
    assert forward == backward


def test_only_training_and_validation_share_a_scenery() -> None:
    assert SCENERY[Split.TRAINING] == SCENERY[Split.VALIDATION]
    assert len({SCENERY[split] for split in (Split.PRETRAINING, Split.TRAINING, Split.TEST)}) == 3
