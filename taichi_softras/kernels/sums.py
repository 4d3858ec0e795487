"""Sums of losses, and sparse sums of rows, as differentiable kernels that add to zeroed outputs."""

import functools

import taichi as ti


@functools.cache
def scaled_sum_kernel(dtype):
    """Build the kernel that adds up what was measured of each item, or of all."""

    @ti.kernel
    def add_scaled(
        values: ti.types.ndarray(dtype=dtype, ndim=2),  # (B, K), in
        scale: dtype,
        sums: ti.types.ndarray(dtype=dtype, ndim=1),  # (B,) one per item, or (1,), accumulated
    ):
        """Add all values of an item, times ``scale``."""
        for b, k in ti.ndrange(values.shape[0], values.shape[1]):
            sums[ti.min(b, sums.shape[0] - 1)] += values[b, k] * scale

    return add_scaled


@functools.cache
def weighted_kernel(dtype):
    """Build the kernel that adds one loss to another."""
    array1 = ti.types.ndarray(dtype=dtype, ndim=1)

    @ti.kernel
    def add_weighted(
        term: array1,  # (N,), in
        weight: dtype,
        loss: array1,  # (N,), accumulated
    ):
        """Add ``weight`` times ``term``."""
        for i in range(loss.shape[0]):
            loss[i] += term[i] * weight

    return add_weighted


@functools.cache
def sparse_kernel(dtype):
    """Build the kernel that multiplies a sparse matrix with rows of numbers."""
    array3 = ti.types.ndarray(dtype=dtype, ndim=3)

    @ti.kernel
    def multiply_sparse(
        values: array3,  # (B or 1, V, K), in
        rows: ti.types.ndarray(dtype=ti.i32, ndim=2),  # (B or 1, N) of each entry, in
        columns: ti.types.ndarray(dtype=ti.i32, ndim=2),  # (B or 1, N) of each entry, in
        weights: ti.types.ndarray(dtype=dtype, ndim=2),  # (B or 1, N) of each entry, in
        products: array3,  # (B, R, K), accumulated
    ):
        """Add each entry of the matrix times the row of ``values`` that it stands for."""
        for b, n, c in ti.ndrange(products.shape[0], rows.shape[1], products.shape[2]):
            row = rows[ti.min(b, rows.shape[0] - 1), n]
            column = columns[ti.min(b, columns.shape[0] - 1), n]
            weight = weights[ti.min(b, weights.shape[0] - 1), n]
            products[b, row, c] += weight * values[ti.min(b, values.shape[0] - 1), column, c]

    return multiply_sparse
