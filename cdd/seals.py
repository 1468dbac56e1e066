"""SHA-256 digest of a zip file inside the file: the digest of the zip without a comment, as its comment."""

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
    """The zip with its digest as comment; every zip reader still reads it.

    Raises:
        ValueError: if the content is no zip, or has a comment already.
    """
    if content[-22:-18] != _ZIP_END or content[-2:] != _NO_COMMENT:
        raise ValueError("only a zip without a comment, as torch.save writes it, can be sealed")
    return content[:-2] + _comment(hashlib.sha256(content).hexdigest())


def unsealed(content: bytes) -> bytes:
    """The zip as before sealing; a file without a seal unchanged.

    Raises:
        ValueError: if it is not what its seal says, or the seal is cut off.
    """
    expected = _stored_digest(content[-_SEAL_BYTES:])
    if expected is None:
        return content
    original = content[: -_SEAL_BYTES - 2] + _NO_COMMENT
    if hashlib.sha256(original).hexdigest() != expected:
        raise ValueError("is damaged: its content is not what its SHA-256 says")
    return original


def seal_file(path: Path) -> None:
    """Seals a zip in its place, however large."""
    digest = hashlib.sha256()
    for chunk in _chunks(path, path.stat().st_size):
        digest.update(chunk)
    with path.open("r+b") as file:
        file.seek(-2, 2)
        file.write(_comment(digest.hexdigest()))


def check_file(path: Path) -> None:
    """Checks a zip of any size against the digest in its seal; a zip without a seal passes.

    Raises:
        ValueError: if it is not, or the seal is cut off.
    """
    size = path.stat().st_size
    with path.open("rb") as file:
        file.seek(max(0, size - _SEAL_BYTES))
        expected = _stored_digest(file.read())
    if expected is None:
        return
    digest = hashlib.sha256()
    for chunk in _chunks(path, size - _SEAL_BYTES - 2):
        digest.update(chunk)
    digest.update(_NO_COMMENT)
    if digest.hexdigest() != expected:
        raise ValueError("its content is not what its SHA-256 says")


def _comment(digest: str) -> bytes:
    return _SEAL_BYTES.to_bytes(2, "little") + SEAL + digest.encode()


def _stored_digest(end: bytes) -> str | None:
    match = _SEALED.fullmatch(end)
    if match is None and SEAL in end:
        raise ValueError("is damaged or cut off")
    return match[1].decode() if match else None


def _chunks(path: Path, length: int) -> Iterator[bytes]:
    with path.open("rb") as file:
        while length > 0 and (chunk := file.read(min(_CHUNK, length))):
            length -= len(chunk)
            yield chunk
