"""The user's results and the committed reference lie apart; every page shows whose numbers it has."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from experiments.registry import Summary
from reproduce.errors import UsageError
from reproduce.execution.known_runs import differing
from reproduce.pipeline.artifact_pipeline import ArtifactPipeline
from reproduce.pipeline.drawer import RenderedArtifact
from reproduce.pipeline.ledger import draw_ledger
from reproduce.reference.record import record
from reproduce.storage.results_folder import ResultsFolder
from tests.reproduce.fakes import STUDENT, Recorder, a_student
from tests.reproduce.recorded import COST, claim
from tests.reproduce.said import Said

Run = Callable[..., list[RenderedArtifact]]


def files_below(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


@pytest.fixture
def filled(run: Run, laptop: Path, reference: Path) -> Path:
    """A reference of three seeds, which were trained in another folder."""
    run(seeds=[0, 1, 2], results=laptop)
    shutil.copytree(laptop / "mini", reference / "mini")
    return reference


@pytest.fixture
def claims(monkeypatch: pytest.MonkeyPatch, tables: object) -> None:
    declared = (claim(size=2.0), claim(COST, name="smaller", text="It is smaller"))
    monkeypatch.setattr("experiments.registry.claims", lambda: declared)
    monkeypatch.setattr("experiments.registry.summaries", lambda: [Summary("tiny", "", "")])


@pytest.fixture
def readme(tmp_path: Path, two_stores: None, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Another README, a page beside it and a text for `record` to write."""
    path = tmp_path / "README.md"
    path.write_text("Before\n<!-- claims -->\nold\n<!-- /claims -->\nAfter\n")
    (tmp_path / "docs").mkdir()
    shutil.copy(path, tmp_path / "docs" / "page.md")
    monkeypatch.setattr("reproduce.reference.record.README", path)
    monkeypatch.setattr("reproduce.reference.record.TEXT", tmp_path / "TEXT.md")
    return path


def test_without_own_runs_the_reference_is_drawn_byte_for_byte(
    filled: Path, session: Callable[..., ArtifactPipeline], results: Path
) -> None:
    before = files_below(filled)
    session(seeds=None, origin="reference").show()
    recorded = {name: content for name, content in files_below(filled).items() if "tables/" in name}
    (drawn,) = session(seeds=None).show()
    assert drawn.origin == "reference"
    shown = {name: content for name, content in files_below(results).items() if "tables/" in name}
    assert shown == recorded and recorded
    assert {k: v for k, v in files_below(filled).items() if "tables/" not in k} == {
        k: v for k, v in before.items() if "tables/" not in k
    }


def test_own_runs_stand_beside_the_reference_and_the_paper(
    filled: Path, run: Run, session: Callable[..., ArtifactPipeline]
) -> None:
    run(seeds=[1])
    (drawn,) = session(seeds=None).show()
    kinds = [index[-1] for index in drawn.sheet.blocks[0].frame.index if index[0] == STUDENT.label]
    assert kinds == ["yours (1 seed)", "reference (3 seeds)", "paper"]
    assert {"reference_mean", "reference_std", "reference_seeds"} <= set(drawn.sheet.numbers.columns)
    (line,) = [note for note in drawn.sheet.notes if note.startswith("Yours within")]
    assert line.startswith("Yours within the reference's spread: 4 of 4 numbers")


def test_a_count_that_a_record_has_rounded_is_the_same(
    filled: Path, run: Run, session: Callable[..., ArtifactPipeline]
) -> None:
    for path in (filled / "mini" / "runs").glob("*.json"):
        values = json.loads(path.read_text())
        values["metrics"]["parameters"] *= 1 + 4e-6
        path.write_text(json.dumps(values))
    run(seeds=[1])
    (drawn,) = session(seeds=None).show()
    assert any("4 of 4 numbers" in note for note in drawn.sheet.notes)


def test_a_number_outside_the_spread_is_named(
    filled: Path, run: Run, session: Callable[..., ArtifactPipeline]
) -> None:
    for path in (filled / "mini" / "runs").glob("*.json"):
        values = json.loads(path.read_text())
        values["metrics"]["camera_rule/mAP"] += 0.5
        path.write_text(json.dumps(values))
    run(seeds=[1])
    (drawn,) = session(seeds=None).show()
    (line,) = [note for note in drawn.sheet.notes if note.startswith("Yours within")]
    assert "2 of 4 numbers" in line and "Outside: Student mAP \u2212" in line


def test_no_command_of_a_user_writes_the_reference(
    filled: Path, run: Run, results: Path, claims: None, session: Callable[..., ArtifactPipeline]
) -> None:
    before = files_below(filled)
    for _ in range(2):
        Said("report", "--results", results)
        Said("claims", "--results", results)
        session(seeds=None).show()
        run(seeds=[0])
    assert files_below(filled) == before


def test_results_cannot_be_the_reference(reference: Path) -> None:
    with pytest.raises(UsageError, match="only `record` writes"):
        ResultsFolder(reference / "mini").check_writable()


def test_recorded_runs_are_what_a_fresh_folder_shows(
    run: Run,
    results: Path,
    reference: Path,
    claims: None,
    listener: Recorder,
    readme: Path,
) -> None:
    run(seeds=[0, 1])
    reference.mkdir()
    assert record("mini", results, listener).runs == {"new": 4}
    assert record("mini", results, listener).runs == {"unchanged": 4}
    text = readme.read_text()
    assert text.startswith("Before\n<!-- claims -->\n| Source") and text.endswith("<!-- /claims -->\nAfter\n")
    assert (readme.parent / "docs" / "page.md").read_text() == text
    fresh = readme.parent / "fresh"
    Said("report", "--results", fresh)
    pages = {
        name
        for name in files_below(reference / "mini")
        if "tables/" in name or name[:6] in ("claims", "report")
    }
    assert len(pages) == 9
    for name in pages:
        assert (fresh / "mini" / name).read_bytes() == (reference / "mini" / name).read_bytes(), name


def test_a_checkout_without_reference_cannot_record(results: Path, listener: Recorder, claims: None) -> None:
    with pytest.raises(UsageError, match="checkout"):
        record("mini", results, listener)


def test_a_record_that_contradicts_the_store_is_written_anew_and_said(
    run: Run, session: Callable[..., ArtifactPipeline], results: Path, listener: Recorder, claims: None
) -> None:
    run()
    path = results / "mini" / "runs" / f"{a_student('mini', 0).run_id}.json"
    right = path.read_text()
    values = json.loads(right)
    values["metrics"]["camera_rule/mAP"] -= 0.01
    values["environment"]["threads"] = 7
    path.write_text(json.dumps(values))
    (drawn,) = session().show()
    (text,) = listener.warnings
    assert "has two results" in text and "7 threads" in text and "Shown: the store's" in text
    assert path.read_text() == right
    numbers = drawn.sheet.numbers.set_index(["row", "column"])
    ledger = draw_ledger("mini", None, results, listener)
    assert len(listener.warnings) == 1
    assert numbers.loc[(STUDENT.label, "mAP"), "mean"] == pytest.approx(
        100 * json.loads(right)["metrics"]["camera_rule/mAP"], rel=1e-5
    )
    assert ledger.claims[0].interval is not None


def test_time_alone_is_no_contradiction_and_six_digits_are_enough() -> None:
    assert differing({"mAP": 0.1234561, "seconds": 1.0}, {"mAP": 0.123456, "seconds": 9.0}) == []
    assert differing({"mAP": 0.12345, "a": 1.0}, {"mAP": 0.12346, "b": 2.0}) == ["mAP"]


def test_the_plan_takes_the_references_time_where_this_machine_has_none(
    filled: Path, session: Callable[..., ArtifactPipeline]
) -> None:
    for path in (filled / "mini" / "runs").glob("*.json"):
        values = json.loads(path.read_text())
        values["metrics"]["seconds"] = 100.0
        values["environment"] |= {"device": "cpu", "device_name": "another processor"}
        path.write_text(json.dumps(values))
    for item in session(seeds=[5]).plan().work:
        assert item.estimate.seconds == pytest.approx(100.0)
        assert item.estimate.basis == "3 reference runs of this shape on another processor"
