"""CIFAR-10 and CIFAR-100: read exactly, divided as published, and every fault has its message."""

import pickle
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from cdd.data.dataset_facts import Count, real_dataset, real_datasets
from cdd.data.dataset_size import DatasetSize, dataset_size
from cdd.data.records import evaluated, labels_of_evaluated, training_set
from cdd.data.registry import listed, load, read_copy
from cdd.data.verify import verify
from cdd.errors import DataError, DataMissingError
from cdd.recipe import Data
from tests.data.cifar_trees import CLASSES, FILES, FOLDERS, Part, cifar, write
from tests.data.cifar_trees import stored as batch

NAMES = sorted(CLASSES)
each_name = pytest.mark.parametrize("name", NAMES)


def small(name, use="classification", size=32):
    return Data(name=name, height=size, width=size, use=use)


@each_name
def test_every_pixel_comes_back_in_its_channel_and_order(name, tmp_path):
    tree = cifar(name, tmp_path)
    dataset = load(small(name), tmp_path)
    wanted = np.concatenate([tree.training.images, tree.test.images]).transpose(0, 3, 1, 2)
    found = dataset.pixels(np.arange(len(dataset.records)))
    assert found.dtype == torch.uint8
    assert torch.equal(found, torch.from_numpy(wanted.copy()))
    assert torch.equal(dataset.pixels([7, 3]), found[[7, 3]])


@each_name
def test_records_have_class_and_split_and_no_camera(name, tmp_path):
    tree = cifar(name, tmp_path)
    records = load(small(name), tmp_path).records
    expected = [("training", "train", label) for label in enumerate(tree.training.classes)]
    expected += [("test", "test", label) for label in enumerate(tree.test.classes)]
    assert [(r.path, r.identity, r.camera, r.split) for r in records] == [
        (f"{name}/{where}#{place}", label, 0, split) for split, where, (place, label) in expected
    ]


@each_name
def test_the_data_sets_own_test_images_are_the_held_out_ones(name, tmp_path):
    tree = cifar(name, tmp_path)
    dataset = load(small(name), tmp_path)
    trained, tested = len(tree.training.classes), len(tree.test.classes)
    examples = training_set(dataset, "classification")
    assert examples.indices.tolist() == list(range(trained))
    assert examples.labels.tolist() == tree.training.classes
    assert evaluated(dataset, "classification").tolist() == list(range(trained, trained + tested))
    assert labels_of_evaluated(dataset, "classification").tolist() == tree.test.classes


@each_name
def test_tuning_takes_a_fifth_of_every_class_and_no_test_image(name, tmp_path):
    tree = cifar(name, tmp_path)
    dataset = load(small(name, "classification-tuning"), tmp_path)
    examples = training_set(dataset, "classification-tuning")
    tuned = evaluated(dataset, "classification-tuning")
    assert np.bincount(examples.labels).tolist() == [8] * CLASSES[name]
    labels = labels_of_evaluated(dataset, "classification-tuning")
    assert np.bincount(labels).tolist() == [2] * CLASSES[name]
    assert sorted([*examples.indices, *tuned]) == list(range(len(tree.training.classes)))


@each_name
def test_the_published_size_is_planned_with(name):
    classes = CLASSES[name]
    assert dataset_size(small(name)) == DatasetSize(classes, 50_000, 10_000)
    assert dataset_size(small(name, "classification-tuning")) == DatasetSize(classes, 40_000, 10_000)


def test_other_sizes_are_resized_with_pillows_bilinear_filter(tmp_path):
    tree = cifar("cifar10", tmp_path)
    dataset = load(Data(name="cifar10", height=20, width=48, use="classification"), tmp_path)
    (found,) = dataset.pixels([5]).permute(0, 2, 3, 1).numpy()
    wanted = Image.fromarray(tree.training.images[5]).resize((48, 20), Image.Resampling.BILINEAR)
    assert np.array_equal(found, np.asarray(wanted))


@each_name
@pytest.mark.parametrize("what", ["pixel", "class"])
def test_the_digest_follows_every_pixel_and_class(name, what, tmp_path):
    tree = cifar(name, tmp_path)
    before = load(small(name), tmp_path)
    assert load(small(name), tmp_path).digest == before.digest
    images, classes = tree.test.images.copy(), list(tree.test.classes)
    if what == "pixel":
        images[3, 31, 30, 2] ^= 1
    else:
        classes[3] = (classes[3] + 1) % CLASSES[name]
    file, key = ("test_batch", "labels") if name == "cifar10" else ("test", "fine_labels")
    write(tree.folder / file, batch(Part(images, classes), key))
    assert load(small(name), tmp_path).digest != before.digest


@pytest.mark.parametrize(
    ("name", "inside"),
    [("cifar10", "."), ("cifar10", "cifar-10"), ("cifar100", "cifar"), ("cifar100", "CIFAR100")],
)
def test_the_folder_is_found_in_the_data_root_and_is_one_itself(name, inside, tmp_path):
    tree = cifar(name, tmp_path / inside)
    for root in (tmp_path, tmp_path / inside, tree.folder):
        assert read_copy(small(name), root).folder == tree.folder


@each_name
def test_a_renamed_folder_is_read(name, tmp_path):
    tree = cifar(name, tmp_path)
    tree.folder.rename(tmp_path / name)
    assert read_copy(small(name), tmp_path).folder == tmp_path / name
    assert read_copy(small(name), tmp_path / name).folder == tmp_path / name


@each_name
def test_what_differs_from_the_published_is_a_remark(name, tmp_path):
    cifar(name, tmp_path)
    sums, training, test = load(small(name), tmp_path).remarks
    assert sums == f"MD5 differs from the published: {', '.join(FILES[name])}"
    classes = CLASSES[name]
    assert training == (
        f"training: {10 * classes} images of {classes} identities, published are 50000 of {classes}"
    )
    assert test.startswith(f"test: {2 * classes} images")


@each_name
def test_a_published_copy_has_no_remark(name, tmp_path, monkeypatch):
    cifar(name, tmp_path)
    classes = CLASSES[name]
    splits = {"training": (Count(10 * classes, classes),), "test": (Count(2 * classes, classes),)}
    monkeypatch.setitem(real_datasets(), name, replace(real_dataset(name), splits=splits))
    assert not verify(read_copy(small(name), tmp_path)).ok
    # Its sums cannot be those of the published files, so the check is told that they are.
    monkeypatch.setattr("torchvision.datasets.utils.check_integrity", lambda path, md5: True)
    found = verify(read_copy(small(name), tmp_path))
    assert (found.ok, found.remarks, found.altered) == (True, (), ())


@each_name
def test_nothing_there_names_the_files_and_where_they_come_from(name, tmp_path):
    (tmp_path / "other").mkdir()
    first = f"{FOLDERS[name]}/{FILES[name][0]}"
    said = rf"{tmp_path}: it holds other\. Expected .*{first}.*https://.*kriz/cifar.html.*unpack cifar-10.*gz"
    with pytest.raises(DataMissingError, match=said):
        load(small(name), tmp_path)
    with pytest.raises(DataMissingError, match="no such folder"):
        load(small(name), tmp_path / "missing")
    with pytest.raises(DataError, match="--data-root DIR"):
        load(small(name))


@each_name
def test_another_data_sets_folders_are_no_incomplete_copy(name, tmp_path):
    for folder in ("train", "test", "meta"):
        (tmp_path / folder).mkdir()
    with pytest.raises(DataMissingError):
        load(small(name), tmp_path)


@pytest.mark.parametrize(("name", "file"), [(name, file) for name in NAMES for file in FILES[name]])
def test_an_incomplete_copy_says_which_file_it_lacks(name, file, tmp_path):
    tree = cifar(name, tmp_path)
    (tree.folder / file).unlink()
    for root in (tmp_path, tree.folder):
        with pytest.raises(DataError, match=rf"{tree.folder} is not complete.* it lacks {file}\. ") as caught:
            load(small(name), root)
        assert not isinstance(caught.value, DataMissingError)


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"not a pickle",
        pickle.dumps(["no batch"]),
        pickle.dumps({"data": np.zeros((2, 3072), np.uint8), "fine_labels": [1]}),
        pickle.dumps({"data": np.zeros((2, 3072)), "fine_labels": [1, 2]}),
        pickle.dumps({"data": np.zeros((2, 3000), np.uint8), "fine_labels": [1, 2]}),
    ],
)
def test_a_damaged_file_is_one_message(content, tmp_path):
    tree = cifar("cifar100", tmp_path)
    (tree.folder / "test").write_bytes(content)
    with pytest.raises(DataError, match=rf"CIFAR-100 in {tree.folder} cannot be read: .*unpack"):
        load(small("cifar100"), tmp_path)


def test_a_truncated_file_is_one_message(tmp_path):
    tree = cifar("cifar10", tmp_path)
    path = tree.folder / "data_batch_3"
    path.write_bytes(path.read_bytes()[:5000])
    with pytest.raises(DataError, match="CIFAR-10 in .* cannot be read"):
        load(small("cifar10"), tmp_path)


@each_name
@pytest.mark.parametrize("use", ["standard", "tuning", "pretraining"])
def test_retrieval_on_cifar_is_refused_before_anything_is_read(name, use):
    said = (
        "data for|data set for classification.*Use data.use=classification or data.use=classification-tuning"
    )
    for ask in (load, dataset_size):
        with pytest.raises(ValueError, match=said):
            ask(small(name, use))


@pytest.mark.parametrize("name", ["veri776", "msmt17", "in-shop"])
@pytest.mark.parametrize("use", ["classification", "classification-tuning"])
def test_classification_of_retrieval_data_sets_is_refused(name, use):
    for ask in (load, dataset_size):
        with pytest.raises(ValueError, match=r"not trained on\. Use data.use=standard or data.use=tuning"):
            ask(small(name, use))


@each_name
def test_there_are_no_image_files_to_list(name, tmp_path):
    with pytest.raises(ValueError, match="read at once, so there is nothing to prepare"):
        listed(small(name), tmp_path)


def test_the_catalog_leaves_torchvision_alone():
    code = (
        "import sys; from cdd.data.dataset_facts import real_datasets; "
        "print(len(real_datasets()), 'torchvision' in sys.modules)"
    )
    project = Path(__file__).parents[3]
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=project, capture_output=True, text=True, check=True
    )
    assert done.stdout.split() == [str(len(real_datasets())), "False"]


def test_a_tree_is_pickled_as_the_archives_are(tmp_path):
    tree = cifar("cifar100", tmp_path, training_each=3, test_each=1)
    with (tree.folder / "train").open("rb") as file:
        found = pickle.load(file, encoding="bytes")
    assert set(found) == {b"batch_label", b"fine_labels", b"data", b"filenames", b"coarse_labels"}
    assert found[b"data"].shape == (300, 3072)
    assert found[b"data"][0, :1024].tolist() == tree.training.images[0, :, :, 0].ravel().tolist()
