"""Whether the claims of the papers hold; may import evidence and below."""
