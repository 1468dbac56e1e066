"""The deployed network computes what the trained student computes, with fewer channels."""

from pathlib import Path

import pytest
import torch

from cdd.architecture import Backbone
from cdd.compactor.deploy import deploy, with_pruned_channels_zeroed
from cdd.compactor.insert import insert_compactors
from cdd.compactor.layer import Compactor
from cdd.compactor.select import kept_rows
from cdd.evaluation.cost import cost
from cdd.models.deployed import Embedder, channels_of, load_deployed, save_deployed
from cdd.models.network import RetrievalNetwork
from tests.small import BACKBONE

BASIC = Backbone(block="basic", blocks=(1, 2, 1, 1), planes=(4, 4, 8, 8), embedding=8)


def trained(backbone: Backbone, *, compactors: bool) -> RetrievalNetwork:
    """A network whose every weight and statistic is away from its start."""
    network = RetrievalNetwork(backbone, identities=5)
    if compactors:
        insert_compactors(network)
    with torch.no_grad():
        for parameter in network.parameters():
            parameter.add_(0.1 * torch.randn_like(parameter))
    for _ in range(3):
        network(torch.randn(16, 3, 32, 32))
    return network.eval()


def kill(network: RetrievalNetwork, rows: dict[int, list[int]]) -> list[torch.Tensor]:
    """Zeroes rows of compactors, by block, and returns what is kept."""
    kept = []
    for index, block in enumerate(network.bottlenecks):
        assert isinstance(block.compactor, Compactor)
        with torch.no_grad():
            block.compactor.weight[rows.get(index, [])] = 0
        kept.append(kept_rows(block.compactor.weight.detach()))
    return kept


@pytest.mark.parametrize(("backbone", "compactors"), [(BACKBONE, False), (BACKBONE, True), (BASIC, False)])
def test_folding_alone_changes_no_embedding(backbone: Backbone, compactors: bool) -> None:
    network = trained(backbone, compactors=compactors)
    images = torch.randn(4, 3, 32, 16)
    wanted, found = network(images), deploy(network, backbone)(images)
    torch.testing.assert_close(found.embedding, wanted.embedding, rtol=1e-4, atol=1e-4)
    torch.testing.assert_close(found.logits, wanted.logits, rtol=1e-4, atol=1e-4)


def test_removing_dead_channels_changes_no_embedding_and_makes_the_network_smaller() -> None:
    network = trained(BACKBONE, compactors=True)
    kept = kill(network, {0: [1, 2], 1: [0], 3: [0, 1, 2, 3, 4, 5, 6, 7]})
    deployed = deploy(network, BACKBONE, kept)
    images = torch.randn(4, 3, 32, 32)
    torch.testing.assert_close(deployed(images).embedding, network(images).embedding, rtol=1e-4, atol=1e-4)
    assert channels_of(deployed) == [2, 3, 8, 1]
    assert deployed.bottlenecks[0].conv3.in_channels == 2
    counted = sum(p.numel() for name, p in deployed.named_parameters() if "classifier" not in name)
    assert counted == cost(BACKBONE, 32, 32, channels=[2, 3, 8, 1], identities=5).parameters


def test_deploying_leaves_the_student_as_it_was() -> None:
    network = trained(BACKBONE, compactors=True)
    before = {name: value.clone() for name, value in network.state_dict().items()}
    deploy(network, BACKBONE, kill(network, {}))
    assert all(torch.equal(network.state_dict()[name], value) for name, value in before.items())


def test_filters_are_dropped_with_their_batch_norm() -> None:
    network = trained(BACKBONE, compactors=False)
    kept = [torch.ones(block.conv2.out_channels, dtype=torch.bool) for block in network.bottlenecks]
    kept[2][5] = False
    deployed = deploy(network, BACKBONE, kept)
    assert channels_of(deployed) == [4, 4, 7, 8]


@pytest.mark.parametrize("compactors", [False, True])
def test_a_deployed_network_computes_what_the_silenced_student_computes(compactors: bool) -> None:
    network = trained(BACKBONE, compactors=compactors)
    kept = [torch.rand(block.conv2.out_channels) > 0.3 for block in network.bottlenecks]
    for mask in kept:
        mask[0] = True
    images = torch.randn(4, 3, 32, 32)
    before, wanted = network(images).embedding, with_pruned_channels_zeroed(network, kept)(images).embedding
    torch.testing.assert_close(
        deploy(network, BACKBONE, kept)(images).embedding, wanted, rtol=1e-4, atol=1e-4
    )
    assert not torch.allclose(wanted, before, rtol=1e-2, atol=1e-2)
    assert torch.equal(network(images).embedding, before)


def test_a_deployed_network_is_deployed_as_it_is_and_not_pruned_again() -> None:
    network = trained(BACKBONE, compactors=True)
    kept = kill(network, {0: [1]})
    once = deploy(network, BACKBONE, kept)
    again = deploy(once, BACKBONE)
    assert all(torch.equal(value, again.state_dict()[name]) for name, value in once.state_dict().items())
    with pytest.raises(ValueError, match="folded already"):
        deploy(once, BACKBONE, kept)


def test_a_saved_network_comes_back_as_it_was(tmp_path: Path) -> None:
    network = trained(BACKBONE, compactors=True)
    deployed = deploy(network, BACKBONE, kill(network, {2: [0, 7]}))
    save_deployed(deployed, BACKBONE, tmp_path / "deployed.pt")
    images = torch.randn(2, 3, 32, 32)
    found = load_deployed(tmp_path / "deployed.pt")
    torch.testing.assert_close(found(images), Embedder(deployed)(images), rtol=0, atol=0)
    assert not any("classifier" in name for name, _ in found.named_parameters())


@pytest.mark.parametrize("compactors", [False, True])
def test_both_convolutions_of_a_bottleneck_can_be_pruned(compactors: bool, tmp_path: Path) -> None:
    network = trained(BACKBONE, compactors=False)
    if compactors:
        insert_compactors(network, both=True)
        with torch.no_grad():
            for module in network.modules():
                if isinstance(module, Compactor):
                    module.weight.add_(0.1 * torch.randn_like(module.weight))
    kept = []
    for block in network.bottlenecks:
        for width in (block.conv1.out_channels, block.conv2.out_channels):
            kept.append(torch.arange(width) % 3 != 1)
    images = torch.randn(4, 3, 32, 32)
    deployed = deploy(network, BACKBONE, kept)
    wanted = with_pruned_channels_zeroed(network, kept)(images).embedding
    torch.testing.assert_close(deployed(images).embedding, wanted, rtol=1e-4, atol=1e-4)
    counts = [int(mask.sum()) for mask in kept]
    assert channels_of(deployed) == counts
    save_deployed(deployed, BACKBONE, tmp_path / "deployed.pt")
    torch.testing.assert_close(load_deployed(tmp_path / "deployed.pt")(images), deployed(images).embedding)
    counted = sum(p.numel() for name, p in deployed.named_parameters() if "classifier" not in name)
    assert counted == cost(BACKBONE, 32, 32, channels=counts, identities=5).parameters
