"""Consoles for output: a terminal with width and colours, or plain lines for a file or a pipe."""

import sys

from rich.console import Console

PLAIN_WIDTH = 120


def output_console() -> Console:
    """The console of standard output; colours only on a terminal, and where NO_COLOR does not forbid them."""
    return Console() if sys.stdout.isatty() else Console(width=PLAIN_WIDTH)
