"""Where soft gradients come from: see `demos.paper.gradients.__main__`."""
