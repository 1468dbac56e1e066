"""What is to be trained, why and how long it takes; may import tracking and below."""
