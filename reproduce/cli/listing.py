"""The verb `list`: the artifacts that can be made."""

import json

import typer

from reproduce.cli.options import OutputFormat


def list_artifacts(output: OutputFormat = "text") -> None:
    """The artifacts that can be made.

    python -m reproduce list --format json
    """
    from experiments import registry

    found = [registry.as_plain(summary) for summary in registry.summaries()]
    if output == "json":
        typer.echo(json.dumps(found, indent=2))
        return
    width = max(len(entry["name"]) for entry in found)
    for entry in found:
        typer.echo(f"{entry['name']:<{width}} {entry['title']} ({entry['source']})")
