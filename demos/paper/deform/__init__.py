"""Shape from silhouettes: see `demos.paper.deform.__main__`."""
