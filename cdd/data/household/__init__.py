"""The embedded data set `household`, objects seen by six cameras; may import the rest of data.

The objects are rendered from openly licensed models.
"""

import hashlib
import io
from collections.abc import Sequence
from functools import lru_cache
from importlib.resources import files

import numpy as np
import torch
from jaxtyping import UInt8
from numpy.typing import NDArray
from PIL import Image
from torch import Tensor

from cdd.data.records import Dataset, ImageRecord, RetrievalProtocol, Selection, Split
from cdd.errors import DataError

FILE = "household64.npz"
REMEDY = "Restore it: git checkout -- cdd/data/household, or install the package again."
SPLITS: tuple[Split, ...] = ("pretraining", "training", "validation", "test")
QUERY_CAMERAS, GALLERY_CAMERAS = frozenset({0, 2, 4}), frozenset({1, 3, 5})

CAMERA_RULE = RetrievalProtocol(
    name="camera_rule", query=Selection(), gallery=Selection(), excludes_same_camera=True
)
"""VeRi-776's and MSMT17's rule: images of the query's identity and camera are removed."""
CROSS_CAMERA = RetrievalProtocol(
    name="cross_camera",
    query=Selection(cameras=QUERY_CAMERAS),
    gallery=Selection(cameras=GALLERY_CAMERAS),
    excludes_same_camera=False,
)
"""In-Shop's rule: queries against a separate gallery, without exclusion."""


def household(height: int, width: int) -> Dataset:
    """The data set with its images resized to `height` x `width` pixels.

    Raises:
        DataError: if the embedded file is not the one that was frozen.
    """
    arrays, digest = stored("data", "offset", "identity", "camera", "split")
    records = tuple(
        ImageRecord(f"{FILE}#{index}", int(identity), int(camera), SPLITS[split])
        for index, (identity, camera, split) in enumerate(
            zip(arrays["identity"], arrays["camera"], arrays["split"], strict=True)
        )
    )
    images = _decoded(arrays["data"].tobytes(), tuple(arrays["offset"].tolist()), height, width)

    def pixels(indices: Sequence[int] | NDArray[np.int64]) -> UInt8[Tensor, "batch 3 height width"]:
        return images[torch.as_tensor(np.asarray(indices))]

    return Dataset(
        name="household",
        records=records,
        protocols=(CAMERA_RULE, CROSS_CAMERA),
        pixels=pixels,
        digest=digest,
    )


def stored(*names: str) -> tuple[dict[str, NDArray[np.generic]], str]:
    """Arrays of the embedded file, and its SHA-256.

    Raises:
        DataError: if the file is not the one that was frozen.
    """
    folder = files(__name__)
    try:
        expected = (folder / "SHA256").read_text(encoding="utf-8").split()[0]
        content = (folder / FILE).read_bytes()
    except (OSError, UnicodeDecodeError, IndexError) as error:
        raise DataError(
            f"the embedded data file {FILE} or its SHA256 is damaged: {error}. {REMEDY}"
        ) from error
    actual = hashlib.sha256(content).hexdigest()
    if actual != expected:
        raise DataError(
            f"the embedded data file {FILE} is damaged: SHA-256 {actual[:16]}..., "
            f"expected {expected[:16]}... {REMEDY}"
        )
    with np.load(io.BytesIO(content)) as arrays:
        return {name: arrays[name] for name in names}, expected


@lru_cache(maxsize=2)
def _decoded(
    data: bytes, offset: tuple[int, ...], height: int, width: int
) -> UInt8[Tensor, "images 3 height width"]:
    images = np.empty((len(offset) - 1, height, width, 3), dtype=np.uint8)
    for index in range(len(images)):
        with Image.open(io.BytesIO(data[offset[index] : offset[index + 1]])) as image:
            images[index] = np.asarray(
                image.convert("RGB").resize((width, height), Image.Resampling.BILINEAR)
            )
    return torch.from_numpy(images).permute(0, 3, 1, 2)
