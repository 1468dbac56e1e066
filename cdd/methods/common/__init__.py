"""Helpers that several methods share: channels and maps between the stages of two networks."""
