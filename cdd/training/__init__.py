"""The training loop and what makes it repeatable: schedule, checkpoints, precision."""
