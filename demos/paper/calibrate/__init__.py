"""Cameras from silhouettes of a known object: see `demos.paper.calibrate.__main__`."""
