import numpy as np
import pytest
import torch
from sklearn.metrics import average_precision_score

from cdd.evaluation import evaluate_retrieval
from cdd.evaluation.similarity import as_float64, prepare, score_blocks


def plain(query, gallery, labels, gallery_labels, *cameras, distance="cosine"):
    """One stable full sort per query, everything in float64."""
    query, gallery = np.asarray(query, np.float64), np.asarray(gallery, np.float64)
    precisions, penalties, first = [], [], []
    for index, asked in enumerate(query):
        if distance == "cosine":
            distances = 1 - gallery @ asked / np.linalg.norm(gallery, axis=1) / np.linalg.norm(asked)
        else:
            distances = ((gallery - asked) ** 2).sum(axis=1)
        alike = gallery_labels == labels[index]
        valid = np.ones(len(gallery), bool)
        if cameras:
            valid = ~(alike & (cameras[1] == cameras[0][index]))
        hits = alike[valid][np.argsort(distances[valid], kind="stable")]
        if hits.any():
            ranks = np.flatnonzero(hits) + 1
            precisions.append(np.mean(np.cumsum(hits)[hits] / ranks))
            penalties.append(len(ranks) / ranks[-1])
            first.append(ranks[0])
    cmc = {rank: np.mean(np.array(first) <= rank) for rank in (1, 5, 10)}
    return np.mean(precisions), np.mean(penalties), cmc, precisions, first


def data(seed, queries=30, rows=120, dim=16, identities=12, cameras=3):
    rng = np.random.default_rng(seed)
    centres = rng.standard_normal((identities, dim))
    labels, gallery_labels = rng.integers(0, identities, queries), rng.integers(0, identities, rows)
    query = centres[labels] + rng.standard_normal((queries, dim))
    gallery = centres[gallery_labels] + rng.standard_normal((rows, dim))
    views = rng.integers(0, cameras, queries), rng.integers(0, cameras, rows)
    return query.astype(np.float32), gallery.astype(np.float32), labels, gallery_labels, *views


def prepared(embeddings, distance):
    rows = as_float64(embeddings)
    prepare(rows, "test", distance)
    return rows


def same(found, expected):
    precision, penalty, cmc, precisions, first = expected
    assert found.mean_average_precision == pytest.approx(precision, abs=1e-12)
    assert found.mean_inverse_negative_penalty == pytest.approx(penalty, abs=1e-12)
    assert found.cmc == pytest.approx(cmc, abs=1e-12)
    assert found.average_precision.tolist() == pytest.approx(precisions, abs=1e-12)
    assert found.first_rank.tolist() == first
    assert found.valid_queries == len(precisions)


@pytest.mark.parametrize("distance", ["cosine", "euclidean"])
@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("with_cameras", [True, False])
def test_equals_a_plain_full_sort(distance, seed, with_cameras):
    arguments = data(seed)[: 6 if with_cameras else 4]
    same(evaluate_retrieval(*arguments, distance=distance), plain(*arguments, distance=distance))


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize("distance", ["cosine", "euclidean"])
def test_ties_rank_in_gallery_order(seed, distance):
    rng = np.random.default_rng(seed)
    # Signs under cosine and small integers under euclidean: distances are exact and mostly equal.
    levels = (-1.0, 1.0) if distance == "cosine" else (0.0, 1.0, 2.0)
    query, gallery = (rng.choice(levels, (size, 4)) for size in (20, 150))
    labels = rng.integers(0, 5, 20), rng.integers(0, 5, 150)
    cameras = rng.integers(0, 2, 20), rng.integers(0, 2, 150)
    arguments = (query.astype(np.float32), gallery.astype(np.float32), *labels, *cameras)
    same(evaluate_retrieval(*arguments, distance=distance), plain(*arguments, distance=distance))


def test_repeated_gallery_rows_tie_wherever_they_stand():
    rng = np.random.default_rng(0)
    query, rows = rng.standard_normal((17, 511)), rng.standard_normal((7, 511))
    gallery = np.tile(rows, (29, 1))
    for distance in ("cosine", "euclidean"):
        for _, scores in score_blocks(prepared(query, distance), prepared(gallery, distance), distance):
            assert all(len(np.unique(row)) == 7 for row in scores.numpy())


def test_worked_by_hand():
    query = np.array([[1.0, 0.0]])
    gallery = np.array([[1.0, 0.1], [1.0, 0.2], [1.0, 0.3], [1.0, 0.4], [-1.0, 0.0]])
    found = evaluate_retrieval(query, gallery, [7], [1, 7, 2, 7, 3], ranks=(1, 2, 50))
    assert found.mean_average_precision == pytest.approx((1 / 2 + 2 / 4) / 2)
    assert found.mean_inverse_negative_penalty == pytest.approx(2 / 4)
    assert found.cmc == {1: 0.0, 2: 1.0, 50: 1.0}
    # The match at rank 2 is the query's own identity and camera, and so is left out of the ranking.
    found = evaluate_retrieval(query, gallery, [7], [1, 7, 2, 7, 3], [0], [0, 0, 0, 1, 0])
    assert found.mean_average_precision == pytest.approx(1 / 3)


def test_equals_scikit_learn_without_exclusion():
    query, gallery, labels, gallery_labels, *_ = data(5)
    unit_query, unit_gallery = (prepared(value, "cosine").numpy() for value in (query, gallery))
    expected = [
        average_precision_score(gallery_labels == label, similarity)
        for label, similarity in zip(labels, unit_query @ unit_gallery.T, strict=True)
    ]
    found = evaluate_retrieval(query, gallery, labels, gallery_labels)
    assert found.average_precision.tolist() == pytest.approx(expected, abs=1e-9)


def test_perfect_and_worst_rankings_are_the_limits():
    labels = np.repeat(np.arange(4), 3)
    embeddings = np.eye(4)[labels]
    assert evaluate_retrieval(embeddings, embeddings, labels, labels).mean_average_precision == 1.0
    line = np.array([[1.0]] * 9 + [[-1.0]])
    worst = evaluate_retrieval(line[:1], line, [1], [0] * 9 + [1])
    assert worst.mean_average_precision == pytest.approx(0.1)
    assert worst.mean_inverse_negative_penalty == pytest.approx(0.1)
    assert worst.cmc == {1: 0.0, 5: 0.0, 10: 1.0}


def test_scale_rotation_types_and_the_order_of_queries_do_not_matter():
    query, gallery, *rest = data(3)
    expected = evaluate_retrieval(query, gallery, *rest)
    rotation, _ = np.linalg.qr(np.random.default_rng(0).standard_normal((16, 16)))
    moved = evaluate_retrieval(1e6 * query @ rotation, 1e-6 * gallery @ rotation, *rest)
    assert moved.average_precision.tolist() == pytest.approx(expected.average_precision.tolist(), abs=1e-12)
    with torch.inference_mode():
        tensors = [torch.tensor(value) for value in (query, gallery, *rest)]
    assert evaluate_retrieval(*tensors).mean_average_precision == expected.mean_average_precision
    half = evaluate_retrieval(tensors[0].bfloat16().requires_grad_(), gallery, *rest)
    assert half.mean_average_precision == pytest.approx(expected.mean_average_precision, abs=0.02)
    backwards = evaluate_retrieval(
        query[::-1], gallery, rest[0][::-1], rest[1], rest[2][::-1].tolist(), rest[3].tolist()
    )
    assert backwards.average_precision[::-1].tolist() == expected.average_precision.tolist()


def test_the_given_arrays_are_not_changed():
    arguments = [value.astype(np.float64) if index < 2 else value for index, value in enumerate(data(3))]
    before = [value.copy() for value in arguments]
    for distance in ("cosine", "euclidean"):
        evaluate_retrieval(*arguments, distance=distance)
    assert all(np.array_equal(*pair) for pair in zip(arguments, before, strict=True))


def test_blocks_of_any_size_give_the_same_scores():
    query, gallery = (prepared(value, "euclidean") for value in data(1)[:2])
    whole = np.concatenate([scores.numpy().copy() for _, scores in score_blocks(query, gallery, "euclidean")])
    for size in (1, 7 * 8 * len(gallery)):
        blocks = [
            (s, b.numpy().copy()) for s, b in score_blocks(query, gallery, "euclidean", block_bytes=size)
        ]
        assert [start for start, _ in blocks] == list(range(0, 30, 1 if size == 1 else 7))
        assert np.abs(np.concatenate([block for _, block in blocks]) - whole).max() <= 1


@pytest.mark.parametrize("distance", ["cosine", "euclidean"])
def test_counting_beside_the_next_product_changes_nothing(distance, monkeypatch):
    rng = np.random.default_rng(4)
    query, gallery = (rng.standard_normal((size, 6)) for size in (700, 900))
    labels = [rng.integers(0, 40, size) for size in (700, 900)]
    cameras = [rng.integers(0, 3, size) for size in (700, 900)]
    found = []
    for threads in (1, 2):
        monkeypatch.setattr(torch, "get_num_threads", lambda threads=threads: threads)
        found.append(evaluate_retrieval(query, gallery, *labels, *cameras, distance=distance))
    assert len(list(score_blocks(*(prepared(v, distance) for v in (query, gallery)), distance))) == 4
    assert np.array_equal(found[0].average_precision, found[1].average_precision)
    assert np.array_equal(found[0].first_rank, found[1].first_rank)


def test_a_block_stays_while_the_next_is_computed():
    query, gallery = (prepared(value, "cosine") for value in data(1)[:2])
    blocks = score_blocks(query, gallery, "cosine", block_bytes=7 * 8 * len(gallery))
    _, first = next(blocks)
    before = first.clone()
    next(blocks)
    assert torch.equal(first, before)


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a GPU")
@pytest.mark.parametrize("distance", ["cosine", "euclidean"])
def test_a_gpu_finds_the_same_accuracy(distance):
    query, gallery, *rest = data(6)
    expected = evaluate_retrieval(query, gallery, *rest, distance=distance)
    found = evaluate_retrieval(torch.from_numpy(query).cuda(), gallery, *rest, distance=distance)
    assert found.average_precision.tolist() == expected.average_precision.tolist()


def test_queries_without_a_match_are_left_out_and_named():
    query, gallery, labels, gallery_labels, *_ = data(2)
    labels[[0, 4]] = 99
    found = evaluate_retrieval(query, gallery, labels, gallery_labels)
    assert (found.queries, found.valid_queries) == (30, 28)
    assert found.query_index.tolist() == [index for index in range(30) if index not in (0, 4)]
    same(found, plain(query, gallery, labels, gallery_labels))


ONES = np.ones((3, 2))
IDS = np.arange(3)


@pytest.mark.parametrize(
    ("arguments", "options", "text"),
    [
        ((ONES, ONES, IDS + 5, IDS), {}, "None of 3 queries has a match among 3 gallery rows: check"),
        ((ONES, ONES, IDS, IDS, IDS, IDS), {}, "rows seen by another camera"),
        ((ONES, ONES, IDS, IDS, IDS), {}, "given for the query but not for the gallery"),
        ((ONES, ONES, IDS, IDS, None, IDS), {}, "given for the gallery but not for the query"),
        ((ONES, np.ones((3, 4)), IDS, IDS), {}, "2 dimensions, the gallery embeddings 4"),
        ((np.ones(3), ONES, IDS, IDS), {}, r"query embeddings have shape \(3,\)"),
        ((ONES, np.ones((0, 2)), IDS, IDS[:0]), {}, "at least one row"),
        ((ONES, ONES, IDS[:2], IDS), {}, r"query identities have shape \(2,\)"),
        ((ONES, ONES, IDS, IDS[:, None]), {}, r"gallery identities have shape \(3, 1\)"),
        ((ONES, ONES, IDS, IDS, IDS, IDS[:1]), {}, "gallery cameras have shape"),
        ((ONES, ONES, IDS + 0.5, IDS), {}, "float64: give integers"),
        ((ONES, np.array([[1], [np.nan], [np.inf]]) * ONES, IDS, IDS), {}, r"Row 1 of the gallery .*2 such"),
        ((ONES * [[1], [1], [0]], ONES, IDS, IDS), {}, "Row 2 of the query embeddings is all zero"),
        ((ONES, ONES, IDS, IDS), {"distance": "l2"}, "only 'cosine' and 'euclidean'"),
        ((ONES, ONES, IDS, IDS), {"ranks": (0, 1)}, "counted from 1"),
        ((ONES, ONES, IDS, IDS), {"ranks": ()}, "at least one rank"),
        ((ONES.astype(str), ONES, IDS, IDS), {}, "give real numbers"),
        ((torch.ones(3, 2) * 1j, ONES, IDS, IDS), {}, "give real numbers"),
        ((ONES, 1e200 * ONES, IDS, IDS), {"distance": "euclidean"}, "scale them down"),
    ],
)
def test_what_does_not_fit_is_refused(arguments, options, text):
    with pytest.raises(ValueError, match=text):
        evaluate_retrieval(*arguments, **options)


def test_zero_rows_are_ranked_by_euclidean_distance():
    found = evaluate_retrieval(0 * ONES, 0 * ONES, IDS, IDS, distance="euclidean")
    assert found.average_precision.tolist() == [1, 1 / 2, 1 / 3]


def test_tiny_and_huge_embeddings_keep_their_direction():
    query, gallery, *rest = data(4)
    expected = evaluate_retrieval(query, gallery, *rest).average_precision.tolist()
    for scale in (1e-300, 1e300):
        scaled = evaluate_retrieval(query * np.float64(scale), gallery * np.float64(scale), *rest)
        assert scaled.average_precision.tolist() == pytest.approx(expected, abs=1e-12)
