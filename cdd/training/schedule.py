"""Learning-rate schedules: linear warm-up, constant, cosine; or linear warm-up, then step decay."""

import math

from cdd.recipe import Schedule


def learning_rate(schedule: Schedule, finished_epochs: float, factor: float = 1.0) -> float:
    """Learning rate after `finished_epochs` epochs, for a group whose peak is multiplied by `factor`.

    Args:
        finished_epochs: finished epochs plus the finished fraction of the current one; a schedule that
            steps by epoch ignores the fraction, so its first epoch trains at the rate after 0 epochs.
        factor: multiplies the peak, not the final rate, as in the authors' release.

    Source: Section 4.2; the release's `WarmupCosineAnnealingLR`.
    """
    peak = schedule.peak_learning_rate * factor
    if schedule.step == "epoch":
        finished_epochs = math.floor(finished_epochs)
    if finished_epochs < schedule.warmup_epochs:
        progress = finished_epochs / schedule.warmup_epochs
        return peak * (schedule.warmup_factor * (1 - progress) + progress)
    if schedule.milestones:
        passed_milestones = sum(finished_epochs >= milestone for milestone in schedule.milestones)
        return float(peak * schedule.decay**passed_milestones)
    if finished_epochs <= schedule.flat_until_epoch:
        return peak
    phase = (finished_epochs - schedule.flat_until_epoch) / (schedule.epochs - schedule.flat_until_epoch)
    final = schedule.final_learning_rate
    return final + (peak - final) * (1 + math.cos(math.pi * phase)) / 2
