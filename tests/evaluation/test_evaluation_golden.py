"""The evaluator against fast-reid and the authors' code; tests/golden says how the values were made."""

import hashlib
import json
from pathlib import Path

import numpy as np
import pytest

from cdd.evaluation import evaluate_retrieval

GOLDEN = Path(__file__).parents[1] / "golden"
EVALUATION = json.loads((GOLDEN / "evaluation.json").read_text())["cases"]
CDD = json.loads((GOLDEN / "cdd.json").read_text())["6_eval"]["cases"]
CASES = [
    "1_market_no_ties",
    "1b_inshop_no_camera_exclusion",
    "2_queries_without_valid_match",
    "4_tiny_gallery",
]


def clustered(params):
    """Integer embeddings around integer centres; the draws stand in the order of the recipe."""
    rng = np.random.default_rng(params["seed"])
    identities, dim, sizes = params["IDS"], params["D"], (params["Q"], params["G"])
    spread, noise = params["spread"], params["noise"]
    centres = rng.integers(-spread, spread + 1, size=(identities, dim))
    labels = [rng.integers(0, identities, size=size) for size in sizes]
    cameras = [rng.integers(0, params["CAMS"], size=size) for size in sizes]
    embeddings = [
        centres[label] + rng.integers(-noise, noise + 1, size=(len(label), dim)) for label in labels
    ]
    return [*embeddings, *labels, *cameras]


def case_data(name):
    case = EVALUATION[name]
    if "same_data_as" in case:
        return case_data(case["same_data_as"])[:4]
    arrays = clustered(case["params"])
    if name == "2_queries_without_valid_match":
        _, _, labels, gallery_labels, cameras, gallery_cameras = arrays
        labels[::8] = 1000 + np.arange(len(labels[::8]))
        gallery_cameras[gallery_labels == labels[1]] = cameras[1]
        cameras[labels == labels[1]] = cameras[1]
    digest = hashlib.sha256(b"".join(np.ascontiguousarray(array).astype("<i8").tobytes() for array in arrays))
    assert digest.hexdigest() == case["sha256_int64_q_g_qp_gp_qc_gc"]
    return arrays


@pytest.mark.parametrize("name", CASES)
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_equals_the_reference(name, dtype):
    case = EVALUATION[name]
    query, gallery, *rest = case_data(name)
    expected = case.get("expected", case.get("expected_ours_cmc_padded_with_last_value"))
    ranks = [int(key[1:]) for key in expected if key[0] == "R"]
    found = evaluate_retrieval(
        query.astype(dtype), gallery.astype(dtype), *rest, distance="euclidean", ranks=ranks
    )
    assert found.mean_average_precision == pytest.approx(expected["mAP"], abs=1e-12)
    assert found.mean_inverse_negative_penalty == pytest.approx(expected["mINP"], abs=1e-12)
    assert found.cmc == pytest.approx({rank: expected[f"R{rank}"] for rank in ranks}, abs=1e-6)
    assert found.valid_queries == expected["num_valid_queries"]
    assert found.queries == expected.get("num_queries", len(query))
    precisions = expected.get("AP_valid_queries_in_order", found.average_precision.tolist())
    assert found.average_precision.tolist() == pytest.approx(precisions, abs=1e-12)


def test_no_case_of_the_file_is_forgotten():
    assert set(EVALUATION) == set(CASES)


@pytest.mark.parametrize("case", CDD, ids=lambda case: f"seed{case['seed']}")
def test_equals_the_authors_cosine_evaluation(case):
    rng = np.random.default_rng(case["seed"])
    single = np.float32
    sizes, dim, sigma = (case["Q"], case["G"]), case["D"], single(case["sigma"])
    centres = rng.standard_normal((case["I"], dim)).astype(single)
    known = case["I"], case["I"] - case["absent_ids"]
    labels = [rng.integers(0, most, size) for most, size in zip(known, sizes, strict=True)]
    cameras = [rng.integers(0, case["C"], size) for size in sizes]
    embeddings = [
        centres[label] + sigma * rng.standard_normal((len(label), dim)).astype(single) for label in labels
    ]
    ranks = [int(rank) for rank in case["cmc"]]
    found = evaluate_retrieval(*embeddings, *labels, *cameras, ranks=ranks)
    assert found.mean_average_precision == pytest.approx(case["mAP"], abs=1e-6)
    assert found.cmc == pytest.approx({int(rank): value for rank, value in case["cmc"].items()}, abs=1e-6)
    without = evaluate_retrieval(*embeddings, *labels)
    assert without.mean_average_precision == pytest.approx(case["without_camera_exclusion"]["mAP"], abs=1e-6)
    assert without.cmc[1] == pytest.approx(case["without_camera_exclusion"]["r1"], abs=1e-6)
