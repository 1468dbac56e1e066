"""The verbs around the tables: cost, evaluate, doctor, ui."""

from pathlib import Path

import numpy as np
import pytest

from tests.data.cifar_trees import cifar
from tests.data.real_trees import msmt_official, veri_official
from tests.reproduce.said import Said


# Computed with the authors' release and ptflops 0.6.9 for MSMT17's 1,041 identities.
@pytest.mark.parametrize(
    ("backbone", "size", "parameters", "multiply_adds"),
    [
        ("resnet101", "256x256", 43_501_184, 12_986_433_024),
        ("resnet101", "320x160", 43_501_184, 10_145_998_336),
        ("resnet50", "256x256", 24_535_168, 8_130_018_816),
        ("resnet34", "256x256", 21_540_352, 7_311_928_320),
        ("resnet18", "320X160", 11_435_904, 3_115_242_496),
    ],
)
def test_cost_is_the_authors_to_the_last_digit(
    backbone: str, size: str, parameters: int, multiply_adds: int
) -> None:
    found = Said("cost", backbone, "--image-size", size, "--format", "json").json
    assert (found["parameters"], found["multiply_adds"]) == (parameters, multiply_adds)
    assert found["true_flops"] == 2 * multiply_adds
    assert sum(found["breakdown"].values()) == multiply_adds


def test_cost_of_a_network_with_one_channel_left_everywhere() -> None:
    # Computed with the authors' release: what is left when every block keeps one channel.
    found = Said("cost", "resnet101", "--channels", ",".join(["1"] * 33), "--format", "json").json
    assert found["parameters"] == 12_768_161


def test_cost_counts_the_classifiers_multiply_adds_only() -> None:
    small, large = (
        Said("cost", "resnet18", "--identities", number, "--format", "json").json for number in ("1", "1001")
    )
    assert large["parameters"] == small["parameters"]
    assert large["multiply_adds"] - small["multiply_adds"] == 1000 * 512


def test_cost_in_words() -> None:
    said = Said("cost", "resnet101").out
    assert "43.50 M" in said
    assert "12.99 G" in said


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Query 0 finds its match first, query 1 second: AP 1 and 1/2."""
    gallery = np.array([[1.0, 0.0], [0.0, 1.0], [0.1, 1.0]])
    np.savez(
        tmp_path / "q.npz", embeddings=np.array([[1.0, 0.1], [0.0, 1.0]]), identities=[7, 8], cameras=[0, 0]
    )
    np.savez(tmp_path / "g.npz", embeddings=gallery, identities=[7, 9, 8], cameras=[1, 1, 1])
    return tmp_path


def evaluate(folder: Path, *words: str, query: str = "q.npz") -> Said:
    return Said("evaluate", "--query", str(folder / query), "--gallery", str(folder / "g.npz"), *words)


def test_evaluate_a_case_worked_by_hand(folder: Path) -> None:
    found = evaluate(folder, "--format", "json").json
    assert found["mean_average_precision"] == pytest.approx(0.75)
    assert found["mean_inverse_negative_penalty"] == pytest.approx(0.75)
    assert found["cmc"] == {"1": 0.5, "5": 1.0, "10": 1.0}
    assert (found["valid_queries"], found["queries"]) == (2, 2)
    assert "mAP 75.00 %, R1 50.00 %" in evaluate(folder, "--distance", "euclidean").out


@pytest.mark.parametrize(
    ("arrays", "message"),
    [
        ({"embeddings": np.ones((2, 2))}, r"has the arrays ['embeddings'], but not identities"),
        ({"vectors": np.ones((2, 2))}, "but not embeddings and identities"),
        ({"embeddings": np.array([[1.0, np.nan], [1.0, 2.0]]), "identities": [1, 2]}, "1 of 2 embeddings"),
        ({"embeddings": np.ones((2, 2)), "identities": [1, 2, 3]}, "identities have shape (3,)"),
        (
            {"embeddings": np.ones((2, 2)), "identities": [1, 2], "cameras": [[1], [2]]},
            "cameras have shape (2, 1)",
        ),
        ({"embeddings": np.ones(2), "identities": [1, 2]}, "embeddings have shape (2,)"),
        (
            {"embeddings": np.array([["a", "b"]]), "identities": [1]},
            "expected numbers of shape (images, size)",
        ),
        ({"embeddings": np.ones((2, 2)), "identities": [7, 8]}, "q.npz has no array `cameras`"),
        ({"embeddings": np.array([[None]]), "identities": [1]}, "cannot be read as an npz file"),
        ({"embeddings": np.ones((2, 3)), "identities": [7, 8], "cameras": [0, 0]}, "3 dimensions"),
        ({"embeddings": np.ones((2, 2)), "identities": [1.5, 2.5], "cameras": [0, 0]}, "give integers"),
        ({"embeddings": np.ones((2, 2)), "identities": [1, 2], "cameras": [0, 0]}, "None of 2 queries"),
        ({"embeddings": np.zeros((2, 2)), "identities": [7, 8], "cameras": [0, 0]}, "zero"),
    ],
)
def test_embeddings_that_cannot_be_evaluated_are_usage_errors(
    folder: Path, arrays: dict[str, object], message: str
) -> None:
    np.savez(folder / "q.npz", **arrays)  # type: ignore[arg-type]
    said = evaluate(folder)
    assert said.code == 2, said.err
    assert message in said.err
    assert "Traceback" not in said.err


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (None, "does not exist"),
        (b"", "cannot be read as an npz file"),
        (b"words", "cannot be read as an npz file"),
        (b"PK\x03\x04 and no archive", "cannot be read as an npz file"),
    ],
)
def test_files_that_are_no_embeddings_are_usage_errors(
    folder: Path, content: bytes | None, message: str
) -> None:
    if content is not None:
        (folder / "other.npz").write_bytes(content)
    said = evaluate(folder, query="other.npz")
    assert said.code == 2
    assert message in said.err


def test_a_damaged_file_of_embeddings_is_a_usage_error(folder: Path) -> None:
    path = folder / "other.npz"
    np.savez_compressed(path, embeddings=np.random.default_rng(0).random((50, 50)), identities=[1] * 50)
    content = bytearray(path.read_bytes())
    content[200:260] = bytes(60)
    path.write_bytes(content)
    said = evaluate(folder, query="other.npz")
    assert said.code == 2
    assert "cannot be read as an npz file" in said.err


def test_a_plain_npy_file_is_not_an_npz_file(folder: Path) -> None:
    np.save(folder / "other.npy", np.ones((2, 2)))
    said = evaluate(folder, query="other.npy")
    assert said.code == 2
    assert "cannot be read as an npz file" in said.err


def test_infinite_and_integer_embeddings(folder: Path) -> None:
    np.savez(folder / "q.npz", embeddings=np.array([[1, 0], [0, 1]]), identities=[7, 8], cameras=[0, 0])
    assert evaluate(folder).code == 0
    np.savez(folder / "q.npz", embeddings=np.array([[1, 0], [np.inf, 1]]), identities=[7, 8], cameras=[0, 0])
    assert "the first in row 1" in evaluate(folder).err


def test_doctor_finds_nothing_wrong_here(results: Path) -> None:
    found = Said("doctor", "--format", "json", "--results", str(results)).json
    assert [check["name"] for check in found] == [
        "torch",
        "torchvision",
        "device",
        "results folder",
        "disk",
        "tracking store",
        "git",
        "embedded data",
    ]
    assert all(check["ok"] for check in found if check["name"] != "disk"), found
    assert "ok    torch " in Said("doctor", "--results", str(results)).out


def test_doctor_looks_for_the_real_data_sets(results: Path, tmp_path: Path) -> None:
    veri_official(tmp_path)
    folder = msmt_official(tmp_path)
    cifar("cifar100", tmp_path)
    words = ["doctor", "--format", "json", "--results", str(results), "--data-root", str(tmp_path)]
    found = {check["name"]: check for check in Said(*words).json}
    assert "144 images" in found["veri776"]["detail"]
    assert "published are" in found["veri776"]["detail"]
    assert "1200 images" in found["cifar100"]["detail"]
    assert "MD5 differs" in found["cifar100"]["detail"]
    assert found["in-shop"]["detail"] == found["cifar10"]["detail"] == f"not in {tmp_path}"
    (folder / "list_query.txt").unlink()
    assert Said("doctor", "--results", str(results), "--data-root", str(tmp_path)).code == 1


def test_doctor_names_what_is_wrong_with_code_1(tmp_path: Path) -> None:
    (tmp_path / "mlflow.db").write_text("no database, " * 100)
    said = Said("doctor", "--results", str(tmp_path))
    assert said.code == 1
    (line,) = [line for line in said.out.splitlines() if line.startswith("FAIL")]
    assert "tracking store" in line
    assert "not a database" in line
