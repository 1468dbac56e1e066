"""What `claims` does: brings the records that the store has, judges every claim, writes the ledger."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from reproduce import catalog, ledger_sheet
from reproduce.artifact import Scale
from reproduce.evidence import Evidence
from reproduce.judged_claim import JudgedClaim
from reproduce.judgement import judged
from reproduce.listener import Listener
from reproduce.session import SEEDS_SHOWN, Request, Session
from reproduce.table import Sheet, write


@dataclass(frozen=True)
class Ledger:
    """Every claim with its verdict at one scale."""

    claims: list[JudgedClaim]
    sheet: Sheet
    files: list[Path]


def evidence_of(folder: Path, scale: Scale) -> Evidence:
    """The records of a scale's folder, for all runs that claims compare."""
    runs = [run for claim in catalog.claims() for pair in claim.pairs for run in pair.runs]
    return Evidence(folder, scale, {name: catalog.find(name) for name in {run.artifact for run in runs}})


def draw_ledger(scale: Scale, seeds: Sequence[int] | None, results: Path, listener: Listener) -> Ledger:
    """The ledger of a scale, written below its folder.

    Args:
        seeds: None for all that have results.

    Raises:
        ValueError: for a damaged record.
    """
    session = Session(Request(names=[], scale=scale, seeds=None, results=results), listener)
    evidence = evidence_of(session.published, scale)
    used = list(SEEDS_SHOWN if seeds is None else seeds)
    runs = [run for claim in catalog.claims() for pair in claim.pairs for run in pair.runs]
    recipes = (evidence.recipe(run, seed) for run in runs for seed in used)
    session.bring_records({recipe.run_id: recipe for recipe in recipes if recipe}.values())
    claims = judged(catalog.claims(), evidence, used)
    drawn = ledger_sheet.sheet(claims, scale)
    return Ledger(claims, drawn, write(drawn, session.published))
