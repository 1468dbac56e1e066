"""Errors of the command line: what was given, what is allowed, what to do."""

from cdd.errors import RunError
from experiments.errors import UsageError, shortened

__all__ = ["ProcessesLostError", "PrunedError", "StoreError", "UsageError", "shortened"]


class PrunedError(Exception):
    """Ends a training that a study has given up; what it has done is kept."""


class ProcessesLostError(Exception):
    """Ends the whole command: processes that train together no longer do the same."""


class StoreError(RunError):
    """The tracking store cannot be read or written."""
