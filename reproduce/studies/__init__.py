"""Settings tuned with Optuna; may import figures and below."""
