"""Errors of the command line: what was given, what is allowed, what to do."""

from cdd.errors import RunError


class UsageError(ValueError):
    """The command was given something that it does not know or cannot use."""


class StoreError(RunError):
    """The tracking store cannot be read or written."""
