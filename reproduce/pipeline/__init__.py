"""From names to plan, runs, files and the ledger of claims; may import figures and below."""
