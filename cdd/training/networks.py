"""Networks of a run: the initialised student and the frozen teacher."""

from collections.abc import Mapping
from pathlib import Path

import torch
from torch import Tensor, nn

from cdd.compactor.deploy import deploy
from cdd.compactor.insert import insert_compactors
from cdd.errors import DataError
from cdd.models.imagenet import imagenet_weights
from cdd.models.network import RetrievalNetwork, initialise
from cdd.models.tiny_imagenet import tiny_imagenet_weights
from cdd.recipe import Recipe
from cdd.tensor_files import read_state

IMAGENET = "imagenet"
"""Key of the ImageNet weights among the weight files of the runs that a run depends on."""


def build_student(recipe: Recipe, identities: int, weights: Mapping[str, Path]) -> RetrievalNetwork:
    """The student before its first step.

    Neck and classifier are initialised at random; the backbone at random, from ImageNet, from Tiny ImageNet,
    or from the backbone of the pretraining run. From a base run on the same identities, all three are
    initialised; from a pruned base run, the student is its deployed network. Compactors start as the
    identity.

    Args:
        identities: outputs of the classifier.
        weights: weight file of each run, by run id; under `IMAGENET` a file or folder of ImageNet weights,
            downloaded by torchvision if absent.
    """
    network = RetrievalNetwork(recipe.student, identities)
    initialise(network, torch.Generator().manual_seed(recipe.seed))
    if recipe.continues_pruned:
        return _deployed_base(recipe, identities, weights)
    if isinstance(recipe.initialisation, Recipe):
        stored = _stored_weights(recipe.initialisation, weights)
        prefix = "backbone."
        backbone = {k.removeprefix(prefix): v for k, v in stored.items() if k.startswith(prefix)}
        if recipe.continues:
            network.load_state_dict(stored)
        else:
            network.backbone.load_state_dict(backbone)
    elif recipe.initialisation == "imagenet":
        network.backbone.load_state_dict(imagenet_weights(recipe.student, weights.get(IMAGENET)), strict=True)
    elif recipe.initialisation == "tiny-imagenet":
        network.backbone.load_state_dict(tiny_imagenet_weights(recipe.student), strict=True)
    if recipe.compactors:
        insert_compactors(network, both=recipe.compactors == "both")
    return network


def _deployed_base(recipe: Recipe, identities: int, weights: Mapping[str, Path]) -> RetrievalNetwork:
    base = recipe.initialisation
    if not isinstance(base, Recipe):
        raise ValueError(f"the student starts from {base}, which is no run")
    trained = RetrievalNetwork(base.student, identities)
    insert_compactors(trained, both=base.compactors == "both")
    trained.load_state_dict(_stored_weights(base, weights))
    kept = base.method.build(trained, None, base.fidelity).kept_channels()
    return deploy(trained, base.student, kept).train()


def load_teacher(teacher: Recipe, identities: int, weights: Mapping[str, Path]) -> RetrievalNetwork:
    """The frozen network of the teacher's run, classifier included."""
    network = RetrievalNetwork(teacher.student, identities)
    network.load_state_dict(_stored_weights(teacher, weights))
    return network.requires_grad_(False)


def to_device_channels_last(network: RetrievalNetwork, device: torch.device) -> RetrievalNetwork:
    """The network on the device, with convolution weights in channels-last memory format."""
    for parameter in network.parameters():
        if parameter.ndim == 4:
            parameter.data = parameter.data.contiguous(memory_format=torch.channels_last)
    return network.to(device)


def set_teacher_mode(teacher: RetrievalNetwork, *, batch_statistics: bool) -> None:
    """Sets the teacher's batch norms to running or to batch statistics; running statistics stay fixed.

    Differs: in the authors' release the running statistics are updated as well.
    """
    teacher.train(batch_statistics)
    for module in teacher.modules():
        if isinstance(module, nn.BatchNorm1d | nn.BatchNorm2d):
            module.momentum = 0.0


def _stored_weights(recipe: Recipe, weights: Mapping[str, Path]) -> dict[str, Tensor]:
    path = weights.get(recipe.run_id)
    if path is None or not path.exists():
        raise DataError(
            f"the weights of run {recipe.run_id}, which this run starts from or learns from, are not at "
            f"{path}: train it first"
        )
    return read_state(path, f"the weights of run {recipe.run_id}", _again(recipe))


def _again(recipe: Recipe) -> str:
    return (
        "Delete that file and give the same command again: it fetches the weights from the tracking store, "
        f"or trains run {recipe.run_id} again."
    )
