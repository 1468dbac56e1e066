"""Reading of the next batches in the background."""

from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from itertools import islice

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

AHEAD = 2
"""Number of batches that are read ahead."""


def prefetched(
    read: Callable[[NDArray[np.int64]], Tensor], batches: Sequence[NDArray[np.int64]]
) -> Iterator[Tensor]:
    """The results of `read` for these batches, in order; a thread reads ahead of the consumer.

    An error of `read` is raised when its batch is requested. Closing the iterator stops reading.
    """
    with ThreadPoolExecutor(1, thread_name_prefix="images") as reader:
        remaining = iter(batches)
        waiting = deque(reader.submit(read, batch) for batch in islice(remaining, AHEAD))
        try:
            while waiting:
                batch_result = waiting.popleft().result()
                waiting.extend(reader.submit(read, batch) for batch in islice(remaining, 1))
                yield batch_result
        finally:
            for future in waiting:
                future.cancel()
