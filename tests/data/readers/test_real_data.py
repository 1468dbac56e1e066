"""The readers of the real data sets: every layout gives the same records, and every fault its message."""

from collections import Counter
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from cdd.data.image_list import ImageList
from cdd.data.records import evaluated, training_set
from cdd.data.registry import listed, load
from cdd.data.sampler import identity_batches
from cdd.errors import DataError
from cdd.evaluation.retrieval import retrieval_metrics
from cdd.recipe import Batch, Data
from tests.data.real_trees import (
    EACH,
    LAYOUTS,
    TEST,
    TRAINING,
    in_shop_official,
    jpeg,
    msmt_official,
    msmt_v2,
    shots,
    veri_flat,
    veri_official,
)


def small(name, **changes):
    return Data(name=name, height=12, width=8, **changes)


def written(name: str, layout: str, root: Path, **changes) -> ImageList:
    LAYOUTS[name][layout](root)
    return listed(small(name, **changes), root)


def structure(listing: ImageList) -> Counter[object]:
    """What does not depend on names: who is together with whom, seen how often by which camera."""
    groups: dict[int, Counter[object]] = {}
    for record in listing.records:
        split = "training" if record.split == "validation" else record.split
        camera = 0 if split == "training" and listing.name == "in-shop" else record.camera
        groups.setdefault(record.identity, Counter())[split, camera] += 1
    return Counter(frozenset(group.items()) for group in groups.values())


@pytest.mark.parametrize(("name", "layout"), EACH)
def test_every_layout_is_found_and_named(name, layout, tmp_path):
    listing = written(name, layout, tmp_path)
    assert listing.layout == layout
    counts = Counter(record.split for record in listing.records)
    assert counts["training"] + counts["validation"] == len(TRAINING) * 6
    assert counts["query"] == counts["gallery"] == len(TEST) * 3


@pytest.mark.parametrize("name", LAYOUTS)
def test_all_layouts_hold_the_same_data_set(name, tmp_path):
    found = [written(name, layout, tmp_path / str(i)) for i, layout in enumerate(LAYOUTS[name])]
    assert all(structure(listing) == structure(found[0]) for listing in found)


@pytest.mark.parametrize(("name", "layout"), EACH)
def test_training_validation_and_test_share_no_identity(name, layout, tmp_path):
    listing = written(name, layout, tmp_path)
    sides = {
        split: {record.identity for record in listing.records if record.split == split}
        for split in ("training", "validation", "query")
    }
    assert all(sides.values())
    assert not sides["training"] & sides["validation"]
    assert not (sides["training"] | sides["validation"]) & sides["query"]
    assert sides["query"] == {record.identity for record in listing.records if record.split == "gallery"}


@pytest.mark.parametrize(("name", "layout"), EACH)
def test_a_folder_named_like_an_image_changes_nothing(name, layout, tmp_path):
    plain = written(name, layout, tmp_path / "plain")
    odd = written(name, layout, tmp_path / "0001_c001_2011" / "id_00000001")
    assert (odd.records, odd.digest) == (plain.records, plain.digest)


@pytest.mark.parametrize(("name", "layout"), EACH)
def test_the_folder_itself_may_be_the_root(name, layout, tmp_path):
    folder = LAYOUTS[name][layout](tmp_path)
    assert listed(small(name), folder).records == listed(small(name), tmp_path).records


@pytest.mark.parametrize(("name", "layout"), EACH)
def test_what_is_no_image_is_ignored(name, layout, tmp_path):
    folder = LAYOUTS[name][layout](tmp_path)
    before = listed(small(name), tmp_path)
    for where in (folder, *(path for path in folder.rglob("*") if path.is_dir())):
        (where / ".DS_Store").write_text("x")
        (where / "Thumbs.db").write_text("x")
    assert listed(small(name), tmp_path) == before


def test_hand_worked_records_of_veri776(tmp_path):
    veri_official(tmp_path)
    records = {record.path: record for record in listed(small("veri776"), tmp_path).records}
    query = records["image_query/0021_c002_00000600_0.jpg"]
    assert (query.identity, query.camera, query.split) == (21, 1, "query")


def test_hand_worked_records_of_msmt17(tmp_path):
    msmt_official(tmp_path)
    records = {record.path: record for record in listed(small("msmt17"), tmp_path).records}
    last = len(TRAINING) - 1
    query = records["test/0001/0001_000_03_0303morning_0015_0.jpg"]
    assert (query.identity, query.camera, query.split) == (last + 1 + 1, 2, "query")


def test_msmt17_without_list_val(tmp_path):
    msmt_official(tmp_path)
    both, alone = (listed(small("msmt17", msmt17_lists=lists), tmp_path) for lists in ("train+val", "train"))
    assert len(both.records) - len(alone.records) == len(TRAINING)
    assert "list_val.txt" in both.sources
    assert "list_val.txt" not in alone.sources
    assert alone.digest != both.digest


def test_of_two_versions_of_msmt17_the_first_is_read_and_the_other_named(tmp_path):
    msmt_official(tmp_path)
    msmt_v2(tmp_path)
    listing = listed(small("msmt17"), tmp_path)
    assert "V1" in listing.layout
    assert any("V2 is there as well" in remark for remark in listing.remarks)


@pytest.mark.parametrize("name", LAYOUTS)
def test_unpublished_counts_are_a_remark_and_no_error(name, tmp_path):
    listing = written(name, next(iter(LAYOUTS[name])), tmp_path)
    assert any(remark.startswith("training: 120 images of 20 identities") for remark in listing.remarks)


@pytest.mark.parametrize("name", LAYOUTS)
@pytest.mark.parametrize("use", ["standard", "tuning"])
def test_perfect_embeddings_are_perfect_by_the_data_sets_rule(name, use, tmp_path):
    LAYOUTS[name][next(iter(LAYOUTS[name]))](tmp_path)
    dataset = load(small(name, use=use), tmp_path)
    indices = evaluated(dataset, use)
    identities = torch.tensor([dataset.records[index].identity for index in indices])
    embeddings = torch.nn.functional.one_hot(identities, 64).float()
    (found,) = retrieval_metrics(embeddings, dataset, use).values()
    assert found.mean_average_precision == pytest.approx(1)
    assert found.valid_queries > 0
    training = {dataset.records[index].identity for index in training_set(dataset, use).indices}
    assert not training & set(identities.tolist())


def test_no_in_shop_query_answers_itself_in_tuning(tmp_path):
    in_shop_official(tmp_path)
    dataset = load(small("in-shop", use="tuning"), tmp_path)
    (protocol,) = dataset.protocols
    chosen = [dataset.records[index] for index in evaluated(dataset, "tuning")]
    assert not [record for record in chosen if record in protocol.query and record in protocol.gallery]
    assert protocol.ranks == (1, 10, 20, 30, 40, 50)


def test_an_identity_with_one_image_trains(tmp_path):
    folder = veri_flat(tmp_path)
    for path in (folder / "train").glob("0003_*"):
        if path.name != "0003_c001_00000600_0.jpg":
            path.unlink()
    dataset = load(small("veri776"), tmp_path)
    examples = training_set(dataset, "standard")
    batches = identity_batches(examples.labels, Batch(identities=20, images=2), np.random.default_rng(0))
    assert np.bincount(examples.labels).min() == 1
    assert dataset.pixels(examples.indices[batches[0]]).shape == (40, 3, 12, 8)


@pytest.mark.parametrize("name", LAYOUTS)
def test_nothing_there_names_what_was_expected_and_where_to_ask(name, tmp_path):
    (tmp_path / "other").mkdir()
    with pytest.raises(DataError, match=r"it holds other\. Expected .*https://"):
        listed(small(name), tmp_path)
    with pytest.raises(DataError, match="no such folder"):
        listed(small(name), tmp_path / "missing")


@pytest.mark.parametrize("name", LAYOUTS)
def test_a_real_data_set_needs_a_root(name):
    with pytest.raises(DataError, match="--data-root DIR"):
        load(small(name))


@pytest.mark.parametrize(("name", "layout"), EACH)
def test_a_missing_split_ends_with_a_message(name, layout, tmp_path):
    folder = LAYOUTS[name][layout](tmp_path)
    for record in listed(small(name), tmp_path).records:
        if record.split == "query":
            (folder / record.path).unlink()
    partition = folder / "Eval" / "list_eval_partition.txt"
    if partition.exists():
        kept = [line for line in partition.read_text().splitlines() if not line.endswith("query")]
        partition.write_text("\n".join(kept))
    with pytest.raises(DataError):
        listed(small(name), tmp_path)


@pytest.mark.parametrize(
    ("name", "layout"), [(n, one) for n, one in EACH if "list" in one or "Img" in one or "fast" in one]
)
def test_a_list_that_names_a_missing_image_says_which(name, layout, tmp_path):
    folder = LAYOUTS[name][layout](tmp_path)
    gone = sorted(folder.rglob("*.jpg"))[0]
    gone.unlink()
    with pytest.raises(DataError, match=rf"1 of them are not in .*{gone.name}"):
        listed(small(name), tmp_path)


@pytest.mark.parametrize(("name", "layout"), [(n, one) for n, one in EACH if one in ("flat", "official")])
def test_a_wrong_name_is_named(name, layout, tmp_path):
    folder = LAYOUTS[name][layout](tmp_path)
    one = sorted(folder.rglob("*.jpg"))[0]
    one.rename(one.with_name("holiday.jpg"))
    with pytest.raises(DataError, match=r"1 of \d+ images .*holiday\.jpg\. Expected names like"):
        listed(small(name), tmp_path)


@pytest.mark.parametrize("content", ["", "img/a.jpg\n", "0000/a.jpg x\n"])
@pytest.mark.parametrize("list_file", ["list_train.txt", "list_query.txt"])
def test_a_damaged_list_of_msmt17_is_named(content, list_file, tmp_path):
    folder = msmt_official(tmp_path)
    (folder / list_file).write_text(content)
    with pytest.raises(DataError, match=list_file):
        listed(small("msmt17"), tmp_path)


def test_a_damaged_partition_of_in_shop_is_named(tmp_path):
    folder = in_shop_official(tmp_path)
    path = folder / "Eval" / "list_eval_partition.txt"
    path.write_text(path.read_text() + "img/a.jpg id_00000001 tset\n")
    with pytest.raises(DataError, match="is damaged: expected image, item"):
        listed(small("in-shop"), tmp_path)


@pytest.mark.parametrize("mode", ["L", "CMYK"])
def test_grey_and_cmyk_images_are_read_in_colour(mode, tmp_path):
    veri_flat(tmp_path)
    shot = next(shots())
    path = tmp_path / "veri" / "train" / "0001_c001_00000600_0.jpg"
    jpeg(path, shot, mode)
    dataset = load(small("veri776"), tmp_path)
    index = [record.path for record in dataset.records].index("train/0001_c001_00000600_0.jpg")
    with Image.open(path) as stored:
        assert stored.mode == mode
        wanted = np.asarray(stored.convert("RGB").resize((8, 12), Image.Resampling.BILINEAR))
    np.testing.assert_array_equal(dataset.pixels([index])[0].permute(1, 2, 0), wanted)


def test_images_come_in_the_order_asked_for(tmp_path):
    veri_flat(tmp_path)
    dataset = load(small("veri776"), tmp_path)
    order = [5, 0, 70, 5, 33]
    together = dataset.pixels(order)
    assert together.dtype is torch.uint8
    for image, index in zip(together, order, strict=True):
        torch.testing.assert_close(image, dataset.pixels([index])[0])


@pytest.mark.parametrize("fault", ["truncated", "text", "empty"])
def test_an_unreadable_image_is_named_when_it_is_needed(fault, tmp_path):
    folder = veri_flat(tmp_path)
    path = sorted((folder / "train").iterdir())[0]
    contents = {"truncated": path.read_bytes()[:200], "text": b"not an image", "empty": b""}
    path.write_bytes(contents[fault])
    dataset = load(small("veri776"), tmp_path)
    index = [record.path for record in dataset.records].index(f"train/{path.name}")
    with pytest.raises(DataError, match=rf"{path.name} cannot be read: .*data verify veri776"):
        dataset.pixels([index, 3])
