"""What `claims` does: brings the records that the store has, judges every claim, writes the ledger."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from cdd.recipe import Recipe
from reproduce import catalog, ledger_sheet
from reproduce.artifact import Scale
from reproduce.drawer import SEEDS_SHOWN
from reproduce.evidence import Evidence
from reproduce.judged_claim import JudgedClaim
from reproduce.judgement import judged
from reproduce.listener import Listener
from reproduce.material import Origin
from reproduce.session import Request, Session
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


def claimed_recipes(scale: Scale, seeds: Iterable[int]) -> list[Recipe]:
    """Every run that a claim compares, once."""
    evidence, used = evidence_of(Path(), scale), list(seeds)
    runs = [run for claim in catalog.claims() for pair in claim.pairs for run in pair.runs]
    recipes = (evidence.recipe(run, seed) for run in runs for seed in used)
    return list({recipe.run_id: recipe for recipe in recipes if recipe}.values())


def draw_ledger(
    scale: Scale,
    seeds: Sequence[int] | None,
    results: Path,
    listener: Listener,
    origin: Origin = "yours",
) -> Ledger:
    """The ledger of a scale, written below its folder; the reference's where no run of the user is known.

    Args:
        scale: whose runs are judged.
        seeds: None for all that have results.
        results: the user's folder.
        listener: is told what two places say differently.
        origin: `reference` for the committed runs alone, written into the reference.

    Raises:
        ValueError: for a damaged record.
    """
    request = Request(names=[], scale=scale, seeds=None, results=results, origin=origin)
    drawer = Session(request, listener).drawer
    used = list(SEEDS_SHOWN if seeds is None else seeds)
    known = drawer.known(claimed_recipes(scale, used))
    evidence = evidence_of(drawer.folder if known else drawer.reference_folder, scale)
    claims = judged(catalog.claims(), evidence, used)
    drawn = ledger_sheet.sheet(claims, scale)
    return Ledger(claims, drawn, write(drawn, drawer.folder))
