"""Laws of the split: whatever the order, the names and the sizes of the groups."""

from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cdd.data.household import SPLITS
from tests.tools.tiny_library import ATTRIBUTION, entry, library
from tools.household.catalog import Model, models
from tools.household.split import SCENERY, SHARES, Split, kin, splits, stem

GROUPED = st.lists(st.integers(0, 30), min_size=1, max_size=80)


def keys(count):
    return [f"Shop/thing{number}.obj" for number in range(count)]


@given(GROUPED, st.randoms(use_true_random=False))
def test_neither_order_nor_names_of_groups_matter(groups, random):
    before = dict(zip(keys(len(groups)), splits(keys(len(groups)), groups), strict=True))
    order = random.sample(range(len(groups)), len(groups))
    shuffled = [f"Shop/thing{number}.obj" for number in order]
    after = splits(shuffled, [100 - groups[number] for number in order])
    assert dict(zip(shuffled, after, strict=True)) == before


@pytest.mark.parametrize("largest", [1, 5, 20])
def test_shares_are_met_to_within_the_largest_group(largest):
    sizes = [1 + number % largest for number in range(300)]
    groups = [number for number, size in enumerate(sizes) for _ in range(size)]
    found = Counter(splits(keys(len(groups)), groups))
    for split, share in SHARES.items():
        assert abs(found[split] - share * len(groups)) <= largest


@given(GROUPED)
def test_a_group_is_never_on_two_sides(groups):
    assert len(set(zip(groups, splits(keys(len(groups)), groups), strict=True))) == len(set(groups))


def test_equal_input_gives_the_same_split_in_every_version():
    chosen = splits(keys(12), list(range(12)))
    # Stored when the data set was frozen: another order would deal its identities anew.
    assert "".join(str(int(split)) for split in chosen) == "300233111011"


def test_shares_sum_to_one_and_every_split_has_a_scenery():
    assert sum(SHARES.values()) == pytest.approx(1)
    assert SHARES.keys() == SCENERY.keys() == set(Split)


def test_only_training_and_validation_share_a_scenery():
    assert SCENERY[Split.TRAINING] == SCENERY[Split.VALIDATION]
    assert len({SCENERY[split] for split in (Split.PRETRAINING, Split.TRAINING, Split.TEST)}) == 3


def test_numbers_of_splits_mean_to_the_reader_what_they_mean_here():
    assert tuple(split.name.lower() for split in Split) == SPLITS


@pytest.mark.parametrize(
    ("file", "expected"),
    [
        ("shop/chair/Chair12.obj", "chair"),
        ("shop/door/doorLeft.obj", "door"),
        ("shop/door/door-open_2.obj", "door"),
        ("shop/door/doorClosed.obj", "door"),
        ("shop/box/42.obj", "42"),
        ("lamp.obj", "lamp"),
    ],
)
def test_a_stem_leaves_out_what_tells_variants_apart(file, expected):
    assert stem(file) == expected


def test_models_of_one_original_work_are_kin_beside_those_of_one_stem(tmp_path):
    text = "Released under\nCreative Commons Zero\nhttp://www.blendswap.com/blends/view/7\n"
    entries = [entry("chair1"), entry("chair2"), entry("stool", model="/shop/chair1/stool.obj")]
    shop = library(tmp_path, entries, {"shop/chair1/LICENSE.txt": text}, ATTRIBUTION)
    labels = []
    for _, model in models(shop):
        assert isinstance(model, Model)
        labels.append(kin(model))
    page = "https://www.blendswap.com/blend/7"
    assert labels == [["Shop/chair", page], ["Shop/chair"], ["Shop/stool", page]]
