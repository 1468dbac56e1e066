"""Gradient descent on what a student answers for one batch."""

from collections.abc import Callable

import torch
from torch import Tensor


def share_left(loss: Callable[[], Tensor], answers: list[Tensor], learning_rate: float) -> float:
    """Share of the loss that thirty steps of Adam leave."""
    optimiser = torch.optim.Adam(answers, lr=learning_rate)
    first = loss().item()
    for _ in range(30):
        optimiser.zero_grad()
        loss().backward()
        optimiser.step()
    return loss().item() / first
