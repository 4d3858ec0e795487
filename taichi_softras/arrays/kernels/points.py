"""Points of items, and rows of three numbers, as Taichi functions."""

import functools

import taichi as ti

from taichi_softras.arrays.kernels.arithmetic import is_workable
from taichi_softras.arrays.launcher import kernel

SMALLEST_NORMAL_SQ = 2.0**-80
"""Squared length under which a sum of face normals has no direction."""


@ti.func
def point_of(points: ti.template(), b, v):
    """Load a point of item ``b``, or of the one item that serves all."""
    b_point = ti.min(b, points.shape[0] - 1)
    if ti.static(len(points.shape) == 3):
        return ti.Vector([points[b_point, v, 0], points[b_point, v, 1], points[b_point, v, 2]])
    else:
        f = v // 3
        k = v % 3
        return ti.Vector(
            [points[b_point, f, k, 0], points[b_point, f, k, 1], points[b_point, f, k, 2]]
        )


@ti.func
def add_to_point(points: ti.template(), b, v, value):
    """Add to a point of item ``b``."""
    for c in ti.static(range(3)):
        if ti.static(len(points.shape) == 3):
            points[b, v, c] += value[c]
        else:
            points[b, v // 3, v % 3, c] += value[c]


@ti.func
def row_of(values: ti.template(), b):
    """Load three numbers of item ``b``, or of the one item that serves all."""
    b_value = ti.min(b, values.shape[0] - 1)
    return ti.Vector([values[b_value, 0], values[b_value, 1], values[b_value, 2]])


@ti.func
def corner_index(faces: ti.template(), b, f, k):
    """Look up a corner's vertex in faces (F, 3), or in faces per item (B or 1, F, 3)."""
    if ti.static(len(faces.shape) == 2):
        return faces[f, k]
    else:
        return faces[ti.min(b, faces.shape[0] - 1), f, k]


@functools.cache
def finite_kernel(dtype):
    """Build the kernel that finds out which points are finite: Taichi can't differentiate it."""

    @kernel
    def find_finite(
        points: ti.types.ndarray(dtype=dtype, needs_grad=False),  # (B, V, 3) or (B, F, 3, 3), in
        finite: ti.types.ndarray(dtype=ti.i32, ndim=2),  # (B, V) or (B, F * 3), out
    ):
        """Write 1 for a point whose coordinates are all finite, and not huge, else 0."""
        for b, v in finite:
            finite[b, v] = is_workable(point_of(points, b, v), dtype)

    return find_finite


@ti.func
def is_marked(finite: ti.template(), b, v):
    """Look a point up in the mask of `finite_kernel`, where one item may serve all."""
    return finite[ti.min(b, finite.shape[0] - 1), v] != 0


@ti.func
def unit(vector, smallest_sq):
    """Scale a vector to length 1; one shorter than the square root of ``smallest_sq`` to 0."""
    length_sq = vector.norm_sqr()
    return (
        ti.select(length_sq > smallest_sq, 1, 0) * vector / ti.sqrt(ti.max(length_sq, smallest_sq))
    )
