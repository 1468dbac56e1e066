"""A whole build leaves out copies, thin, unreadable and unlicensed models, and keeps variants together."""

import json
import re
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from tests.tools.tiny_library import BLUE, RED, entry, library, mtl, obj, picture
from tools.household import build as building
from tools.household.__main__ import main
from tools.household.camera import CAMERAS
from tools.household.freeze import FILE
from tools.household.montage import montage, save_montage, spread_identities
from tools.household.photograph import photograph
from tools.household.renderer import RendererMissingError

CUBE = ((0.0, 0.0, 0.0), (1.0, 1.0, 1.0))
STAIRS = (((0, 0, 0), (3, 1, 1)), ((0, 1, 0), (2, 2, 1)), ((0, 2, 0), (1, 3, 1)))
TABLE = (((0, 2, 0), (3, 3, 3)), ((1, 0, 1), (2, 2, 2)))
SURFACES = {
    "box": obj(CUBE),
    "crate": obj(CUBE),
    "dice": obj(CUBE),
    "table": obj(*TABLE),
    "stairs": obj(*STAIRS),
    "broken": "v 0 0 0\n",
    "needle": obj(CUBE),
    "secret": obj(CUBE),
}
REASONS = {
    "crate": "copy of another model",
    "broken": "model file not readable: the surface has no face",
    "needle": "thin: covers too little of its images",
    "secret": "licence not established",
}


@pytest.fixture(scope="module")
def models(tmp_path_factory) -> Path:
    folder: Path = tmp_path_factory.mktemp("models")
    files: dict[str, str | bytes] = {f"shop/{name}/{name}.obj": text for name, text in SURFACES.items()}
    for number, name in enumerate(SURFACES):
        files[f"shop/{name}/model.mtl"] = mtl(BLUE if name == "dice" else RED)
        files[f"shop/{name}/wood.jpg"] = picture(number)
    files["shop/secret/LICENSE.txt"] = "Released under\nAll rights reserved\n"
    entries = [entry(name) for name in SURFACES if name != "needle"]
    library(folder, [*entries, entry("needle", width="1", depth="1")], files)
    return folder


@pytest.fixture(scope="module")
def output(models, renderer, tmp_path_factory) -> Path:
    """What the command writes for these models."""
    folder: Path = tmp_path_factory.mktemp("output")
    assert main(["--models", str(models), "--output", str(folder), "--occlusion-probability", "0"]) == 0
    return folder


@pytest.fixture(scope="module")
def frozen(output):
    """The file without its images, and the description of each identity by its name."""
    with np.load(output / FILE) as stored:
        arrays = {name: stored[name] for name in stored.files}
    described = {one["name"].lower(): one for one in json.loads(arrays.pop("meta").item())}
    return arrays, described


def test_what_can_be_drawn_and_is_licensed_takes_part_once(frozen):
    _, described = frozen
    assert list(described) == ["box", "dice", "stairs", "table"]
    assert described["box"] == {
        "library": "Shop",
        "name": "Box",
        "model": "shop/box/box.obj",
        "category": "Tests",
        "creator": "Ada",
        "licence": "CC-BY-3.0",
    }


def test_a_repainted_variant_is_in_the_split_of_its_original(frozen):
    arrays, described = frozen
    names = list(described)
    side = dict(zip(arrays["identity"].tolist(), arrays["split"].tolist(), strict=True))
    assert side[names.index("box")] == side[names.index("dice")]


@pytest.mark.parametrize("name", REASONS)
def test_what_takes_no_part_is_listed_with_its_reason(output, name):
    page = (output / "ATTRIBUTION.md").read_text()
    assert f"- `Shop/shop/{name}/{name}.obj`: {REASONS[name]}\n" in page


def test_a_picture_without_a_licence_is_no_background(output):
    credited = re.findall(r"`Shop/shop/(\w+)/wood.jpg`", (output / "ATTRIBUTION.md").read_text())
    assert sorted(credited) == sorted(SURFACES.keys() - {"secret"})


def test_two_builds_are_the_same_bytes(models, output, tmp_path):
    main(["--models", str(models), "--output", str(tmp_path), "--occlusion-probability", "0"])
    for name in (FILE, "SHA256", "ATTRIBUTION.md", "montage.png"):
        assert (tmp_path / name).read_bytes() == (output / name).read_bytes()


def test_every_identity_is_seen_three_times_by_every_camera(frozen):
    arrays, described = frozen
    places = np.stack([arrays[name] for name in ("identity", "camera", "view")], axis=1)
    assert len(np.unique(places, axis=0)) == len(places) == len(described) * CAMERAS * 3


def test_a_trial_takes_models_at_equal_steps(models, renderer, tmp_path):
    assert main(["--models", str(models), "--output", str(tmp_path), "--limit", "2"]) == 0
    with np.load(tmp_path / FILE) as stored:
        # The first and the fourth of the seven licensed models.
        assert [one["name"] for one in json.loads(stored["meta"].item())] == ["Box", "Dice"]


def test_the_montage_shows_an_identity_a_row_from_camera_to_camera(output, frozen):
    arrays, _ = frozen
    sheet = montage(output, [0, 3, 1], view=2)
    assert sheet.size == (2 * CAMERAS * 64 + 8, 2 * 64)
    (index,) = np.nonzero((arrays["identity"] == 3) & (arrays["camera"] == 4) & (arrays["view"] == 2))[0]
    start, end = arrays["offset"][index : index + 2]
    (output / "one.jpg").write_bytes(arrays["data"][start:end].tobytes())
    with Image.open(output / "one.jpg") as shown:
        np.testing.assert_array_equal(sheet.crop((256, 64, 320, 128)), shown)


def test_a_montage_is_spread_over_the_data_and_stored_small(output, tmp_path):
    assert spread_identities(output, 2) == [0, 2]
    assert spread_identities(output, 99) == [0, 1, 2, 3]
    save_montage(montage(output, [0]), tmp_path / "sheet.png")
    with Image.open(tmp_path / "sheet.png") as stored:
        assert stored.mode == "P"


def test_a_model_that_is_never_clear_is_left_out(models, renderer, tmp_path, monkeypatch):
    def blind_to_stairs(studio, drawables, scenery, key, place):
        return None if "stairs" in key else photograph(studio, drawables, scenery, key, place)

    monkeypatch.setattr(building, "photograph", blind_to_stairs)
    assert main(["--models", str(models), "--output", str(tmp_path)]) == 0
    page = (tmp_path / "ATTRIBUTION.md").read_text()
    assert "- `Shop/shop/stairs/stairs.obj`: unclear: too small or too like its background\n" in page
    assert "| Table |" in page
    assert "| Stairs |" not in page


def test_missing_models_end_with_the_package_that_has_them(tmp_path, capsys):
    assert main(["--models", str(tmp_path), "--output", str(tmp_path / "new")]) == 2
    assert "apt-get download sweethome3d-furniture" in capsys.readouterr().out
    assert not (tmp_path / "new").exists()


def test_a_machine_that_cannot_draw_ends_with_a_message(models, tmp_path, monkeypatch, capsys):
    def missing(_):
        raise RendererMissingError("install the extra [household]")

    monkeypatch.setattr(building, "Renderer", missing)
    assert main(["--models", str(models), "--output", str(tmp_path / "new")]) == 2
    assert "error: install the extra [household]" in capsys.readouterr().out
    assert not (tmp_path / "new").exists()
