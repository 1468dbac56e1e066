"""The declared claims: each names runs that exist, its sizes follow from the declared rows."""

from collections import Counter
from functools import cache
from pathlib import Path

import pytest

from experiments import registry
from experiments.claims.every import CLAIMS
from experiments.schema.claim import Claim
from experiments.schema.scale import SCALES, Scale
from reproduce.claims.published_effects import inconsistent, published_size
from reproduce.evidence.run_lookup import RunLookup, evidence_of

CONTRADICTORY = {"light-parameters-in-shop", "medium-multiply-adds-veri", "at-once-map"}
"""Claims of which text and table print different figures."""


def each() -> pytest.MarkDecorator:
    return pytest.mark.parametrize("claim", CLAIMS, ids=[claim.name for claim in CLAIMS])


@cache
def evidence(scale: Scale) -> RunLookup:
    return evidence_of(Path("nowhere"), scale)


def test_names_and_words_are_unique() -> None:
    assert {name for name, count in Counter(claim.name for claim in CLAIMS).items() if count > 1} == set()
    told = Counter((claim.source, claim.text) for claim in CLAIMS)
    assert {words for words, count in told.items() if count > 1} == set()


def test_claims_are_no_artifacts() -> None:
    assert not [summary.name for summary in registry.summaries() if summary.name.startswith("claims")]


@each()
def test_its_runs_exist_at_every_scale(claim: Claim) -> None:
    for scale in SCALES:
        for pair in claim.pairs:
            for run in pair.runs:
                recipe = evidence(scale).recipe(run, 0)
                assert recipe is None or recipe.run_id


@each()
def test_its_source_is_that_of_its_runs_or_of_another_that_shows_them(claim: Claim) -> None:
    sources = {evidence("paper").artifacts[run.artifact].source for pair in claim.pairs for run in pair.runs}
    assert claim.source in sources or not sources


@each()
def test_its_text_agrees_with_its_rows_unless_known(claim: Claim) -> None:
    found = list(inconsistent(claim, evidence("paper")))
    assert bool(found) == (claim.name in CONTRADICTORY), found


@each()
def test_the_papers_size_has_the_claimed_direction(claim: Claim) -> None:
    size = published_size(claim, evidence("paper"))
    if size is None:
        return
    assert size > 0 if claim.relation == "more" else size > -claim.margin


@pytest.mark.parametrize(
    ("name", "size"),
    [
        ("bare-loses-map", 18.36),
        ("compactor-map", 18.22),
        ("resetting-parameters-in-shop", 25.67),
        ("resetting-map-in-shop", -0.10),
        ("resetting-map-veri", 0.31),
        ("teacher-parameters", 67.13),
        ("teacher-multiply-adds", 65.67),
        ("resrep-map-in-shop", 1.42),
        ("resrep-map-veri", 3.07),
        ("resrep-map-msmt17", 8.29),
        ("rkd-map-veri", 2.11),
        ("pkt-map-veri", 2.22),
        ("light-multiply-adds-veri", 38.99),
        ("medium-parameters-veri", 63.47),
        ("medium-map-veri", -0.42),
        ("at-once-map", 4.81),
        ("at-once-rank1", 3.38),
        ("self-distillation-map", 5.00),
        ("ratio-map", -0.27),
        ("ratio-multiply-adds", 12.24),
        ("fewer-channels-late", 99.59),
        ("role-cross-map", 0.39),
        ("role-cross-rank1", 0.53),
        ("retrieval-chooses-better-map", 1.26),
        ("retrieval-chooses-better-rank1", 0.95),
        ("penalty-map", -0.40),
        ("quest-above-teacher-wide", 0.49),
        ("quest-above-teacher-shuffled", 1.14),
    ],
)
def test_sizes_are_those_of_the_paper(name: str, size: float) -> None:
    claim = next(claim for claim in CLAIMS if claim.name == name)
    assert published_size(claim, evidence("paper")) == pytest.approx(size, abs=0.006)


def test_the_methods_of_the_comparisons_are_all_that_have_the_teacher() -> None:
    for name, artifact in (
        ("best-map-in-shop", "table2"),
        ("best-map-veri", "table3"),
        ("best-map-msmt17", "table4"),
    ):
        claim = next(claim for claim in CLAIMS if claim.name == name)
        table = registry.find(artifact)
        rows = {row.label for row in table.rows if row.texts[0] == "ResNet101"}  # type: ignore[union-attr]
        compared = {run.row for pair in claim.pairs for run in pair.runs}
        assert compared == rows


def test_all_thirteen_pairs_of_quest_are_compared() -> None:
    claim = next(claim for claim in CLAIMS if claim.name == "quest-above-student")
    rows = [pair.first.row for pair in claim.pairs]
    assert rows == [pair.second and pair.second.row for pair in claim.pairs]
    assert rows == [row.label for row in evidence("paper").artifacts["quest-table1"].rows]  # type: ignore[union-attr]
