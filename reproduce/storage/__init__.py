"""Files below the results folder: paths, run records, results by query, code; may import errors."""
