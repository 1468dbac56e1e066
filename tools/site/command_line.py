"""The reference of the command line, made from the commands themselves."""

import re
from collections.abc import Iterator
from typing import Any

import typer.main

from reproduce.cli.app import app
from tools.site.markdown import table

PROGRAM = "python -m reproduce"
EXAMPLE = re.compile(r"^(python -m reproduce|torchrun) ")


def markdown() -> str:
    """One section per verb: usage, what it does, an example, its options."""
    root = typer.main.get_command(app)
    context = root.context_class(root, info_name=PROGRAM)
    return "\n\n".join(part for command in _commands(root, context) for part in _section(*command))


def _commands(group: Any, context: Any) -> Iterator[tuple[Any, Any]]:
    """Every command below a group, with its context; of a group inside, the commands alone."""
    for name in group.list_commands(context):
        command = group.get_command(context, name)
        inner = command.context_class(command, info_name=name, parent=context)
        if hasattr(command, "list_commands"):
            yield from _commands(command, inner)
        elif not command.hidden:
            yield command, inner


def _section(command: Any, context: Any) -> Iterator[str]:
    verb = context.command_path.removeprefix(PROGRAM).strip()
    yield f"## `{verb}`"
    for paragraph in (command.help or "").strip().split("\n\n"):
        example, _, remark = re.sub(r" {3,}", "\n", paragraph.strip()).partition("\n")
        if EXAMPLE.match(example):
            lines = [f"# {remark}", example] if remark else [example]
            yield "\n".join(["```sh", *lines, "```"])
        else:
            yield " ".join(paragraph.split())
    records = [record for item in command.get_params(context) if (record := item.get_help_record(context))]
    yield table(("argument or option", "meaning"), [(f"`{names}`", _plain(text)) for names, text in records])


def _plain(text: str) -> str:
    """Help as Markdown: what stands in square brackets is no link, and `<` is no tag."""
    return re.sub(r"([\[\]<*])", r"\\\1", text)
