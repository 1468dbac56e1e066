"""What finished runs have measured, read for whoever draws or judges; may import execution and below."""
