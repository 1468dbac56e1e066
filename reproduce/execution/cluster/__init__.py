"""Does a plan on a Ray cluster; may import what execution may."""
