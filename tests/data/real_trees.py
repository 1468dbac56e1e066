"""Small copies of the real data sets, in every layout that is known, with real JPEG files."""

from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
from PIL import Image

TRAINING, TEST = range(1, 21), range(21, 25)
CAMERAS, VIEWS = 3, 2

Shot = tuple[int, int, int, str]
"""Identity, camera (from 0), view, split."""


def shots() -> Iterator[Shot]:
    """Every image of a tree; the first view of a test identity is a query, the others are gallery."""
    for identity in (*TRAINING, *TEST):
        for camera in range(CAMERAS):
            for view in range(VIEWS):
                test = "query" if view == 0 else "gallery"
                yield identity, camera, view, "training" if identity in TRAINING else test


def jpeg(path: Path, shot: Shot, mode: str = "RGB") -> None:
    """A file of its identity's colour with noise."""
    identity, camera, view, _ = shot
    generator = np.random.default_rng([identity, camera, view])
    colour = np.random.default_rng(identity).integers(40, 216, 3)
    values = np.clip(colour + generator.integers(-30, 30, (24, 20, 3)), 0, 255).astype(np.uint8)
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(values).convert(mode).save(path, "JPEG", quality=95)


def veri_official(root: Path, *, lists: bool = True) -> Path:
    """The authors' archive; fast-reid reads the same without its lists."""
    folders = {"training": "image_train", "query": "image_query", "gallery": "image_test"}
    listed: dict[str, list[str]] = {"image_train": [], "image_query": [], "image_test": []}
    for shot in shots():
        identity, camera, view, split = shot
        name = f"{identity:04d}_c{camera + 1:03d}_000{view}0600_0.jpg"
        jpeg(root / "VeRi" / folders[split] / name, shot)
        listed[folders[split]].append(name)
    if lists:
        for folder, names in listed.items():
            (root / "VeRi" / f"name_{folder.removeprefix('image_')}.txt").write_text("\n".join(names) + "\n")
    return root / "VeRi"


def veri_without_lists(root: Path) -> Path:
    return veri_official(root, lists=False)


def veri_flat(root: Path) -> Path:
    """As the CDD release has it."""
    for shot in shots():
        identity, camera, view, split = shot
        folder = {"training": "train"}.get(split, split)
        jpeg(root / "veri" / folder / f"{identity:04d}_c{camera + 1:03d}_000{view}0600_0.jpg", shot)
    return root / "veri"


def msmt_official(root: Path, version: str = "V1") -> Path:
    """The authors' archive; test identities count from 0 again, the last view of training is list_val."""
    training, test = ("train", "test") if version == "V1" else ("mask_train_v2", "mask_test_v2")
    folder = root / "msmt17" / f"MSMT17_{version}"
    lists: dict[str, list[str]] = {"list_train": [], "list_val": [], "list_query": [], "list_gallery": []}
    for shot in shots():
        identity, camera, view, split = shot
        label = identity - (TRAINING[0] if split == "training" else TEST[0])
        path = f"{label:04d}/{label:04d}_{view:03d}_{camera + 1:02d}_0303morning_0015_{view}.jpg"
        jpeg(folder / (training if split == "training" else test) / path, shot)
        name = {"training": "list_val" if view and camera == 2 else "list_train"}.get(split, f"list_{split}")
        lists[name].append(f"{path} {label}")
    for name, lines in lists.items():
        (folder / f"{name}.txt").write_text("\n".join(lines) + "\n")
    return folder


def msmt_v2(root: Path) -> Path:
    return msmt_official(root, "V2")


def msmt_flat(root: Path) -> Path:
    """As the CDD release has it: cameras are not decremented, some distractors have identity -1."""
    for shot in shots():
        identity, camera, view, split = shot
        folder = {"training": "train"}.get(split, split)
        label = identity - (TRAINING[0] if split == "training" else TEST[0])
        jpeg(root / "MSMT17" / folder / f"{label:04d}_c{camera:02d}_{view:03d}.jpg", shot)
    jpeg(root / "MSMT17" / "gallery" / "-1_c00_000.jpg", (0, 0, 0, "gallery"))
    return root / "MSMT17"


def in_shop_official(root: Path, images: str = "Img/img") -> Path:
    """The authors' archive with the images that are meant for retrieval."""
    folder = root / "In-shop Clothes Retrieval Benchmark"
    lines = []
    for shot in shots():
        identity, camera, view, split = shot
        path = f"WOMEN/Dresses/id_{identity:08d}/{camera:02d}_{view}_front.jpg"
        jpeg(folder / images / path, shot)
        lines.append(f"img/{path}  id_{identity:08d}  {'train' if split == 'training' else split}")
    (folder / "Eval").mkdir(exist_ok=True)
    head = [str(len(lines)), "image_name item_id evaluation_status"]
    (folder / "Eval" / "list_eval_partition.txt").write_text("\n".join([*head, *lines]) + "\n")
    return folder


def in_shop_high_resolution(root: Path) -> Path:
    return in_shop_official(root, "img_highres")


def in_shop_fast_reid(root: Path) -> Path:
    folder = root / "InShop"
    names = {"training": "train.txt", "query": "test_query.txt", "gallery": "test_gallery.txt"}
    lists: dict[str, list[str]] = {name: [] for name in names.values()}
    for shot in shots():
        identity, camera, view, split = shot
        path = f"Img/img/id_{identity:08d}/{camera:02d}_{view}_front.jpg"
        jpeg(folder / path, shot)
        label = identity - (TRAINING[0] if split == "training" else TEST[0])
        lists[names[split]].append(f"{path},{label}")
    for name, lines in lists.items():
        (folder / name).write_text("\n".join(lines) + "\n")
    return folder


def in_shop_flat(root: Path) -> Path:
    for shot in shots():
        identity, camera, view, split = shot
        folder = {"training": "train"}.get(split, split)
        jpeg(root / "InShop" / folder / f"{identity:04d}_{camera}{view:03d}.jpg", shot)
    return root / "InShop"


LAYOUTS: dict[str, dict[str, Callable[[Path], Path]]] = {
    "veri776": {
        "official, by its lists": veri_official,
        "official": veri_without_lists,
        "flat": veri_flat,
    },
    "msmt17": {
        "official V1, list_train.txt and list_val.txt": msmt_official,
        "official V2, list_train.txt and list_val.txt": msmt_v2,
        "flat": msmt_flat,
    },
    "in-shop": {
        "official, Img/img": in_shop_official,
        "official, img_highres": in_shop_high_resolution,
        "fast-reid": in_shop_fast_reid,
        "flat": in_shop_flat,
    },
}
"""What writes a tree, by data set and by the name of the layout that a reader must find."""

EACH = [(name, layout) for name, layouts in LAYOUTS.items() for layout in layouts]
