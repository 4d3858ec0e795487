"""Photographs as a lens without distortion would show them."""

from __future__ import annotations

from typing import Any

import numpy as np
import scipy
from numpy.typing import NDArray

from taichi_softras.arrays.bridge import to_numpy
from taichi_softras.arrays.taichi_bridge import from_numpy
from taichi_softras.cameras.intrinsics import Fisheye, Intrinsics
from taichi_softras.cameras.projection import view_to_ndc
from taichi_softras.captures._shot import Shot

ROWS_AT_ONCE = 256
"""Rows of pixels whose places are found at a time."""


def source_places(shot: Shot) -> NDArray[np.float64]:
    """Find where a photograph shows what a pinhole camera with its matrix sees at each pixel.

    Args:
        shot: Its lens, and the height and width of the photograph.

    Returns:
        Row and column of each pixel's source, (2, H, W); the first pixel's centre is at 0.
    """
    height, width = shot.size
    lens: Intrinsics | Fisheye
    if shot.fisheye:
        lens = Fisheye(shot.matrix, height, width, shot.distortion)
    else:
        lens = Intrinsics(shot.matrix, height, width, shot.distortion)
    places = np.empty((2, height, width))
    for first in range(0, height, ROWS_AT_ONCE):
        rows = np.arange(first, min(first + ROWS_AT_ONCE, height))
        col, row = np.meshgrid(np.arange(width), rows)
        rays = np.linalg.solve(shot.matrix, np.stack([col, row, np.ones_like(col)]).reshape(3, -1))
        points = (rays / rays[2] * np.array([[1.0], [-1.0], [1.0]])).T[None]  # OpenCV's y is down
        ndc = to_numpy(view_to_ndc(from_numpy(np.ascontiguousarray(points)), lens, width / height))
        places[0, rows] = ((1 - ndc[0, :, 1].reshape(row.shape)) * height - 1) / 2
        places[1, rows] = ((ndc[0, :, 0].reshape(row.shape) + 1) * width - 1) / 2
    return places


def undistort(
    shot: Shot, picture: NDArray[np.uint8], *masks: NDArray[np.uint8]
) -> tuple[NDArray[np.uint8], tuple[NDArray[np.uint8], ...], NDArray[np.bool_]]:
    """Draw a photograph, and what belongs to its pixels, without distortion.

    Args:
        shot: Its lens, of the photograph's size.
        picture: (H, W, 3).
        masks: Each (H, W).

    Returns:
        The same, and where they are known: where the photograph shows what is seen, (H, W). The
        new lens has the matrix of the old one; what it doesn't see is cut off.
    """
    places = source_places(shot)
    sides = np.array(shot.size)[:, None, None]
    known = ((places >= -0.5) & (places <= sides - 0.5)).all(axis=0)
    channels = [_resampled(picture[..., c], places) for c in range(3)]
    return (
        np.stack(channels, axis=-1),
        tuple(_resampled(mask, places) for mask in masks),
        np.asarray(known),
    )


def _resampled(image: NDArray[np.uint8], places: NDArray[Any]) -> NDArray[np.uint8]:
    """Look numbers up between pixels, bilinearly."""
    values = scipy.ndimage.map_coordinates(
        image.astype(np.float32), places, order=1, mode="nearest"
    )
    return np.asarray(values + 0.5, dtype=np.uint8)
