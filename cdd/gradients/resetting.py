"""RGGR, retrieval-guided gradient resetting: channels no image needs lose their task gradient."""

from collections.abc import Sequence
from typing import Literal, cast

import torch
from jaxtyping import Bool, Float
from torch import Tensor, nn

from cdd.gradients.feature_queue import Gallery
from cdd.gradients.neighbours import Distance, comparable, nearest_rows
from cdd.losses.group_lasso import along_rows, group_lasso_gradients
from cdd.losses.numerics import at_least_single

__all__ = [
    "Gallery",
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

    A pair's value of a channel is `|student feature * neighbour's teacher feature|`; its smallest
    int(dim * ratio) channels, cut off towards zero, are its list. Of equal values at the end of the
    list the channels with lower indices belong to it, so that every list has exactly that length.
    The result is the intersection of all lists; without places in the lists it is empty.

    Args:
        student: pooled features behind the compactor, before the ReLU.
        teacher: the retrieval queries, one per student row. Pass `student` for the supplement's
            standard retrieval.
        gallery: teacher features; already holds the batch, so that each query finds itself first.
        neighbours: retrieved rows per query, the query itself included.
        ratio: share of the channels in one list, 0 to 1.
        distance: "cosine", or "euclidean" on the features as they are.
        similarity_dtype: float64 as the authors; float32 is several times faster on a CPU and may
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
    """`reset_gradients` of one weight."""
    reset_gradients([weight], [kept], sparsity)


@torch.no_grad()
def reset_gradients(
    weights: Sequence[Float[Tensor, "_ ..."]], kept: Sequence[Bool[Tensor, "_"]] | None, sparsity: float
) -> None:
    """Replaces each gradient in place by kept * gradient + sparsity * row / norm of the row.

    The rows that are not kept lose their task gradient first; the lasso then acts on all rows. Call
    it after the backward pass, with unscaled gradients, and leave the lasso out of the loss.

    Args:
        weights: of the compactors, with their gradients.
        kept: per weight, true for rows that keep their task gradient; None where all do.
        sparsity: strength of the group lasso.

    Raises:
        ValueError: without a gradient, or for a mask that does not fit.

    Source: CDD, Section 3.2, Equation 5.
    """
    gradients = [weight.grad for weight in weights if weight.grad is not None]
    if len(gradients) < len(weights):
        raise ValueError("The weight has no gradient: run the backward pass before resetting it.")
    for gradient, mask in [] if kept is None else zip(gradients, kept, strict=True):
        _require_mask(mask, gradient)
        gradient.masked_fill_(along_rows(~mask, gradient), 0.0)
    # Over all weights in one call: a network has many small ones.
    torch._foreach_add_(gradients, group_lasso_gradients(weights), alpha=sparsity)


def _require_mask(kept: Tensor, gradient: Tensor) -> None:
    if kept.dtype != torch.bool or kept.shape != gradient.shape[:1]:
        raise ValueError(
            f"The mask of kept rows is {kept.dtype} of shape {tuple(kept.shape)}: "
            f"use torch.bool of shape ({gradient.shape[0]},)."
        )


class RetrievalGuidedResetting(nn.Module):
    """RGGR over all blocks of a student: one gallery and one mask of kept channels per block.

    The state dict holds galleries and masks, so that a resumed training continues bit for bit.
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
        """Empty galleries; every channel kept.

        Args:
            dims: channels of each block's compactor.
            capacity: rows of each gallery, a multiple of the batch size.
            neighbours: retrieved rows per query, the query itself included where it may be found.
            ratio: share of the channels in one list, 0 to 1.
            distance: of the retrieval.
            sticky: true keeps a masked channel masked for good, as the authors' code; false rebuilds
                the masks at each update, as Equation 11 reads.
            query: which features retrieve from the teacher gallery: "teacher" is the paper's
                role-cross retrieval, "student" the supplement's standard one.
            self_match: whether a query may find its own image's row of this batch, as in the authors'
                code; earlier rows of the image may be found in any case.
            similarity_dtype: see `unimportant_channels`.

        Raises:
            ValueError: for no block, or a ratio, query, distance or neighbours that do not exist.
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
        """Stores the teacher's batch, then retrieves and masks, in every block.

        Args:
            student_taps: per block (batch, channels), behind the compactor, before the ReLU.
            teacher_taps: per block (batch, channels), behind the batch norm, before the ReLU.

        Raises:
            ValueError: for another number of blocks, other widths or batch sizes.
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
        """Per block, the mask of channels that keep their task gradient (bool; the buffers themselves)."""
        return [block.kept for block in self._blocks()]

    def masked_share(self) -> list[float]:
        """Per block, the share of channels whose task gradient is reset, 0 to 1."""
        shares: list[float] = torch.stack([(~kept).double().mean() for kept in self.kept()]).tolist()
        return shares

    def _retrieve(self, query: Tensor, gallery: Gallery, own_rows_from: int | None) -> Tensor:
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
    """What one block remembers."""

    kept: Tensor

    def __init__(self, capacity: int, dim: int, distance: Distance) -> None:
        super().__init__()
        self.gallery = Gallery(capacity, dim, distance=distance)
        self.register_buffer("kept", torch.ones(dim, dtype=torch.bool))


def _shared_smallest(student: Tensor, retrieved: Tensor, ratio: float) -> Tensor:
    """Channels on every pair's list; `retrieved` holds each query's neighbours, (batch, neighbours, dim)."""
    places = int(student.shape[1] * ratio)
    if places == 0:
        return torch.zeros(student.shape[1], dtype=torch.bool, device=student.device)
    # The length of a row cannot change the order in it, so the student needs no normalisation.
    values = (at_least_single(student.detach())[:, None, :] * retrieved).abs().flatten(0, 1)
    return smallest(values, places).all(dim=0)


def smallest(values: Float[Tensor, "rows dim"], places: int) -> Bool[Tensor, "rows dim"]:
    """True for exactly `places` values per row: the smallest, of equal ones those of lower index.

    Without a sort: a selection gives the last value of the list, a running count the share of its ties.
    """
    last = values.topk(places, dim=1, largest=False, sorted=False).values.amax(dim=1, keepdim=True)
    below, ties = values < last, values == last
    room = places - below.sum(dim=1, keepdim=True)
    return below | (ties & (ties.cumsum(dim=1) <= room))


def _require_ratio(ratio: float) -> None:
    if not 0 <= ratio <= 1:
        raise ValueError(f"ratio is {ratio}, but it is a share of the channels: use 0 to 1.")


def _require_same_shape(student: Tensor, teacher: Tensor) -> None:
    if student.shape != teacher.shape:
        raise ValueError(
            f"The student features have shape {tuple(student.shape)}, the teacher's {tuple(teacher.shape)}: "
            "both must come from the same batch and the same block."
        )
