"""Lenses and distortion, as kernels that add to outputs that start as zeros."""

import functools

from taichi_softras.arrays.kernels.arithmetic import inverse, item_of
from taichi_softras.arrays.kernels.broadcast import copy_of
from taichi_softras.arrays.kernels.items import is_kept
from taichi_softras.arrays.kernels.points import (
    add_to_point,
    is_marked,
    point_of,
)
from taichi_softras.arrays.launcher import func, kernel
from taichi_softras.backend import ti
from taichi_softras.cameras.kernels.projection import SMALLEST_DEPTH

SMALLEST_SLOPE_SQ = 2.0**-80
"""Square of how far from a fisheye's axis, relative to depth, a point is for angles to be taken."""


@functools.cache
def perspective_kernel(dtype):
    """Build the kernel that makes a projection matrix from a field of view."""

    @kernel(fov_degrees="item")
    def perspective(
        fov_degrees: ti.types.ndarray(dtype=dtype, ndim=1),  # (B or 1,), in
        finite: ti.types.ndarray(dtype=ti.i32, ndim=2),  # (B or 1, 1), in
        aspect: dtype,
        radians_per_half_degree: dtype,  # a literal would have the precision of ti.init
        projection: ti.types.ndarray(dtype=dtype, ndim=3),  # (B, 4, 4) view to clip, accumulated
    ):
        """Build projections that divide by depth; 0 where the field of view is none."""
        for b in range(projection.shape[0]):
            fov = item_of(fov_degrees, b)
            if is_kept(finite, b) and fov > 0 and fov < 180:
                half_fov = fov * radians_per_half_degree
                scale = ti.cos(half_fov) / ti.sin(half_fov)
                projection[b, 0, 0] += scale / aspect
                projection[b, 1, 1] += scale
                projection[b, 2, 2] += 1
                projection[b, 3, 2] += 1

    return perspective


@functools.cache
def orthographic_kernel(dtype):
    """Build the kernel that makes a projection matrix from half of the height of what is seen."""

    @kernel(half_height="item")
    def orthographic(
        half_height: ti.types.ndarray(dtype=dtype, ndim=1),  # (B or 1,) world units, in
        finite: ti.types.ndarray(dtype=ti.i32, ndim=2),  # (B or 1, 1), in
        aspect: dtype,
        projection: ti.types.ndarray(dtype=dtype, ndim=3),  # (B, 4, 4) view to clip, accumulated
    ):
        """Build projections that divide by 1; 0 where the height is none."""
        for b in range(projection.shape[0]):
            height = item_of(half_height, b)
            if is_kept(finite, b) and height > 0:
                scale = inverse(height, dtype)
                projection[b, 0, 0] += scale / aspect
                projection[b, 1, 1] += scale
                projection[b, 2, 2] += 1
                projection[b, 3, 3] += 1

    return orthographic


@functools.cache
def intrinsics_kernel(dtype):
    """Build the kernel that makes a projection matrix from OpenCV's intrinsic matrix."""
    array3 = ti.types.ndarray(dtype=dtype, ndim=3)

    @kernel(matrix="item")
    def intrinsics(
        matrix: array3,  # (B or 1, 3, 3) pixels, in
        finite: ti.types.ndarray(dtype=ti.i32, ndim=2),  # (B or 1, 1), in
        height: dtype,  # of the image that the matrix is for, in pixels
        width: dtype,
        projection: array3,  # (B, 4, 4) view to clip, accumulated
    ):
        """Take OpenCV's pixels, whose centres are whole numbers and y is down, to NDC.

        NDC x is (2 u + 1) / width - 1, and y is 1 - (2 v + 1) / height; here times w. Where a focal
        length is not above 0 all is 0.
        """
        for b in range(projection.shape[0]):
            b_matrix = ti.min(b, matrix.shape[0] - 1)
            scale = matrix[b_matrix, 2, 2]
            fx = matrix[b_matrix, 0, 0] * scale
            fy = matrix[b_matrix, 1, 1] * scale
            if is_kept(finite, b) and fx > 0 and fy > 0:
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
def distort_kernel(dtype, count=5):
    """Build the kernel that moves points to where a distorting lens shows them.

    Args:
        dtype: Floating-point type.
        count: How many coefficients there are: 4, 5, 8, 12 or 14.
    """
    points_type = ti.types.ndarray(dtype=dtype)

    @kernel(points="item", coefficients="row")
    def distort(
        points: points_type,  # (B or 1, V, 3) or (B or 1, F, 3, 3) view, in
        coefficients: ti.types.ndarray(dtype=dtype, ndim=2),  # (B or 1 or B * points, count), in
        finite: ti.types.ndarray(dtype=ti.i32, ndim=2),  # (B or 1, V) or (B or 1, F * 3), in
        num_points: ti.i32,
        distorted: points_type,  # (B, V, 3) or (B, F, 3, 3) view, accumulated
    ):
        """Apply OpenCV's formulas to x / z and y / z; y is down.

        Points that are not finite or not in front of the camera stay as they are.
        """
        for b, v in ti.ndrange(distorted.shape[0], num_points):
            point = point_of(points, b, v)
            if is_marked(finite, b, v) and point[2] > ti.cast(SMALLEST_DEPTH, dtype):
                b_lens = copy_of(coefficients, b, distorted.shape[0], v)
                x = point[0] / point[2]
                y = -point[1] / point[2]
                seen = bent(coefficients, b_lens, ti.Vector([x, y]), count, dtype)
                if ti.static(count == 14):
                    seen = tilted(coefficients, b_lens, seen, dtype)
                shown = ti.Vector([seen[0] * point[2], -seen[1] * point[2], point[2]])
                add_to_point(distorted, b, v, shown)
            else:
                add_to_point(distorted, b, v, point)

    return distort


@func
def bent(coefficients: ti.template(), b, point, count: ti.template(), dtype: ti.template()):
    """Bend a point by OpenCV's radial, tangential and thin-prism terms.

    The coefficients of a row are k1, k2, p1, p2; k3; k4, k5, k6; s1, s2, s3, s4.
    """
    x = point[0]
    y = point[1]
    r_sq = x * x + y * y
    radial = r_sq * coefficients[b, 1]
    if ti.static(count > 4):
        radial = r_sq * (coefficients[b, 1] + r_sq * coefficients[b, 4])
    radial = 1 + r_sq * (coefficients[b, 0] + radial)
    if ti.static(count > 5):
        k5_k6 = coefficients[b, 6] + r_sq * coefficients[b, 7]
        radial = over(radial, 1 + r_sq * (coefficients[b, 5] + r_sq * k5_k6), dtype)
    p1 = coefficients[b, 2]
    p2 = coefficients[b, 3]
    x_seen = x * radial + 2 * p1 * x * y + p2 * (r_sq + 2 * x * x)
    y_seen = y * radial + p1 * (r_sq + 2 * y * y) + 2 * p2 * x * y
    if ti.static(count > 8):
        x_seen += r_sq * (coefficients[b, 8] + r_sq * coefficients[b, 9])
        y_seen += r_sq * (coefficients[b, 10] + r_sq * coefficients[b, 11])
    return ti.Vector([x_seen, y_seen])


@func
def tilted(coefficients: ti.template(), b, point, dtype: ti.template()):
    """Show a point on a sensor that is turned by angles about x and y, in radians."""
    sin_x = ti.sin(coefficients[b, 12])
    cos_x = ti.cos(coefficients[b, 12])
    sin_y = ti.sin(coefficients[b, 13])
    cos_y = ti.cos(coefficients[b, 13])
    x = cos_y * point[0] + sin_y * (sin_x * point[1] - cos_x)
    y = cos_x * point[1] + sin_x
    z = sin_y * point[0] + cos_y * (cos_x - sin_x * point[1])
    depth = cos_y * cos_x
    x_seen = over(depth * x + sin_y * cos_x * z, z, dtype)
    y_seen = over(depth * y - sin_x * z, z, dtype)
    return ti.Vector([x_seen, y_seen])


@func
def over(a, b, dtype: ti.template()):
    """Divide; where the divisor is next to 0, by a small number, so that the result is finite."""
    smallest = ti.cast(SMALLEST_DEPTH, dtype)
    return a / ti.select(ti.abs(b) < smallest, smallest, b)


@functools.cache
def fisheye_kernel(dtype):
    """Build the kernel that moves points to where OpenCV's fisheye lens shows them."""
    points_type = ti.types.ndarray(dtype=dtype)

    @kernel(points="item", coefficients="row")
    def distort_fisheye(
        points: points_type,  # (B or 1, V, 3) or (B or 1, F, 3, 3) view, in
        coefficients: ti.types.ndarray(dtype=dtype, ndim=2),  # (B or 1 or B * points, 4), in
        finite: ti.types.ndarray(dtype=ti.i32, ndim=2),  # (B or 1, V) or (B or 1, F * 3), in
        num_points: ti.i32,
        distorted: points_type,  # (B, V, 3) or (B, F, 3, 3) view, accumulated
    ):
        """Have distances from the middle of the image grow with angles, by a polynomial.

        Points that are not finite or not in front of the camera stay as they are.
        """
        for b, v in ti.ndrange(distorted.shape[0], num_points):
            point = point_of(points, b, v)
            if is_marked(finite, b, v) and point[2] > ti.cast(SMALLEST_DEPTH, dtype):
                b_lens = copy_of(coefficients, b, distorted.shape[0], v)
                # In the middle, where an angle has no direction, both gradients below are 0.
                smallest = ti.cast(SMALLEST_SLOPE_SQ, dtype) * point[2] * point[2]
                across = ti.sqrt(ti.max(point[0] * point[0] + point[1] * point[1], smallest))
                angle = ti.atan2(across, point[2])
                angle_sq = angle * angle
                k3_k4 = coefficients[b_lens, 2] + angle_sq * coefficients[b_lens, 3]
                k2_on = coefficients[b_lens, 1] + angle_sq * k3_k4
                grown = angle * (1 + angle_sq * (coefficients[b_lens, 0] + angle_sq * k2_on))
                scale = grown / across * point[2]
                shown = ti.Vector([point[0] * scale, point[1] * scale, point[2]])
                add_to_point(distorted, b, v, shown)
            else:
                add_to_point(distorted, b, v, point)

    return distort_fisheye
