"""RGGR's masks for a ResNet-101 against the step-by-step formulation of the paper's equations."""

import time

import numpy as np
import torch

from benchmarks.line import Line, best_of
from cdd.gradients import RetrievalGuidedResetting

# Blocks by channels, batch and gallery of the paper's ResNet-101.
BLOCKS = ((64, 3), (128, 4), (256, 23), (512, 3))
BATCH, GALLERY, NEIGHBOURS, RATIO = 96, 24_000, 2, 0.5


def resetting(batch: int = BATCH, gallery: int = GALLERY) -> Line:
    """All blocks of one step, with full galleries. The baseline is timed on one block of each width.

    Raises:
        ValueError: if the baseline finds other channels.
    """
    features = {width: _features(width, batch, gallery) for width, _ in BLOCKS}
    blocks = [features[width] for width, count in BLOCKS for _ in range(count)]
    masks = RetrievalGuidedResetting(
        [student.shape[1] for student, _, _ in blocks], capacity=gallery, neighbours=NEIGHBOURS, ratio=RATIO
    )
    for block, (_, _, rows) in zip(masks.blocks, blocks, strict=True):
        block.gallery.enqueue(rows)  # type: ignore[operator, union-attr]
    students, teachers = [block[0] for block in blocks], [block[1] for block in blocks]

    masks.update(students, teachers)
    found = dict(zip([student.shape[1] for student in students], masks.kept(), strict=True))
    baseline = 0.0
    for width, count in BLOCKS:
        started = time.perf_counter()
        wanted = step_by_step(*features[width])
        baseline += count * (time.perf_counter() - started)
        if set((~found[width]).nonzero().flatten().tolist()) != wanted:
            raise ValueError(f"the baseline resets other channels of {width}")
    return Line(
        name=f"RGGR of a ResNet-101, batch {batch}, gallery {gallery:,}",
        ours=best_of(5, lambda: masks.update(students, teachers)),
        baseline=baseline,
        baseline_name="step by step: float64 similarity, full sorts, sets",
        limit=best_of(5, lambda: [teacher @ rows.T for _, teacher, rows in blocks]),
        limit_name="the products with the galleries in float32",
    )


def _features(width: int, batch: int, gallery: int) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """Student, teacher and gallery, some of whose channels are small everywhere."""
    generator = torch.Generator().manual_seed(width)
    rows = torch.randn(gallery, width, generator=generator)
    teacher = rows[:batch].clone()
    student = teacher + 0.3 * torch.randn(batch, width, generator=generator)
    student[:, : width // 4] *= 1e-3
    return student, teacher, rows


def step_by_step(student: torch.Tensor, teacher: torch.Tensor, gallery: torch.Tensor) -> set[int]:
    """Channels in every pair's list, by full sorts and sets."""
    query, rows = (
        torch.nn.functional.normalize(values.double(), dim=1).numpy() for values in (teacher, gallery)
    )
    ranking = np.argsort(-(query @ rows.T), axis=1, kind="stable")
    shared = set(range(student.shape[1]))
    places = int(student.shape[1] * RATIO)
    for own, order in zip(student.double().numpy(), ranking, strict=True):
        for row in order[:NEIGHBOURS]:
            products = np.abs(own * gallery[int(row)].double().numpy())
            shared &= set(np.argsort(products, kind="stable")[:places].tolist())
    return shared
