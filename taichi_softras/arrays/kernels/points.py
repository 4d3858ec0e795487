"""Points of items, and rows of three numbers, as Taichi functions."""

import functools

from taichi_softras.arrays.kernels.arithmetic import inverse, is_workable
from taichi_softras.arrays.launcher import func, kernel
from taichi_softras.backend import ti

SMALLEST_LENGTH = 2.0**-40
"""Length under which a sum of directions has none itself: what is left of it is rounding."""

TINY = 2.0**-40
"""Length under which vectors are magnified before they are squared."""

MAGNIFIER = {ti.f32: 2.0**60, ti.f64: 2.0**400}
"""By how much: a power of two, which changes no digit."""

SMALLEST_SQUARE = {ti.f32: 2.0**-120, ti.f64: 2.0**-1000}
"""Squared length under which there is none: its root and its inverse can be differentiated."""


@func
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


@func
def add_to_point(points: ti.template(), b, v, value):
    """Add to a point of item ``b``."""
    for c in ti.static(range(3)):
        if ti.static(len(points.shape) == 3):
            points[b, v, c] += value[c]
        else:
            points[b, v // 3, v % 3, c] += value[c]


@func
def row_of(values: ti.template(), b):
    """Load three numbers of item ``b``, or of the one item that serves all."""
    b_value = ti.min(b, values.shape[0] - 1)
    return ti.Vector([values[b_value, 0], values[b_value, 1], values[b_value, 2]])


@func
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


@func
def is_marked(finite: ti.template(), b, v):
    """Look a point up in the mask of `finite_kernel`, where one item may serve all."""
    return finite[ti.min(b, finite.shape[0] - 1), v] != 0


@func
def magnifier_of(vector, dtype: ti.template()):
    """By how much a vector is magnified before it is squared."""
    return ti.select(
        ti.abs(vector).max() < dtype(TINY), dtype(ti.static(MAGNIFIER[dtype])), dtype(1.0)
    )


@func
def unit(vector, smallest, dtype: ti.template()):
    """Scale a vector to length 1; one with no number above ``smallest``, which may be 0, to 0."""
    largest = ti.abs(vector).max()
    scaled = magnifier_of(vector, dtype) * vector
    length_sq = ti.max(scaled.norm_sqr(), dtype(ti.static(SMALLEST_SQUARE[dtype])))
    return ti.select(largest > smallest, 1, 0) * scaled / ti.sqrt(length_sq)


@func
def unit_adjoint(vector, grad, smallest, dtype: ti.template()):
    """Take the gradient of what `unit` gives to one of the vector."""
    result = 0 * grad
    if ti.abs(vector).max() > smallest:
        scale = magnifier_of(vector, dtype)
        scaled = scale * vector
        length_sq = scaled.norm_sqr()
        least = dtype(ti.static(SMALLEST_SQUARE[dtype]))
        along = ti.select(length_sq > least, scaled.dot(grad), 0)
        inverse_sq = inverse(ti.max(length_sq, least), dtype)
        result = scale * ti.sqrt(inverse_sq) * (grad - inverse_sq * along * scaled)
    return result
