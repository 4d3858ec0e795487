"""Rotations of an object from one picture of it: see `demos.paper.pose.__main__`."""
