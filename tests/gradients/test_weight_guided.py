"""ResRep's masks: laws, cases by hand, the authors' values, the walk written step by step."""

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from cdd.gradients.weight_guided import grow_masks
from cdd.losses import row_norms

GOLDEN = Path(__file__).parents[1] / "golden" / "methods.json"
CASES = {case["name"]: case for case in json.loads(GOLDEN.read_text())["cases"]}


def all_kept(norms):
    return [torch.ones(len(values), dtype=torch.bool) for values in norms]


def chain(counts):
    """Cost of layers that read each other."""
    return float(3 * counts[0] + (counts[1:] * counts[:-1]).sum() + 2 * counts[-1])


def stepwise(norms, kept, target, growth):
    """The release's walk, row by row with a cost after each."""
    full = [len(values) for values in norms]
    rows = sorted(
        (float(v), layer, row) for layer, values in enumerate(norms) for row, v in enumerate(values)
    )
    present = [int(mask.sum()) for mask in kept]
    enough = target * chain(np.array(full))
    limit = sum(full) - sum(present) + growth if chain(np.array(present)) > enough else len(rows)
    left, chosen = list(full), [[] for _ in full]
    for walked, (_, layer, row) in enumerate(rows):
        if walked >= limit or chain(np.array(left)) <= enough:
            break
        if left[layer] > 1:
            left[layer] -= 1
            chosen[layer].append(row)
    masks = []
    for mask, gone in zip(kept, chosen, strict=True):
        new = torch.ones_like(mask)
        new[gone] = False
        masks.append(new if gone else mask)
    return masks


@given(
    st.lists(st.integers(1, 6), min_size=2, max_size=4),
    st.floats(0.05, 0.95),
    st.integers(1, 5),
    st.integers(0, 10_000),
)
def test_masks_are_those_of_the_walk_row_by_row(sizes, target, growth, seed):
    generator = torch.Generator().manual_seed(seed)
    norms = [torch.rand(size, generator=generator, dtype=torch.float64) for size in sizes]
    kept = expected = all_kept(norms)
    for _ in range(4):
        kept = grow_masks(norms, kept, chain, target=target, growth=growth)
        expected = stepwise(norms, expected, target, growth)
        for found, wanted in zip(kept, expected, strict=True):
            assert torch.equal(found, wanted)


def test_masks_grow_by_no_more_rows_than_allowed_until_the_rest_is_cheap_enough():
    generator = torch.Generator().manual_seed(0)
    norms = [torch.rand(size, generator=generator) for size in (20, 30, 10)]
    kept, full = all_kept(norms), np.array([20, 30, 10])
    counts = []
    for _ in range(12):
        kept = grow_masks(norms, kept, chain, target=0.3, growth=5)
        counts.append(sum(int((~mask).sum()) for mask in kept))
    assert all(later - earlier <= 5 for earlier, later in zip(counts, counts[1:], strict=False))
    assert chain(np.array([int(mask.sum()) for mask in kept])) <= 0.3 * chain(full)
    assert counts[-1] == counts[-2]


def test_a_row_that_has_become_large_again_returns():
    norms = [torch.tensor([0.1, 0.2, 1.0, 1.0]), torch.tensor([1.0, 1.0, 1.0])]
    kept = grow_masks(norms, all_kept(norms), chain, target=0.6, growth=2)
    assert kept[0].tolist() == [False, False, True, True]
    norms[0] = torch.tensor([0.1, 5.0, 0.2, 1.0])
    kept = grow_masks(norms, kept, chain, target=0.6, growth=2)
    assert kept[0].tolist() == [False, True, False, True]


def test_the_last_row_of_a_layer_is_never_masked():
    norms = [torch.tensor([0.1]), torch.tensor([0.2, 0.3]), torch.tensor([9.0, 9.0, 9.0])]
    kept = all_kept(norms)
    for _ in range(5):
        kept = grow_masks(norms, kept, chain, target=0.01, growth=100)
    assert [int(mask.sum()) for mask in kept] == [1, 1, 1]
    assert kept[1].tolist() == [False, True]


def test_masks_are_the_authors():
    case = CASES["resrep_mask_growth"]
    norms = []
    for name in ("compactor_0", "compactor_1", "compactor_2"):
        given_input = case["inputs"][name]
        values = np.random.default_rng(given_input["seed"]).standard_normal(given_input["shape"])
        norms.append(row_norms(torch.from_numpy(values.astype("float32") * np.float32(0.3))))
    for found, wanted in zip(norms, case["outputs"]["row_norms"], strict=True):
        torch.testing.assert_close(found, torch.tensor(wanted))

    def costs(d):
        return float(3 * d[0] + d[0] * d[1] + d[1] * d[2] + 10 * d[2])

    hyper = case["hyper"]
    kept = all_kept(norms)
    for step in case["outputs"]["history"]:
        kept = grow_masks(norms, kept, costs, target=hyper["flops_target"], growth=hyper["granularity"])
        assert [mask.int().tolist() for mask in kept] == step["masks"]
        assert costs(np.array(step["unmasked"])) / costs(np.array([8, 8, 4])) == pytest.approx(
            step["flops_ratio"]
        )
