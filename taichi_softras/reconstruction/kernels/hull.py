"""Carving: voxels are walked through all cameras. Not differentiable."""

import functools

from taichi_softras.arrays.launcher import func, kernel
from taichi_softras.backend import ti

UNKNOWN = 1e20
"""Distance of a pixel of which nothing is known: a trace of it is beyond those that count."""

FARTHEST = 1e6
"""Distance beyond all those that count, in pixels."""

MOST_WRONG = 8
"""How many masks may be wrong at a voxel, at most."""


@func
def bilinear(images: ti.template(), n, row, col):
    """Look image ``n`` of (N, H, W) up between pixels' centres, which must be inside."""
    top = ti.min(ti.cast(ti.floor(row), ti.i32), images.shape[1] - 2)
    left = ti.min(ti.cast(ti.floor(col), ti.i32), images.shape[2] - 2)
    down = row - top
    right = col - left
    upper = images[n, top, left] * (1 - right) + images[n, top, left + 1] * right
    lower = images[n, top + 1, left] * (1 - right) + images[n, top + 1, left + 1] * right
    return upper * (1 - down) + lower * down


@func
def seen_by(projections: ti.template(), n, x, y, z):
    """Project a point by matrix ``n`` of (N, 3, 4): column and row, both times depth, and depth."""
    p = ti.Vector([ti.f32(0.0), ti.f32(0.0), ti.f32(0.0)])
    for r in ti.static(range(3)):
        p[r] = (
            projections[n, r, 0] * x
            + projections[n, r, 1] * y
            + projections[n, r, 2] * z
            + projections[n, r, 3]
        )
    return p


@functools.cache
def carve_kernel():
    """Build the kernel that finds how far voxels are inside of the hull of masks."""

    @kernel
    def carve(
        distances: ti.types.ndarray(dtype=ti.f32, ndim=3),  # (N, H, W) pixels, in
        projections: ti.types.ndarray(dtype=ti.f32, ndim=3),  # (N, 3, 4), in
        focal_lengths: ti.types.ndarray(dtype=ti.f32, ndim=1),  # (N,) pixels, in
        low: ti.types.ndarray(dtype=ti.f32, ndim=1),  # (3,) the first voxel, in
        step: ti.f32,
        wrong: ti.i32,
        least_views: ti.i32,
        insides: ti.types.ndarray(dtype=ti.f32, ndim=3),  # (X, Y, Z) world units, out
    ):
        """Find how far each voxel is inside of the mask that it is least inside of, but ``wrong``.

        Distances inside of masks are positive; a camera whose picture doesn't show a voxel, or of
        whose pixel nothing is known, has no say. What fewer than ``least_views`` cameras see is
        outside.
        """
        for i, j, k in insides:
            x = low[0] + step * i
            y = low[1] + step * j
            z = low[2] + step * k
            least = ti.Vector([ti.f32(UNKNOWN) for _ in range(MOST_WRONG + 1)])
            seen = 0
            for n in range(distances.shape[0]):
                p = seen_by(projections, n, x, y, z)
                if p[2] > 0:
                    col = p[0] / p[2]
                    row = p[1] / p[2]
                    if (
                        row >= 0
                        and col >= 0
                        and row <= distances.shape[1] - 1
                        and col <= distances.shape[2] - 1
                    ):
                        distance = bilinear(distances, n, row, col)
                        if distance < ti.f32(FARTHEST):
                            seen += 1
                            value = distance * p[2] / focal_lengths[n]
                            for m in ti.static(range(MOST_WRONG + 1)):
                                smaller = ti.min(least[m], value)
                                value = ti.max(least[m], value)
                                least[m] = smaller
            inside = -step * 2
            for m in ti.static(range(MOST_WRONG + 1)):
                if seen >= least_views and m == wrong and least[m] < ti.f32(UNKNOWN):
                    inside = least[m]
            insides[i, j, k] = inside

    return carve
