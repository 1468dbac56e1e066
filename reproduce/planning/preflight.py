"""Checks of all runs of a plan before the first one starts and before anything is written."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Self

import torch

from cdd.data.embedded import EMBEDDED
from cdd.data.registry import load
from cdd.data.sampler import part_of_rank
from cdd.errors import DataError, DataMissingError
from cdd.models.imagenet import torchvision_name, weights_file
from cdd.recipe import Data, Recipe
from cdd.training.distributed.launch import world_size
from cdd.training.environment import Machine, select_device
from cdd.training.feasible import require_feasible
from reproduce.errors import UsageError, shortened


def usable_device(name: str) -> torch.device:
    """The device of this name.

    Raises:
        UsageError: for one that does not exist.
    """
    try:
        return select_device(name)
    except (ValueError, RuntimeError) as error:
        raise UsageError(f"--device {name}: {error}") from error


def require_trainable(recipes: Iterable[Recipe], texts: Sequence[str] = ()) -> None:
    """Finds recipes that no machine could train, and batches that processes cannot share.

    Args:
        texts: of the overrides that made the recipes what they are; the declared ones can be trained.

    Raises:
        UsageError: naming the overrides, the method and what is wrong.
    """
    given = "".join(f"--set {shortened(text)} " for text in texts).strip()
    for recipe in recipes:
        try:
            if texts:
                require_feasible(recipe)
            part_of_rank(recipe.batch, 0, world_size())
        except ValueError as error:
            run = f"a run of {type(recipe.method).__name__}, seed {recipe.seed}, cannot be trained: {error}"
            raise UsageError(f"{given}: {run}" if given else run) from error


def require_ready(recipes: Iterable[Recipe], machine: Machine, *, elsewhere: bool = False) -> None:
    """Finds what these runs were not given, or what is not where it was said to be.

    Args:
        elsewhere: whether other machines train, whose files this one cannot see.

    Raises:
        UsageError: for data without a root, and for a folder or file that does not exist.
        DataError: for a data set that is incomplete or damaged.
    """
    needs = _Needs.of(recipes)
    if needs.data and machine.data_root is None:
        raise UsageError(
            f"{needs.names} do not ship with this package: say where the folder of the data sets is with "
            "--data-root DIR"
        )
    if not elsewhere:
        needs.require_there(machine)


def remarks_on(recipes: Iterable[Recipe], machine: Machine) -> tuple[str, ...]:
    """What a run of these recipes would still have to be given.

    Raises:
        UsageError: for a folder or file that does not exist.
        DataError: for a data set that is incomplete or damaged.
    """
    needs, found = _Needs.of(recipes), []
    needs.require_there(machine)
    if needs.data and machine.data_root is None:
        found.append(f"a run needs --data-root DIR, as {needs.names} do not ship with this package")
    if needs.networks and machine.imagenet is None:
        names = ", ".join(needs.networks)
        found.append(f"ImageNet weights of {names} are downloaded, unless --weights PATH has them")
    return tuple(found)


@dataclass(frozen=True)
class _Needs:
    """What runs read beside their recipes: real data sets, ImageNet weights by torchvision's names."""

    data: tuple[Data, ...]
    networks: tuple[str, ...]

    @classmethod
    def of(cls, recipes: Iterable[Recipe]) -> Self:
        """What these runs read."""
        found, networks = dict[str, Data](), dict[str, None]()
        for recipe in recipes:
            if recipe.data.name not in EMBEDDED:
                read = recipe.data.model_dump_json(exclude={"height", "width", "use"})
                found.setdefault(read, recipe.data)
            if recipe.initialisation == "imagenet":
                networks.setdefault(torchvision_name(recipe.student))
        return cls(tuple(found.values()), tuple(networks))

    def require_there(self, machine: Machine) -> None:
        """Finds files that were promised and are not there."""
        if machine.data_root is not None and not machine.data_root.is_dir():
            raise UsageError(f"--data-root {machine.data_root}: there is no such folder")
        if machine.imagenet is not None:
            if not machine.imagenet.exists():
                raise UsageError(f"--weights {machine.imagenet}: there is no such file or folder")
            try:
                for name in self.networks:
                    weights_file(machine.imagenet, name)
            except DataError as error:
                raise UsageError(str(error)) from error
        missing = []
        for data in self.data if machine.data_root is not None else ():
            try:
                load(data, machine.data_root)
            except DataMissingError as error:
                missing.append(str(error))
        if missing:
            raise UsageError(f"--data-root {machine.data_root}: {' '.join(missing)}")

    @property
    def names(self) -> str:
        """The data sets, for people."""
        return " and ".join(sorted({data.name for data in self.data}))


def with_dependencies(recipe: Recipe) -> list[Recipe]:
    """The recipe behind all that it needs."""
    return [*(link for before in recipe.dependencies for link in with_dependencies(before)), recipe]
