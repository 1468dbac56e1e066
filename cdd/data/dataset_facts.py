"""Declaration of a real data set: its reader, published counts and evaluation rules."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Literal

from cdd.data.arrays import Arrays
from cdd.data.image_list import ImageList
from cdd.data.records import CLASSIFICATION, RetrievalProtocol, Split
from cdd.discovery import declarations
from cdd.recipe import Data
from cdd.values import Use


@dataclass(frozen=True)
class Count:
    """Images and identities of one split; `remark` says which copy of the data set has them."""

    images: int
    identities: int
    remark: str = ""


@dataclass(frozen=True, kw_only=True)
class DatasetSpec:
    """One real data set; a module of `cdd.data.readers` that declares one adds it.

    Attributes:
        name: what recipes and folders of prepared images call it.
        title: what its authors call it.
        reader: reads its images below a data root: files that are listed, or arrays where `is_array`.
        splits: published counts by split, the usual one first and known alternatives behind it. `training`
            contains the identities that serve validation. In classification the test images show the
            training identities, which are the classes.
        cameras: of the whole set; None where they are not published.
        protocols: its evaluation rules; none in classification.
        own_settings: fields of `Data` that say which of its images are read; no other data set has them.
        usual_training: the place, among the training counts, of the one that a recipe asks for.
    """

    name: str
    title: str
    reader: Callable[[Path, Data], ImageList] | Callable[[Path, Data], Arrays]
    splits: dict[Split, tuple[Count, ...]]
    cameras: int | None = None
    task: Literal["retrieval", "classification"] = "retrieval"
    protocols: tuple[RetrievalProtocol, ...] = ()
    is_array: bool = False
    own_settings: tuple[str, ...] = ()
    usual_training: Callable[[Data], int] = lambda data: 0

    @property
    def held_out(self) -> Split | None:
        """The split that shows other images of the training identities."""
        return "test" if self.task == "classification" else None

    def settings_of(self, data: Data) -> dict[str, str]:
        """What a recipe says in the data set's own settings."""
        return {name: getattr(data, name) for name in self.own_settings}

    def require_use(self, use: Use) -> None:
        """Makes sure that the data set serves what its authors divided it for.

        Raises:
            ValueError: naming the uses that there are.
        """
        if (use in CLASSIFICATION) == (self.task == "classification"):
            return
        if self.task == "classification":
            reason = "its test images show the classes of training"
            allowed = " or ".join(f"data.use={name}" for name in CLASSIFICATION)
        else:
            reason = "its test images show identities that are not trained on"
            allowed = "data.use=standard or data.use=tuning"
        raise ValueError(
            f"data.use={use} does not suit {self.title}, a data set for {self.task}: {reason}. Use {allowed}."
        )


@cache
def real_datasets() -> dict[str, DatasetSpec]:
    """Every declared data set by its name, in the order of their names."""
    found = [spec for _, spec in declarations("cdd.data.readers") if isinstance(spec, DatasetSpec)]
    return {spec.name: spec for spec in sorted(found, key=lambda spec: spec.name)}


def real_dataset(name: str) -> DatasetSpec:
    """The data set of this name.

    Raises:
        ValueError: for an unknown name.
    """
    if name not in real_datasets():
        raise ValueError(
            f"unknown data set {name!r}: choose household, which is embedded, or one of "
            f"{', '.join(real_datasets())}"
        )
    return real_datasets()[name]
