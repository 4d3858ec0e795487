"""Colours of points from all photographs that show them. Not differentiable."""

import functools

from taichi_softras.arrays.launcher import func, kernel
from taichi_softras.backend import ti
from taichi_softras.reconstruction.kernels.hull import seen_by


@functools.cache
def sample_kernel():
    """Build the kernel that averages what photographs show at points of a surface."""
    array3 = ti.types.ndarray(dtype=ti.f32, ndim=3)

    @kernel
    def sample(
        points: ti.types.ndarray(dtype=ti.f32, ndim=2),  # (P, 3) world, in
        normals: ti.types.ndarray(dtype=ti.f32, ndim=2),  # (P, 3) unit, in
        pictures: ti.types.ndarray(dtype=ti.u8, ndim=4),  # (N, H, W, 3), in
        counts: ti.types.ndarray(dtype=ti.u8, ndim=3),  # (N, H, W) 1 if a pixel counts, in
        depths: array3,  # (N, h, w) of the surface, in
        projections: array3,  # (N, 3, 4) to pixels of the pictures, in
        eyes: ti.types.ndarray(dtype=ti.f32, ndim=2),  # (N, 3) world, in
        focal_lengths: ti.types.ndarray(dtype=ti.f32, ndim=1),  # (N,) pixels of the depths, in
        gains: ti.types.ndarray(dtype=ti.f32, ndim=1),  # (N,) exposures, in
        before: ti.types.ndarray(dtype=ti.f32, ndim=2),  # (P, 3) colours to be near to, in
        spread: ti.f32,  # how near; below 0 if they don't matter
        shrink: ti.f32,  # pixels of the depths to one of the pictures
        sums: ti.types.ndarray(dtype=ti.f32, ndim=2),  # (P, 4) weighted colours, weights, out
    ):
        """Add up the colours that photographs show at each point, weighted.

        A photograph weighs more the more it faces the surface, and nothing where it shows another
        part of it, in front; or where one of the four pixels around does not count.
        """
        for i in range(points.shape[0]):
            x = points[i, 0]
            y = points[i, 1]
            z = points[i, 2]
            red = ti.f32(0.0)
            green = ti.f32(0.0)
            blue = ti.f32(0.0)
            total = ti.f32(0.0)
            for n in range(pictures.shape[0]):
                p = seen_by(projections, n, x, y, z)
                sight = ti.Vector([eyes[n, 0] - x, eyes[n, 1] - y, eyes[n, 2] - z])
                facing = (
                    sight[0] * normals[i, 0] + sight[1] * normals[i, 1] + sight[2] * normals[i, 2]
                ) / ti.max(sight.norm(), ti.f32(1e-20))
                if p[2] > 0 and facing > ti.f32(0.1):
                    col = p[0] / p[2]
                    row = p[1] / p[2]
                    top = ti.cast(ti.floor(row), ti.i32)
                    left = ti.cast(ti.floor(col), ti.i32)
                    if (
                        top >= 0
                        and left >= 0
                        and top < pictures.shape[1] - 1
                        and left < pictures.shape[2] - 1
                        and counts[n, top, left] == 1
                        and counts[n, top + 1, left] == 1
                        and counts[n, top, left + 1] == 1
                        and counts[n, top + 1, left + 1] == 1
                        and is_in_front(depths, n, shrink, row, col, p[2], facing, focal_lengths)
                    ):
                        color = ti.Vector([ti.f32(0.0), ti.f32(0.0), ti.f32(0.0)])
                        down = row - top
                        right = col - left
                        for c in ti.static(range(3)):
                            upper = (
                                pictures[n, top, left, c] * (1 - right)
                                + pictures[n, top, left + 1, c] * right
                            )
                            lower = (
                                pictures[n, top + 1, left, c] * (1 - right)
                                + pictures[n, top + 1, left + 1, c] * right
                            )
                            color[c] = (upper * (1 - down) + lower * down) / (255 * gains[n])
                        scale = focal_lengths[n] / p[2]
                        weight = facing * facing * facing * scale * scale
                        if spread > 0:
                            away = ti.f32(0.0)
                            for c in ti.static(range(3)):
                                away += (color[c] - before[i, c]) ** 2
                            weight /= 1 + away / (spread * spread)
                        red += weight * color[0]
                        green += weight * color[1]
                        blue += weight * color[2]
                        total += weight
            sums[i, 0] = red
            sums[i, 1] = green
            sums[i, 2] = blue
            sums[i, 3] = total

    return sample


@func
def is_in_front(
    depths: ti.template(),
    n,
    shrink,
    row,
    col,
    depth,
    facing,
    focal_lengths: ti.template(),
):
    """Tell whether a point is no farther than the surface drawn in the four pixels around it.

    Slack is what the surface's slope makes of two of these pixels.
    """
    r = ti.floor((row + 0.5) * shrink - 0.5)
    c = ti.floor((col + 0.5) * shrink - 0.5)
    top = ti.min(ti.max(ti.cast(r, ti.i32), 0), depths.shape[1] - 1)
    left = ti.min(ti.max(ti.cast(c, ti.i32), 0), depths.shape[2] - 1)
    below = ti.min(top + 1, depths.shape[1] - 1)
    right = ti.min(left + 1, depths.shape[2] - 1)
    slack = depth / focal_lengths[n] * (1 + 2 / facing)
    nearest = ti.min(
        depths[n, top, left], depths[n, below, left], depths[n, top, right], depths[n, below, right]
    )
    return depth <= nearest + slack
