"""Image pyramids: each level has the means of the one before at half its size, down to one texel.

A level is half as wide and high, rounded down, and at least 1. Its texels are means of the area
that each covers, so that sizes need not be powers of two: of an odd size a texel covers two whole
ones and parts of a third. The mean of a map is that of each of its levels.

The levels of all maps are in one array: level 0 first, as the texels were given; then level 1, map
by map, and so on. Maps have equally many levels: the last ones of small maps have one texel.

Source:
    Guthe and Heckbert, "Non-Power-of-Two Mipmapping", NVIDIA 2005.
"""

import functools
from types import SimpleNamespace

from taichi_softras.arrays.kernels.arithmetic import inverse
from taichi_softras.arrays.launcher import func, kernel
from taichi_softras.backend import ti

COLUMNS = 4
"""Numbers of a level of a map: first texel, height, width and how it wraps."""


@func
def map_at(levels: ti.template(), level, texel):
    """Find which map a texel of a level but the first is of: first texels grow from map to map."""
    low = 0
    high = levels.shape[0] - 1
    while low < high:
        middle = (low + high + 1) // 2
        if levels[middle, COLUMNS * level] <= texel:
            low = middle
        else:
            high = middle - 1
    return low


@func
def part_of(k, i, size, dtype: ti.template()):
    """Weight of texel 2 i + k, of ``size``, in the mean that is texel i of the next level."""
    half = size // 2
    parts = ti.select(k == 0, half - i, ti.select(k == 1, half, i + 1))
    whole = size
    if size % 2 == 0:
        parts, whole = ti.select(k < 2, 1, 0), 2
    if size == 1:
        parts = ti.select(k == 0, 1, 0)
    return ti.cast(parts, dtype) * inverse(ti.cast(whole, dtype), dtype)


@functools.cache
def pyramid_kernels(dtype) -> SimpleNamespace:
    """Build the kernels that make pyramids, and those of the gradient, which is linear too."""
    array4 = ti.types.ndarray(dtype=dtype, ndim=4, needs_grad=False)
    integers2 = ti.types.ndarray(dtype=ti.i32, ndim=2)

    @kernel
    def copy_texels(
        texels: array4,  # (B, H, W, C), in
        pyramid: array4,  # (B, 1, T, C), the first H * W of T out
    ):
        """Copy level 0."""
        for b, row, col, c in texels:
            pyramid[b, 0, row * texels.shape[2] + col, c] = texels[b, row, col, c]

    @kernel
    def halve(
        pyramid: array4,  # (B, 1, T, C), levels up to the one before in, ``level`` out
        levels: integers2,  # (M, 4 L), of each map and level `COLUMNS`, in
        level: ti.i32,
        first: ti.i32,  # texel of this level
        end: ti.i32,  # after its last
    ):
        """Make a level of the one before."""
        for b, index in ti.ndrange(pyramid.shape[0], end - first):
            m = map_at(levels, level, first + index)
            here = COLUMNS * level
            place = first + index - levels[m, here]
            row = place // levels[m, here + 2]
            col = place % levels[m, here + 2]
            before = here - COLUMNS
            height = levels[m, before + 1]
            width = levels[m, before + 2]
            for c in range(pyramid.shape[3]):
                total = dtype(0.0)
                for down, right in ti.static(ti.ndrange(3, 3)):
                    weight = part_of(down, row, height, dtype) * part_of(right, col, width, dtype)
                    y = ti.min(2 * row + down, height - 1)
                    x = ti.min(2 * col + right, width - 1)
                    total += weight * pyramid[b, 0, levels[m, before] + y * width + x, c]
                pyramid[b, 0, first + index, c] = total

    @kernel
    def gather_level(
        grad_pyramid: array4,  # (B, 1, T, C), in
        sums: array4,  # (B, 1, T, C), the level after ``level`` in
        levels: integers2,  # (M, 4 L), in
        level: ti.i32,
        first: ti.i32,  # texel of this level
        end: ti.i32,  # after its last
        result: array4,  # (B, H, W, C), its texels from ``first`` to ``end`` accumulated
    ):
        """Add up the gradients of a level's texels, and of the means that they are in."""
        for b, index in ti.ndrange(result.shape[0], end - first):
            texel = first + index
            # Maps may share texels, but not those of their means.
            first_map = 0
            end_map = ti.select(COLUMNS * (level + 1) < levels.shape[1], levels.shape[0], 0)
            if level > 0:
                first_map = map_at(levels, level, texel)
                end_map = ti.min(end_map, first_map + 1)
            for c in range(result.shape[3]):
                total = grad_pyramid[b, 0, texel, c]
                for m in range(first_map, end_map):
                    here = COLUMNS * level
                    height = levels[m, here + 1]
                    width = levels[m, here + 2]
                    place = texel - levels[m, here]
                    if (place >= 0) & (place < height * width):
                        row = place // width
                        col = place % width
                        after = here + COLUMNS
                        for up, left in ti.static(ti.ndrange(2, 2)):
                            # Texel s is number s - 2 i of mean i: for i = s // 2, and that before.
                            i = row // 2 - up
                            j = col // 2 - left
                            inside = (i >= 0) & (i < levels[m, after + 1]) & (row - 2 * i < 3)
                            inside &= (j >= 0) & (j < levels[m, after + 2]) & (col - 2 * j < 3)
                            if inside:
                                weight = part_of(row - 2 * i, i, height, dtype) * part_of(
                                    col - 2 * j, j, width, dtype
                                )
                                mean = levels[m, after] + i * levels[m, after + 2] + j
                                total += weight * sums[b, 0, mean, c]
                result[b, texel // result.shape[2], texel % result.shape[2], c] += total

    return SimpleNamespace(copy_texels=copy_texels, halve=halve, gather_level=gather_level)
