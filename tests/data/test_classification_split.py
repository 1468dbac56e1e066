"""Classes whose images are divided: disjoint, exhaustive, fixed, and every class in every part."""

from dataclasses import astuple

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cdd.data.classification import classification_parts, one_in_five
from cdd.data.records import CLASSIFICATION, Dataset, evaluated, labels_of_evaluated, training_set
from cdd.data.registry import load
from cdd.recipe import Data
from tests.small import small_dataset

counts_of_classes = st.lists(st.integers(3, 40), min_size=1, max_size=12)


def shuffled(counts, seed=0):
    return np.random.default_rng(seed).permutation(np.repeat(np.arange(len(counts)), counts))


@given(counts_of_classes, st.booleans())
def test_parts_are_disjoint_and_exhaustive_and_have_every_class(counts, tests_itself):
    labels = shuffled(counts)
    tested = np.zeros(len(labels), dtype=bool)
    tested[[np.flatnonzero(labels == label)[0] for label in range(len(counts))]] = True
    parts = astuple(classification_parts(labels, tested if tests_itself else None))
    assert sorted(np.concatenate(parts)) == list(range(len(labels)))
    for part in parts:
        assert set(labels[part]) == set(range(len(counts)))
        assert (np.diff(part) > 0).all()


@given(counts_of_classes)
def test_a_fifth_of_every_class_is_chosen_up_to_one_image(counts):
    labels = shuffled(counts)
    found = np.bincount(labels[one_in_five(labels)], minlength=len(counts))
    assert (np.abs(found - np.array(counts) / 5) < 1).all()


@given(counts_of_classes, st.integers(1, 50))
def test_only_the_order_within_a_class_and_of_the_classes_matters(counts, factor):
    labels = np.repeat(np.arange(len(counts)), counts)
    chosen = one_in_five(labels)
    assert np.array_equal(one_in_five(labels * factor - 7), chosen)
    mixed = shuffled(counts)
    together = np.argsort(mixed, kind="stable")
    assert np.array_equal(one_in_five(mixed)[together], chosen)


def test_hand_worked_parts():
    # Class 0 is held out from its first image on, class 1 from its second; of the rest, the same again.
    labels = np.array([0] * 6 + [1] * 7)
    parts = classification_parts(labels)
    assert parts.held_out.tolist() == [0, 5, 7, 12]
    assert parts.tuning.tolist() == [1, 8]
    assert parts.training.tolist() == [2, 3, 4, 6, 9, 10, 11]


def test_what_is_tested_is_neither_learned_from_nor_tuned_on():
    labels, tested = np.zeros(30, dtype=np.int64), np.arange(30) >= 20
    parts = classification_parts(labels, tested)
    assert parts.held_out.tolist() == list(range(20, 30))
    assert parts.tuning.tolist() == [0, 5, 10, 15]


@pytest.mark.parametrize("count", [1, 2])
def test_a_class_with_too_few_images_is_an_error(count):
    with pytest.raises(ValueError, match="1 of 2 classes have a single image left"):
        classification_parts(np.array([0] * 9 + [1] * count))


@pytest.fixture(scope="module")
def household() -> Dataset:
    return load(Data(name="household", height=8, width=8, use="classification"))


def places(dataset, indices):
    """Camera and view of each image; the views of one camera stand together."""
    return {(dataset.records[index].camera, index % 3) for index in indices}


def test_household_identities_for_training_are_the_classes(household):
    examples = training_set(household, "classification")
    tested = evaluated(household, "classification")
    splits = {household.records[index].split for index in (*examples.indices, *tested)}
    assert splits == {"training", "validation"}
    assert examples.identities == training_set(household, "standard").identities
    both = sorted([*examples.indices, *tested])
    assert both == training_set(household, "standard").indices.tolist()


def test_household_holds_out_a_fifth_spread_over_all_cameras_and_views(household):
    tested = evaluated(household, "classification")
    trained = training_set(household, "classification").indices
    assert len(tested) / (len(tested) + len(trained)) == pytest.approx(0.2, abs=0.001)
    cameras = np.bincount([household.records[index].camera for index in tested])
    assert len(cameras) == 6
    assert cameras.max() <= 1.01 * cameras.min()
    assert places(household, tested) == {(camera, view) for camera in range(6) for view in range(3)}


def test_household_tuning_never_touches_what_is_held_out(household):
    tuned = evaluated(household, "classification-tuning")
    learned = training_set(household, "classification-tuning").indices
    final = training_set(household, "classification").indices
    assert not set(tuned) & set(learned)
    assert sorted([*tuned, *learned]) == final.tolist()
    assert len(tuned) / len(final) == pytest.approx(0.2, abs=0.01)


@pytest.mark.parametrize("use", CLASSIFICATION)
def test_household_labels_are_the_training_sets(household, use):
    examples = training_set(household, use)
    label = {
        household.records[index].identity: label
        for index, label in zip(examples.indices, examples.labels, strict=True)
    }
    assert sorted(label.values()) == list(range(examples.identities))
    assert sorted(label, key=label.__getitem__) == sorted(label)
    wanted = [label[household.records[index].identity] for index in evaluated(household, use)]
    assert labels_of_evaluated(household, use).tolist() == wanted
    assert set(wanted) == set(range(examples.identities))


@pytest.mark.parametrize("use", ["standard", "tuning", "pretraining"])
def test_identities_that_are_not_trained_on_have_no_label(household, use):
    with pytest.raises(ValueError, match="without a label.*classification or classification-tuning"):
        labels_of_evaluated(household, use)


def test_a_data_set_without_images_for_a_use_says_so():
    whole = small_dataset(8, 8)
    records = tuple(record for record in whole.records if record.split == "pretraining")
    dataset = Dataset(name="small", records=records, protocols=(), pixels=whole.pixels, digest="")
    with pytest.raises(ValueError, match="'small' has no images that data.use=classification trains on"):
        training_set(dataset, "classification")
    with pytest.raises(ValueError, match="'small' has no images that data.use=standard evaluates on"):
        evaluated(dataset, "standard")
