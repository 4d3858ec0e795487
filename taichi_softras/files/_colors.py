"""Colours as files have them: in several ranges, of vertices or of faces."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from taichi_softras.files._file_mesh import DeclaredMaterial
from taichi_softras.files._words import FormatError
from taichi_softras.meshes.materials import Material
from taichi_softras.meshes.rows import group_rows

BRIGHT = 16.0
"""Floats of colours above this are taken for bytes: none is as bright in a picture."""


def unit_colors(values: NDArray[Any]) -> NDArray[Any]:
    """Bring colours to between 0 and 1, though what is a bit above stays there.

    Integers of 8 and 16 bits are divided by the largest there is. Others, and floats, are taken
    as they are unless they must be meant from 0 to 255: above 1 and all whole, or far above 1.

    Args:
        values: Of any shape, in the type that the file has them in.

    Raises:
        FormatError: If one is not finite.
    """
    if values.dtype.kind in "iu" and values.dtype.itemsize <= 2:
        return np.asarray(values / np.iinfo(values.dtype).max)
    values = values.astype(np.float64)
    if not np.isfinite(values).all():
        raise FormatError("colours must be finite")
    largest = values.max(initial=0.0)
    is_bytes = largest > 1 and ((values == np.rint(values)).all() or largest > BRIGHT)
    return np.asarray(values / 255 if is_bytes else values)


def color_materials(colors: NDArray[Any]) -> tuple[list[DeclaredMaterial], NDArray[Any]]:
    """Make a material of each colour that faces have.

    Args:
        colors: (F, 3), NaN where there are none.

    Returns:
        The materials, and the place of each face's among them, -1 for none.
    """
    first, kind = group_rows(np.nan_to_num(colors, nan=-1.0))
    declared: list[DeclaredMaterial] = []
    places = np.full(len(first), -1)
    for number, (red, green, blue) in enumerate(colors[first].tolist()):
        if red == red:
            places[number] = len(declared)
            declared.append(DeclaredMaterial(None, Material(color=(red, green, blue))))
    return declared, places[kind]
