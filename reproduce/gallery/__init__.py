"""What a finished run finds, as pictures; may import figures and below."""
