"""Reads the next images while the present ones are being computed with."""

from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from itertools import islice

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

AHEAD = 2
"""Batches that are read before they are asked for."""


def prefetched(
    read: Callable[[NDArray[np.int64]], Tensor], batches: Sequence[NDArray[np.int64]]
) -> Iterator[Tensor]:
    """What `read` makes of these batches, in order; one other thread is ahead of whoever asks.

    An error of `read` is raised where its batch is asked for. Ending early reads no further batch.
    """
    with ThreadPoolExecutor(1, thread_name_prefix="images") as reader:
        todo = iter(batches)
        waiting = deque(reader.submit(read, batch) for batch in islice(todo, AHEAD))
        try:
            while waiting:
                found = waiting.popleft().result()
                waiting.extend(reader.submit(read, batch) for batch in islice(todo, 1))
                yield found
        finally:
            for future in waiting:
                future.cancel()
