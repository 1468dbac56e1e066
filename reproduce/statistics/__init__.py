"""Whether a difference is real: intervals, Pareto fronts, verdicts; may import errors."""
