"""Several processes that train one student; may import cdd.errors."""
