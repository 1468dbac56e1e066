"""Channels and maps between the stages of two networks; may import gradients and below."""
