"""Trainings whose steps are measured: on noise, with full galleries, every part of the method at work."""

import time

import torch
from torch import Tensor, nn

from cdd.gradients import FeatureQueue
from cdd.models.network import RetrievalNetwork
from cdd.recipe import Recipe
from cdd.training.calibration import training_on_noise
from cdd.training.optimiser import set_learning_rates
from cdd.training.trainer import Trainer

BACKWARD = 2
"""Times the multiply-adds of a forward pass: gradients of the weights and of the layers' inputs."""


def rehearsal(recipe: Recipe, device: torch.device, *, compiled: bool = False) -> Trainer:
    """A training in its last epoch, at its peak rate, the same at each call."""
    torch.manual_seed(0)
    training = training_on_noise(recipe, device, compiled=compiled)
    generator = torch.Generator().manual_seed(0)
    for gallery in training.distiller.modules():
        if isinstance(gallery, FeatureQueue):
            shape = (recipe.batch.size, gallery.features.shape[1])
            while gallery.filled < gallery.capacity:
                gallery.enqueue(torch.randn(shape, generator=generator).to(device))
    training.start_epoch(recipe.schedule.epochs)
    set_learning_rates(training.optimiser, recipe.schedule, recipe.schedule.flat_until_epoch)
    return training


def step_seconds(training: Trainer) -> float:
    """The fastest step of an epoch, with its data and the teacher's forward pass."""
    moments = []
    for training_batch in training.batch_stream.of_epoch(training.recipe.schedule.epochs):
        training.step(training_batch)
        moments.append(time.perf_counter())
    return min(after - before for before, after in zip(moments, moments[1:], strict=False))


def step_multiply_adds(training: Trainer, images: Tensor) -> int:
    """Of convolutions and linear layers: the student's in both passes, the teacher's forward pass."""
    student = (1 + BACKWARD) * forward_multiply_adds(training.student, images)
    return student + (forward_multiply_adds(training.teacher, images) if training.teacher else 0)


def forward_multiply_adds(network: RetrievalNetwork, images: Tensor) -> int:
    """Of convolutions and linear layers for these images."""
    counts: list[int] = []

    def count(layer: nn.Module, given: object, output: Tensor) -> None:
        weight = layer.get_parameter("weight")
        counts.append(output.numel() * weight[0].numel())

    layers = [layer for layer in network.modules() if isinstance(layer, nn.Conv2d | nn.Linear)]
    hooks = [layer.register_forward_hook(count) for layer in layers]
    modes = [(module, module.training) for module in network.modules()]
    with torch.no_grad():
        network.eval()(images[:1])
    for module, mode in modes:
        module.training = mode
    for hook in hooks:
        hook.remove()
    return len(images) * sum(counts)
