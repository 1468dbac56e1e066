"""Command line: `python -m tools.pretrain NETWORK --data ARCHIVE --output FOLDER`."""

import argparse
import sys
from pathlib import Path
from typing import Any

import torch
from rich.console import Console

from cdd.architecture import Backbone, VisionTransformer
from cdd.errors import RunError
from tools.pretrain.export import rounded, write_weights
from tools.pretrain.images import Images, images
from tools.pretrain.networks import NETWORKS, Pretraining, pretraining
from tools.pretrain.training import ClassTraining, Epoch, top1_percent

CANNOT_START = 2


def main(arguments: list[str] | None = None) -> int:
    """Trains one network and writes its weights.

    Given again, the same command goes on where it was interrupted.

    Returns:
        Exit status: 0, or 2 if the archive is missing or the folder holds something else.
    """
    chosen = _parser().parse_args(arguments)
    console = Console(soft_wrap=True, highlight=False)
    torch.set_num_threads(chosen.threads)
    network = NETWORKS[chosen.network]
    recipe = pretraining(network, chosen.epochs, chosen.seed)
    folder = chosen.output / chosen.network
    try:
        folder.mkdir(parents=True, exist_ok=True)
        found = images(chosen.data, chosen.size, chosen.output)
        training = ClassTraining(network, recipe, found, folder)
        for epoch in training.epochs():
            console.print(_line(epoch, recipe))
        digest = _finish(training, network, found, chosen)
    except (RunError, ValueError) as error:
        console.print(f"error: {error}", markup=False)
        return CANNOT_START
    console.print(f"{folder / chosen.network}.safetensors: SHA-256 {digest}", markup=False)
    return 0


def _finish(
    training: ClassTraining, network: Backbone | VisionTransformer, found: Images, chosen: argparse.Namespace
) -> str:
    """Digest of the weights, which are measured as they are written: rounded."""
    rounded(training.classifier.backbone)
    card: dict[str, Any] = {
        "network": network.model_dump(mode="json"),
        "data": f"{chosen.data.name.partition('.')[0]} at {chosen.size}x{chosen.size}",
        "classes": len(found.names),
        "images": len(found.training.classes),
        "recipe": training.recipe.model_dump(mode="json"),
        "epochs": training.recipe.schedule.epochs,
        "top1_percent": round(top1_percent(training.classifier, found.validation), 2),
    }
    return write_weights(training.classifier.backbone, card, training.folder, chosen.network)


def _line(epoch: Epoch, recipe: Pretraining) -> str:
    return (
        f"epoch {epoch.number} of {recipe.schedule.epochs}: loss {epoch.loss:.3f}, "
        f"top-1 {epoch.top1_percent:.2f} %, {epoch.seconds:.0f} s"
    )


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m tools.pretrain", description=__doc__)
    parser.add_argument("network", choices=NETWORKS, help="which network")
    parser.add_argument("--data", type=Path, required=True, help="archive with train/ and val/")
    parser.add_argument("--output", type=Path, required=True, help="folder; NETWORK/ is made in it")
    parser.add_argument("--epochs", type=int, default=60, help="default: %(default)s")
    parser.add_argument("--size", type=int, default=32, help="height and width; default: %(default)s")
    parser.add_argument("--seed", type=int, default=0, help="default: %(default)s")
    parser.add_argument("--threads", type=int, default=1, help="default: %(default)s")
    return parser


if __name__ == "__main__":
    sys.exit(main())
