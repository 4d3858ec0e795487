"""Cameras' poses, lenses and distortion, as kernels that add to outputs that start as zeros.

Poses become matrices from the world to the view frame (x right, y up, z forward), lenses become
matrices from there to clip coordinates. Taichi differentiates every kernel.
"""

import functools

from taichi_softras.arrays.kernels.arithmetic import item_of
from taichi_softras.arrays.kernels.items import is_kept
from taichi_softras.arrays.kernels.points import (
    SMALLEST_LENGTH,
    row_of,
    unit,
)
from taichi_softras.arrays.launcher import kernel
from taichi_softras.backend import ti

SMALLEST_SINE_SQ = 2.0**-40
"""Squared sine of the angle between a line of sight and up under which they count as parallel."""


@functools.cache
def look_kernel(dtype, at_point):
    """Build the kernel that makes a view matrix from where a camera is and where it looks.

    Args:
        dtype: Floating-point type.
        at_point: Whether it looks at a point, or in a direction.
    """
    array2 = ti.types.ndarray(dtype=dtype, ndim=2)
    mask = ti.types.ndarray(dtype=ti.i32, ndim=2)

    @kernel(eye="item", target="item", up="item")
    def look(
        eye: array2,  # (B or 1, 3) world, in
        target: array2,  # (B or 1, 3) world, the point or the direction, in
        up: array2,  # (B or 1, 3) world, in
        finite: mask,  # (B or 1, 1), in
        view: ti.types.ndarray(dtype=dtype, ndim=3),  # (B, 4, 4) world to view, accumulated
    ):
        """Build rotations whose rows are right, up and forward, and move the eye to the origin.

        Where there is none all is 0: every point is then seen at the camera, and not drawn.
        """
        for b in range(view.shape[0]):
            if is_kept(finite, b):
                smallest = dtype(SMALLEST_LENGTH)
                origin = row_of(eye, b)
                towards = row_of(target, b)
                if ti.static(at_point):
                    towards -= origin
                ahead = unit(towards, smallest, dtype)
                upwards = row_of(up, b)
                sideways = ahead.cross(upwards)
                least_sq = ti.cast(SMALLEST_SINE_SQ, dtype) * upwards.norm_sqr()
                forward = ti.select(sideways.norm_sqr() > least_sq, 1, 0) * ahead
                right = unit(forward.cross(upwards), dtype(0.0), dtype)
                above = right.cross(forward)
                for c in ti.static(range(3)):
                    view[b, 0, c] += right[c]
                    view[b, 1, c] += above[c]
                    view[b, 2, c] += forward[c]
                view[b, 0, 3] -= right.dot(origin)
                view[b, 1, 3] -= above.dot(origin)
                view[b, 2, 3] -= forward.dot(origin)
                view[b, 3, 3] += 1

    return look


@functools.cache
def extrinsics_kernel(dtype):
    """Build the kernel that makes a view matrix from OpenCV's rotation and translation."""

    @kernel(rotation="item", translation="item")
    def extrinsics(
        rotation: ti.types.ndarray(dtype=dtype, ndim=3),  # (B or 1, 3, 3) world to OpenCV's view
        translation: ti.types.ndarray(dtype=dtype, ndim=2),  # (B or 1, 3), in
        finite: ti.types.ndarray(dtype=ti.i32, ndim=2),  # (B or 1, 1), in
        view: ti.types.ndarray(dtype=dtype, ndim=3),  # (B, 4, 4) world to view, accumulated
    ):
        """Turn y, which is down in OpenCV's frame, up."""
        for b in range(view.shape[0]):
            if is_kept(finite, b):
                b_rotation = ti.min(b, rotation.shape[0] - 1)
                offset = row_of(translation, b)
                for row in ti.static(range(3)):
                    sign = ti.static(-1 if row == 1 else 1)
                    for c in ti.static(range(3)):
                        view[b, row, c] += sign * rotation[b_rotation, row, c]
                    view[b, row, 3] += sign * offset[row]
                view[b, 3, 3] += 1

    return extrinsics


@functools.cache
def orbit_kernel(dtype):
    """Build the kernel that places points on spheres round the origin."""
    array1 = ti.types.ndarray(dtype=dtype, ndim=1)

    @kernel(distance="item", elevation_degrees="item", azimuth_degrees="item")
    def orbit(
        distance: array1,  # (B or 1,), in
        elevation_degrees: array1,  # (B or 1,), in
        azimuth_degrees: array1,  # (B or 1,), in
        finite: ti.types.ndarray(dtype=ti.i32, ndim=2),  # (B or 1, 1), in
        added_degrees: dtype,  # to the elevation
        radians_per_degree: dtype,  # a literal would have the precision of ti.init
        eyes: ti.types.ndarray(dtype=dtype, ndim=2),  # (B, 3), accumulated
    ):
        """Turn spherical coordinates into Cartesian ones, y up."""
        for b in range(eyes.shape[0]):
            if is_kept(finite, b):
                elevation = (item_of(elevation_degrees, b) + added_degrees) * radians_per_degree
                azimuth = item_of(azimuth_degrees, b) * radians_per_degree
                radius = item_of(distance, b)
                eyes[b, 0] += radius * ti.cos(elevation) * ti.sin(azimuth)
                eyes[b, 1] += radius * ti.sin(elevation)
                eyes[b, 2] += radius * ti.cos(elevation) * ti.cos(azimuth)

    return orbit


@functools.cache
def eye_kernel(dtype):
    """Build the kernel that finds where cameras are."""

    @kernel
    def find_eyes(
        view: ti.types.ndarray(dtype=dtype, ndim=3),  # (B, 4, 4) world to view, in
        eyes: ti.types.ndarray(dtype=dtype, ndim=2),  # (B, 3) world, accumulated
    ):
        """Turn minus the translation back: what a rotation does, its transpose undoes."""
        for b, c in ti.ndrange(eyes.shape[0], 3):
            for k in ti.static(range(3)):
                eyes[b, c] -= view[b, k, c] * view[b, k, 3]

    return find_eyes
