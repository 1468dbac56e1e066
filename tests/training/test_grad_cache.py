"""A batch in parts has the gradient of the whole batch's loss; only batch norms see the parts."""

from pathlib import Path

import pytest
import torch
from torch import Tensor, nn

from cdd.contract import RetrievalOutput
from cdd.losses import batch_hard_triplet
from cdd.recipe import Batch
from cdd.training.grad_cache import FullBatchPass, GradCachePass
from cdd.training.precision import precision_plugin
from cdd.training.trainer import Trainer
from tests.small import small_dataset, student_recipe, teacher_recipe

PRECISION = precision_plugin(torch.device("cpu"), torch.float32)
LABELS = torch.arange(4).repeat_interleave(3)


class Linear(nn.Module):
    """A network whose images do not see each other, unless `norm` makes them."""

    def __init__(self, norm: nn.Module | None = None) -> None:
        super().__init__()
        self.layer = nn.Linear(12, 5, dtype=torch.float64)
        self.norm = norm or nn.Identity()

    def forward(self, images: Tensor) -> RetrievalOutput:
        pooled = self.norm(self.layer(images.flatten(1)))
        taps = (pooled.sin(),), (pooled.cos(),)
        last = pooled[:, :, None, None] ** 3
        return RetrievalOutput(pooled, 2 * pooled, pooled.square(), *taps, (last.exp(),), last)


def loss(output: RetrievalOutput) -> Tensor:
    """Compares images with each other and reads taps and maps."""
    tap = (output.before_compactor[0] * output.after_compactor[0]).mean()
    assert output.before_last_relu is not None
    tap = tap + output.stages[0].std() + output.before_last_relu.square().mean()
    return batch_hard_triplet(output.pooled, LABELS, 5.0) + output.logits.std() + tap


def gradients(network: nn.Module, passes: FullBatchPass, images: Tensor) -> list[Tensor]:
    network.zero_grad()
    passes.backward(loss(passes.outputs(images)))
    return [parameter.grad.clone() for parameter in network.parameters() if parameter.grad is not None]


@pytest.mark.parametrize("size", [1, 4, 5, 11])
def test_the_gradient_is_that_of_the_whole_batch(size: int) -> None:
    network, images = Linear(), torch.randn(12, 3, 2, 2, dtype=torch.float64)
    wanted = gradients(network, FullBatchPass(network, PRECISION), images)
    found = gradients(network, GradCachePass(network, PRECISION, network, size), images)
    torch.testing.assert_close(found, wanted)


def test_two_equal_halves_have_the_whole_batchs_statistics() -> None:
    network = Linear(nn.BatchNorm1d(5, dtype=torch.float64))
    images = torch.randn(6, 3, 2, 2, dtype=torch.float64).repeat(2, 1, 1, 1)
    wanted = gradients(network, FullBatchPass(network, PRECISION), images)
    found = gradients(network, GradCachePass(network, PRECISION, network, 6), images)
    torch.testing.assert_close(found, wanted)


def test_running_statistics_move_once_for_each_part() -> None:
    norm = nn.BatchNorm1d(5, dtype=torch.float64)
    network, images = Linear(norm), torch.randn(12, 3, 2, 2, dtype=torch.float64)
    alone = Linear(nn.BatchNorm1d(5, dtype=torch.float64))
    alone.load_state_dict(network.state_dict())
    gradients(network, GradCachePass(network, PRECISION, network, 4), images)
    for part in images.split(4):
        alone(part)
    torch.testing.assert_close(network.state_dict(), alone.state_dict())


def test_no_more_images_than_asked_for_are_in_the_network() -> None:
    network, seen = Linear(), []

    def counted(images: Tensor) -> RetrievalOutput:
        seen.append(len(images))
        return network.forward(images)

    gradients(
        network, GradCachePass(counted, PRECISION, network, 5), torch.randn(12, 3, 2, 2, dtype=torch.float64)
    )
    assert seen == [5, 5, 2] * 2


def test_resetting_sees_the_whole_batch(tmp_path: Path) -> None:
    data, device = small_dataset(16, 16), torch.device("cpu")
    teacher = Trainer(teacher_recipe(), data, {}, device, torch.float32)
    torch.save(teacher.student.state_dict(), tmp_path / "weights.pt")
    weights = {teacher_recipe().run_id: tmp_path / "weights.pt"}
    recipe = student_recipe(batch=Batch(identities=4, images=2, micro_batch_size=4))
    training = Trainer(recipe, data, weights, device, torch.float32)
    for epoch in (1, 2):
        found = training.train_epoch(epoch, lambda *_: None)
    assert found["masked/share"] > 0
    assert all(torch.isfinite(value).all() for value in training.student.state_dict().values())
