"""Arrays put together and averaged, as differentiable kernels."""

import functools

from taichi_softras.arrays.kernels.arithmetic import inverse
from taichi_softras.arrays.kernels.broadcast import copy_of
from taichi_softras.arrays.launcher import kernel
from taichi_softras.backend import ti


@functools.cache
def columns_kernel(dtype):
    """Build the kernel that copies an array into some of the last columns of another."""
    array4 = ti.types.ndarray(dtype=dtype, ndim=4)

    @kernel
    def copy_columns(
        values: array4,  # (B or 1, F or 1, N, K), in
        first: ti.i32,
        result: array4,  # (B, F, N, L), accumulated from column ``first`` on
    ):
        """Copy, items and faces that are shared to all."""
        for b, f, k, c in ti.ndrange(
            result.shape[0], result.shape[1], result.shape[2], values.shape[3]
        ):
            result[b, f, k, first + c] += values[
                ti.min(b, values.shape[0] - 1), ti.min(f, values.shape[1] - 1), k, c
            ]

    return copy_columns


@functools.cache
def column_kernel(dtype):
    """Build the kernel that copies one number of each corner."""
    array4 = ti.types.ndarray(dtype=dtype, ndim=4)

    @kernel
    def copy_column(
        values: array4,  # (B, F, 3, K), in
        column: ti.i32,
        result: array4,  # (B, F, 3, 1), accumulated
    ):
        """Copy."""
        for b, f, k in ti.ndrange(result.shape[0], result.shape[1], result.shape[2]):
            result[b, f, k, 0] += values[b, f, k, column]

    return copy_column


@functools.cache
def face_kernel(dtype):
    """Build the kernel that copies what one face has at its corners."""
    array4 = ti.types.ndarray(dtype=dtype, ndim=4)

    @kernel
    def copy_face(
        values: array4,  # (B, F, 3, K), in
        face: ti.i32,
        result: array4,  # (B, 1, 3, K), accumulated
    ):
        """Copy."""
        for b, k, c in ti.ndrange(result.shape[0], result.shape[2], result.shape[3]):
            result[b, 0, k, c] += values[b, face, k, c]

    return copy_face


@functools.cache
def spread_faces_kernel(dtype):
    """Build the kernel that copies what faces have to their corners."""

    @kernel
    def spread_faces(
        values: ti.types.ndarray(dtype=dtype, ndim=3),  # (B, F, K), in
        result: ti.types.ndarray(dtype=dtype, ndim=4),  # (B, F, 3, K), accumulated
    ):
        """Copy."""
        for b, f, c in ti.ndrange(values.shape[0], values.shape[1], values.shape[2]):
            for k in ti.static(range(3)):
                result[b, f, k, c] += values[b, f, c]

    return spread_faces


@functools.cache
def spread_rows_kernel(dtype):
    """Build the kernel that copies what all vertices of an item share to each of them."""
    array3 = ti.types.ndarray(dtype=dtype, ndim=3)

    @kernel(values="row")
    def spread_rows(
        values: array3,  # (B or 1 or B * V, 1, K), in
        result: array3,  # (B, V, K), accumulated
    ):
        """Copy."""
        for b, v, c in ti.ndrange(result.shape[0], result.shape[1], result.shape[2]):
            result[b, v, c] += values[copy_of(values, b, result.shape[0], v), 0, c]

    return spread_rows


@functools.cache
def spread_means_kernel(dtype):
    """Build the kernel that gives all corners of a face the mean of what they have."""
    array4 = ti.types.ndarray(dtype=dtype, ndim=4)

    @kernel
    def spread_means(
        values: array4,  # (B, F, 3, K), in
        result: array4,  # (B, F, 3, K), accumulated
    ):
        """Average."""
        for b, f, c in ti.ndrange(values.shape[0], values.shape[1], values.shape[3]):
            total = values[b, f, 0, c] + values[b, f, 1, c] + values[b, f, 2, c]
            for k in ti.static(range(3)):
                result[b, f, k, c] += total * inverse(ti.cast(3, dtype), dtype)

    return spread_means
