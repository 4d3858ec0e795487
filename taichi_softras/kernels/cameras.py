"""Cameras' matrices, as differentiable kernels that add to outputs that start as zeros."""

import functools

import taichi as ti

from taichi_softras.kernels.geometry import item_of
from taichi_softras.kernels.vertices import SMALLEST_NORMAL_SQ, row_of, unit


@functools.cache
def look_at_kernel(dtype):
    """Build the kernel that makes a view matrix from where a camera is and what it looks at."""
    array2 = ti.types.ndarray(dtype=dtype, ndim=2)

    @ti.kernel
    def look_at(
        eye: array2,  # (B or 1, 3) world, in
        at: array2,  # (B or 1, 3) world, in
        up: array2,  # (B or 1, 3) world, in
        view: ti.types.ndarray(dtype=dtype, ndim=3),  # (B, 4, 4) world to view, accumulated
    ):
        """Build rotations whose rows are right, up and forward, and move the eye to the origin."""
        for b in range(view.shape[0]):
            smallest = ti.cast(SMALLEST_NORMAL_SQ, dtype)
            origin = row_of(eye, b)
            forward = unit(row_of(at, b) - origin, smallest)
            right = unit(forward.cross(row_of(up, b)), smallest)
            above = right.cross(forward)
            for c in ti.static(range(3)):
                view[b, 0, c] += right[c]
                view[b, 1, c] += above[c]
                view[b, 2, c] += forward[c]
            view[b, 0, 3] -= right.dot(origin)
            view[b, 1, 3] -= above.dot(origin)
            view[b, 2, 3] -= forward.dot(origin)
            view[b, 3, 3] += 1

    return look_at


@functools.cache
def perspective_kernel(dtype):
    """Build the kernel that makes a projection matrix from a field of view."""

    @ti.kernel
    def perspective(
        fov_degrees: ti.types.ndarray(dtype=dtype, ndim=1),  # (B or 1,), in
        aspect: dtype,
        radians_per_half_degree: dtype,  # a literal would have the precision of ti.init
        projection: ti.types.ndarray(dtype=dtype, ndim=3),  # (B, 4, 4) view to clip, accumulated
    ):
        """Build projections that divide by depth."""
        for b in range(projection.shape[0]):
            half_fov = item_of(fov_degrees, b) * radians_per_half_degree
            scale = ti.cos(half_fov) / ti.sin(half_fov)
            projection[b, 0, 0] += scale / aspect
            projection[b, 1, 1] += scale
            projection[b, 2, 2] += 1
            projection[b, 3, 2] += 1

    return perspective
