"""Families of networks: every kind of settings has one, and each says what the rest asks of it."""

from typing import get_args

import pytest
import torch

from cdd.architecture import Architecture, Backbone, Network, SmallNetwork, VisionTransformer
from cdd.models.family import families, family_of
from cdd.models.network import RetrievalNetwork

TRANSFORMER = VisionTransformer(image=16, patch=8, layers=1, heads=2, width=8, hidden=8, embedding=4)
RESNET = Backbone(block="basic", blocks=(1, 1, 1, 1), planes=(4, 4, 4, 4), embedding=4)
SMALL = SmallNetwork(family="resnet", depth=8, width=0.25)


class Undeclared(Architecture):
    """Settings of a network that nobody builds."""

    @property
    def description(self) -> str:
        return "nothing"

    @property
    def without_bottlenecks(self) -> str:
        return "it is nothing"


def test_every_kind_of_settings_has_a_family() -> None:
    assert families().keys() == {*get_args(Network)}


def test_settings_without_a_family_are_named() -> None:
    with pytest.raises(ValueError, match="Family of Undeclared"):
        family_of(Undeclared())


@pytest.mark.parametrize("settings", [TRANSFORMER, RESNET, SMALL])
def test_a_network_gives_what_its_settings_promise(settings: Network) -> None:
    height, width = settings.image_size or (24, 16)
    output = RetrievalNetwork(settings, 3).eval()(torch.zeros(2, 3, height, width), mapped=True)
    backbone = RetrievalNetwork(settings, 3).backbone
    assert output.embedding.shape == (2, settings.embedding or backbone.outputs)
    if backbone.stage_channels:
        assert [stage.shape[1] for stage in output.stages] == list(backbone.stage_channels)


def test_only_a_transformer_is_made_for_one_size_of_images() -> None:
    assert RESNET.for_images(24, 16) == RESNET
    assert TRANSFORMER.for_images(32, 32).image_size == (32, 32)
    with pytest.raises(ValueError, match="square images, not 24x16"):
        TRANSFORMER.for_images(24, 16)
    with pytest.raises(ValueError, match="20, which 8 does not divide"):
        TRANSFORMER.for_images(20, 20)


def test_networks_are_compared_within_a_family_only() -> None:
    wide = RESNET.model_copy(update={"embedding": 8})
    assert RESNET.equals_but_for(wide, "embedding")
    assert not RESNET.equals_but_for(wide)
    assert not RESNET.equals_but_for(TRANSFORMER, *Backbone.model_fields, *VisionTransformer.model_fields)
