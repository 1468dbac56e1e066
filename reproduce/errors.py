"""Errors of the command line: what was given, what is allowed, what to do."""

from cdd.errors import RunError


class UsageError(ValueError):
    """The command was given something that it does not know or cannot use."""


class PrunedError(Exception):
    """Ends a training that a study has given up; what it has done is kept."""


class ProcessesLostError(Exception):
    """Ends the whole command: processes that train together no longer do the same."""


class StoreError(RunError):
    """The tracking store cannot be read or written."""


def shortened(text: str, most: int = 200) -> str:
    """The text as a message can hold it: its beginning, where it is longer."""
    return text if len(text) <= most else f"{text[:most]}..."
