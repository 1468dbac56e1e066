"""A digest of a zip file inside it: the SHA-256 of the file without a comment, as its comment."""

import hashlib
import re
from collections.abc import Iterator
from pathlib import Path

SEAL = b"cdd-sha256:"
_SEALED = re.compile(re.escape(SEAL) + rb"([0-9a-f]{64})")
_SEAL_BYTES = len(SEAL) + 64
_ZIP_END, _NO_COMMENT = b"PK\x05\x06", b"\0\0"
_CHUNK = 1 << 20


def sealed(content: bytes) -> bytes:
    """A zip with its digest; whatever reads zips reads it as before.

    Raises:
        ValueError: if the content is no zip, or has a comment already.
    """
    if content[-22:-18] != _ZIP_END or content[-2:] != _NO_COMMENT:
        raise ValueError("only a zip without a comment, as torch.save writes it, can be sealed")
    return content[:-2] + _comment(hashlib.sha256(content).hexdigest())


def unsealed(content: bytes) -> bytes:
    """The zip before it was sealed; a file without a seal as it is.

    Raises:
        ValueError: if it is not what its seal says, or the seal is cut off.
    """
    wanted = _wanted(content[-_SEAL_BYTES:])
    if wanted is None:
        return content
    whole = content[: -_SEAL_BYTES - 2] + _NO_COMMENT
    if hashlib.sha256(whole).hexdigest() != wanted:
        raise ValueError("is damaged: its content is not what its SHA-256 says")
    return whole


def seal_file(path: Path) -> None:
    """Seals a zip in its place, however large."""
    digest = hashlib.sha256()
    for chunk in _chunks(path, path.stat().st_size):
        digest.update(chunk)
    with path.open("r+b") as file:
        file.seek(-2, 2)
        file.write(_comment(digest.hexdigest()))


def check_file(path: Path) -> None:
    """Makes sure that a zip, however large, is what its seal says; one without a seal passes.

    Raises:
        ValueError: if it is not, or the seal is cut off.
    """
    size = path.stat().st_size
    with path.open("rb") as file:
        file.seek(max(0, size - _SEAL_BYTES))
        wanted = _wanted(file.read())
    if wanted is None:
        return
    digest = hashlib.sha256()
    for chunk in _chunks(path, size - _SEAL_BYTES - 2):
        digest.update(chunk)
    digest.update(_NO_COMMENT)
    if digest.hexdigest() != wanted:
        raise ValueError("its content is not what its SHA-256 says")


def _comment(digest: str) -> bytes:
    return _SEAL_BYTES.to_bytes(2, "little") + SEAL + digest.encode()


def _wanted(end: bytes) -> str | None:
    found = _SEALED.fullmatch(end)
    if found is None and SEAL in end:
        raise ValueError("is damaged or cut off")
    return found[1].decode() if found else None


def _chunks(path: Path, length: int) -> Iterator[bytes]:
    with path.open("rb") as file:
        while length > 0 and (chunk := file.read(min(_CHUNK, length))):
            length -= len(chunk)
            yield chunk
