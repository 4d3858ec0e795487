"""How fast the rasterizer is, how much memory it takes, and how that compares."""
