"""Lets torchvision be imported beside a torch that its compiled operators were not built for."""

import sys
from functools import cache
from importlib.machinery import EXTENSION_SUFFIXES, ExtensionFileLoader, FileFinder
from importlib.util import find_spec

import torch

SCHEMAS = {
    "nms": "nms(Tensor dets, Tensor scores, float iou_threshold) -> Tensor",
    "qnms": "qnms(Tensor dets, Tensor scores, float iou_threshold) -> Tensor",
}
"""The operators that `import torchvision` describes without asking whether they exist."""


def install() -> tuple[str, ...]:
    """Names of the operators that had to be defined; call it before the first import of torchvision.

    A CUDA build of torchvision cannot load its operators beside a CPU build of torch, and its import
    then fails with "operator torchvision::nms does not exist". Networks, weights and transforms need
    none of them: a definition without an implementation is enough, and calling one still fails.
    Where torchvision's operators load, where it is already imported or not installed, does nothing.
    """
    if "torchvision" in sys.modules or _extension_loads():
        return ()
    missing = tuple(name for name in SCHEMAS if not hasattr(torch.ops.torchvision, name))
    for name in missing:
        _definitions().define(SCHEMAS[name])
    return missing


def _extension_loads() -> bool:
    """Whether there is nothing to replace: the import's own first step works, or there is no torchvision."""
    package = find_spec("torchvision")
    if package is None or not package.submodule_search_locations:
        return True
    finder = FileFinder(package.submodule_search_locations[0], (ExtensionFileLoader, EXTENSION_SUFFIXES))
    extension = finder.find_spec("_C")
    if extension is None or extension.origin is None:
        return False
    try:
        torch.ops.load_library(extension.origin)
    except OSError:
        return False
    return True


@cache
def _definitions() -> torch.library.Library:
    """The holder of the definitions. They disappear with it, so the cache keeps it."""
    return torch.library.Library("torchvision", "FRAGMENT")
