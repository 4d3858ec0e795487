"""A human body fitted to one picture: see `demos.paper.body.__main__`."""
