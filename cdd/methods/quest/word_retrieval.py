"""Retrieval in quantised spaces: a query as the teacher's visual words, the data base as the student's.

Source: Jain et al., QuEST, ECCV 2020, supplement, Section F.
"""

from collections.abc import Callable, Iterable

import torch
from jaxtyping import Float, Int64
from torch import Tensor

from cdd.contract import RetrievalOutput
from cdd.methods.common.stage_channels import averaged
from cdd.methods.quest.quest import quantised_map
from cdd.methods.quest.vocabulary import positions

Size = tuple[int, int]


def assignment_map(
    output: RetrievalOutput, assign: Callable[[Tensor], Tensor], size: Size
) -> Float[Tensor, "batch words_and_positions"]:
    """Each image's soft assignments at all positions of its last map, as one vector.

    Args:
        output: of a network that was called with `mapped=True`.
        assign: logarithms of the assignment of some positions.
        size: height and width that the map is averaged to.
    """
    features = averaged(quantised_map(0, output), size)
    return assign(positions(features)).exp().reshape(len(features), -1)


def common_size(first: RetrievalOutput, second: RetrievalOutput) -> Size:
    """The smaller height and the smaller width of two networks' last maps."""
    sizes = [tuple(quantised_map(0, output).shape[2:]) for output in (first, second)]
    (height, width), (other_height, other_width) = sizes
    return min(height, other_height), min(width, other_width)


def nearest_by_words(
    queries: Float[Tensor, "queries words_and_positions"],
    images: Iterable[Float[Tensor, "_ words_and_positions"]],
    count: int,
) -> tuple[Int64[Tensor, "queries count"], Float[Tensor, "queries count"]]:
    """The images of largest dot product with each query, best first, and these products.

    Of equal products the earlier image comes first. Only one batch of images is held at a time.

    Args:
        queries: the teacher's assignment maps.
        images: the student's, batch by batch.
        count: number of images per query; fewer if there are fewer.
    """
    products = torch.cat([queries @ batch.T for batch in images], dim=1).cpu()
    ranked, order = products.sort(dim=1, descending=True, stable=True)
    return order[:, :count], ranked[:, :count]
