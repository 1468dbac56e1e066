"""Training loop, learning-rate schedule, checkpoints, precision and evaluation of one student."""
