"""What `claims` does: brings the records that the store has, judges every claim, writes the ledger."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from reproduce import catalog, ledger_sheet
from reproduce.artifact import Scale
from reproduce.evidence import evidence_of, runs_of
from reproduce.judged_claim import JudgedClaim
from reproduce.judgement import SEEDS, judged
from reproduce.listener import Listener
from reproduce.session import Request, Session
from reproduce.sheet import Sheet
from reproduce.table import write


@dataclass(frozen=True)
class Ledger:
    """Every claim with its verdict at one scale."""

    claims: list[JudgedClaim]
    sheet: Sheet
    files: list[Path]


def draw_ledger(scale: Scale, seeds: Sequence[int] | None, results: Path, listener: Listener) -> Ledger:
    """The ledger of a scale, written below its folder.

    Args:
        seeds: None for all that have results.

    Raises:
        ValueError: for a damaged record.
    """
    session = Session(Request(names=[], scale=scale, seeds=None, results=results), listener)
    declared = catalog.claims()
    evidence = evidence_of(session.published, scale, declared)
    used = list(SEEDS if seeds is None else seeds)
    recipes = (evidence.recipe(run, seed) for run in runs_of(declared) for seed in used)
    session.bring_records({recipe.run_id: recipe for recipe in recipes if recipe}.values())
    claims = judged(declared, evidence, used)
    drawn = ledger_sheet.sheet(claims, scale)
    return Ledger(claims, drawn, write(drawn, session.published))
