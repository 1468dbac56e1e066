"""Queue of teacher features, the retrieval gallery of one block."""

import torch
from jaxtyping import Float
from torch import Tensor, nn

from cdd.evaluation.similarity import Distance, require_distance
from cdd.gradients.neighbours import comparable


class FeatureQueue(nn.Module):
    """First-in-first-out queue of the latest features of one block, in a buffer that is allocated once.

    Rows are stored in the form that retrieval compares (unit length for cosine), so that each is
    normalised once instead of at every step. The state dict restores the queue bit for bit.

    Attributes:
        features: (capacity, dim) float32 buffer on the module's device; zero in empty rows.
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
        """Maximum number of rows."""
        return len(self.features)

    @property
    def position(self) -> int:
        """Row index of the next batch's first row."""
        return self._enqueued % self.capacity

    @property
    def filled(self) -> int:
        """Number of stored rows."""
        return min(self._enqueued, self.capacity)

    @torch.no_grad()
    def enqueue(self, batch: Float[Tensor, "batch dim"]) -> None:
        """Stores a batch; a full queue drops the oldest one.

        Raises:
            ValueError: if the capacity is no multiple of the batch size, the batch size has changed so
                that batches are no longer aligned, or the number of columns differs.
        """
        if batch.ndim != 2 or batch.shape[1] != self.features.shape[1]:
            raise ValueError(
                f"The batch has shape {tuple(batch.shape)}, "
                f"but this queue stores rows of width {self.features.shape[1]}."
            )
        self._require_aligned(len(batch))
        start = self.position
        self.features[start : start + len(batch)] = comparable(batch, self.distance)
        self._enqueued += len(batch)

    def contents(self) -> Float[Tensor, "filled dim"]:
        """A view of the stored rows, in buffer order; it changes with the next `enqueue`."""
        return self.features[: self.filled]

    def get_extra_state(self) -> Tensor:
        """Number of rows ever enqueued, which determines `position` and `filled`."""
        return torch.tensor(self._enqueued)

    def set_extra_state(self, state: Tensor) -> None:
        """Restores the number of enqueued rows from `get_extra_state`."""
        self._enqueued = int(state)

    def _require_aligned(self, size: int) -> None:
        if size < 1:
            raise ValueError("The batch is empty: enqueue at least one row.")
        if self.capacity % size:
            below, above = self.capacity // size * size, -(-self.capacity // size) * size
            allowed = f"{below} or {above}" if below else f"{above}"
            raise ValueError(
                f"The queue's capacity {self.capacity} is no multiple of the batch size {size}: "
                f"the nearest are {allowed}."
            )
        if self.position % size:
            raise ValueError(
                f"A batch of {size} came at row {self.position} of the queue: "
                "enqueue batches of one size only, so that each replaces a whole earlier one."
            )
