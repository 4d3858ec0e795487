"""Colours for numbers."""

import functools

import numpy as np


def colored(name: str, fractions: np.ndarray) -> np.ndarray:
    """Give numbers from 0 to 1, of any shape, their colours: (..., 3), 0 to 1.

    Args:
        name: Of one of matplotlib's colour maps.
        fractions: What is beyond 0 to 1 gets the colour of the nearer end.
    """
    table = _table(name)
    last = len(table) - 1
    index = np.clip(np.asarray(fractions) * last + 0.5, 0, last).astype(np.intp)
    return np.asarray(table[index])


@functools.cache
def _table(name: str) -> np.ndarray:
    import matplotlib  # takes a while: not for those who don't look at numbers

    colors = matplotlib.colormaps[name](np.linspace(0, 1, 256))
    return np.asarray(colors, dtype=np.float32)[:, :3]
