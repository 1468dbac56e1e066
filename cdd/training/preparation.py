"""Stored preparations: what a method computes from the teacher before the first epoch, for reuse."""

import hashlib
import json
from pathlib import Path

from torch import nn

from cdd.errors import DataError
from cdd.recipe import Recipe
from cdd.tensor_files import read_state, write_tensors

DIGEST_LENGTH = 12


def preparation_file(recipe: Recipe, data_digest: str, folder: Path | None) -> Path | None:
    """Path of a run's stored preparation, named by a hash of data, teacher and the method's settings.

    None for a method whose preparation is not stored, or without a folder.
    """
    settings = recipe.method.preparation
    if settings is None or recipe.teacher is None or folder is None:
        return None
    inputs = {
        "method": type(recipe.method).__name__,
        "settings": settings,
        "teacher": recipe.teacher.run_id,
        "data": recipe.data.model_dump(mode="json"),
        "digest": data_digest,
    }
    text = json.dumps(inputs, sort_keys=True)
    return folder / f"prepared-{hashlib.sha256(text.encode()).hexdigest()[:DIGEST_LENGTH]}.pt"


def save_buffers(module: nn.Module, path: Path) -> None:
    """Writes the buffers atomically."""
    write_tensors(path, dict(module.named_buffers()))


def load_buffers(module: nn.Module, path: Path) -> None:
    """Loads the buffers that `save_buffers` wrote.

    Raises:
        DataError: with the file's path if the file is damaged or belongs to another method.
    """
    remedy = "Delete that file: the same command then prepares it again."
    stored = read_state(path, "what a method has learnt of its teacher", remedy, finite=False)
    buffers = dict(module.named_buffers())
    if {name: value.shape for name, value in stored.items()} != {n: b.shape for n, b in buffers.items()}:
        raise DataError(f"{path} is not what this method learns of its teacher. {remedy}")
    for name, buffer in buffers.items():
        buffer.copy_(stored[name])
