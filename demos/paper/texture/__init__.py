"""Colours of a model from pictures of it: see `demos.paper.texture.__main__`."""
