"""From declared tables to trainings, their records in MLflow, and back to tables."""
