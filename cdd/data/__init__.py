"""Data sets, their splits and protocols; sampling and augmentation."""
