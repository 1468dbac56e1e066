"""Retrieval in quantised spaces: what the order and the batches do not change, and cases by hand."""

import pytest
import torch

from cdd.architecture import SmallNetwork
from cdd.methods.quest.vocabulary import log_assignment
from cdd.methods.quest.word_retrieval import assignment_map, common_size, nearest_by_words
from cdd.models.network import RetrievalNetwork


def drawn(*shape: int, seed: int = 0) -> torch.Tensor:
    return torch.rand(*shape, generator=torch.Generator().manual_seed(seed))


@pytest.mark.parametrize("size", [1, 3, 20])
def test_batches_do_not_matter_and_the_best_products_come_first(size: int) -> None:
    queries, images = drawn(4, 12), drawn(20, 12, seed=1)
    order, products = nearest_by_words(queries, images.split(size), 5)
    everything = (queries @ images.T).numpy()
    for row, (places, values) in enumerate(zip(order.tolist(), products.tolist(), strict=True)):
        assert places == sorted(range(20), key=lambda image: -everything[row][image])[:5]
        assert values == pytest.approx([float(everything[row][place]) for place in places])


def test_of_equal_products_the_earlier_image_comes_first() -> None:
    order, _ = nearest_by_words(torch.ones(1, 2), iter([torch.ones(3, 2), 2 * torch.ones(2, 2)]), 10)
    assert order.tolist() == [[3, 4, 0, 1, 2]]


def test_words_on_the_same_places_find_each_other() -> None:
    # Four images of two positions and three words, one-hot: the product counts positions that agree.
    words = torch.eye(3)
    images = torch.stack([words[list(pair)].flatten() for pair in ((0, 1), (1, 0), (0, 2), (2, 2))])
    order, products = nearest_by_words(images, [images], 4)
    assert order[:, 0].tolist() == [0, 1, 2, 3]
    assert products[0].tolist() == [2, 1, 0, 0]


def test_a_map_is_a_distribution_at_every_position_of_the_common_size() -> None:
    small = RetrievalNetwork(SmallNetwork(family="resnet", depth=8, width=0.25), 3).eval()
    mobile = RetrievalNetwork(SmallNetwork(family="mobilenet-v2", width=0.25), 3).eval()
    with torch.no_grad():
        first, second = (network(drawn(2, 3, 32, 32), mapped=True) for network in (small, mobile))
    size = common_size(first, second)
    assert size == common_size(second, first) == (2, 2)
    assert first.before_last_relu is not None
    vocabulary = drawn(7, first.before_last_relu.shape[1])
    found = assignment_map(first, lambda vectors: log_assignment(vectors, vocabulary, 0.5), size)
    assert found.shape == (2, 2 * 2 * 7)
    torch.testing.assert_close(found.reshape(2, 4, 7).sum(dim=2), torch.ones(2, 4))
