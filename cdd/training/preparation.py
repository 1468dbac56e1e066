"""What a method learns from the teacher before the first epoch, kept beside it for its next student."""

import hashlib
import json
from pathlib import Path

import torch
from torch import nn

from cdd.recipe import Recipe

DIGEST_LENGTH = 12


def preparation_file(recipe: Recipe, data_digest: str, folder: Path | None) -> Path | None:
    """Where the preparation of such a run is kept: named by data, teacher and the settings that decide it.

    None for a method whose preparation is not worth keeping, or without a folder.
    """
    settings = recipe.method.preparation
    if settings is None or recipe.teacher is None or folder is None:
        return None
    decides = {
        "method": type(recipe.method).__name__,
        "settings": settings,
        "teacher": recipe.teacher.run_id,
        "data": recipe.data.model_dump(mode="json"),
        "digest": data_digest,
    }
    text = json.dumps(decides, sort_keys=True)
    return folder / f"prepared-{hashlib.sha256(text.encode()).hexdigest()[:DIGEST_LENGTH]}.pt"


def save_buffers(module: nn.Module, path: Path) -> None:
    """Writes the buffers, complete or not at all."""
    partial = path.with_suffix(".partial")
    torch.save(dict(module.named_buffers()), partial)
    partial.replace(path)


def load_buffers(module: nn.Module, path: Path) -> None:
    """Fills the buffers with what `save_buffers` wrote."""
    stored = torch.load(path, map_location="cpu", weights_only=True)
    for name, buffer in module.named_buffers():
        buffer.copy_(stored[name])
