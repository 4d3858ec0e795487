"""Photographs that a path tracer takes, and a mesh of them: see `demos.paper.captured.__main__`."""
