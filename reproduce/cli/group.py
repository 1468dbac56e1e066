"""Command group that takes artifacts as verbs, and turns errors into one line."""

import codecs
import io
import sys
import traceback
import unicodedata
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, TextIO

import typer

from experiments import registry
from reproduce.cli.lazy_group import LazyGroup
from reproduce.errors import ProcessesLostError, UsageError
from reproduce.execution.torchrun_environment import is_worker

DEFAULT = "run"
DEBUG = "--debug"
OWN = (DEBUG, "--help", "--version")
"""Options of the command line itself."""
FAILURE, USAGE, INTERRUPTED = 1, 2, 130
LEGIBLE = "reproduce.legible"
ASCII = {
    "\u2212": "-",
    "\u2013": "-",
    "\u2014": "-",
    "±": "+/-",
    "†": "+",
    "×": "x",
    "→": "->",
    "≤": "<=",
    "≥": ">=",
}
"""What stands for characters that a terminal cannot show and that have no letters in them."""


class ArtifactGroup(LazyGroup):
    """A first word that is no verb is an artifact; expected errors end with one message."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """Puts the default verb in front of an artifact, and `--debug` before everything."""
        make_legible(sys.stdout, sys.stderr)
        debug, rest = DEBUG in args, [word for word in args if word != DEBUG]
        if rest and rest[0] not in (*self.verbs, *OWN):
            with _messages(debug=debug):
                if not rest[0].startswith("-"):
                    registry.check_names([rest[0]], verbs=list(self.verbs))
            rest = [DEFAULT, *rest]
        return super().parse_args(ctx, [*([DEBUG] if debug else []), *rest])

    def invoke(self, ctx: Any) -> Any:
        """Runs the verb; every expected error becomes a message and an exit code."""
        with _messages(debug=bool(ctx.params.get("debug"))):
            return super().invoke(ctx)


@contextmanager
def _messages(*, debug: bool) -> Iterator[None]:
    """Turns expected errors into one message and an exit code."""
    try:
        yield
    except (typer.Exit, typer.Abort):
        raise  # Typer's own, though they are RuntimeErrors.
    except KeyboardInterrupt:
        if not is_worker():
            print_message(
                "\nInterrupted. Nothing that was finished is lost: "
                "give the same command (without --fresh) to go on."
            )
        raise typer.Exit(INTERRUPTED) from None
    except (ValueError, RuntimeError, OSError, ImportError, ProcessesLostError) as error:
        if debug:
            traceback.print_exc()
        wrong_use = isinstance(error, UsageError)
        # What is wrong with the command, all processes see, and the first one says.
        if not (wrong_use and is_worker()):
            print_message(f"Error: {error}")
        raise typer.Exit(USAGE if wrong_use else FAILURE) from None


def print_message(text: str) -> None:
    """A message for people, apart from the output that a script reads."""
    typer.echo(text, file=sys.stderr)


def make_legible(*streams: TextIO) -> None:
    """Lets the streams print every character: what their encoding lacks is written in ASCII."""
    codecs.register_error(LEGIBLE, _in_ascii)
    for stream in streams:
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors=LEGIBLE)


def _in_ascii(error: UnicodeError) -> tuple[str, int]:
    if not isinstance(error, UnicodeEncodeError):
        raise error
    lacking = error.object[error.start : error.end]
    known = "".join(ASCII.get(each, each) for each in lacking)
    plain = "".join(each for each in unicodedata.normalize("NFKD", known) if not unicodedata.combining(each))
    return plain.encode("ascii", "replace").decode("ascii"), error.end
