"""Evaluation at MSMT17's size against the bare matrix product and against a full sort of every ranking."""

import threading
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import psutil
import torch
from numpy.typing import NDArray

from benchmarks.line import Line, best_of
from cdd.evaluation import RetrievalMetrics, evaluate_retrieval
from cdd.evaluation.similarity import BLOCK_BYTES

QUERIES, ROWS, DIMENSIONS, IDENTITIES, CAMERAS = 11_659, 82_161, 512, 3_060, 15
TRAINED, UNTRAINED = 2.5, 6.0
"""Deviations of an embedding from its identity's centre, whose coordinates have a deviation of 1.

The first comes to an mAP of 31 % at MSMT17's size and 57 % at a tenth, about what networks reach there; the
second ranks by chance, so that a query's last match, up to which all must be compared, is far behind.
"""
ACCURACY = 1e-9
"""Largest difference of mAP from the baseline's."""
SAMPLING_SECONDS = 0.005
QUERIES_SORTED, QUERIES_AT_ONCE = 1_200, 64
"""Of the baseline: how many are timed, and how many stand in memory."""


@dataclass(frozen=True)
class Retrieval:
    """Embeddings with identities and cameras of queries and gallery."""

    query: torch.Tensor
    gallery: torch.Tensor
    identities: tuple[NDArray[np.int64], NDArray[np.int64]]
    cameras: tuple[NDArray[np.int64], NDArray[np.int64]]


def retrieval(share: int, deviation: float) -> Retrieval:
    """Random embeddings around one centre per identity, `1 / share` of MSMT17's numbers."""
    generator = np.random.default_rng(0)
    sizes = (QUERIES // share, ROWS // share)
    centres = generator.standard_normal((IDENTITIES // share, DIMENSIONS)).astype(np.float32)
    identities = [generator.integers(0, len(centres), size) for size in sizes]
    cameras = [generator.integers(0, CAMERAS, size) for size in sizes]
    query, gallery = (
        torch.from_numpy(
            centres[own] + deviation * generator.standard_normal((len(own), DIMENSIONS), dtype=np.float32)
        )
        for own in identities
    )
    return Retrieval(query, gallery, (identities[0], identities[1]), (cameras[0], cameras[1]))


def evaluation(share: int, deviation: float, *, repeats: int = 15) -> Line:
    """Our evaluator on `1 / share` of MSMT17's numbers.

    The baseline is timed on some of the queries, and must come to the same mAP of these.

    Raises:
        ValueError: if it does not.
    """
    data = retrieval(share, deviation)
    found: list[RetrievalMetrics] = []
    wanted: list[float] = []

    def ours() -> None:
        found.append(evaluate_retrieval(data.query, data.gallery, *data.identities, *data.cameras))

    query, gallery = data.query.double(), data.gallery.double()
    # First, while memory of earlier calls is not there to be used again.
    peak = peak_bytes(ours)
    # By turns, so that a busy moment of the machine meets both.
    turns = [(best_of(1, ours), best_of(1, lambda: _product(query, gallery))) for _ in range(repeats)]
    seconds, product = map(min, zip(*turns, strict=True))
    timed = min(QUERIES_SORTED, len(data.query))
    baseline = best_of(1, lambda: wanted.append(by_sorting(data, timed))) * len(data.query) / timed
    own = float(found[0].average_precision[found[0].query_index < timed].mean())
    if abs(wanted[0] - own) > ACCURACY:
        raise ValueError(f"the baseline comes to mAP {wanted[0]}, our evaluator to {own}")
    return Line(
        name=f"evaluation, {len(query):,} queries, {len(gallery):,} gallery images, "
        f"mAP {found[0].mean_average_precision:.0%}",
        ours=seconds,
        baseline=baseline,
        baseline_name="every ranking sorted",
        limit=product,
        limit_name="the product of the matrices in float64, block by block",
        peak_bytes=peak,
    )


def _product(query: torch.Tensor, gallery: torch.Tensor) -> None:
    rows = max(1, 2 * BLOCK_BYTES // (8 * len(gallery)))
    buffer = query.new_empty(rows, len(gallery))
    for block in query.split(rows):
        torch.mm(block, gallery.T, out=buffer[: len(block)])


def by_sorting(data: Retrieval, queries: int) -> float:
    """The mAP of the first queries by a full, stable sort of each one's distances."""
    query, gallery = (
        torch.nn.functional.normalize(rows.double(), dim=1) for rows in (data.query, data.gallery)
    )
    precisions = []
    for start in range(0, queries, QUERIES_AT_ONCE):
        part = query[start : min(start + QUERIES_AT_ONCE, queries)]
        for index, row in enumerate(-(part @ gallery.T).numpy(), start):
            order = np.argsort(row, kind="stable")
            same = data.identities[1][order] == data.identities[0][index]
            kept = ~(same & (data.cameras[1][order] == data.cameras[0][index]))
            hits = np.flatnonzero(same[kept]) + 1
            if len(hits):
                precisions.append(np.mean(np.arange(1, len(hits) + 1) / hits))
    return float(np.mean(precisions))


def peak_bytes(action: Callable[[], object]) -> int:
    """Most resident memory of this process during the call above what it had before."""
    process = psutil.Process()
    before, done, most = process.memory_info().rss, threading.Event(), [0]

    def watch() -> None:
        while not done.wait(SAMPLING_SECONDS):
            most[0] = max(most[0], process.memory_info().rss)

    thread = threading.Thread(target=watch)
    thread.start()
    try:
        action()
    finally:
        done.set()
        thread.join()
    return max(0, most[0] - before)
