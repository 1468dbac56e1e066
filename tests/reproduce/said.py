"""One command, given within the test's own process."""

import json
from pathlib import Path
from typing import Any

from typer.testing import CliRunner

from reproduce.cli.app import app


class Said:
    """What a command printed, and its exit code."""

    def __init__(self, *words: str | Path):
        found = CliRunner().invoke(app, [str(word) for word in words])
        self.code, self.out, self.err = found.exit_code, found.stdout, found.stderr

    @property
    def json(self) -> Any:
        """The output as a script reads it; the command has ended well."""
        assert self.code == 0, self.err
        return json.loads(self.out)
