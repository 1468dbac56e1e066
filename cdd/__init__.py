"""Capacity dynamic distillation for image retrieval: a student that is compressed while it learns.

Source: Xie et al., "Towards a Smaller Student: Capacity Dynamic Distillation for Efficient Image
Retrieval", CVPR 2023.
"""

__version__ = "0.1.0"
