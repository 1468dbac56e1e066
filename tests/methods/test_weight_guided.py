"""CWGR inside a training step: CDD whose smallest rows lose their gradient."""

import pytest
import torch

from cdd.compactor.insert import insert_compactors
from cdd.contract import CODE
from cdd.losses import row_norms
from cdd.methods.capacity_dynamic import CapacityDynamic, CapacityDynamicDistiller, WeightGuided
from cdd.models.network import RetrievalNetwork
from tests.small import BACKBONE

LABELS = torch.arange(8) // 2
GUIDED = WeightGuided(target=0.6, after_epoch=1, interval=2, growth=4)


def student() -> RetrievalNetwork:
    made = RetrievalNetwork(BACKBONE, 5)
    insert_compactors(made)
    with torch.no_grad():
        for block in made.bottlenecks:
            weight = block.compactor.weight
            assert isinstance(weight, torch.Tensor)
            weight.add_(0.1 * torch.randn_like(weight))
    return made


def stepped(network: RetrievalNetwork, epochs: list[int]) -> CapacityDynamicDistiller:
    """One step in each of the epochs, without an optimiser."""
    teacher = RetrievalNetwork(BACKBONE, 5)
    distiller = CapacityDynamic(sparsity=0.25, resetting=GUIDED).build(network, teacher, CODE)
    assert isinstance(distiller, CapacityDynamicDistiller)
    for epoch in epochs:
        distiller.start_epoch(epoch)
        images = torch.randn(8, 3, 32, 32)
        network.zero_grad()
        found = network(images, tapped=True, mapped=True)
        terms = distiller.terms(found, teacher(images, tapped=True), LABELS)
        (terms["tap"] + found.embedding.square().sum()).backward()
        distiller.edit_gradients()
    return distiller


def test_the_smallest_rows_of_all_blocks_are_masked_and_feel_the_lasso_alone() -> None:
    network = student()
    distiller = stepped(network, [2, 2])
    assert distiller.resetting is not None
    kept = torch.cat(distiller.resetting.kept())
    norms = torch.cat([row_norms(weight.detach()) for weight in distiller.weights])
    assert int((~kept).sum()) == 4
    assert norms[~kept].max() <= norms[kept].min()
    for weight, mask in zip(distiller.weights, distiller.resetting.kept(), strict=True):
        assert weight.grad is not None
        lasso = 0.25 * torch.nn.functional.normalize(weight.flatten(1), dim=1)
        torch.testing.assert_close(weight.grad.flatten(1)[~mask], lasso[~mask])


@pytest.mark.parametrize(("epochs", "masked"), [([1, 1, 1, 1], 0), ([1, 2], 4), ([2, 2, 2, 2], 8)])
def test_masks_grow_every_interval_from_the_epoch_on(epochs: list[int], masked: int) -> None:
    distiller = stepped(student(), epochs)
    assert distiller.resetting is not None
    assert sum(int((~mask).sum()) for mask in distiller.resetting.kept()) == masked
    assert distiller.report(0.1)["masked/share"] == pytest.approx(masked / 24)


def test_it_needs_compactors() -> None:
    with pytest.raises(ValueError, match="set target=compactor"):
        CapacityDynamic(target="filter", resetting=GUIDED)
