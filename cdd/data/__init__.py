"""Data sets, their splits and protocols; sampling and augmentation; may import recipe and below."""
