"""Reading ahead changes neither the order nor the images, and reads no more than it says."""

import threading
from itertools import islice

import numpy as np
import pytest
import torch

from cdd.data.prefetch import AHEAD, prefetched

BATCHES = [np.array([i, i + 1]) for i in range(7)]


def read(indices):
    return torch.as_tensor(np.asarray(indices))


def test_batches_come_in_order_and_whole():
    for found, wanted in zip(prefetched(read, BATCHES), BATCHES, strict=True):
        np.testing.assert_array_equal(found, wanted)


@pytest.mark.parametrize("count", [0, 1, AHEAD])
def test_few_batches_are_no_special_case(count):
    assert len(list(prefetched(read, BATCHES[:count]))) == count


def test_another_thread_reads_ahead_but_not_far():
    seen, threads = [], set()

    def noted(indices):
        seen.append(int(indices[0]))
        threads.add(threading.current_thread())
        return read(indices)

    images = prefetched(noted, BATCHES)
    list(islice(images, 3))
    images.close()
    assert 3 <= len(seen) <= 3 + AHEAD
    assert seen == sorted(seen)
    assert threading.current_thread() not in threads


def test_an_error_comes_with_its_own_batch():
    def broken(indices):
        if indices[0] == 2:
            raise OSError("cannot be read")
        return read(indices)

    images = prefetched(broken, BATCHES)
    assert len(list(islice(images, 2))) == 2
    with pytest.raises(OSError, match="cannot be read"):
        next(images)
