"""Masks of objects before a plain ground."""

from __future__ import annotations

from typing import Literal, get_args

import numpy as np
import scipy
from numpy.typing import NDArray

from taichi_softras.arrays.options import check_choice, check_number

Background = Literal["dark", "bright", "green"]
"""What is behind an object."""

THRESHOLDS: dict[str, float] = {"dark": 0.14, "bright": 0.14, "green": 0.15}

CLOSING = 3 / 480
"""Radius by which gaps are closed, as a share of the picture's shorter side."""

GAP = 10 / 480
"""Radius of the gaps of which nothing is known, in the same way."""


def mask_object(
    picture: NDArray[np.uint8], background: Background = "dark", *, threshold: float | None = None
) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
    """Find the pixels of an object before a plain ground, and where that can't be told.

    What differs from the ground is dilated, its holes are filled, those against one side of the
    picture too, and it is eroded again; the largest part of that is the object. Narrow gaps that a
    coarser closing would fill may be dark shadows on the object, or the ground: they are unknown.

    Args:
        picture: (H, W, 3), 0 to 255.
        background: Whether the ground is dark, bright or green.
        threshold: How much brighter than black, darker than white, or less green than its
            greenness the object is, 0 to 1; 0.14, 0.14 or 0.15 if None.

    Returns:
        The object (H, W), empty if nothing differs; and where that is known, (H, W).

    Raises:
        TypeError: If an argument is of the wrong kind.
        ValueError: If the picture is of another shape, ``background`` none of these, or the
            threshold not above 0 and under 1.

    Examples:
        >>> picture = np.zeros((48, 48, 3), np.uint8)
        >>> picture[10:30, 10:30] = 200
        >>> mask, known = mask_object(picture)
        >>> int(mask.sum()), bool(known.all())
        (400, True)
    """
    check_choice("background", background, get_args(Background))
    if picture.ndim != 3 or picture.shape[2] != 3 or picture.dtype != np.uint8:
        raise ValueError(f"picture must be uint8 (H, W, 3), got {picture.dtype} {picture.shape}")
    level = THRESHOLDS[background] if threshold is None else check_number("threshold", threshold)
    if not 0 < level < 1:
        raise ValueError(f"threshold must be above 0 and under 1, got {threshold}")
    side = min(picture.shape[:2])
    differs = _difference(picture, background) > level
    mask = largest_part(_fill(_close(differs, max(1, round(CLOSING * side)))))
    gaps = largest_part(_close(mask, max(1, round(GAP * side)))) & ~mask
    return mask, ~gaps


def _difference(picture: NDArray[np.uint8], background: Background) -> NDArray[np.float64]:
    """Measure how unlike the ground pixels are, 0 to 1."""
    if background == "dark":
        return np.asarray(picture.max(axis=2) / 255)
    if background == "bright":
        return np.asarray(1 - picture.min(axis=2) / 255)
    others = picture[..., [0, 2]].max(axis=2)
    greenness = (picture[..., 1].astype(np.float64) - others) / 255
    return np.asarray(np.quantile(greenness, 0.95) - greenness)


def _close(mask: NDArray[np.bool_], radius: int) -> NDArray[np.bool_]:
    """Dilate, fill holes, and erode; beyond the border what is there goes on."""
    padding = radius + 2
    padded = np.pad(mask, padding, mode="edge")
    if not padded.any():
        return mask
    dilated = scipy.ndimage.distance_transform_edt(~padded) <= radius
    filled = _without_holes(dilated)
    # Nothing is eroded from the border of the padding.
    eroded = filled if filled.all() else scipy.ndimage.distance_transform_edt(filled) > radius
    return np.asarray(eroded[padding:-padding, padding:-padding])


def _fill(mask: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Fill holes, and those that are open to one side of the picture only."""
    filled = _without_holes(mask)
    for turns in range(4):
        turned = np.pad(np.rot90(mask, turns), ((1, 0), (0, 0)), constant_values=True)
        filled |= np.rot90(_without_holes(turned)[1:], -turns)
    return filled


def _without_holes(mask: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Fill what no path leads to from the border; SciPy's own function takes a pass a pixel."""
    labels, count = scipy.ndimage.label(~mask)
    is_open = np.zeros(count + 1, np.bool_)
    for side in (labels[0], labels[-1], labels[:, 0], labels[:, -1]):
        is_open[side] = True
    is_open[0] = False  # the mask itself
    return np.asarray(~is_open[labels])


def largest_part(mask: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Keep, of a mask of pixels or voxels, the connected part that has most of them."""
    labels, count = scipy.ndimage.label(mask)
    if count < 2:
        return mask
    return np.asarray(labels == 1 + np.argmax(np.bincount(labels.ravel())[1:]))
