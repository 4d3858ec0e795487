"""Filling texels in that no picture shows."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from taichi_softras.arrays.bridge import to_numpy
from taichi_softras.arrays.calls import run
from taichi_softras.arrays.checks import check_arrays
from taichi_softras.arrays.operator import Allocate, Array
from taichi_softras.meshes.textures import UVTexture
from taichi_softras.rasterizer._pyramids import level_table
from taichi_softras.rasterizer.kernels.filling import filling_kernels
from taichi_softras.rasterizer.kernels.pyramids import pyramid_kernels


def fill_texels(texture: UVTexture, weights: Array) -> Array:
    """Fill in texels of which little is known, smoothly, from those around them.

    Each level of an image pyramid has the means of what is known at half the size; from the last
    one back to the first, what is not known is interpolated in the next: near a known texel its
    colour, in the middle of a gap the mean of what is around that. Not differentiable.

    Args:
        texture: Whose texels: (B or 1, H, W, C), of one map or several, each of which is filled on
            its own, and beyond its borders as it wraps.
        weights: (B or 1, H, W), of the texels' type, how much is known of each, at least 0. Where
            it is 1 or more a texel stays as it is, where it is 0 its colour is not looked at, and
            may be anything. The gradient of a sum of pictures is such a weight, in pixels.

    Returns:
        Texels of the same shape. Maps of which nothing is known, and texels that are in no map,
        stay as they are; so do maps of one texel.

    Raises:
        TypeError: If an array is of the wrong kind or type.
        ValueError: If a shape doesn't fit; or a weight is below 0 or not finite, or a texel that
            has a weight is not finite.

    Source:
        Gortler, Grzeszczuk, Szeliski and Cohen, "The Lumigraph", SIGGRAPH 1996, section 3.4:
        "pull" and "push", with means over areas.

    Examples:
        >>> import numpy as np, taichi_softras as sr
        >>> texels = sr.from_numpy(np.float32([[[[8], [0], [0], [0]]]]))  # (1, 1, 4, 1)
        >>> uvs = sr.from_numpy(np.zeros((1, 1, 3, 2), np.float32))
        >>> weights = sr.from_numpy(np.float32([[[1, 0, 0, 0]]]))
        >>> sr.fill_texels(sr.UVTexture(uvs, texels), weights).to_numpy()[0, 0, :, 0]
        array([8., 8., 8., 8.], dtype=float32)
    """
    texels = texture.texels
    check_arrays(texels=(texels, "(B or 1, H, W, C)"))
    num_items, height, width = texels.shape[:3]
    check_arrays(texels, weights=(weights, f"({num_items} or 1, {height}, {width})"))
    texture.check_maps()
    _check_numbers(to_numpy(texels), to_numpy(weights))
    table, starts = level_table(texture)

    def fill(arrays: Sequence[Array], allocate: Allocate) -> Array:
        texels, weights, levels = arrays
        kernels = filling_kernels(allocate.dtype)
        channels = texels.shape[3]
        pyramid = allocate((num_items, 1, starts[-1], channels + 1), clear=False)
        result = allocate(tuple(texels.shape), clear=False)
        kernels.weigh_texels(texels, weights, pyramid)
        ranges = [(k, starts[k], starts[k + 1]) for k in range(1, len(starts) - 1)]
        for level in ranges:
            pyramid_kernels(allocate.dtype).halve(pyramid, levels, *level)
        for level in reversed(ranges):
            kernels.fill_level(levels, *level, pyramid)
        kernels.fill_texels(texels, levels, pyramid, result)
        return result

    return run(fill, [texels, weights, table])


def _check_numbers(texels: np.ndarray, weights: np.ndarray) -> None:
    """Refuse what would spread: also by way of other texels."""
    if not (np.isfinite(weights) & (weights >= 0)).all():
        raise ValueError("weights must be finite, and at least 0")
    if not np.isfinite(texels[np.broadcast_to(weights > 0, texels.shape[:3])]).all():
        raise ValueError("texels must be finite where they have a weight")
