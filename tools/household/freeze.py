"""Writes the data set to one file, the same bytes for the same content."""

import hashlib
import io
import json
import zipfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

FILE, DIGEST = "household64.npz", "SHA256"
QUALITY = 80
LARGEST_BYTES = 15_000_000
_TIME = (1980, 1, 1, 0, 0, 0)  # the earliest that a zip file can hold

Bytes = NDArray[np.uint8]


@dataclass(frozen=True)
class FrozenImage:
    """One image: its JPEG file, identity, camera, number within identity and camera, and split."""

    content: bytes
    identity: int
    camera: int
    view: int
    split: int


def encoded(pixels: Bytes) -> bytes:
    """The image as a JPEG file with colours at half resolution."""
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, "JPEG", quality=QUALITY, optimize=True, subsampling="4:2:0")
    return file.getvalue()


def arrays(images: Sequence[FrozenImage], meta: Sequence[Mapping[str, str]]) -> dict[str, NDArray[Any]]:
    """The arrays of the file by name, in their order in it."""
    lengths = [len(image.content) for image in images]
    return {
        "data": np.frombuffer(b"".join(image.content for image in images), dtype=np.uint8),
        "offset": np.cumsum([0, *lengths], dtype=np.int64),
        "identity": np.array([image.identity for image in images], dtype=np.int32),
        "camera": np.array([image.camera for image in images], dtype=np.int8),
        "view": np.array([image.view for image in images], dtype=np.int8),
        "split": np.array([image.split for image in images], dtype=np.int8),
        "meta": np.array(json.dumps(meta, separators=(",", ":"))),
    }


def freeze(content: Mapping[str, NDArray[Any]], folder: Path) -> str:
    """Writes the file and its digest into a folder.

    Returns:
        The SHA-256 of the file.

    Raises:
        ValueError: if the file would be larger than 15 MB.
    """
    packed = _packed(content)
    if len(packed) > LARGEST_BYTES:
        raise ValueError(
            f"the data set would have {len(packed)} bytes, but at most {LARGEST_BYTES} are allowed: "
            f"lower QUALITY ({QUALITY}) in {__name__}"
        )
    digest = hashlib.sha256(packed).hexdigest()
    folder.mkdir(parents=True, exist_ok=True)
    (folder / FILE).write_bytes(packed)
    (folder / DIGEST).write_text(f"{digest}  {FILE}\n", encoding="utf-8")
    return digest


def _packed(content: Mapping[str, NDArray[Any]]) -> bytes:
    file = io.BytesIO()
    # numpy.savez is not used: its time stamps are a promise of nobody.
    with zipfile.ZipFile(file, "w", zipfile.ZIP_STORED) as archive:
        for name, array in content.items():
            member = io.BytesIO()
            np.lib.format.write_array(member, array, version=(1, 0), allow_pickle=False)
            information = zipfile.ZipInfo(f"{name}.npy", date_time=_TIME)
            information.create_system = 3
            information.external_attr = 0o644 << 16
            archive.writestr(information, member.getvalue())
    return file.getvalue()
