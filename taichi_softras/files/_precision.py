"""How finely positions are kept."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

FINEST_SHARE = 2.0**-18
"""Of a mesh's longest side, by which rounding to float32 may move a vertex."""

LARGEST_SINGLE = 2.0**30
"""Coordinate up to which float32 is drawn: normals are products of two, and these are squared."""


def fits_singles(vertices: NDArray[Any]) -> bool:
    """Tell whether positions (V, 3) may be rounded to float32 without anyone seeing it."""
    if not np.isfinite(vertices).all():
        return True  # which is refused in either
    if np.abs(vertices).max(initial=0.0) >= LARGEST_SINGLE:
        return False
    longest = np.ptp(vertices, axis=0).max() if len(vertices) else 0.0
    moved = np.abs(vertices.astype(np.float32) - vertices).max(initial=0.0)
    return bool(moved <= FINEST_SHARE * longest)
