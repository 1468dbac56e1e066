"""The training loop and what makes it repeatable: schedule, checkpoints; may import methods and below."""
