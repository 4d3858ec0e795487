"""Sparse matrices times arrays."""

import functools

from taichi_softras.arrays.launcher import kernel
from taichi_softras.backend import ti


@functools.cache
def sparse_kernel(dtype):
    """Build the kernel that multiplies a sparse matrix with rows of numbers."""
    array3 = ti.types.ndarray(dtype=dtype, ndim=3)

    @kernel(values="item")
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
