"""Errors of what is asked for by name: what was given, what is allowed, what to do."""


class UsageError(ValueError):
    """The command was given something that it does not know or cannot use."""


def shortened(text: str, most: int = 200) -> str:
    """The text as a message can hold it: its beginning, where it is longer."""
    return text if len(text) <= most else f"{text[:most]}..."
