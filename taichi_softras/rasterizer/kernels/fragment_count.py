"""Counting fragments: how much there is to draw, whoever draws it."""

import functools

import taichi as ti

from taichi_softras.arrays.kernels.arithmetic import inverse
from taichi_softras.cameras.kernels.projection import SMALLEST_DEPTH
from taichi_softras.rasterizer.kernels.boxes import first_pixel, last_pixel
from taichi_softras.rasterizer.kernels.plane_geometry import (
    barycentric,
    clip_barycentric,
    corner_of,
    inverse_lengths_sq,
    is_solid,
    isotropic_scale,
    load_corners,
    pixel_center,
    signed_distance_sq,
    weight_slopes,
)


@functools.cache
def fragment_count_kernel(dtype):
    """Build the kernel that counts pairs of a pixel and a face that covers some of it."""

    @ti.kernel
    def count_fragments(
        face_vertices: ti.types.ndarray(dtype=dtype, ndim=4),  # (B, F, 3, 3) NDC x y, depth, in
        cutoff_distance_sq: dtype,  # from a face, outside it, where its coverage is cut off
        near: dtype,
        far: dtype,
        height: ti.i32,
        width: ti.i32,
        counts: ti.types.ndarray(dtype=ti.i64, ndim=1),  # (B,), accumulated
    ):
        """Count, for each item, the fragments that are nearer than the cut-off, and in range."""
        for b, f in ti.ndrange(face_vertices.shape[0], face_vertices.shape[1]):
            scale = isotropic_scale(height, width, dtype)
            corners, depths = load_corners(face_vertices, b, f, scale)
            count = ti.i64(0)
            if depths.min() > ti.cast(SMALLEST_DEPTH, dtype):
                slopes = weight_slopes(corners, dtype)
                lengths = inverse_lengths_sq(corners, dtype)
                solid = is_solid(corners, dtype)
                radius = ti.sqrt(cutoff_distance_sq)
                low = ti.min(corner_of(corners, 0), corner_of(corners, 1), corner_of(corners, 2))
                high = ti.max(corner_of(corners, 0), corner_of(corners, 1), corner_of(corners, 2))
                first_row = first_pixel(-(high[1] + radius) / scale[1], height, dtype)
                last_row = last_pixel((radius - low[1]) / scale[1], height, dtype)
                first_col = first_pixel((low[0] - radius) / scale[0], width, dtype)
                last_col = last_pixel((high[0] + radius) / scale[0], width, dtype)
                for row in range(first_row, last_row + 1):
                    for col in range(first_col, last_col + 1):
                        point = pixel_center(row, col, height, width, dtype)
                        w = barycentric(point - corner_of(corners, 0), slopes)
                        inside = solid and w.min() > 0
                        s = signed_distance_sq(point, corners, lengths, inside)
                        clipped, _scale = clip_barycentric(w, dtype)
                        depth = inverse(clipped.dot(inverse(depths, dtype)), dtype)
                        if s > -cutoff_distance_sq and near <= depth and depth <= far:
                            count += 1
            if count > 0:
                counts[b] += count

    return count_fragments
