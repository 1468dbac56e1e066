"""Every mode of Pillow is read in 8-bit colour or named, and a file that is no image is one error."""

import os
import pickle
import warnings
import zlib
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from cdd.data.colour import FORMATS, UnreadableImageError, _converted, in_colour
from cdd.data.image_files import ImageFiles
from cdd.errors import DataError

RAMP = np.arange(256, dtype=np.uint8).reshape(16, 16)


def saved(image: Image.Image, path: Path, kind: str = "PNG") -> Path:
    image.save(path, kind)
    return path


def grey(path: Path) -> np.ndarray:
    """The values of an image without colour."""
    found = np.asarray(in_colour(path))
    assert (found == found[:, :, :1]).all()
    return found[:, :, 0]


WIDE = [("I;16", "PNG"), ("I;16", "TIFF"), ("I;16B", "TIFF"), ("I", "TIFF"), ("I", "PPM")]


@pytest.mark.parametrize(("mode", "kind"), WIDE)
def test_grey_of_16_bits_is_divided_by_257(mode, kind, tmp_path):
    types = {"I": np.int32, "I;16B": np.dtype(">u2")}
    values = (RAMP.astype(np.int64) * 257).astype(types.get(mode, np.uint16))
    path = saved(Image.fromarray(values), tmp_path / "a.png", kind)
    np.testing.assert_array_equal(grey(path), RAMP)


def test_grey_of_12_bits_is_divided_by_its_own_white():
    image = Image.fromarray(np.array([[0, 2048, 4095]], dtype=np.uint16))
    # As TIFF files have it, which Pillow does not write.
    image.tag_v2 = {258: (12,)}
    assert np.asarray(_converted(image))[0, :, 0].tolist() == [0, 128, 255]


def test_grey_of_16_bits_is_rounded(tmp_path):
    values = np.array([[0, 128, 129, 385, 386, 65534, 65535]], dtype=np.uint16)
    assert grey(saved(Image.fromarray(values), tmp_path / "a.png")).tolist() == [[0, 0, 1, 1, 2, 255, 255]]


STORED = {
    "PNG": "1 L LA P RGB RGBA",
    "JPEG": "1 L RGB CMYK YCbCr",
    "GIF": "1 L P RGB",
    "BMP": "1 L P RGB",
    "WEBP": "RGB RGBA",
    "PPM": "1 L RGB",
    "TIFF": "1 L LA P PA RGB RGBA CMYK YCbCr LAB",
}


@pytest.mark.parametrize(("kind", "mode"), [(kind, mode) for kind in STORED for mode in STORED[kind].split()])
def test_other_modes_are_read_as_pillow_converts_them(kind, mode, tmp_path):
    colours = np.stack([RAMP, RAMP[::-1], RAMP.T], axis=2)
    image = Image.fromarray(colours) if mode != "LAB" else Image.frombytes("LAB", (16, 16), colours.tobytes())
    path = tmp_path / "a.png"
    saved(image.convert(mode), path, kind)
    with Image.open(path) as opened:
        wanted = np.asarray(opened.convert("RGB"))
    np.testing.assert_array_equal(in_colour(path), wanted)


@pytest.mark.parametrize("depth", [8, 16])
@pytest.mark.parametrize("channels", [1, 2, 3, 4])
def test_pngs_of_any_depth_and_channels_agree_with_8_bits(depth, channels, tmp_path):
    values = np.random.default_rng(channels).integers(0, 256, (5, 4, channels), dtype=np.uint8)
    path = tmp_path / "a.png"
    stored = values if depth == 8 else (values.astype(np.uint32) * 257).astype(">u2")
    path.write_bytes(png(stored, depth))
    colour = values[:, :, :1] if channels < 3 else values[:, :, :3]
    np.testing.assert_array_equal(in_colour(path), np.broadcast_to(colour, (5, 4, 3)))


def png(values: np.ndarray, depth: int) -> bytes:
    """A PNG file, for Pillow writes 16 bits of grey alone."""
    rows = b"".join(b"\0" + row.tobytes() for row in values)
    size = b"".join(side.to_bytes(4) for side in values.shape[1::-1])
    head = size + bytes([depth, {1: 0, 2: 4, 3: 2, 4: 6}[values.shape[2]], 0, 0, 0])
    parts = [(b"IHDR", head), (b"IDAT", zlib.compress(rows)), (b"IEND", b"")]
    chunks = (
        len(body).to_bytes(4) + name + body + zlib.crc32(name + body).to_bytes(4) for name, body in parts
    )
    return b"\x89PNG\r\n\x1a\n" + b"".join(chunks)


@pytest.mark.parametrize(
    ("values", "said"),
    [
        (np.full((4, 4), 0.5, np.float32), "its mode F .* does not say which value is white"),
        (np.full((4, 4), 65536, np.int32), "its mode I holds values from 65536 to 65536"),
        (np.full((4, 4), -1, np.int32), "its mode I holds values from -1 to -1"),
    ],
)
def test_what_cannot_be_converted_is_named_with_its_mode(values, said, tmp_path):
    path = saved(Image.fromarray(values), tmp_path / "a.png", "TIFF")
    with pytest.raises(DataError, match=rf"{path} cannot be read: {said}.* data verify veri776"):
        ImageFiles("veri776", tmp_path, ("a.png",), 8, 8)([0])


def test_transparency_of_a_palette_changes_nothing_and_warns_of_nothing(tmp_path):
    image = Image.fromarray(RAMP, "P")
    image.putpalette(bytes(range(256)) * 3)
    plain = saved(image, tmp_path / "plain.png")
    image.save(tmp_path / "opacity.png", transparency=bytes(range(256)))
    with warnings.catch_warnings(record=True) as said:
        warnings.simplefilter("always")
        np.testing.assert_array_equal(in_colour(tmp_path / "opacity.png"), in_colour(plain))
    assert not said


@pytest.mark.parametrize("limit", [50, 200])
@pytest.mark.parametrize("action", ["always", "error"])
def test_a_large_image_is_an_error_and_no_warning(limit, action, tmp_path, monkeypatch):
    path = saved(Image.fromarray(RAMP), tmp_path / "a.png")
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", limit)
    with warnings.catch_warnings(record=True) as said:
        warnings.simplefilter(action)
        with pytest.raises(
            UnreadableImageError, match=rf"{path} cannot be read: .*256 pixels.*decompression"
        ):
            in_colour(path)
    assert not said


def other(path: Path, kind: str) -> None:
    if kind == "pipe":
        os.mkfifo(path)
    elif kind == "link":
        path.symlink_to("missing.png")
    elif kind == "folder":
        path.mkdir()
    elif kind == "program":
        # Pillow would give it to Ghostscript.
        saved(Image.fromarray(RAMP), path, "EPS")
    elif kind != "nothing":
        path.write_bytes(b"" if kind == "empty" else b"not an image")


@pytest.mark.parametrize("kind", ["nothing", "empty", "text", "pipe", "link", "folder", "program"])
def test_what_is_no_image_is_named_with_its_reason(kind, tmp_path):
    path = tmp_path / "a.png"
    other(path, kind)
    with pytest.raises(UnreadableImageError, match=rf"{path} cannot be read: ") as caught:
        in_colour(path)
    wanted = {"empty": "it is empty", "text": "it is no image of JPEG", "program": "it is no image of JPEG"}
    assert caught.value.reason.startswith(wanted.get(kind, "there is no such file"))
    assert str(pickle.loads(pickle.dumps(caught.value))) == str(caught.value)


def test_no_format_starts_another_program():
    assert not {"EPS", "WMF", "GRIB", "BUFR", "HDF5"} & set(FORMATS)


@pytest.mark.parametrize(
    "error", [KeyError("x"), RuntimeError(), MemoryError(), IndexError("bad"), zlib.error("z")]
)
def test_whatever_a_reader_of_pillow_raises_is_named(error, tmp_path, monkeypatch):
    path = saved(Image.fromarray(RAMP), tmp_path / "a.png")

    def fails(image):
        raise error

    monkeypatch.setattr("PIL.PngImagePlugin.PngImageFile.load", fails)
    with pytest.raises(UnreadableImageError, match=r"a\.png cannot be read: \S+"):
        in_colour(path)
