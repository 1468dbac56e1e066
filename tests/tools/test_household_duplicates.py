"""Copies are found, variants are grouped, and the order decides what is kept."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.tools.tiny_library import BLUE, RED
from tools.household.duplicates import (
    AZIMUTHS,
    COPY,
    PIXELS,
    VARIANT_SHAPE,
    Appearance,
    connected,
    differences,
    kinship,
)

LINKS = st.lists(st.tuples(st.integers(0, 11), st.integers(0, 11)), max_size=20)


def rectangle(height, colour=RED, shade=0.4):
    """How an upright rectangle of one colour looks from everywhere."""
    shown = np.zeros((len(AZIMUTHS), PIXELS, PIXELS), dtype=np.float32)
    shown[:, :height, 8:24] = 1
    colours = shown[..., None] * np.array(colour, np.float32) + 0.5 * (1 - shown[..., None])
    return Appearance(colours, shown * np.float32(shade) + 0.5 * (1 - shown), shown)


def test_coverage_is_the_share_of_the_image():
    assert rectangle(16).coverage == pytest.approx(16 * 16 / PIXELS**2)


def test_a_copy_is_found_and_the_first_is_kept():
    relation = kinship([rectangle(10), rectangle(20), rectangle(10)], [["a"], ["b"], ["c"]])
    assert relation.copies == {2}
    assert relation.groups == [0, 1, 0]


def test_an_almost_equal_model_is_a_copy():
    relation = kinship([rectangle(20), rectangle(20, (0.88, 0.12, 0.1), 0.41)], [[], []])
    assert relation.copies == {1}


def test_a_recoloured_variant_is_no_copy_but_in_the_same_group():
    relation = kinship([rectangle(20, RED), rectangle(20, BLUE)], [[], []])
    assert not relation.copies
    assert relation.groups == [0, 0]


def test_another_shape_of_the_same_colour_is_neither():
    relation = kinship([rectangle(10), rectangle(20)], [[], []])
    assert not relation.copies
    assert relation.groups == [0, 1]


def test_a_shared_label_groups_what_looks_different():
    relation = kinship([rectangle(8), rectangle(16), rectangle(24)], [["a"], ["b"], ["c", "a"]])
    assert relation.groups == [0, 1, 0]


def test_which_objects_are_grouped_does_not_depend_on_their_order():
    seen = [rectangle(8), rectangle(16, RED), rectangle(16, BLUE), rectangle(24)]
    labels = [["a"], [], ["a"], []]
    forwards = kinship(seen, labels).groups
    backwards = kinship(seen[::-1], labels[::-1]).groups[::-1]
    pairs = [[groups[i] == groups[j] for i in range(4) for j in range(4)] for groups in (forwards, backwards)]
    assert pairs[0] == pairs[1]


def test_differences_are_means_over_the_covered_pixels_and_symmetric():
    shape, colour = differences([rectangle(20, shade=0.4), rectangle(20, BLUE, shade=0.5), rectangle(10)])
    assert shape[0, 1] == pytest.approx(0.1, rel=1e-5)
    assert colour[0, 1] == pytest.approx(np.abs(np.subtract(RED, BLUE)).mean(), rel=1e-5)
    # Half of the larger rectangle is the backdrop's grey in the smaller one.
    assert shape[0, 2] == pytest.approx(0.5 * 0.1, rel=1e-5)
    for difference in (shape, colour):
        np.testing.assert_array_equal(difference, difference.T)
        assert (np.diag(difference) == 0).all()


def test_opacity_weighs_the_differences():
    half = rectangle(20)
    half = replace(half, opacity=half.opacity / 2)
    twice, _ = differences([half, half])
    assert (twice == 0).all()
    fainter, _ = differences([half, replace(half, shape=half.shape + 0.1 * half.opacity)])
    assert fainter[0, 1] == pytest.approx(0.1, rel=1e-4)


@given(LINKS)
def test_groups_are_the_reachable_objects(links):
    reach = np.eye(12, dtype=bool)
    for first, second in links:
        reach[first, second] = reach[second, first] = True
    for middle in range(12):
        reach |= reach[:, middle : middle + 1] & reach[middle]
    assert connected(12, links) == reach.argmax(axis=1).tolist()


@given(LINKS, st.randoms(use_true_random=False))
def test_groups_do_not_depend_on_the_order_of_the_links(links, random):
    shuffled = [link[::-1] for link in random.sample(links, len(links))]
    assert connected(12, shuffled) == connected(12, links)


def test_a_box_drawn_again_is_a_copy_repainted_a_variant_and_longer_another_object(drawn_parts):
    box, long = ((0, 0, 0), (1, 1, 1)), ((0, 0, 0), (3, 1, 1))
    seen = [drawn_parts(*one) for one in ((box, RED), (box, RED), (box, BLUE), (long, RED))]
    shape, colour = differences(seen)
    assert shape[0, 1] == colour[0, 1] == 0
    assert shape[0, 2] < VARIANT_SHAPE
    assert colour[0, 2] > COPY
    assert shape[0, 3] > COPY
    assert 0.05 < seen[0].coverage < 1
