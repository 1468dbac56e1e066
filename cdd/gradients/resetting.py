"""RGGR, retrieval-guided gradient resetting: the task gradient of unimportant channels is set to zero."""

from collections.abc import Sequence
from typing import Literal, cast

import torch
from jaxtyping import Bool, Float
from torch import Tensor, nn

from cdd.evaluation.similarity import Distance
from cdd.gradients.feature_queue import FeatureQueue
from cdd.gradients.neighbours import comparable, nearest_rows
from cdd.losses.group_lasso import along_rows, group_lasso_gradients
from cdd.losses.numerics import at_least_single

__all__ = [
    "FeatureQueue",
    "RetrievalGuidedResetting",
    "reset_gradient",
    "reset_gradients",
    "unimportant_channels",
]


@torch.no_grad()
def unimportant_channels(
    student: Float[Tensor, "batch dim"],
    teacher: Float[Tensor, "batch dim"],
    gallery: Float[Tensor, "rows dim"],
    *,
    neighbours: int = 2,
    ratio: float = 0.5,
    distance: Distance = "cosine",
    similarity_dtype: torch.dtype = torch.float64,
) -> Bool[Tensor, " dim"]:
    """True for each channel that every (query, neighbour) pair ranks among its smallest.

    A pair's value of a channel is `|student feature * neighbour's teacher feature|`. A pair's list holds
    the int(dim * ratio) channels (rounded down) of smallest value, ties by lower index, so that every
    list has exactly this length. The result is the intersection of all lists, empty if their length is 0.

    Args:
        student: pooled features behind the compactor, before the ReLU.
        teacher: the retrieval queries, one per student row. Pass `student` for the supplement's
            standard retrieval.
        gallery: teacher features; already holds the batch, so that each query retrieves itself first.
        neighbours: retrieved rows per query, the query itself included.
        ratio: share of the channels in one list, 0 to 1.
        distance: "cosine", or "euclidean" on unscaled features.
        similarity_dtype: float64 in the authors' code; float32 is several times faster on a CPU and may
            swap neighbours whose similarities differ by less than 1e-6.

    Raises:
        ValueError: for unequal shapes, a ratio outside 0 to 1, too few gallery rows, an unknown distance.

    Source: CDD, Section 3.2, Equations 6-10; enqueueing before retrieval and truncation as in the code.
    """
    if gallery.ndim != 2 or gallery.shape[1:] != student.shape[1:]:
        raise ValueError(
            f"The gallery has shape {tuple(gallery.shape)}, the student features {tuple(student.shape)}: "
            "both need the same number of channels."
        )
    _require_ratio(ratio)
    _require_same_shape(student, teacher)
    query, rows = comparable(teacher, distance), comparable(gallery, distance)
    nearest = nearest_rows(query, rows, neighbours, distance=distance, dtype=similarity_dtype)
    return _shared_smallest(student, rows[nearest], ratio)


def reset_gradient(weight: Float[Tensor, "rows *rest"], kept: Bool[Tensor, " rows"], sparsity: float) -> None:
    """`reset_gradients` for one weight."""
    reset_gradients([weight], [kept], sparsity)


@torch.no_grad()
def reset_gradients(
    weights: Sequence[Float[Tensor, "_ ..."]], kept: Sequence[Bool[Tensor, "_"]] | None, sparsity: float
) -> None:
    """Replaces each gradient in place by kept * gradient + sparsity * row / norm of the row.

    First the task gradient of rows that are not kept is set to zero, then the gradient of the group lasso
    is added to all rows. Call this after the backward pass, with unscaled gradients, and leave the group
    lasso out of the loss.

    Args:
        weights: weights of the compactors, with their gradients.
        kept: per weight, true for rows that keep their task gradient; None if all do.
        sparsity: strength of the group lasso.

    Raises:
        ValueError: for a missing gradient, or a mask that does not fit.

    Source: CDD, Section 3.2, Equation 5.
    """
    gradients = [weight.grad for weight in weights if weight.grad is not None]
    if len(gradients) < len(weights):
        raise ValueError("The weight has no gradient: run the backward pass before resetting it.")
    for gradient, mask in [] if kept is None else zip(gradients, kept, strict=True):
        _require_mask(mask, gradient)
        gradient.masked_fill_(along_rows(~mask, gradient), 0.0)
    # All weights in one call, since a network has many small ones.
    torch._foreach_add_(gradients, group_lasso_gradients(weights), alpha=sparsity)


def _require_mask(kept: Tensor, gradient: Tensor) -> None:
    if kept.dtype != torch.bool or kept.shape != gradient.shape[:1]:
        raise ValueError(
            f"The mask of kept rows is {kept.dtype} of shape {tuple(kept.shape)}: "
            f"use torch.bool of shape ({gradient.shape[0]},)."
        )


class RetrievalGuidedResetting(nn.Module):
    """RGGR over all blocks of a student: one feature queue and one mask of kept channels per block.

    The state dict holds queues and masks, so that a resumed training continues bit for bit.
    """

    def __init__(
        self,
        dims: Sequence[int],
        *,
        capacity: int,
        neighbours: int = 2,
        ratio: float = 0.5,
        distance: Distance = "cosine",
        sticky: bool = True,
        query: Literal["teacher", "student"] = "teacher",
        self_match: bool = True,
        similarity_dtype: torch.dtype = torch.float64,
    ) -> None:
        """Starts with empty queues and every channel kept.

        Args:
            dims: channels of each block's compactor.
            capacity: rows of each queue, a multiple of the batch size.
            neighbours: retrieved rows per query, including the query's own row under `self_match`.
            ratio: share of the channels in one list, 0 to 1.
            distance: of the retrieval.
            sticky: true keeps a masked channel masked permanently, as in the authors' code; false
                rebuilds the masks at each update, as in Equation 11.
            query: the features that retrieve from the teacher's queue: "teacher" is the paper's
                role-cross retrieval, "student" the supplement's standard one.
            self_match: whether a query may retrieve its own row of this batch, as in the authors' code;
                earlier rows of the same image may always be retrieved.
            similarity_dtype: see `unimportant_channels`.

        Raises:
            ValueError: for empty dims, or an invalid ratio, query, distance or neighbours.
        """
        super().__init__()
        if not dims:
            raise ValueError("dims is empty: give the number of channels of at least one block.")
        if query not in ("teacher", "student"):
            raise ValueError(f"query is {query!r}, but only 'teacher' and 'student' exist.")
        if not 1 <= neighbours <= capacity:
            raise ValueError(f"neighbours is {neighbours}: use 1 to the gallery's capacity, {capacity}.")
        _require_ratio(ratio)
        self.neighbours, self.ratio, self.sticky, self.query = neighbours, ratio, sticky, query
        self.self_match = self_match
        self.distance, self.similarity_dtype = distance, similarity_dtype
        self.blocks = nn.ModuleList(_Block(capacity, dim, distance) for dim in dims)

    @torch.no_grad()
    def update(self, student_taps: Sequence[Tensor], teacher_taps: Sequence[Tensor]) -> None:
        """Enqueues the teacher's batch, then retrieves and updates the masks, in every block.

        Args:
            student_taps: per block (batch, channels), behind the compactor, before the ReLU.
            teacher_taps: per block (batch, channels), behind the batch norm, before the ReLU.

        Raises:
            ValueError: for a different number of blocks, channels or rows.
        """
        if not len(student_taps) == len(teacher_taps) == len(self.blocks):
            raise ValueError(
                f"{len(student_taps)} student taps and {len(teacher_taps)} teacher taps came, "
                f"but there are {len(self.blocks)} blocks: give one of each per block."
            )
        for block, student, teacher in zip(self._blocks(), student_taps, teacher_taps, strict=True):
            _require_same_shape(student, teacher)
            own_rows_from = None if self.self_match else block.gallery.position
            block.gallery.enqueue(teacher)
            query = comparable(teacher if self.query == "teacher" else student, self.distance)
            kept = ~_shared_smallest(student, self._retrieve(query, block.gallery, own_rows_from), self.ratio)
            block.kept.copy_(block.kept & kept if self.sticky else kept)

    def kept(self) -> list[Tensor]:
        """Mask of the channels that keep their task gradient, per block (bool; the buffers themselves)."""
        return [block.kept for block in self._blocks()]

    def masked_share(self) -> list[float]:
        """Share of channels whose task gradient is reset, per block, 0 to 1."""
        shares: list[float] = torch.stack([(~kept).double().mean() for kept in self.kept()]).tolist()
        return shares

    def _retrieve(self, query: Tensor, gallery: FeatureQueue, own_rows_from: int | None) -> Tensor:
        rows = gallery.contents()
        nearest = nearest_rows(
            query,
            rows,
            self.neighbours,
            distance=self.distance,
            dtype=self.similarity_dtype,
            own_rows_from=own_rows_from,
        )
        return rows[nearest]

    def _blocks(self) -> list["_Block"]:
        return [cast(_Block, block) for block in self.blocks]


class _Block(nn.Module):
    """Feature queue and mask of one block."""

    kept: Tensor

    def __init__(self, capacity: int, dim: int, distance: Distance) -> None:
        super().__init__()
        self.gallery = FeatureQueue(capacity, dim, distance=distance)
        self.register_buffer("kept", torch.ones(dim, dtype=torch.bool))


def _shared_smallest(student: Tensor, retrieved: Tensor, ratio: float) -> Tensor:
    """Channels on every pair's list; `retrieved` holds each query's neighbours, (batch, neighbours, dim)."""
    places = int(student.shape[1] * ratio)
    if places == 0:
        return torch.zeros(student.shape[1], dtype=torch.bool, device=student.device)
    # The length of a student row does not change the order of its channels, so it is not normalised.
    values = (at_least_single(student.detach())[:, None, :] * retrieved).abs().flatten(0, 1)
    return smallest(values, places).all(dim=0)


def smallest(values: Float[Tensor, "rows dim"], places: int) -> Bool[Tensor, "rows dim"]:
    """True for exactly `places` values per row: the smallest, equal values by lower index.

    Without a sort: a selection gives the largest listed value, a running count the ties that are listed.
    """
    threshold = values.topk(places, dim=1, largest=False, sorted=False).values.amax(dim=1, keepdim=True)
    below, ties = values < threshold, values == threshold
    listed_ties = places - below.sum(dim=1, keepdim=True)
    return below | (ties & (ties.cumsum(dim=1) <= listed_ties))


def _require_ratio(ratio: float) -> None:
    if not 0 <= ratio <= 1:
        raise ValueError(f"ratio is {ratio}, but it is a share of the channels: use 0 to 1.")


def _require_same_shape(student: Tensor, teacher: Tensor) -> None:
    if student.shape != teacher.shape:
        raise ValueError(
            f"The student features have shape {tuple(student.shape)}, the teacher's {tuple(teacher.shape)}: "
            "both must come from the same batch and the same block."
        )
