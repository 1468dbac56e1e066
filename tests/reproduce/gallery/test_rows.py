"""Which queries a gallery shows and what they find: laws, and a case worked by hand."""

from dataclasses import replace
from typing import get_args

import numpy as np
import pandas as pd
import pytest
import torch

from cdd.data.records import Dataset
from cdd.evaluation.metrics import RetrievalMetrics
from cdd.evaluation.retrieval import QueryGallery, query_gallery
from cdd.evaluation.score_blocks import EmbeddingSet
from cdd.values import Use
from reproduce.gallery.caption import USES
from reproduce.gallery.rows import Choice, GalleryRow, gallery_rows, numbers, tiles
from tests.small import small_dataset

ALL = 1000


def met(
    dataset: Dataset | None = None, protocol: int = 0, seed: int = 0
) -> tuple[Dataset, QueryGallery, RetrievalMetrics]:
    """Random embeddings of the small data set, which resemble their identity a little."""
    dataset = dataset or small_dataset(4, 4)
    generator = np.random.default_rng(seed)
    centres = generator.standard_normal((100, 6))
    tested = [record for record in dataset.records if record.split == "test"]
    values = np.stack([centres[record.identity] + generator.standard_normal(6) for record in tested])
    rule = dataset.protocols[protocol]
    found = query_gallery(torch.tensor(values), dataset, "standard", rule)
    return dataset, found, found.metrics(rule.ranks)


def shown(rows: list[GalleryRow]) -> list[list[int]]:
    return [row.records.tolist() for row in rows]


def test_a_query_never_finds_itself_or_its_identity_seen_by_its_camera() -> None:
    dataset, meet, metrics = met()
    rows = gallery_rows(meet, metrics, Choice(queries=ALL, top=ALL))
    assert len(rows) == 48
    for row in rows:
        query = dataset.records[row.query]
        assert row.query not in row.records
        assert not any(
            (found.identity, found.camera) == (query.identity, query.camera)
            for found in (dataset.records[index] for index in row.records)
        )


def test_a_separate_gallery_is_searched_whole() -> None:
    dataset, meet, metrics = met(protocol=1)
    for row in gallery_rows(meet, metrics, Choice(queries=ALL, top=ALL)):
        assert sorted(row.records) == sorted(meet.gallery_records)
        assert dataset.records[row.query].camera == 0


@pytest.mark.parametrize("protocol", [0, 1])
def test_whole_rows_have_the_average_precision_that_the_evaluator_finds(protocol: int) -> None:
    _, meet, metrics = met(protocol=protocol)
    rows = gallery_rows(meet, metrics, Choice(queries=ALL, top=ALL))
    found = []
    for row in rows:
        ranks = np.flatnonzero([verdict == "right" for verdict in row.verdicts]) + 1
        found.append(float(np.mean(np.arange(1, len(ranks) + 1) / ranks)))
    assert found == pytest.approx(metrics.average_precision.tolist(), abs=1e-12)
    assert found == pytest.approx([row.average_precision for row in rows], abs=1e-12)


def test_the_order_of_the_gallery_does_not_change_what_is_shown() -> None:
    _, meet, metrics = met()
    order = np.random.default_rng(1).permutation(len(meet.gallery_records))
    side = meet.gallery
    moved = EmbeddingSet(
        side.embeddings[order], *(np.asarray(v)[order] for v in (side.identities, side.cameras))
    )
    turned = replace(meet, gallery=moved, gallery_records=meet.gallery_records[order])
    expected = gallery_rows(meet, metrics, Choice())
    found = gallery_rows(turned, turned.metrics((1,)), Choice())
    assert shown(found) == shown(expected)
    assert [row.query for row in found] == [row.query for row in expected]


def test_a_seed_samples_the_same_queries_for_every_run_and_another_seed_others() -> None:
    chosen = [
        [row.query for row in gallery_rows(meet, metrics, Choice(seed=seed))]
        for seed, run in ((0, 0), (0, 1), (1, 0))
        for _, meet, metrics in [met(seed=run)]
    ]
    assert chosen[0] == chosen[1] != chosen[2]
    assert all(len(set(queries)) == 8 and queries == sorted(queries) for queries in chosen)


def test_every_valid_query_is_sampled_about_as_often() -> None:
    _, meet, metrics = met()
    counts = np.zeros(len(small_dataset(4, 4).records))
    for seed in range(300):
        for row in gallery_rows(meet, metrics, Choice(queries=8, top=1, seed=seed)):
            counts[row.query] += 1
    tested = counts[counts > 0]
    assert len(tested) == 48
    assert tested.min() > 25 and tested.max() < 75  # 50 expected


def test_the_worst_are_those_of_lowest_average_precision_lowest_first() -> None:
    _, meet, metrics = met()
    rows = gallery_rows(meet, metrics, Choice(queries=5, worst=True))
    found = [row.average_precision for row in rows]
    assert found == sorted(metrics.average_precision.tolist())[:5]


@pytest.mark.parametrize("worst", [False, True])
def test_queries_without_a_match_are_never_shown(worst: bool) -> None:
    dataset = small_dataset(4, 4)
    alone = next(index for index, record in enumerate(dataset.records) if record.split == "test")
    records = list(dataset.records)
    records[alone] = replace(records[alone], identity=99)
    _, meet, metrics = met(replace(dataset, records=tuple(records)))
    rows = gallery_rows(meet, metrics, Choice(queries=ALL, worst=worst))
    assert len(rows) == 47
    assert alone not in [row.query for row in rows]


def test_a_case_worked_by_hand() -> None:
    dataset = small_dataset(4, 4)
    # Identity 20 is seen twice by each of three cameras, identity 21 likewise.
    chosen = [i for i, record in enumerate(dataset.records) if record.identity in (20, 21)]
    tested = [index for index, record in enumerate(dataset.records) if record.split == "test"]
    angles = dict(zip(chosen, (0, 1, 40, 50, 60, 70, 20, 45, 55, 80, 85, 90), strict=True))
    degrees = np.radians([angles.get(index, 180 + place) for place, index in enumerate(tested)])
    embeddings = torch.tensor(np.stack([np.cos(degrees), np.sin(degrees)], axis=1))
    meet = query_gallery(embeddings, dataset, "standard", dataset.protocols[0])
    metrics = meet.metrics((1,))
    row = next(
        row for row in gallery_rows(meet, metrics, Choice(queries=ALL, top=5)) if row.query == chosen[0]
    )
    # Angles 20, 40, 45, 50, 55 from the query at 0; the image at 1 is its identity and camera.
    assert row.records.tolist() == [chosen[place] for place in (6, 2, 7, 3, 8)]
    assert row.verdicts == ["wrong", "right", "wrong", "right", "wrong"]
    assert row.nearest.similarity == pytest.approx(np.cos(np.radians([20, 40, 45, 50, 55])))
    assert row.average_precision == pytest.approx((1 / 2 + 2 / 4 + 3 / 6 + 4 / 7) / 4)


def test_tiles_are_the_data_sets_pixels_and_lines_are_the_tiles() -> None:
    dataset, meet, metrics = met()
    rows = gallery_rows(meet, metrics, Choice(queries=3, top=4))
    grid, lines = tiles(rows, dataset), numbers(rows, dataset)
    assert len(lines) == 3 * 5
    for (_, line), tile in zip(lines.iterrows(), [tile for row in grid for tile in row], strict=True):
        index = int(str(line.image).partition("#")[2])
        pixels = dataset.pixels([index])[0].permute(1, 2, 0).numpy()
        assert np.array_equal(tile.pixels, pixels)
        assert (tile.frame or "query") == line.verdict
        assert f"camera {line.camera}" in tile.text
        query = lines[(lines.row == line.row) & (lines["rank"] == 0)].iloc[0]
        assert pd.isna(line.similarity) == (line["rank"] == 0)
        if line["rank"]:
            assert (line.verdict == "right") == (line.identity == query.identity)


def test_the_caption_has_words_for_every_use_of_the_data() -> None:
    assert set(USES) == set(get_args(Use))
