"""What the paper reports, as data: one module per table or figure; `common` holds what they share."""
