"""What the renderer can show: see `demos.paper.gallery.__main__`."""
