"""How a batch passes through a network: as a whole, or in parts with the gradient of the whole batch's loss.

The losses compare images with each other, so they cannot be summed over parts. Instead the outputs of
all parts are gathered without a graph, the losses are differentiated by them, and each part runs again
to carry its share of that gradient into the weights: one more forward pass, the memory of one part.
Only the batch norms see one part at a time.

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
from cdd.training.distributed.process_group import ALONE, Ranks

Forward = Callable[[Images], RetrievalOutput]


def forward_pass(
    network: nn.Module, precision: Precision, *, compiled: bool, tapped: bool, mapped: bool
) -> Forward:
    """The network's forward pass in this precision, with taps and maps where they are read."""
    called = torch.compile(network) if compiled else network

    def forward(images: Tensor) -> RetrievalOutput:
        with precision.forward_context():
            output: RetrievalOutput = called(images, tapped=tapped, mapped=mapped)
        return output

    return forward


class WholeBatch:
    """One forward and one backward pass for all images of this process."""

    def __init__(self, forward: Forward, precision: Precision, ranks: Ranks = ALONE):
        self.forward, self.precision, self.ranks = forward, precision, ranks

    def outputs(self, images: Images) -> RetrievalOutput:
        """What the losses read: for the images of all processes."""
        return gathered(self.forward(images), self.ranks)

    def backward(self, loss: Tensor) -> None:
        """Adds the gradient of a loss of the last outputs to the weights."""
        self.precision.backward(loss, None)


class InParts(WholeBatch):
    """At most `size` images in the network at a time."""

    def __init__(
        self,
        forward: Forward,
        precision: Precision,
        network: nn.Module,
        size: int,
        ranks: Ranks = ALONE,
    ):
        super().__init__(forward, precision, ranks)
        self.network, self.size = network, size

    def outputs(self, images: Images) -> RetrievalOutput:
        """What the losses read, cut off from the network."""
        with torch.no_grad(), _statistics_kept(self.network):
            whole = in_parts(self.forward, images, self.size)
        leaves = [tensor.detach().requires_grad_() for tensor in _tensors(whole)]
        self._images, self._leaves = images, leaves
        return gathered(_rebuilt(whole, leaves), self.ranks)

    def backward(self, loss: Tensor) -> None:
        """Runs every part again and adds its share of the gradient to the weights."""
        super().backward(loss)
        received = [leaf.grad if leaf.grad is not None else torch.zeros_like(leaf) for leaf in self._leaves]
        shares = zip(*(gradient.split(self.size) for gradient in received), strict=True)
        *parts, last = zip(self._images.split(self.size), shares, strict=True)
        for part in parts:
            with self.ranks.reduced_later(self.network):
                self._run_again(*part)
        self._run_again(*last)

    def _run_again(self, images: Images, gradients: Sequence[Tensor]) -> None:
        torch.autograd.backward(_tensors(self.forward(images)), grad_tensors=gradients)


def gathered(output: RetrievalOutput, ranks: Ranks) -> RetrievalOutput:
    """The outputs for the images of all processes, in the order of one process; differentiable."""
    return _rebuilt(output, ranks.gathered(_tensors(output)))


def in_parts(forward: Forward, images: Images, size: int) -> RetrievalOutput:
    """The outputs for all images, computed for `size` of them at a time."""
    outputs = [forward(part) for part in images.split(size)]
    columns = zip(*(_tensors(output) for output in outputs), strict=True)
    return _rebuilt(outputs[0], [torch.cat(column) for column in columns])


def _tensors(output: RetrievalOutput) -> list[Tensor]:
    last = [] if output.before_last_relu is None else [output.before_last_relu]
    first = [output.pooled, output.embedding, output.logits]
    return [*first, *output.before_compactor, *output.after_compactor, *output.stages, *last]


def _rebuilt(like: RetrievalOutput, values: Sequence[Tensor]) -> RetrievalOutput:
    rest = iter(values)
    return RetrievalOutput(
        pooled=next(rest),
        embedding=next(rest),
        logits=next(rest),
        before_compactor=tuple(islice(rest, len(like.before_compactor))),
        after_compactor=tuple(islice(rest, len(like.after_compactor))),
        stages=tuple(islice(rest, len(like.stages))),
        before_last_relu=next(rest, None),
    )


@contextmanager
def _statistics_kept(network: nn.Module) -> Iterator[None]:
    """Inside, batch norms normalise by their batch as before, but their running statistics stay."""
    norms = [m for m in network.modules() if isinstance(m, nn.BatchNorm1d | nn.BatchNorm2d)]
    for norm in norms:
        norm.track_running_stats = False
    try:
        yield
    finally:
        for norm in norms:
            norm.track_running_stats = True
