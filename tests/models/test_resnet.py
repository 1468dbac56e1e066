"""The backbone computes what torchvision's does, and the deployed form is really smaller."""

import pytest
import torch
from torch import Tensor

from cdd.models.network import RetrievalNetwork, initialise
from cdd.models.resnet import ResNet, full_channels, pooled
from cdd.models.zoo import RESNETS
from cdd.torchvision_guard import install
from tests.small import BACKBONE


@pytest.mark.parametrize("name", ["resnet18", "resnet50"])
def test_backbone_equals_torchvision_with_last_stride_one(name: str) -> None:
    install()
    from torchvision import models  # noqa: PLC0415  (behind its guard)

    oracle = getattr(models, name)()
    first = oracle.layer4[0]
    for layer in (first.conv2 if name == "resnet50" else first.conv1, first.downsample[0]):
        layer.stride = (1, 1)
    ours = ResNet(RESNETS[name])
    ours.load_state_dict({key: value for key, value in oracle.state_dict().items() if "fc." not in key})
    images = torch.randn(2, 3, 64, 48)
    wanted = torch.nn.Sequential(*list(oracle.eval().children())[:-2])(images)
    found = ours.eval()(images).stages[-1]
    assert found.shape[2:] == (4, 3)
    torch.testing.assert_close(found, wanted)


@pytest.mark.parametrize(("name", "blocks"), [("resnet50", 16), ("resnet101", 33), ("resnet18", 0)])
def test_every_bottleneck_has_a_pair_of_taps(name: str, blocks: int) -> None:
    with torch.device("meta"):
        network = RetrievalNetwork(RESNETS[name], identities=5).eval()
        output = network(torch.empty(1, 3, 64, 64), tapped=True)
    assert len(output.before_compactor) == len(output.after_compactor) == blocks
    assert [tap.shape[1] for tap in output.before_compactor] == full_channels(RESNETS[name])


def test_taps_are_taken_only_when_asked_for() -> None:
    network = RetrievalNetwork(BACKBONE, identities=5).eval()
    images = torch.randn(3, 3, 16, 16)
    plain, tapped = network(images), network(images, tapped=True)
    assert plain.before_compactor == plain.after_compactor == ()
    torch.testing.assert_close(plain.embedding, tapped.embedding, rtol=0, atol=0)
    # Nothing stands in the compactor's place, so both taps read the same map.
    for before, after in zip(tapped.before_compactor, tapped.after_compactor, strict=True):
        torch.testing.assert_close(before, after, rtol=0, atol=0)


def test_taps_see_negative_values() -> None:
    output = RetrievalNetwork(BACKBONE, identities=5)(torch.randn(8, 3, 16, 16), tapped=True)
    assert all((tap < 0).any() for tap in output.before_compactor)


def test_pooling_keeps_the_batch_of_one() -> None:
    assert pooled(torch.ones(1, 4, 2, 5)).shape == (1, 4)


@pytest.mark.parametrize("size", [(16, 16), (32, 16)])
def test_outputs_have_one_row_per_image(size: tuple[int, int]) -> None:
    output = RetrievalNetwork(BACKBONE, identities=5).eval()(torch.randn(1, 3, *size))
    assert output.pooled.shape == (1, 32)
    assert output.embedding.shape == (1, 8)
    assert output.logits.shape == (1, 5)


def test_one_seed_draws_one_network() -> None:
    def drawn(seed: int) -> Tensor:
        network = RetrievalNetwork(BACKBONE, identities=5)
        initialise(network, torch.Generator().manual_seed(seed))
        return torch.cat([parameter.detach().flatten() for parameter in network.parameters()])

    torch.testing.assert_close(drawn(3), drawn(3), rtol=0, atol=0)
    assert not torch.equal(drawn(3), drawn(4))


@pytest.mark.parametrize("channels", [[4, 4, 8], [4, 4, 8, 9], [0, 4, 8, 8]])
def test_impossible_channel_counts_are_refused(channels: list[int]) -> None:
    with pytest.raises(ValueError, match="channel"):
        ResNet(BACKBONE, channels=channels)


@pytest.mark.parametrize("name", ["resnet18", "resnet50"])
def test_stages_are_torchvisions_layers_and_maps_are_given_only_when_asked_for(name: str) -> None:
    backbone = RESNETS[name]
    network = RetrievalNetwork(backbone, identities=5).eval()
    images = torch.randn(2, 3, 64, 32)
    output = network(images, mapped=True)
    expansion = output.stages[0].shape[1] // 64
    assert [tuple(stage.shape[1:]) for stage in output.stages] == [
        (64 * expansion, 16, 8),
        (128 * expansion, 8, 4),
        (256 * expansion, 4, 2),
        (512 * expansion, 4, 2),
    ]
    assert output.before_last_relu is not None
    assert (output.before_last_relu < 0).any()
    torch.testing.assert_close(output.before_last_relu.relu(), output.stages[-1], rtol=0, atol=0)
    plain = network(images)
    assert plain.stages == ()
    assert plain.before_last_relu is None
