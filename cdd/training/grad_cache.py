"""Passes of a batch through a network: as a whole, or in micro-batches with the whole batch's gradient.

The losses compare images with each other, so they cannot be summed over micro-batches. Instead the outputs
of all micro-batches are computed without a graph, the loss is differentiated with respect to them, and a
second forward pass of each micro-batch propagates its part of that gradient to the weights: one additional
forward pass, the memory of one micro-batch. Only the batch norms use the statistics of a micro-batch.

Source: Gao et al., "Scaling Deep Contrastive Learning Batch Size under Memory Limited Setup",
RepL4NLP 2021 (gradient cache).
"""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from itertools import islice

import torch
from lightning_fabric.plugins.precision import Precision
from torch import Tensor, nn

from cdd.contract import RetrievalOutput
from cdd.models.maps import Images
from cdd.training.distributed.process_group import SINGLE_PROCESS, ProcessGroup

Forward = Callable[[Images], RetrievalOutput]


def forward_pass(
    network: nn.Module, precision: Precision, *, compiled: bool, tapped: bool, mapped: bool
) -> Forward:
    """The network's forward pass in this precision, with taps and feature maps on request."""
    callable_network = torch.compile(network) if compiled else network

    def forward(images: Tensor) -> RetrievalOutput:
        with precision.forward_context():
            output: RetrievalOutput = callable_network(images, tapped=tapped, mapped=mapped)
        return output

    return forward


class FullBatchPass:
    """One forward and one backward pass for all images of this rank."""

    def __init__(self, forward: Forward, precision: Precision, ranks: ProcessGroup = SINGLE_PROCESS):
        self.forward, self.precision, self.ranks = forward, precision, ranks

    def outputs(self, images: Images) -> RetrievalOutput:
        """The network's outputs for the images of all ranks."""
        return gathered(self.forward(images), self.ranks)

    def backward(self, loss: Tensor) -> None:
        """Accumulates the gradient of a loss of the last outputs in the weights."""
        self.precision.backward(loss, None)


class GradCachePass(FullBatchPass):
    """Gradient cache: micro-batches of at most `size` images."""

    def __init__(
        self,
        forward: Forward,
        precision: Precision,
        network: nn.Module,
        size: int,
        ranks: ProcessGroup = SINGLE_PROCESS,
    ):
        super().__init__(forward, precision, ranks)
        self.network, self.size = network, size

    def outputs(self, images: Images) -> RetrievalOutput:
        """The network's outputs for the images of all ranks, detached from the network."""
        with torch.no_grad(), _statistics_kept(self.network):
            output = in_parts(self.forward, images, self.size)
        leaves = [tensor.detach().requires_grad_() for tensor in _tensors(output)]
        self._images, self._leaves = images, leaves
        return gathered(_rebuilt(output, leaves), self.ranks)

    def backward(self, loss: Tensor) -> None:
        """Accumulates the gradient in the weights by a second forward pass of every micro-batch."""
        super().backward(loss)
        gradients = [leaf.grad if leaf.grad is not None else torch.zeros_like(leaf) for leaf in self._leaves]
        shares = zip(*(gradient.split(self.size) for gradient in gradients), strict=True)
        *parts, last = zip(self._images.split(self.size), shares, strict=True)
        for part in parts:
            with self.ranks.no_sync(self.network):
                self._run_again(*part)
        self._run_again(*last)

    def _run_again(self, images: Images, gradients: Sequence[Tensor]) -> None:
        torch.autograd.backward(_tensors(self.forward(images)), grad_tensors=gradients)


def gathered(output: RetrievalOutput, ranks: ProcessGroup) -> RetrievalOutput:
    """The outputs for the images of all ranks, in the order of a single process; differentiable."""
    return _rebuilt(output, ranks.all_gather(_tensors(output)))


def in_parts(forward: Forward, images: Images, size: int) -> RetrievalOutput:
    """The outputs for all images, computed in micro-batches of `size`."""
    outputs = [forward(part) for part in images.split(size)]
    columns = zip(*(_tensors(output) for output in outputs), strict=True)
    return _rebuilt(outputs[0], [torch.cat(column) for column in columns])


def _tensors(output: RetrievalOutput) -> list[Tensor]:
    last = [] if output.before_last_relu is None else [output.before_last_relu]
    first = [output.pooled, output.embedding, output.logits]
    return [*first, *output.before_compactor, *output.after_compactor, *output.stages, *last]


def _rebuilt(like: RetrievalOutput, values: Sequence[Tensor]) -> RetrievalOutput:
    remaining = iter(values)
    return RetrievalOutput(
        pooled=next(remaining),
        embedding=next(remaining),
        logits=next(remaining),
        before_compactor=tuple(islice(remaining, len(like.before_compactor))),
        after_compactor=tuple(islice(remaining, len(like.after_compactor))),
        stages=tuple(islice(remaining, len(like.stages))),
        before_last_relu=next(remaining, None),
    )


@contextmanager
def _statistics_kept(network: nn.Module) -> Iterator[None]:
    """A context in which batch norms normalise by their batch without updating the running statistics."""
    norms = [m for m in network.modules() if isinstance(m, nn.BatchNorm1d | nn.BatchNorm2d)]
    for norm in norms:
        norm.track_running_stats = False
    try:
        yield
    finally:
        for norm in norms:
            norm.track_running_stats = True
