"""The module that MLflow gets needs PyTorch alone, whatever the network."""

import subprocess
import sys
from pathlib import Path

import pytest
import torch
from mlflow.pytorch import pickle_module

from cdd.architecture import Backbone, SmallNetwork, VisionTransformer
from cdd.models.deployed import Classifier, Embedder
from cdd.models.network import RetrievalNetwork
from reproduce.tracking.model_logging import traced

RESNET = Backbone(block="basic", blocks=(1, 1, 1, 1), planes=(4, 4, 8, 8), stem="small", embedding=8)
TRANSFORMER = VisionTransformer(image=32, patch=8, layers=1, heads=2, width=16, hidden=32, embedding=8)
CLASSIFIER = SmallNetwork(family="resnet", depth=8)
LOAD = """
import sys
sys.modules.update(dict.fromkeys(("cdd", "reproduce", "jaxtyping", "torchvision")))
import torch
for folder in sys.argv[1:]:
    images, wanted = torch.load(f"{folder}/example.pt")
    module = torch.load(f"{folder}/module.pt", weights_only=False).eval()
    torch.testing.assert_close(module(images), wanted)
    assert not module.training and module.train().training
"""


@pytest.mark.usefixtures("unchecked_shapes")
def test_a_traced_network_loads_without_this_project_and_takes_any_batch(tmp_path: Path) -> None:
    networks = {
        "resnet": Embedder(RetrievalNetwork(RESNET, identities=8)),
        "transformer": Embedder(RetrievalNetwork(TRANSFORMER, identities=8)),
        "classifier": Classifier(RetrievalNetwork(CLASSIFIER, identities=8)),
    }
    images = torch.randn(3, 3, 32, 32, generator=torch.Generator().manual_seed(0))
    folders = []
    for name, network in networks.items():
        folder = tmp_path / name
        folder.mkdir()
        with torch.no_grad():
            torch.save((images, network(images)), folder / "example.pt")
        torch.save(traced(network), folder / "module.pt", pickle_module=pickle_module)
        folders.append(str(folder))
    done = subprocess.run(
        [sys.executable, "-c", LOAD, *folders], cwd=tmp_path, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
