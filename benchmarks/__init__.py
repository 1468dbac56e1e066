"""Benchmarks as ratios measured in one run: speed against a baseline and against a bound."""
