"""Texels of which nothing is known, from those that are: down and up an image pyramid.

Source:
    Gortler, Grzeszczuk, Szeliski and Cohen, "The Lumigraph", SIGGRAPH 1996, section 3.4.
"""

import functools
from types import SimpleNamespace

from taichi_softras.arrays.kernels.arithmetic import inverse
from taichi_softras.arrays.launcher import func, kernel
from taichi_softras.backend import ti
from taichi_softras.rasterizer.kernels.pyramids import COLUMNS, map_at
from taichi_softras.rasterizer.kernels.textures import bilinear_taps, bilinear_weights


@func
def first_map_with(levels: ti.template(), texel):
    """Find the first map that has a texel of level 0, which may be in several; -1 if none has."""
    found = -1
    for m in range(levels.shape[0]):
        place = texel - levels[m, 0]
        if (found < 0) & (place >= 0) & (place < levels[m, 1] * levels[m, 2]):
            found = m
    return found


@functools.cache
def filling_kernels(dtype) -> SimpleNamespace:
    """Build the kernels that fill texels in. They are not differentiated."""
    array3 = ti.types.ndarray(dtype=dtype, ndim=3, needs_grad=False)
    array4 = ti.types.ndarray(dtype=dtype, ndim=4, needs_grad=False)
    integers2 = ti.types.ndarray(dtype=ti.i32, ndim=2)

    @kernel
    def weigh_texels(
        texels: array4,  # (B, H, W, C), in
        weights: array3,  # (B or 1, H, W), in
        pyramid: array4,  # (B, 1, T, C + 1), the first H * W of T out: weighted, and the weights
    ):
        """Weigh texels. Of those without weight the colour, which may be anything, is not read."""
        for b, row, col in ti.ndrange(texels.shape[0], texels.shape[1], texels.shape[2]):
            weight = weights[ti.min(b, weights.shape[0] - 1), row, col]
            index = row * texels.shape[2] + col
            pyramid[b, 0, index, texels.shape[3]] = weight
            for c in range(texels.shape[3]):
                pyramid[b, 0, index, c] = dtype(0.0)
                if weight > 0:
                    pyramid[b, 0, index, c] = weight * texels[b, row, col, c]

    @func
    def color_above(pyramid: ti.template(), levels: ti.template(), b, m, level, row, col, c):
        """Interpolate the next level at the centre of a texel."""
        here = COLUMNS * level
        half = inverse(ti.cast(2, dtype), dtype)
        u = (col + half) * inverse(ti.cast(levels[m, here + 2], dtype), dtype)
        v = 1 - (row + half) * inverse(ti.cast(levels[m, here + 1], dtype), dtype)
        taps, t = bilinear_taps(u, v, levels, m, level + 1, dtype)
        weights = bilinear_weights(t)
        color = dtype(0.0)
        for k in ti.static(range(4)):
            color += weights[k] * pyramid[b, 0, taps[k], c]
        return color

    @kernel
    def fill_level(
        levels: integers2,  # (M, 4 L), in
        level: ti.i32,  # at least 1
        first: ti.i32,  # texel of this level
        end: ti.i32,  # after its last
        pyramid: array4,  # (B, 1, T, C + 1), the level after it filled, in; this level, in and out
    ):
        """Turn weighted colours of a level into colours: its own, as far as they are known."""
        for b, index in ti.ndrange(pyramid.shape[0], end - first):
            channels = pyramid.shape[3] - 1
            m = map_at(levels, level, first + index)
            here = COLUMNS * level
            place = first + index - levels[m, here]
            row = place // levels[m, here + 2]
            col = place % levels[m, here + 2]
            weight = pyramid[b, 0, first + index, channels]
            # The mean weight times the number of texels that it is the mean of.
            count = inverse(ti.cast(levels[m, here + 1] * levels[m, here + 2], dtype), dtype)
            known = ti.min(weight * (levels[m, 1] * levels[m, 2]) * count, 1)
            if here + COLUMNS >= levels.shape[1]:
                known = ti.cast(1, dtype)
            for c in range(channels):
                color = dtype(0.0)
                if weight > 0:
                    color = known * pyramid[b, 0, first + index, c] / weight
                if known < 1:
                    above = color_above(pyramid, levels, b, m, level, row, col, c)
                    color += (1 - known) * above
                pyramid[b, 0, first + index, c] = color

    @kernel
    def fill_texels(
        texels: array4,  # (B, H, W, C), in
        levels: integers2,  # (M, 4 L), in
        pyramid: array4,  # (B, 1, T, C + 1), levels from 1 on filled, in
        result: array4,  # (B, H, W, C), out
    ):
        """Fill texels in. Maps of which nothing is known, and what is in none, stay as they are."""
        for b, row, col in ti.ndrange(texels.shape[0], texels.shape[1], texels.shape[2]):
            channels = texels.shape[3]
            index = row * texels.shape[2] + col
            weight = pyramid[b, 0, index, channels]
            m = first_map_with(levels, index)
            fills = weight < 1
            place = 0
            if m >= 0:
                place = index - levels[m, 0]
                fills &= pyramid[b, 0, levels[m, levels.shape[1] - COLUMNS], channels] > 0
            fills &= m >= 0
            # Of one level only there is nothing to fill from.
            fills &= levels.shape[1] > COLUMNS
            for c in range(channels):
                color = dtype(0.0)
                if (weight > 0) | (not fills):
                    color = texels[b, row, col, c]
                if fills:
                    width = levels[m, 2]
                    above = color_above(pyramid, levels, b, m, 0, place // width, place % width, c)
                    color = weight * color + (1 - weight) * above
                result[b, row, col, c] = color

    return SimpleNamespace(
        weigh_texels=weigh_texels, fill_level=fill_level, fill_texels=fill_texels
    )
