"""Three bottlenecks in a chain, pruned and merged, against the authors' code."""

import json
import math
import re
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn

from cdd.compactor import Compactor, drop_inputs, fold, fold_batch_norm, kept_rows

GOLDEN = json.loads((Path(__file__).parents[1] / "golden" / "cdd.json").read_text())["4_prune_merge"]
EXPECTED = GOLDEN["expected"]


class Unit(nn.Module):
    def __init__(self, inputs, outputs, size=1, stride=1):
        super().__init__()
        self.conv = nn.Conv2d(inputs, outputs, size, stride, size // 2, bias=False)
        self.bn = nn.BatchNorm2d(outputs)

    def forward(self, images):
        return self.bn(self.conv(images))


class Block(nn.Module):
    """Convolutions 1 and 3 and the shortcut as modules that a test may replace."""

    def __init__(self, inputs, stride):
        super().__init__()
        self.shortcut = Unit(inputs, 32, stride=stride) if stride == 2 else nn.Identity()
        self.conv1, self.conv2, self.conv3 = Unit(inputs, 8), Unit(8, 8, 3, stride), Unit(8, 32)
        self.dgc = Compactor(8)

    def forward(self, images):
        middle = self.dgc(self.conv2(self.conv1(images).relu())).relu()
        return (self.conv3(middle) + self.shortcut(images)).relu()


def draw(rng, recipe):
    """One line of the recipe, such as `0.1*standard_normal(8)`."""
    sizes = re.search(r"standard_normal\(\(?([\d, ]+)", recipe)[1]
    shape = tuple(int(size) for size in re.findall(r"\d+", sizes))
    values = rng.standard_normal(shape)
    if scale := re.search(r"sqrt\((\d+)/(\d+)\)", recipe):
        return values * math.sqrt(int(scale[1]) / int(scale[2]))
    if recipe.startswith("1+0.2*"):
        return 1 + 0.2 * values
    if recipe.startswith("0.1*"):
        return 0.1 * values
    return np.eye(8) + 0.3 * values if recipe.startswith("eye") else values


@pytest.fixture(scope="module")
def network():
    rng = np.random.default_rng(400)
    values = {}
    for name, recipe in GOLDEN["draws"]:
        uniform = recipe.startswith("uniform")
        drawn = rng.uniform(0.5, 1.5, int(re.findall(r"\d+", recipe)[-1])) if uniform else draw(rng, recipe)
        values[name] = drawn.astype(np.float32)
    for block, targets in GOLDEN["row_norms"].items():
        weight = values[f"{block}.dgc.weight"]
        for row, target in targets:
            weight[row] *= np.float32(target / np.linalg.norm(weight[row].astype(np.float64)))
    images = torch.from_numpy(values.pop("input x"))
    blocks = nn.ModuleDict({"b0": Block(24, 2), "b1": Block(32, 1), "b2": Block(32, 1)}).eval()
    state = {name: torch.from_numpy(value) for name, value in values.items()}
    state = {name: value[..., None, None] if "dgc" in name else value for name, value in state.items()}
    missing, unexpected = blocks.load_state_dict(state, strict=False)
    assert not unexpected
    assert all(name.endswith("num_batches_tracked") for name in missing)
    return blocks, images


@torch.no_grad()
def outputs(blocks, images):
    for block in blocks:
        images = block(images)
    return images


def deployed(block):
    """The block with every batch norm and its compactor folded."""
    slim = Block(24, 1)
    last = fold_batch_norm(block.conv3.conv, block.conv3.bn)
    slim.conv1 = fold_batch_norm(block.conv1.conv, block.conv1.bn)
    slim.conv2, slim.conv3 = fold(block.conv2.conv, block.conv2.bn, block.dgc, last)
    slim.dgc = slim.shortcut = nn.Identity()
    if isinstance(block.shortcut, Unit):
        slim.shortcut = fold_batch_norm(block.shortcut.conv, block.shortcut.bn)
    return slim.eval()


def check(tensor, expected, tolerance=1e-4):
    assert list(tensor.shape) == expected["shape"]
    assert tensor.sum().item() == pytest.approx(expected["sum"], rel=tolerance, abs=1e-5)
    assert tensor.abs().sum().item() == pytest.approx(expected["abs"], rel=tolerance)
    assert tensor.flatten()[:8].tolist() == pytest.approx(expected["first8"], rel=tolerance, abs=1e-9)


def test_the_network_is_the_authors(network):
    check(outputs(network[0].values(), network[1]), EXPECTED["unpruned_eval_output"])


def test_the_same_rows_are_kept(network):
    kept = [kept_rows(block.dgc.weight).nonzero().flatten().tolist() for block in network[0].values()]
    assert kept == EXPECTED["kept_index"]


def test_the_folded_weights_and_the_output_are_the_authors(network):
    blocks, images = network
    slim = {name: deployed(block) for name, block in blocks.items()}
    for name, expected in EXPECTED["merged_3x3"].items():
        check(slim[name].conv2.weight, expected["weight"])
        check(slim[name].conv2.bias, expected["bias"])
    check(slim["b0"].conv1.weight, EXPECTED["merged_conv1_b0"]["weight"])
    check(slim["b0"].conv1.bias, EXPECTED["merged_conv1_b0"]["bias"])
    assert [block.conv3.in_channels for block in slim.values()] == EXPECTED["merged_conv3_in_channels"]
    sizes = [value.numel() for block in slim.values() for value in block.parameters()]
    assert sum(sizes) == EXPECTED["params_merged"]
    merged = outputs(slim.values(), images)
    check(merged, EXPECTED["merged_output"])
    difference = (merged - outputs(blocks.values(), images)).abs().max().item()
    assert difference == pytest.approx(EXPECTED["pruned_vs_unpruned_maxabs"], rel=0.1)


def test_pruning_without_merging_gives_the_authors_output(network):
    blocks, images = network
    pruned = []
    for block in blocks.values():
        kept = kept_rows(block.dgc.weight)
        slim = Block(24, 1).eval()
        slim.conv1, slim.conv2, slim.shortcut = block.conv1, block.conv2, block.shortcut
        slim.dgc = nn.Conv2d(8, int(kept.sum()), 1, bias=False)
        slim.dgc.weight = nn.Parameter(block.dgc.weight[kept])
        slim.conv3 = nn.Sequential(drop_inputs(block.conv3.conv, kept), block.conv3.bn)
        pruned.append(slim)
    check(outputs(pruned, images), EXPECTED["pruned_output"])
