"""MLflow, and only here: the store, trainings, models, finished runs; may import storage."""
