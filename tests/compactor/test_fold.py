import copy

import pytest
import torch
from torch import nn

from cdd.compactor import Compactor, drop_inputs, drop_outputs, fold, fold_batch_norm, kept_rows, merge


@pytest.fixture(autouse=True)
def _seed():
    torch.manual_seed(0)


def trained_norm(channels):
    norm = nn.BatchNorm2d(channels).eval()
    for value in (norm.weight, norm.bias, norm.running_mean):
        nn.init.normal_(value.data)
    nn.init.uniform_(norm.running_var, 0.5, 1.5)
    return norm


def chain(dead=(1, 4), bias=False, **options):
    """Convolution, batch norm, compactor with dead rows, next convolution; float64."""
    convolution = nn.Conv2d(3, 8, 3, bias=bias, **options)
    compactor = Compactor(8)
    compactor.weight.data.add_(0.3 * torch.randn_like(compactor.weight))
    compactor.weight.data[list(dead)] = 0
    modules = (convolution, trained_norm(8), compactor, nn.Conv2d(8, 5, 1, bias=bias))
    return tuple(module.double() for module in modules)


def run(convolution, norm, compactor, following, images):
    return following(compactor(norm(convolution(images))).relu())


IMAGES = torch.randn(2, 3, 9, 7, generator=torch.Generator().manual_seed(5), dtype=torch.float64)


@pytest.mark.parametrize(
    "options",
    [
        {"padding": 1},
        {"padding": 1, "stride": 2, "bias": True},
        {"padding": (2, 0), "dilation": 2},
        {"padding": "same", "padding_mode": "reflect"},
    ],
)
def test_dropping_dead_channels_changes_nothing(options):
    modules = chain(**options)
    slim, following = fold(*modules)
    assert (slim.out_channels, following.in_channels) == (6, 6)
    torch.testing.assert_close(following(slim(IMAGES).relu()), run(*modules, IMAGES))
    for name in ("stride", "padding", "dilation", "padding_mode", "kernel_size"):
        assert getattr(slim, name) == getattr(modules[0], name)
    assert (following.bias is None) == (modules[3].bias is None)


def test_the_arguments_and_the_random_state_stay_as_they_are():
    modules = chain()
    before = copy.deepcopy([module.state_dict() for module in modules])
    state = torch.get_rng_state()
    slim, following = fold(*modules)
    slim.weight.data.zero_(), following.weight.data.zero_()
    assert torch.equal(state, torch.get_rng_state())
    for module, old in zip(modules, before, strict=True):
        assert all(torch.equal(value, old[name]) for name, value in module.state_dict().items())


def test_an_identity_compactor_folds_like_batch_norm_alone():
    convolution, norm, _, following = chain()
    slim, same = fold(convolution, norm, Compactor(8).double(), following)
    alone = fold_batch_norm(convolution, norm)
    torch.testing.assert_close(slim.weight, alone.weight)
    torch.testing.assert_close(slim.bias, alone.bias)
    assert torch.equal(same.weight, following.weight)


@pytest.mark.parametrize("affine", [True, False])
@pytest.mark.parametrize("bias", [True, False])
def test_batch_norm_folds_with_and_without_its_parts(affine, bias):
    convolution, norm, *_ = chain(bias=bias)
    if not affine:
        plain = nn.BatchNorm2d(8, affine=False).double().eval()
        plain.load_state_dict(
            {name: value for name, value in norm.state_dict().items() if "running" in name}, False
        )
        norm = plain
    torch.testing.assert_close(fold_batch_norm(convolution, norm)(IMAGES), norm(convolution(IMAGES)))


def test_one_channel_is_left_where_all_are_dead_and_its_bias_has_one_axis():
    modules = chain(dead=range(8))
    modules[2].weight.data[3, 3] = 1e-7
    slim, following = fold(*modules)
    assert slim.weight.shape == (1, 3, 3, 3)
    assert slim.bias.shape == (1,)
    assert torch.equal(following.weight, modules[3].weight[:, [3]])
    assert following(slim(IMAGES).relu()).isfinite().all()


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_precision_is_kept_and_the_fold_is_computed_in_double(dtype):
    modules = [module.to(dtype) for module in chain()]
    slim, following = fold(*modules)
    exact, _ = fold(*[copy.deepcopy(module).double() for module in modules])
    assert slim.weight.dtype == slim.bias.dtype == following.weight.dtype == dtype
    assert torch.equal(slim.weight, exact.weight.to(dtype))
    assert torch.equal(slim.bias, exact.bias.to(dtype))


def test_training_mode_and_frozen_weights_are_kept():
    convolution, norm, *_ = chain()
    convolution.eval().requires_grad_(False)
    folded = fold_batch_norm(convolution, norm)
    assert not folded.training
    assert not folded.weight.requires_grad


def test_merging_before_or_after_dropping_is_the_same():
    convolution, norm, compactor, _ = chain()
    folded = fold_batch_norm(convolution, norm)
    kept = torch.tensor([True, False, True, True, False, False, True, False])
    early, late = merge(folded, compactor, kept), drop_outputs(merge(folded, compactor), kept)
    torch.testing.assert_close(early.weight, late.weight)
    torch.testing.assert_close(early.bias, late.bias)


def test_dropping_copies_the_kept_slices():
    convolution = nn.Conv2d(4, 3, 1)
    inputs = drop_inputs(convolution, torch.tensor([True, False, False, True]))
    outputs = drop_outputs(convolution, torch.tensor([False, True, True]))
    assert torch.equal(inputs.weight, convolution.weight[:, [0, 3]])
    assert torch.equal(inputs.bias, convolution.bias)
    assert torch.equal(outputs.weight, convolution.weight[1:])
    assert torch.equal(outputs.bias, convolution.bias[1:])
    assert drop_outputs(nn.Conv2d(4, 3, 1, bias=False), torch.tensor([True, False, True])).bias is None
    everything = drop_inputs(convolution, torch.ones(4, dtype=torch.bool))
    assert everything.weight.data_ptr() != convolution.weight.data_ptr()


def test_what_does_not_fit_is_refused(unchecked_shapes):
    convolution, norm, compactor, following = chain()
    grouped = nn.Conv2d(8, 8, 3, groups=2)
    three = torch.ones(3, dtype=torch.bool)
    for call in (
        lambda: fold_batch_norm(grouped, norm),
        lambda: merge(grouped, compactor),
        lambda: drop_inputs(grouped, three),
        lambda: drop_outputs(grouped, three),
    ):
        with pytest.raises(ValueError, match="2 groups"):
            call()
    with pytest.raises(ValueError, match="keeps no running statistics"):
        fold_batch_norm(convolution, nn.BatchNorm2d(8, track_running_stats=False))
    with pytest.raises(ValueError, match="4 channels, the convolution before it 8"):
        fold_batch_norm(convolution, nn.BatchNorm2d(4))
    with pytest.raises(ValueError, match=r"needs \(8, 8, 1, 1\)"):
        merge(convolution, Compactor(4))
    with pytest.raises(ValueError, match="and a bias"):
        merge(convolution, nn.Conv2d(8, 8, 1))
    with pytest.raises(ValueError, match=r"shape \(8,\)"):
        drop_inputs(following, three)
    with pytest.raises(ValueError, match=r"torch\.bool"):
        drop_inputs(following, torch.ones(8))
    with pytest.raises(ValueError, match="none of 8"):
        drop_inputs(following, torch.zeros(8, dtype=torch.bool))


def test_a_new_compactor_is_the_identity_and_draws_no_random_number():
    state = torch.get_rng_state()
    compactor = Compactor(3)
    assert torch.equal(state, torch.get_rng_state())
    images = torch.randn(2, 3, 4, 4)
    assert torch.equal(compactor(images), images)
    assert compactor.bias is None


def test_rows_are_kept_from_the_threshold_on():
    weight = torch.zeros(4, 4, 1, 1, dtype=torch.float64)
    for row, norm in enumerate((1e-5, 0.99e-5, 1.0, 0.0)):
        weight[row, 0] = norm
    assert kept_rows(weight).tolist() == [True, False, True, False]
    assert kept_rows(weight, threshold=0.5).tolist() == [False, False, True, False]


def test_the_first_of_the_largest_rows_is_kept_when_all_are_small():
    weight = torch.tensor([[1e-7], [3e-7], [3e-7], [2e-7]])
    assert kept_rows(weight).tolist() == [False, True, False, False]
    assert kept_rows(torch.zeros(3, 3)).tolist() == [True, False, False]


def test_a_row_that_is_not_finite_is_refused():
    with pytest.raises(ValueError, match="Row 1 of the weight is not finite"):
        kept_rows(torch.tensor([[1.0], [float("nan")]]))
