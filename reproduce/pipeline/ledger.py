"""Ledger of claims: records completed from the store, claims evaluated, files written."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from cdd.recipe import Recipe
from experiments import registry
from experiments.schema.scale import Scale
from reproduce.claims.evaluate import SEEDS, evaluate_claims
from reproduce.evidence.context import Origin
from reproduce.evidence.run_lookup import evidence_of, runs_of
from reproduce.execution.listener import Listener
from reproduce.pipeline.drawer import Drawer
from reproduce.statistics.claim_verdict import ClaimVerdict
from reproduce.storage.provenance import code_version
from reproduce.storage.results_folder import ResultsFolder
from reproduce.tables import ledger_table
from reproduce.tables.build import write
from reproduce.tables.rendered_table import RenderedTable


@dataclass(frozen=True)
class Ledger:
    """Every claim with its verdict, and with the one by the committed runs where those are others."""

    claims: list[ClaimVerdict]
    sheet: RenderedTable
    files: list[Path]
    reference: list[ClaimVerdict] = field(default_factory=list)


def claimed_recipes(scale: Scale, seeds: Iterable[int]) -> list[Recipe]:
    """Every run that a claim compares, once."""
    declared, used = registry.claims(), list(seeds)
    evidence = evidence_of(Path(), scale)
    recipes = (evidence.recipe(run, seed) for run in runs_of(declared) for seed in used)
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
    drawer = Drawer(
        workspace=ResultsFolder(results.resolve()),
        scale=scale,
        seeds=None,
        code=code_version(),
        listener=listener,
        origin=origin,
    )
    declared, used = registry.claims(), list(SEEDS if seeds is None else seeds)
    known = drawer.known(claimed_recipes(scale, used))
    reference = evidence_of(drawer.reference_folder, scale)
    own = evidence_of(drawer.folder, scale) if known else reference
    claims = evaluate_claims(declared, own, used)
    beside = evaluate_claims(declared, reference) if known and reference.records else []
    drawn = ledger_table.sheet(claims, scale, beside)
    return Ledger(claims, drawn, write(drawn, drawer.folder), beside)
