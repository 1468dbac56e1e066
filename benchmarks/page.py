"""The stored lines as a table of Markdown, with the machine and the versions that they were measured on."""

from collections.abc import Mapping
from typing import Any

MEBIBYTE = 2**20
NOT_MEASURED = "not measured"
HEAD = ("", "seconds", "times as fast as", "times the limit", "memory (MiB)")


def page(stored: Mapping[str, Any]) -> str:
    """A sentence on the machine, then a row per line; what else is known of a line, in a table of its own.

    Args:
        stored: what `python -m benchmarks` wrote.
    """
    lines = stored["lines"]
    parts = [on_machine(stored), markdown([HEAD, *(cells(line) for line in lines)])]
    for line in lines:
        if line["details"]:
            rows = [(name, f"{value:.3g}") for name, value in line["details"].items()]
            parts.append(markdown([(line["name"], ""), *rows]))
    return "\n\n".join(parts) + "\n"


def on_machine(stored: Mapping[str, Any]) -> str:
    """Where and with what the lines were measured."""
    where = stored["device_name"] if stored["device"] == "cuda" else "the same cores"
    return (
        f"Measured with Python {stored['python']} and torch {stored['torch']} on {stored['cores']} cores of "
        f"{stored['processor']} ({stored['machine']}; threads: {stored['threads']}), steps on {where}. "
        "All ratios of a line are from one run."
    )


def cells(line: Mapping[str, Any]) -> tuple[str, ...]:
    """One row, as a terminal and a page show it."""
    seconds, memory = line["ours"], line["peak_bytes"]
    return (
        line["name"],
        NOT_MEASURED if seconds is None else f"{seconds:.3g}",
        _ratio(line["speedup"], line["baseline_name"], ".1f"),
        _ratio(line["times_limit"], line["limit_name"], ".2f"),
        "-" if memory is None else f"{memory / MEBIBYTE:.0f}",
    )


def _ratio(value: float | None, against: str, form: str) -> str:
    if value is None:
        return "-"
    # Hundreds need no decimals, and ratios about 1 need two.
    return (
        f"{value:.0f}, {against}" if value >= 100 else f"{value:{form if value >= 2 else '.2f'}}, {against}"
    )


def markdown(rows: list[tuple[str, ...]]) -> str:
    """A table with columns of one width each; the first row is its head."""
    widths = [max(len(row[place]) for row in rows) for place in range(len(rows[0]))]
    rule = tuple("-" * width for width in widths)
    padded = [
        [text.ljust(width) for text, width in zip(row, widths, strict=True)]
        for row in (rows[0], rule, *rows[1:])
    ]
    return "\n".join(f"| {' | '.join(row)} |" for row in padded)
