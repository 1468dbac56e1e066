"""What the paper reports, as data: one module per table or figure; `recipes` holds what they share."""
