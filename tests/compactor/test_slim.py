"""Rows of zeros leave a network that trains, and come back as zeros."""

import pytest
import torch
from torch import Tensor

from cdd.compactor.insert import insert_compactors
from cdd.compactor.layer import Compactor
from cdd.compactor.slim import remove, removed, restored
from cdd.models.network import RetrievalNetwork
from tests.small import BACKBONE

DEAD = (0b0101, 0b0000, 0b00111110, 0b01111111)
"""Per block of 4, 4, 8 and 8 channels, the dead ones as binary digits, the first channel last."""


def masks(numbers=DEAD) -> list[Tensor]:
    widths = (4, 4, 8, 8)
    return [
        torch.tensor([bool(number >> i & 1) for i in range(width)])
        for number, width in zip(numbers, widths, strict=True)
    ]


def compactor(block) -> Compactor:
    assert isinstance(block.compactor, Compactor)
    return block.compactor


def network_with_zeros() -> RetrievalNetwork:
    """In float64, with random compactors whose dead rows are zero."""
    made = RetrievalNetwork(BACKBONE, 5)
    insert_compactors(made)
    with torch.no_grad():
        for block, mask in zip(made.bottlenecks, masks(), strict=True):
            torch.nn.init.normal_(compactor(block).weight)
            compactor(block).weight[mask] = 0
    return made.double()


def test_rows_of_zeros_change_no_output_by_leaving():
    network, images = network_with_zeros(), torch.randn(6, 3, 16, 16, dtype=torch.float64)
    wanted = network(images, tapped=True)
    remove(network, masks())
    found = network(images, tapped=True)
    assert [tap.shape[1] for tap in found.after_compactor] == [2, 4, 3, 1]
    for name in ("pooled", "embedding", "logits", "before_compactor"):
        torch.testing.assert_close(getattr(found, name), getattr(wanted, name))
    for block, ours, theirs in zip(
        network.bottlenecks, found.after_compactor, wanted.after_compactor, strict=True
    ):
        torch.testing.assert_close(compactor(block).widened(ours, axis=1), theirs)


def test_gradients_of_what_is_left_are_those_of_the_whole():
    network, images = network_with_zeros(), torch.randn(6, 3, 16, 16, dtype=torch.float64)
    network(images).embedding.square().sum().backward()
    wanted = {
        name: parameter.grad.clone()
        for name, parameter in network.named_parameters()
        if parameter.grad is not None
    }
    network.zero_grad()
    cuts = {id(cut.parameter): cut for cut in remove(network, masks())}
    assert len(cuts) == 6
    network(images).embedding.square().sum().backward()
    for name, parameter in network.named_parameters():
        if name in wanted:
            cut = cuts.get(id(parameter))
            torch.testing.assert_close(parameter.grad, cut.of(wanted[name]) if cut else wanted[name])


def test_what_is_restored_has_zeros_where_rows_were_and_nothing_else_changed():
    network = network_with_zeros()
    before = {name: value.clone() for name, value in network.state_dict().items()}
    remove(network, masks())
    whole = restored(network)
    for block, mask in zip(whole.bottlenecks, masks(), strict=True):
        assert not compactor(block).weight[mask].any()
        assert not block.conv3.weight[:, mask].any()
    for number, mask in enumerate(masks()):
        before[f"backbone.layer{number + 1}.0.conv3.weight"][:, mask] = 0
    after = whole.state_dict()
    assert before.keys() == after.keys()
    assert all(torch.equal(after[name], value) for name, value in before.items())
    assert removed(whole) == []
    assert [len(compactor(block).rows) for block in network.bottlenecks] == [2, 4, 3, 1]


def test_a_whole_network_is_restored_as_it_is():
    network = network_with_zeros()
    assert removed(network) == []
    assert restored(network) is network
    assert remove(network, masks((0, 0, 0, 0))) == []
    assert restored(network) is network


def test_rows_may_leave_one_after_the_other():
    at_once, in_turn = network_with_zeros(), network_with_zeros()
    in_turn.load_state_dict(at_once.state_dict())
    remove(at_once, masks())
    remove(in_turn, masks((0b0001, 0, 0b00000110, 0)))
    remove(in_turn, masks())
    assert [mask.tolist() for mask in removed(in_turn)] == [mask.tolist() for mask in masks()]
    found, wanted = in_turn.state_dict(), at_once.state_dict()
    assert all(torch.equal(found[name], value) for name, value in wanted.items())


def test_parameters_stay_the_objects_that_they_were():
    network = network_with_zeros()
    network(torch.randn(4, 3, 16, 16, dtype=torch.float64)).embedding.sum().backward()
    before = [id(parameter) for parameter in network.parameters()]
    cuts = remove(network, masks())
    assert [id(parameter) for parameter in network.parameters()] == before
    assert all(cut.parameter.grad is None for cut in cuts)
    block = network.bottlenecks[3]
    assert (compactor(block).out_channels, block.conv3.in_channels) == (1, 1)


def test_a_block_that_would_keep_nothing_is_refused_and_nothing_is_cut():
    network = network_with_zeros()
    with pytest.raises(ValueError, match="block 4 would keep no channel"):
        remove(network, masks((1, 0, 0, 0b11111111)))
    assert removed(network) == []


def test_masks_that_do_not_fit_are_refused():
    network = network_with_zeros()
    with pytest.raises(ValueError, match="3 masks .* 4 bottlenecks"):
        remove(network, masks()[:3])
    with pytest.raises(ValueError, match=r"block 2's dead channels is torch.bool of shape \(8,\).*\(4,\)"):
        remove(network, [masks()[0], *masks()[2:], masks()[1]])
    with pytest.raises(ValueError, match="block 1 has no compactor"):
        remove(RetrievalNetwork(BACKBONE, 5), masks())
