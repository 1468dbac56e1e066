"""Trains the backbones of the small scales on Tiny ImageNet; see `--help`."""
