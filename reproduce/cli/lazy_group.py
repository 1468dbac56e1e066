"""A group of verbs whose modules are imported when a verb is called, and not for the help of the group."""

from collections.abc import Mapping
from dataclasses import dataclass
from importlib import import_module
from typing import Any, ClassVar

import typer
from typer.core import TyperCommand, TyperGroup


@dataclass(frozen=True)
class Verb:
    """One verb of a group.

    Attributes:
        place: `module:name` of its function, or of a Typer with verbs of its own, in this package.
        panel: of the group's help in which it stands.
        help: its line there.
    """

    place: str
    panel: str
    help: str


class LazyGroup(TyperGroup):
    """The lazy group of Click's documentation, for Typer."""

    verbs: ClassVar[Mapping[str, Verb]] = {}

    def list_commands(self, ctx: Any) -> list[str]:
        """The names of all verbs, in the order in which they are declared."""
        return list(self.verbs)

    def get_command(self, ctx: Any, cmd_name: str) -> Any:
        """The verb as the group's help shows it; None for an unknown name."""
        verb = self.verbs.get(cmd_name)
        return verb and TyperCommand(cmd_name, help=verb.help, rich_help_panel=verb.panel)

    def resolve_command(self, ctx: Any, args: list[str]) -> Any:
        """The name of the verb, the verb from its module, and the words behind it."""
        name, _, rest = super().resolve_command(ctx, args)
        module, _, attribute = self.verbs[str(name)].place.partition(":")
        found = getattr(import_module(f"{__package__}.{module}"), attribute)
        if not isinstance(found, typer.Typer):
            function, found = found, typer.Typer(add_completion=False, rich_markup_mode=self.rich_markup_mode)
            found.command(name)(function)
        return name, typer.main.get_command(found), rest
