"""Pixels of files on disk: as Pillow decodes them, whoever reads them, or one message that names the file."""

from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image, PngImagePlugin

from cdd.data.image_files import ImageFiles, decoded
from cdd.errors import DataError

SIZE = (12, 8)


def stored(folder: Path, count: int = 9) -> ImageFiles:
    """Images of noise in all formats and colour modes that data sets come in."""
    generator = np.random.default_rng(0)
    kinds = [("RGB", "jpg"), ("L", "JPG"), ("CMYK", "jpeg"), ("P", "png"), ("RGBA", "png"), ("1", "PNG")]
    paths = []
    for number in range(count):
        mode, suffix = kinds[number % len(kinds)]
        noise = generator.integers(0, 256, (20 + number, 16, 3), dtype=np.uint8)
        paths.append(f"{number:04d}.{suffix}")
        Image.fromarray(noise).convert(mode).save(folder / paths[-1])
    return ImageFiles("veri776", folder, tuple(paths), *SIZE)


def test_every_mode_is_read_in_colour(tmp_path):
    files = stored(tmp_path)
    for image, path in zip(files(range(9)), files.paths, strict=True):
        with Image.open(tmp_path / path) as opened:
            wanted = opened.convert("RGB").resize((SIZE[1], SIZE[0]), Image.Resampling.BILINEAR)
        np.testing.assert_array_equal(image.permute(1, 2, 0), np.asarray(wanted))


@pytest.mark.parametrize("threads", [1, 3, 16])
def test_the_number_of_threads_changes_nothing(threads, tmp_path, monkeypatch):
    one_by_one = stored(tmp_path)
    wanted = torch.cat([one_by_one([number]) for number in range(9)])
    monkeypatch.setattr("cdd.data.image_files.os.cpu_count", lambda: threads)
    torch.testing.assert_close(stored(tmp_path)(range(9)), wanted, rtol=0, atol=0)


def test_a_file_that_went_away_is_named(tmp_path):
    files = stored(tmp_path)
    (tmp_path / files.paths[2]).unlink()
    with pytest.raises(DataError, match=r"0002\.jpeg cannot be read: .*data verify veri776 --data-root"):
        files([0, 1, 2])


@pytest.mark.filterwarnings("ignore::UserWarning")
@pytest.mark.parametrize("number", range(6))
def test_damage_anywhere_is_an_image_or_a_message(number, tmp_path):
    files = stored(tmp_path)
    path = tmp_path / files.paths[number]
    content, generator = path.read_bytes(), np.random.default_rng(number)
    for trial in range(150):
        damaged = bytearray(content)
        for place in generator.integers(0, len(content), 1 + trial % 5):
            damaged[place] = generator.integers(0, 256)
        path.write_bytes(damaged[: generator.integers(1, len(content))] if trial % 3 == 0 else damaged)
        try:
            assert files([number]).shape == (1, 3, *SIZE)
        except DataError as error:
            assert path.name in str(error)


def test_an_image_is_decoded_whole_before_it_is_made_small(tmp_path):
    noise = np.random.default_rng(1).integers(0, 256, (256, 256, 3), dtype=np.uint8)
    path = tmp_path / "large.jpg"
    Image.fromarray(noise).save(path)
    with Image.open(path) as opened:
        wanted = opened.convert("RGB").resize((16, 16), Image.Resampling.BILINEAR)
    np.testing.assert_array_equal(decoded(path, 16, 16), np.asarray(wanted))


def test_an_image_that_is_too_large_to_be_one_is_named(tmp_path, monkeypatch):
    files = stored(tmp_path)
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 50)
    with pytest.raises(DataError, match=r"0000\.jpg cannot be read: .*decompression bomb"):
        files([0])


def test_an_image_with_a_text_that_is_too_large_is_named(tmp_path):
    text = PngImagePlugin.PngInfo()
    text.add_text("comment", "a" * 2_000_000, zip=True)
    Image.new("RGB", (9, 9)).save(tmp_path / "0001.png", pnginfo=text)
    with pytest.raises(DataError, match=r"0001\.png cannot be read: .*too large"):
        ImageFiles("veri776", tmp_path, ("0001.png",), *SIZE)([0])
