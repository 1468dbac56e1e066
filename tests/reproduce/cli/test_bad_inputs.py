"""Whatever is given to whichever verb: one message, code 2 (or 1), no traceback, nothing written.

Each command is a good one with one thing made bad, so that the bad thing is what is looked at.
"""

import shutil
from collections.abc import Sequence
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from typer.testing import CliRunner

from reproduce.cli.app import app

COMMANDS = 300
FOLDER = "@"
"""Stands for the folder of a test, where `file` is a text, `folder` is empty and `results` does not exist."""

texts = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0@"), max_size=30)
words = texts.map(lambda text: f"x{text}")
"""No choice of any option, and no option."""
no_whole_numbers = st.one_of(
    words, st.floats().map(str), st.integers(max_value=-1).map(str), st.integers(min_value=2**64).map(str)
)
no_paths = st.sampled_from([f"{FOLDER}/nowhere", f"{FOLDER}/file/below", f"{FOLDER}/" + "a" * 300])
FIELDS = {
    "batch.identities": no_whole_numbers,
    "batch.images": no_whole_numbers,
    "data.height": no_whole_numbers,
    "data.name": words.map(lambda text: f"{text}/"),
    "data.use": words,
    "schedule.epochs": no_whole_numbers,
    "schedule.peak_learning_rate": st.one_of(
        words, st.sampled_from(["0", "-1", "NaN", "Infinity", "1e99", "true"])
    ),
    "augmentation.erasing_area": st.sampled_from(["0.4,0.02", "0.4", "1,2", "a,b", "0,0.1,0.2", "true,true"]),
    "augmentation.flip": st.sampled_from(["1.1", "-0.1", "true", '"0.5"', "[0.5]", "null"]),
    "compactors": st.sampled_from(["1", "0", '"true"', "sometimes", "null", "[]"]),
    "student.planes": st.sampled_from(["1,2,3", "0,1,1,1", "1.5,1,1,1", "64", "true,1,1,1", "99999,1,1,1"]),
    "method": st.sampled_from(["CDD", "null", "1", '{"method": "os:system"}', '{"method": 1}', "[" * 5000]),
    "method.resetting.queue": no_whole_numbers,
    "teacher": st.sampled_from(["null", "1", "{}", '{"data": {}}']),
    "precision": words,
    "fidelity": words,
}
changes = st.one_of(
    *(st.builds("{}={}".format, st.just(name), value) for name, value in FIELDS.items()),
    words,
    words.map(lambda text: f"{text}.epochs=1"),
    st.sampled_from(["=", "seed=1", "schedule..epochs=1", "schedule=1", "data={}", "schedule.epochs="]),
)
NUMBERS = st.one_of(no_whole_numbers, st.just("0"))
BAD: dict[str, st.SearchStrategy[str]] = {
    "--scale": words,
    "--format": words,
    "--seeds": st.one_of(words, st.sampled_from(["", "-1", "0,0", "1.5", "0,,1", str(2**63), "1e3"])),
    "--device": words,
    "--set": changes,
    "--results": st.sampled_from([f"{FOLDER}/file", f"{FOLDER}/file/below", f"{FOLDER}/" + "a" * 300]),
    "--data-root": no_paths,
    "--weights": no_paths,
    "--share-teacher": NUMBERS,
    "--launcher": words,
    "--address": words,
    "--nothing": words,
    "--queries": NUMBERS,
    "--top": NUMBERS,
    "--seed": no_whole_numbers,
    "--trials": NUMBERS,
    "--method": words,
    "--artifact": words,
    "--storage": st.one_of(words, st.sampled_from(["", "sqlite", "nodb://x", "postgresql:///", "http://x"])),
    "--port": NUMBERS,
    "--image-size": st.one_of(words, st.sampled_from(["256", "0x1", "1x", "²x2", "99999x1", "1x1x1"])),
    "--channels": st.one_of(words, st.sampled_from(["", "0", "1,2", "-1", "1,,2", ",".join(["999"] * 33)])),
    "--identities": NUMBERS,
    "--query": no_paths,
    "--gallery": st.one_of(no_paths, st.sampled_from([f"{FOLDER}/file", f"{FOLDER}/folder"])),
    "--distance": words,
    "--junk": st.one_of(words, st.integers(min_value=2**63).map(str)),
    "--msmt17-lists": words,
}
OF_RUNS = ("--scale", "--seeds", "--set", "--results", "--nothing")
VERBS: dict[tuple[str, ...], Sequence[str]] = {
    ("run", "table1"): (
        *OF_RUNS,
        "--device",
        "--data-root",
        "--weights",
        "--share-teacher",
        "--launcher",
        "--address",
    ),
    ("plan", "table1"): (*OF_RUNS, "--device", "--format", "--data-root", "--weights"),
    ("show", "table1"): (*OF_RUNS, "--format"),
    ("claims",): ("--scale", "--seeds", "--results", "--format", "--nothing"),
    ("report",): ("--scale", "--results", "--format", "--nothing"),
    ("list",): ("--scale", "--results", "--format", "--nothing"),
    ("compare", "0123456789ab", "table1:CDD"): ("--scale", "--seed", "--results", "--format", "--nothing"),
    ("gallery", "0123456789ab"): ("--queries", "--top", "--seed", "--results", "--format", "--nothing"),
    ("export-run", "0123456789ab"): ("--results", "--format", "--nothing"),
    ("import-run", f"{FOLDER}/file"): ("--results", "--format", "--nothing"),
    ("study", "alpha"): (
        "--scale",
        "--set",
        "--results",
        "--device",
        "--data-root",
        "--seed",
        "--trials",
        "--method",
        "--artifact",
    ),
    ("cost", "resnet101"): ("--image-size", "--channels", "--identities", "--format", "--nothing"),
    ("evaluate",): ("--query", "--gallery", "--distance", "--junk", "--format", "--nothing"),
    ("data", "verify", "veri776"): ("--data-root", "--msmt17-lists", "--format", "--nothing"),
    ("data", "prepare", "veri776"): ("--data-root", "--image-size", "--msmt17-lists", "--nothing"),
    ("ui",): ("--port", "--results", "--nothing"),
    ("doctor",): ("--results", "--format", "--nothing"),
}
ARGUMENTS = ("run", "plan", "show", "gallery", "export-run", "import-run", "study", "cost", "data")
"""Verbs whose first argument can be bad, too."""


@st.composite
def commands(draw: st.DrawFn) -> list[str]:
    """A command with one bad option or a bad argument; results go to a folder that does not exist."""
    verb = draw(st.sampled_from(list(VERBS)))
    if verb[0] in ARGUMENTS and draw(st.integers(0, 7)) == 0:
        given = [*verb[:-1], draw(st.one_of(words, no_paths))]
        option = ""
    else:
        option = draw(st.sampled_from(VERBS[verb]))
        given = [*verb, f"{option}={draw(BAD[option])}"]
    good = {"--results": f"{FOLDER}/results"}
    if verb[0] == "data":
        good = {"--data-root": f"{FOLDER}/folder"}
    if verb[0] == "evaluate":
        good = {"--query": f"{FOLDER}/file"}
    if verb[0] == "cost":
        good = {}
    return given + [f"{name}={value}" for name, value in good.items() if name != option]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What `FOLDER` stands for."""
    found = tmp_path_factory.mktemp("bad")
    (found / "file").write_text("no archive", encoding="utf-8")
    (found / "folder").mkdir()
    return found


@given(command=commands())
@settings(max_examples=COMMANDS, suppress_health_check=list(HealthCheck))
def test_no_input_ends_in_a_traceback_or_leaves_anything_behind(folder: Path, command: list[str]) -> None:
    said = CliRunner().invoke(app, [word.replace(FOLDER, str(folder)) for word in command])
    assert said.exception is None or isinstance(said.exception, SystemExit), said.exc_info
    assert said.exit_code in (1, 2), said.output
    assert "Traceback" not in said.output
    assert said.stderr.strip()
    assert len(said.stderr) < 4000
    left = sorted(path.name for path in folder.rglob("*"))
    shutil.rmtree(folder / "results", ignore_errors=True)
    assert left == ["file", "folder"]
