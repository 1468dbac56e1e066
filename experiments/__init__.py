"""Declarations of the papers' results: one module per table or figure; `common` holds shared parts."""
