"""Learning rates: linear warm-up, flat, cosine; or linear warm-up, then down in steps."""

import math

from cdd.recipe import Schedule


def learning_rate(schedule: Schedule, finished_epochs: float, factor: float = 1.0) -> float:
    """The rate in force after `finished_epochs` epochs, for a group trained `factor` times as fast.

    Args:
        finished_epochs: finished epochs and the finished share of the one that runs; a schedule that
            steps by epoch ignores the share, so its first epoch trains at the rate of 0.
        factor: multiplies the peak, not the final rate, as the authors' release does.

    Source: Section 4.2; the release's `WarmupCosineAnnealingLR`.
    """
    peak = schedule.peak_learning_rate * factor
    if schedule.step == "epoch":
        finished_epochs = math.floor(finished_epochs)
    if finished_epochs < schedule.warmup_epochs:
        share = finished_epochs / schedule.warmup_epochs
        return peak * (schedule.warmup_factor * (1 - share) + share)
    if schedule.milestones:
        passed = sum(finished_epochs >= milestone for milestone in schedule.milestones)
        return float(peak * schedule.decay**passed)
    if finished_epochs <= schedule.flat_until_epoch:
        return peak
    phase = (finished_epochs - schedule.flat_until_epoch) / (schedule.epochs - schedule.flat_until_epoch)
    final = schedule.final_learning_rate
    return final + (peak - final) * (1 + math.cos(math.pi * phase)) / 2
