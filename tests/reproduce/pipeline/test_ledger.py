"""The ledger is drawn from records or the store, the committed one from the committed records."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
from typer.testing import CliRunner

from reproduce.claims.evaluate import evaluate_claims
from reproduce.cli.app import app
from reproduce.pipeline.artifact_pipeline import ArtifactPipeline
from reproduce.pipeline.drawer import RenderedArtifact
from reproduce.pipeline.ledger import draw_ledger
from reproduce.statistics.verdicts import INCONCLUSIVE, NOT_TESTED, VERDICTS
from reproduce.storage.results_folder import ResultsFolder
from reproduce.tables import ledger_table
from tests.reproduce.fakes import CODE, FakeTraining, Recorder
from tests.reproduce.recorded import COST, claim, evidence, pair_of_records

PROJECT = Path(__file__).parents[3]
COMMITTED = PROJECT / "results" / "reference" / "mini"


@pytest.fixture
def two_claims(monkeypatch: pytest.MonkeyPatch, tables: object) -> None:
    """What the catalog finds: two claims about the tiny table."""
    declared = (claim(size=2.0), claim(COST, name="smaller", text="It is smaller"))
    monkeypatch.setattr("experiments.registry.claims", lambda: declared)
    monkeypatch.setattr("reproduce.pipeline.ledger.code_version", lambda: CODE)
    monkeypatch.setattr("reproduce.tables.pdf.page", lambda sheet: b"%PDF-left-out")


def test_it_counts_every_verdict_and_shows_every_claim(tmp_path: Path) -> None:
    for seed in range(3):
        pair_of_records(tmp_path, seed, 0.02, 0.01, parameters=1e6)
    claims = evaluate_claims([claim(size=2.0), claim(COST, name="smaller")], evidence(tmp_path), range(3))
    drawn = ledger_table.sheet(claims, "mini")
    counted, grid = (block.frame for block in drawn.blocks)
    assert counted.index[-1] == ("all",)
    assert counted.iloc[-1].tolist() == ["2", "2", "0", "0", "0", "0"]
    assert grid.iloc[:, 0].tolist() == ["reproduced"] * 2
    assert grid.iloc[1].tolist()[1:4] == ["+75.00", "+75.00 to +75.00", "+75.00"]
    assert drawn.numbers["verdict"].tolist() == ["reproduced"] * 2
    assert ledger_table.counts([]) == dict.fromkeys(VERDICTS, 0)


def test_a_claim_without_runs_names_the_command(tmp_path: Path) -> None:
    drawn = ledger_table.sheet(evaluate_claims([claim()], evidence(tmp_path)), "mini")
    assert drawn.blocks[1].frame.iloc[0].tolist()[:2] == [NOT_TESTED, "-"]
    assert any("To test: python -m reproduce tiny --scale mini" in note for note in drawn.notes)


def test_what_only_the_store_has_is_judged_and_recorded(
    two_claims: None,
    run: Callable[..., object],
    workspace: ResultsFolder,
    training: FakeTraining,
    listener: Recorder,
) -> None:
    run(seeds=[0, 1])
    records = workspace.results / "mini" / "runs"
    before = {path.name: path.read_bytes() for path in records.iterdir()}
    shutil.rmtree(records)
    found = draw_ledger("mini", None, workspace.results, listener)
    assert {path.name: path.read_bytes() for path in records.iterdir()} == before
    assert found.claims[1].interval is not None
    assert (found.claims[1].interval.mean, found.claims[1].interval.seeds) == (75.0, 2)
    assert {path.name for path in found.files} == {
        f"claims.{suffix}" for suffix in ("md", "csv", "tex", "pdf")
    }
    assert len(training.begun) == 4


@pytest.mark.parametrize("seeds", [[0], [0, 1, 2]])
def test_tables_print_the_ledgers_lines_however_they_are_drawn(
    two_claims: None,
    run: Callable[..., list[RenderedArtifact]],
    session: Callable[..., ArtifactPipeline],
    workspace: ResultsFolder,
    listener: Recorder,
    seeds: list[int],
) -> None:
    (made,) = run(seeds=seeds)
    lines = draw_ledger("mini", None, workspace.results, listener).sheet.blocks[1].frame
    for drawn in (made, *session(seeds=[0]).show(), *session(seeds=None).show()):
        assert drawn.sheet.blocks[2].frame.equals(lines)
    assert set(lines.iloc[:, 0]) <= ({INCONCLUSIVE} if seeds == [0] else set(VERDICTS))


def test_overridden_runs_are_judged_by_themselves(
    two_claims: None, run: Callable[..., list[RenderedArtifact]], session: Callable[..., ArtifactPipeline]
) -> None:
    run(seeds=[0, 1])
    (drawn,) = session(changes=["schedule.epochs=2"]).show()
    assert drawn.sheet.blocks[2].frame.iloc[:, 0].tolist() == [NOT_TESTED] * 2
    (made,) = run(seeds=[0], changes=["schedule.epochs=2"])
    assert made.sheet.blocks[2].frame.iloc[:, 0].tolist() == [INCONCLUSIVE] * 2


def test_seeds_can_be_chosen(
    two_claims: None, run: Callable[..., object], workspace: ResultsFolder, listener: Recorder
) -> None:
    run(seeds=[0, 1])
    (_, smaller) = draw_ledger("mini", [1], workspace.results, listener).claims
    assert smaller.interval is not None and smaller.interval.seeds == 1


def test_the_command_answers_scripts(two_claims: None, tmp_path: Path) -> None:
    arguments = ["claims", "--scale", "bench", "--results", str(tmp_path), "--format", "json"]
    done = CliRunner().invoke(app, arguments)
    assert done.exit_code == 0, done.output
    values = json.loads(done.stdout)
    assert values["verdicts"][NOT_TESTED] == len(values["claims"]) == 2
    assert values["claims"][0]["command"] == "python -m reproduce tiny --scale bench"
    assert (tmp_path / "bench" / "claims.md").exists()


@pytest.mark.slow
@pytest.mark.committed
def test_the_committed_ledger_is_that_of_the_committed_records(tmp_path: Path, listener: Recorder) -> None:
    drawn = draw_ledger("mini", None, tmp_path, listener)
    for path in drawn.files:
        assert path.read_bytes() == (COMMITTED / path.name).read_bytes(), path.name
