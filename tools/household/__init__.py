"""Builds the embedded data set `household` from openly licensed 3D models; see `--help`."""
