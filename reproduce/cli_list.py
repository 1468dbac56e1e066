"""The verb `list`: the artifacts that can be made."""

import json

import typer

from reproduce.cli_options import OutputFormat


def list_artifacts(output: OutputFormat = "text") -> None:
    """The artifacts that can be made.

    python -m reproduce list --format json
    """
    from reproduce import catalog

    found = [catalog.as_plain(summary) for summary in catalog.summaries()]
    if output == "json":
        typer.echo(json.dumps(found, indent=2))
        return
    width = max(len(entry["name"]) for entry in found)
    for entry in found:
        typer.echo(f"{entry['name']:<{width}} {entry['title']} ({entry['source']})")
