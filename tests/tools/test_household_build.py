"""Cameras, photographs and the frozen file; a whole build of a small library, twice."""

import io
import json
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from tests.tools.library import boxes
from tools.household.__main__ import main
from tools.household.backgrounds import background, sceneries, textures
from tools.household.camera import CAMERAS, Difficulty, cameras, direction, shot
from tools.household.catalog import Model, archives, models
from tools.household.freeze import FrozenImage, arrays, encoded, freeze

MODELS = 24
LIGHT = ((1.0, 1.0, 1.0), (0.0, 0.0, 0.0))


def can_draw() -> bool:
    try:
        from tools.household.renderer import Renderer

        Renderer(8)
    except Exception:
        return False
    return True


drawing = pytest.mark.skipif(not can_draw(), reason="needs moderngl and an OpenGL library (EGL)")


@pytest.mark.parametrize(("azimuth", "elevation"), [(0, 0), (35, 70), (250, -10)])
def test_a_direction_has_length_one(azimuth: float, elevation: float) -> None:
    assert np.linalg.norm(direction(azimuth, elevation)) == pytest.approx(1)


def test_a_camera_sees_its_target_in_the_middle_and_up_above_it() -> None:
    target = np.array([0.1, -0.2, 0.3])
    projection = shot((40, 20, 3), target, 45, direction(0, 0), LIGHT).projection
    middle, above = (projection @ [*point, 1] for point in (target, target + [0, 0.1, 0]))
    np.testing.assert_allclose(middle[:2], 0, atol=1e-12)
    assert above[1] > 0
    assert middle[3] == pytest.approx(3)


def test_without_difficulty_all_cameras_are_alike() -> None:
    easy = Difficulty(azimuth_scale=0, photometry=0)
    found = cameras(easy)
    assert len(found) == CAMERAS == 6
    assert {camera.azimuth for camera in found} == {0}
    for one in ("light", "ambient", "gain"):
        values = np.array([getattr(camera, one) for camera in found])
        np.testing.assert_allclose(values, values[:1].repeat(6, axis=0))


@pytest.fixture(scope="module")
def library(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return boxes(tmp_path_factory.mktemp("models"), MODELS)


def test_sceneries_share_no_picture(library: Path) -> None:
    (archive,) = archives(library)
    licensed = [model for _, model in models(archive) if isinstance(model, Model)]
    available = textures([archive], licensed)
    pools = sceneries(available, 3)
    files = [texture.file for pool in pools for texture in pool.textures]
    assert len(files) == len(set(files)) == len(available) == MODELS


def test_a_soft_background_is_plain(library: Path) -> None:
    (archive,) = archives(library)
    licensed = [model for _, model in models(archive) if isinstance(model, Model)]
    (pool,) = sceneries(textures([archive], licensed), 1)
    hard, soft = (background(pool, 2, softness, 32, np.random.default_rng(1)) for softness in (0.0, 1.0))
    assert len(np.unique(soft.reshape(-1, 3).round(4), axis=0)) == 2  # wall and floor
    assert hard.std() > soft.std()


def frozen(folder: Path, value: int = 0) -> str:
    pixels = np.full((64, 64, 3), value, dtype=np.uint8)
    images = [FrozenImage(encoded(pixels), identity=0, camera=camera, view=0, split=3) for camera in range(2)]
    return freeze(arrays(images, [{"name": "Box"}]), folder)


def test_the_same_content_gives_the_same_bytes(tmp_path: Path) -> None:
    assert frozen(tmp_path / "a") == frozen(tmp_path / "b") != frozen(tmp_path / "c", value=9)
    assert (tmp_path / "a" / "SHA256").read_text().split() == [frozen(tmp_path / "a"), "household64.npz"]


def test_a_frozen_image_can_be_cut_out_and_read(tmp_path: Path) -> None:
    frozen(tmp_path, value=200)
    with np.load(tmp_path / "household64.npz") as stored:
        content = stored["data"][stored["offset"][1] : stored["offset"][2]].tobytes()
        assert json.loads(stored["meta"].item()) == [{"name": "Box"}]
        assert (stored["camera"].tolist(), stored["split"].tolist()) == ([0, 1], [3, 3])
    with Image.open(io.BytesIO(content)) as image:
        assert image.size == (64, 64)
        assert np.asarray(image).mean() == pytest.approx(200, abs=2)


def test_a_file_above_15_megabytes_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="at most 15000000"):
        freeze({"data": np.zeros(15_000_001, dtype=np.uint8)}, tmp_path)
    assert not list(tmp_path.iterdir())


def test_missing_models_end_with_a_message(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--models", str(tmp_path), "--output", str(tmp_path / "out")]) == 2
    assert "apt-get download sweethome3d-furniture" in capsys.readouterr().out


@pytest.fixture(scope="module")
def built(library: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Path, Path]]:
    folders = (tmp_path_factory.mktemp("first"), tmp_path_factory.mktemp("second"))
    for folder in folders:
        assert main(["--models", str(library), "--output", str(folder)]) == 0
    yield folders


@drawing
def test_two_builds_are_the_same_bytes(built: tuple[Path, Path]) -> None:
    for name in ("household64.npz", "SHA256", "ATTRIBUTION.md", "montage.png"):
        assert (built[0] / name).read_bytes() == (built[1] / name).read_bytes()


@drawing
def test_every_identity_is_seen_three_times_by_six_cameras(built: tuple[Path, Path]) -> None:
    with np.load(built[0] / "household64.npz") as stored:
        places = np.stack([stored[name] for name in ("identity", "camera", "view")], axis=1)
        identities = len(json.loads(stored["meta"].item()))
        sides = {(int(i), int(s)) for i, s in zip(stored["identity"], stored["split"], strict=True)}
    assert len(np.unique(places, axis=0)) == len(places) == identities * 18
    assert len(sides) == identities
    assert identities >= MODELS // 2


@drawing
def test_every_object_is_attributed_or_left_out_with_a_reason(
    built: tuple[Path, Path], library: Path
) -> None:
    page = (built[0] / "ATTRIBUTION.md").read_text()
    (archive,) = archives(library)
    assert all(page.count(f"`{key}`") == 1 for key, _ in models(archive))
    with np.load(built[0] / "household64.npz") as stored:
        identities = len(json.loads(stored["meta"].item()))
    assert page.count("| Ada |") == identities


@drawing
def test_other_models_leave_a_photograph_as_it_is(library: Path) -> None:
    from tools.household.photograph import CANVAS, Studio, photograph
    from tools.household.renderer import Renderer
    from tools.household.shape import load_parts

    (archive,) = archives(library)
    licensed = [model for _, model in models(archive) if isinstance(model, Model)]
    (pool,) = sceneries(textures([archive], licensed), 1)
    difficulty = Difficulty()
    studio = Studio(Renderer(CANVAS), cameras(difficulty), difficulty)
    with studio.renderer.loaded(load_parts(licensed[0])) as drawables:
        first = photograph(studio, drawables, pool, licensed[0].key, (0, 0))
    with studio.renderer.loaded(load_parts(licensed[1])) as drawables:
        photograph(studio, drawables, pool, licensed[1].key, (0, 0))
    with studio.renderer.loaded(load_parts(licensed[0])) as drawables:
        again = photograph(studio, drawables, pool, licensed[0].key, (0, 0))
    assert first is not None
    assert again is not None
    assert first.is_clear
    np.testing.assert_array_equal(first.pixels, again.pixels)
