"""Does a plan by one of four launchers; may import planning and below."""
