"""Plans and tables in the terminal."""

from collections.abc import Iterable
from pathlib import Path
from typing import Any

from rich.table import Table as Grid
from rich.text import Text

from reproduce.cli.terminal import output_console
from reproduce.pipeline.drawer import RenderedArtifact
from reproduce.planning.duration import total
from reproduce.planning.plan import Plan
from reproduce.statistics.claim_verdict import ClaimVerdict
from reproduce.statistics.verdicts import CONTRADICTED, DIRECTION, INCONCLUSIVE, NOT_TESTED, REPRODUCED
from reproduce.tables.ledger_table import counts
from reproduce.tables.rendered_table import Block, RenderedTable

COLOURS = {
    REPRODUCED: "green",
    DIRECTION: "cyan",
    INCONCLUSIVE: "yellow",
    CONTRADICTED: "red",
    NOT_TESTED: "dim",
}
"""Of verdicts, on a terminal."""


def show_plan(plan: Plan) -> None:
    """The plan as a grid, with the sum of what is known about time."""
    console = output_console()
    grid = Grid(box=None, pad_edge=False)
    for name in ("state", "run", "what", "why", "time"):
        grid.add_column(name, overflow="fold")
    for item in plan.items:
        seconds = item.estimate.seconds
        cost = (
            "-" if item.state in ("reuse", "deliver") else "unknown" if seconds is None else duration(seconds)
        )
        grid.add_row(item.state, item.run_id, item.name, item.reason, cost)
    console.print(grid, markup=False)
    console.print(_plan_sum(plan), highlight=False)
    for remark in plan.remarks:
        console.print(f"Remark: {remark}.", markup=False, highlight=False)


def plan_as_plain(plan: Plan) -> dict[str, Any]:
    """The plan as plain values."""
    seconds, unknown = total([item.estimate for item in plan.work])
    return {
        "runs": [item.as_plain() for item in plan.items],
        "to_do": len(plan.work),
        "estimated_seconds_of_known": seconds,
        "runs_of_unknown_length": unknown,
        "kept_disk_bytes": sum(item.footprint.kept_disk for item in plan.work),
        "remarks": list(plan.remarks),
    }


def show_drawn(drawn: RenderedArtifact) -> None:
    """The artifact, where its files are, and what became of runs without numbers."""
    show_sheet(drawn.sheet, drawn.files)
    console = output_console()
    for run_id, outcome in drawn.outcomes.items():
        if outcome.state in ("failed", "skipped", "undelivered"):
            console.print(f"Run {run_id} {outcome.state}: {outcome.message}", markup=False, highlight=False)
    if drawn.judged:
        show_verdicts(drawn.judged)
    else:
        usable = sum(1 for outcome in drawn.outcomes.values() if outcome.usable)
        whose = "of the reference" if drawn.origin == "reference" else "of yours"
        console.print(f"{usable} of {len(drawn.outcomes)} runs {whose} have numbers.", highlight=False)


def show_verdicts(claims: Iterable[ClaimVerdict]) -> None:
    """The conclusion in one line: how many claims have each verdict."""
    found = [(verdict, count) for verdict, count in counts(claims).items() if count]
    words = [Text(f"{count} {verdict.partition(',')[0]}", COLOURS[verdict]) for verdict, count in found]
    output_console().print(Text("Claims: ") + Text(", ").join(words), highlight=False)


def show_sheet(sheet: RenderedTable, files: list[Path]) -> None:
    """A sheet, narrow enough for a terminal, and where its files are."""
    console = output_console()
    console.print(f"\n{sheet.title}", style="bold", markup=False, highlight=False)
    for block in sheet.blocks:
        for group in dict.fromkeys(str(column[0]) for column in block.frame.columns):
            console.print(_grid(block, group))
    for note in sheet.notes:
        console.print(note, style="dim", markup=False, highlight=False)
    console.print("Written: " + ", ".join(str(path) for path in files), markup=False, highlight=False)


def drawn_as_plain(drawn: RenderedArtifact) -> dict[str, Any]:
    """The artifact's numbers and files as plain values."""
    numbers = drawn.sheet.numbers.astype(object)
    return {
        "artifact": drawn.sheet.name,
        "origin": drawn.origin,
        "title": drawn.sheet.title,
        "cells": numbers.where(numbers.notna(), None).to_dict("records"),
        "notes": list(drawn.sheet.notes),
        "files": [str(path) for path in drawn.files],
    }


def _grid(block: Block, group: str) -> Grid:
    frame = block.frame
    grid = Grid(title=f"{group}: {block.title}", title_justify="left", pad_edge=False)
    levels = sorted({0, frame.index.nlevels - 1})
    places = [
        place
        for place, column in enumerate(frame.columns)
        if column[0] == group and (not block.brief or column[1] in block.brief)
    ]
    for level in levels:
        grid.add_column(str(frame.index.names[level]), overflow="fold")
    for place in places:
        grid.add_column(
            str(frame.columns[place][1]), justify="left" if block.words else "right", overflow="fold"
        )
    before = None
    for index, cells in zip(frame.index, frame.to_numpy().tolist(), strict=True):
        keys = ["" if index[0] == before else index[0], *(index[level] for level in levels[1:])]
        texts = [*keys, *(cells[place] for place in places)]
        grid.add_row(*(Text(text, COLOURS.get(text, "")) for text in texts))
        before = index[0]
    return grid


def _plan_sum(plan: Plan) -> str:
    if not plan.work:
        return "Nothing to train: every run is finished in the store."
    seconds, unknown = total([item.estimate for item in plan.work])
    text = f"{len(plan.work)} of {len(plan.items)} runs to do"
    if unknown < len(plan.work):
        text += f", about {duration(seconds)}"
    if any("reference" in item.estimate.basis for item in plan.work):
        text += " (as on the machine of the reference)"
    text += f", {unknown} of unknown length (plan --calibrate measures)" if unknown else ""
    return f"{text}. {_needs(plan)}"


def _needs(plan: Plan) -> str:
    needs = [item.footprint for item in plan.work]
    kept, training = sum(need.kept_disk for need in needs), max(need.training_disk for need in needs)
    memory = max(need.least_memory for need in needs)
    measured = [item.estimate.peak_memory for item in plan.work if item.estimate.peak_memory]
    text = f"Disk: {_gigabytes(kept)} for results, {_gigabytes(training)} more while training. "
    if measured:
        return f"{text}Device memory: {_gigabytes(max(measured))} measured."
    return f"{text}Memory: {_gigabytes(memory)} and what a batch's activations take."


def _gigabytes(count: int) -> str:
    return f"{count / 1e9:.2f} GB" if count < 1e10 else f"{count / 1e9:.0f} GB"


def duration(seconds: float) -> str:
    """The time as `m:ss` or `h:mm:ss`."""
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02d}:{rest:02d}" if hours else f"{minutes}:{rest:02d}"
