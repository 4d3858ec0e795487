"""Lenses and distortion, as kernels that add to outputs that start as zeros."""

import functools

import taichi as ti

from taichi_softras.arrays.kernels.arithmetic import inverse, item_of
from taichi_softras.arrays.kernels.broadcast import copy_of
from taichi_softras.arrays.kernels.points import (
    add_to_point,
    is_marked,
    point_of,
)
from taichi_softras.cameras.kernels.projection import SMALLEST_DEPTH


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


@functools.cache
def orthographic_kernel(dtype):
    """Build the kernel that makes a projection matrix from half of the height of what is seen."""

    @ti.kernel
    def orthographic(
        half_height: ti.types.ndarray(dtype=dtype, ndim=1),  # (B or 1,) world units, in
        aspect: dtype,
        projection: ti.types.ndarray(dtype=dtype, ndim=3),  # (B, 4, 4) view to clip, accumulated
    ):
        """Build projections that divide by 1."""
        for b in range(projection.shape[0]):
            scale = inverse(item_of(half_height, b), dtype)
            projection[b, 0, 0] += scale / aspect
            projection[b, 1, 1] += scale
            projection[b, 2, 2] += 1
            projection[b, 3, 3] += 1

    return orthographic


@functools.cache
def intrinsics_kernel(dtype):
    """Build the kernel that makes a projection matrix from OpenCV's intrinsic matrix."""
    array3 = ti.types.ndarray(dtype=dtype, ndim=3)

    @ti.kernel
    def intrinsics(
        matrix: array3,  # (B or 1, 3, 3) pixels, in
        height: dtype,  # of the image that the matrix is for, in pixels
        width: dtype,
        projection: array3,  # (B, 4, 4) view to clip, accumulated
    ):
        """Take OpenCV's pixels, whose centres are whole numbers and y is down, to NDC.

        NDC x is (2 u + 1) / width - 1, and y is 1 - (2 v + 1) / height; here times w.
        """
        for b in range(projection.shape[0]):
            b_matrix = ti.min(b, matrix.shape[0] - 1)
            for c in ti.static(range(3)):
                sign = ti.static(-1 if c == 1 else 1)
                u = sign * matrix[b_matrix, 0, c]
                v = sign * matrix[b_matrix, 1, c]
                w = sign * matrix[b_matrix, 2, c]
                projection[b, 0, c] += (2 * u + w) / width - w
                projection[b, 1, c] += w - (2 * v + w) / height
                projection[b, 3, c] += w
            projection[b, 2, 2] += 1

    return intrinsics


@functools.cache
def distort_kernel(dtype):
    """Build the kernel that moves points to where a distorting lens shows them."""
    points_type = ti.types.ndarray(dtype=dtype)

    @ti.kernel
    def distort(
        points: points_type,  # (B or 1, V, 3) or (B or 1, F, 3, 3) view, in
        coefficients: ti.types.ndarray(dtype=dtype, ndim=2),  # (B or 1 or B * points, 5), in
        finite: ti.types.ndarray(dtype=ti.i32, ndim=2),  # (B or 1, V) or (B or 1, F * 3), in
        num_points: ti.i32,
        distorted: points_type,  # (B, V, 3) or (B, F, 3, 3) view, accumulated
    ):
        """Apply OpenCV's polynomials, of k1, k2, p1, p2 and k3, to x / z and y / z; y is down.

        Points that are not finite or not in front of the camera stay as they are.
        """
        for b, v in ti.ndrange(distorted.shape[0], num_points):
            point = point_of(points, b, v)
            if is_marked(finite, b, v) and point[2] > ti.cast(SMALLEST_DEPTH, dtype):
                b_lens = copy_of(coefficients, b, distorted.shape[0], v)
                k1 = coefficients[b_lens, 0]
                k2 = coefficients[b_lens, 1]
                p1 = coefficients[b_lens, 2]
                p2 = coefficients[b_lens, 3]
                k3 = coefficients[b_lens, 4]
                x = point[0] / point[2]
                y = -point[1] / point[2]
                r_sq = x * x + y * y
                radial = 1 + r_sq * (k1 + r_sq * (k2 + r_sq * k3))
                x_seen = x * radial + 2 * p1 * x * y + p2 * (r_sq + 2 * x * x)
                y_seen = y * radial + p1 * (r_sq + 2 * y * y) + 2 * p2 * x * y
                seen = ti.Vector([x_seen * point[2], -y_seen * point[2], point[2]])
                add_to_point(distorted, b, v, seen)
            else:
                add_to_point(distorted, b, v, point)

    return distort
