"""Data-parallel training of one student; may import cdd.errors."""
