"""A network for small images offers what any other does, without neck, taps or pruning."""

import pytest
import torch

from cdd.architecture import SmallNetwork
from cdd.models.imagenet import imagenet_weights
from cdd.models.network import RetrievalNetwork, build_backbone
from cdd.models.small.staged import StagedBackbone
from tests.models.small.networks import CLASSES, drawn, each_family

SMALL = SmallNetwork(family="resnet", depth=8, width=0.5)


@each_family
def test_the_embedding_is_the_pooled_last_map_and_the_classifier_reads_it(settings: SmallNetwork) -> None:
    network = drawn(settings).eval()
    output = network(torch.randn(1, 3, 32, 32), mapped=True)
    torch.testing.assert_close(output.pooled, output.stages[-1].mean(dim=(2, 3)))
    torch.testing.assert_close(output.embedding, output.pooled, rtol=0, atol=0)
    affine = output.pooled @ network.classifier.weight.T + network.classifier.bias
    torch.testing.assert_close(output.logits, affine)
    assert output.logits.shape == (1, CLASSES)


def test_maps_are_given_only_when_asked_for_and_taps_never() -> None:
    network, images = drawn(SMALL).eval(), torch.randn(2, 3, 32, 32)
    plain, full = network(images), network(images, tapped=True, mapped=True)
    assert plain.stages == ()
    assert plain.before_last_relu is None
    assert len(full.stages) == 3
    assert full.before_last_relu is not None
    assert full.before_compactor == full.after_compactor == ()
    torch.testing.assert_close(plain.logits, full.logits, rtol=0, atol=0)


def test_nothing_can_be_pruned() -> None:
    network = RetrievalNetwork(SmallNetwork(family="bottleneck-resnet", depth=50, width=0.125), CLASSES)
    assert network.bottlenecks == []


def test_a_small_network_has_no_channels_to_choose_and_no_imagenet_weights() -> None:
    with pytest.raises(ValueError, match="only a retrieval ResNet has bottlenecks"):
        build_backbone(SMALL, channels=[1])
    with pytest.raises(ValueError, match="no ImageNet weights"):
        imagenet_weights(SMALL)
    assert isinstance(build_backbone(SMALL), StagedBackbone)
