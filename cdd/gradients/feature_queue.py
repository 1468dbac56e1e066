"""The queue of teacher features that one block retrieves from."""

import torch
from jaxtyping import Float
from torch import Tensor, nn

from cdd.evaluation.similarity import Distance, require_distance
from cdd.gradients.neighbours import comparable


class Gallery(nn.Module):
    """The latest features of one block, first in, first out, in a buffer that is allocated once.

    Rows are stored as retrieval compares them (of unit length for cosine), so that each is
    normalised once and not at every step. The state dict restores it bit for bit.

    Attributes:
        features: (capacity, dim) float32 buffer on the module's device; zero where nothing is stored.
    """

    features: Tensor

    def __init__(self, capacity: int, dim: int, *, distance: Distance = "cosine") -> None:
        """An empty queue of `capacity` rows, a multiple of the batch size that will be enqueued.

        Raises:
            ValueError: for a capacity or dim below 1, or an unknown distance.
        """
        super().__init__()
        require_distance(distance)
        if capacity < 1 or dim < 1:
            raise ValueError(f"capacity is {capacity} and dim is {dim}: both must be at least 1.")
        self.distance: Distance = distance
        self.register_buffer("features", torch.zeros(capacity, dim))
        self._enqueued = 0

    @property
    def capacity(self) -> int:
        """Number of rows that fit."""
        return len(self.features)

    @property
    def position(self) -> int:
        """The row that the next batch starts at."""
        return self._enqueued % self.capacity

    @property
    def filled(self) -> int:
        """Number of rows stored."""
        return min(self._enqueued, self.capacity)

    @torch.no_grad()
    def enqueue(self, batch: Float[Tensor, "batch dim"]) -> None:
        """Stores a batch, in place of the oldest one where the queue is full.

        Raises:
            ValueError: when the capacity is no multiple of the batch size, the batch size changed
                so that batches no longer line up, or the width is another one.
        """
        if batch.ndim != 2 or batch.shape[1] != self.features.shape[1]:
            raise ValueError(
                f"The batch has shape {tuple(batch.shape)}, "
                f"but this gallery stores rows of width {self.features.shape[1]}."
            )
        self._require_aligned(len(batch))
        start = self.position
        self.features[start : start + len(batch)] = comparable(batch, self.distance)
        self._enqueued += len(batch)

    def contents(self) -> Float[Tensor, "filled dim"]:
        """A view of the stored rows, in buffer order; it changes with the next `enqueue`."""
        return self.features[: self.filled]

    def get_extra_state(self) -> Tensor:
        """The number of rows ever enqueued: the position and the fill follow from it."""
        return torch.tensor(self._enqueued)

    def set_extra_state(self, state: Tensor) -> None:
        """Takes back what `get_extra_state` returned."""
        self._enqueued = int(state)

    def _require_aligned(self, size: int) -> None:
        if size < 1:
            raise ValueError("The batch is empty: enqueue at least one row.")
        if self.capacity % size:
            below, above = self.capacity // size * size, -(-self.capacity // size) * size
            allowed = f"{below} or {above}" if below else f"{above}"
            raise ValueError(
                f"The gallery's capacity {self.capacity} is no multiple of the batch size {size}: "
                f"the nearest are {allowed}."
            )
        if self.position % size:
            raise ValueError(
                f"A batch of {size} came at row {self.position} of the gallery: "
                "enqueue batches of one size only, so that they replace each other whole."
            )
