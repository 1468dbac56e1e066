"""Backbones, neck and classifier; the deployed form of a network; may import recipe and below."""
