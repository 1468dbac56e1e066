"""Reads the next images while the present ones are being computed with."""

from collections import deque
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from itertools import islice

import numpy as np
from jaxtyping import UInt8
from numpy.typing import NDArray
from torch import Tensor

from cdd.data.records import Pixels

AHEAD = 2
"""Batches that are read before they are asked for."""


def prefetched(
    pixels: Pixels, batches: Sequence[NDArray[np.int64]]
) -> Iterator[UInt8[Tensor, "batch 3 height width"]]:
    """The images of these batches, in order; another thread is ahead of whoever asks.

    An error of `pixels` is raised where its batch is asked for. Ending early reads no further batch.
    """
    with ThreadPoolExecutor(1, thread_name_prefix="images") as reader:
        todo = iter(batches)
        waiting = deque(reader.submit(pixels, batch) for batch in islice(todo, AHEAD))
        try:
            while waiting:
                found = waiting.popleft().result()
                waiting.extend(reader.submit(pixels, batch) for batch in islice(todo, 1))
                yield found
        finally:
            for future in waiting:
                future.cancel()
