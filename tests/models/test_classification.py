"""The classification network offers what a retrieval network does, without neck, taps or pruning."""

import pytest
import torch

from cdd.models.classification import ClassificationNetwork
from cdd.models.imagenet import imagenet_weights
from cdd.models.network import RetrievalNetwork, build_backbone
from cdd.models.small.staged import StagedBackbone
from cdd.recipe import SmallNetwork
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


def test_nothing_can_be_pruned_or_folded() -> None:
    network = ClassificationNetwork(SmallNetwork(family="bottleneck-resnet", depth=50, width=0.125), CLASSES)
    assert network.bottlenecks == []
    assert network.folded is False


def test_a_small_network_is_no_retrieval_network() -> None:
    with pytest.raises(ValueError, match="a resnet for small images classifies: build a Classification"):
        RetrievalNetwork(SMALL, 5)
    with pytest.raises(ValueError, match="only a retrieval ResNet has bottlenecks"):
        build_backbone(SMALL, channels=[1])
    with pytest.raises(ValueError, match="no ImageNet weights"):
        imagenet_weights(SMALL)
    assert isinstance(build_backbone(SMALL), StagedBackbone)
