"""Sparse matrices of constants, that arrays of both front ends can be multiplied with."""

from __future__ import annotations

from dataclasses import dataclass

from taichi_softras.arrays.calls import apply_kernel
from taichi_softras.arrays.checks import check_arrays
from taichi_softras.arrays.kernels.sparse import sparse_kernel
from taichi_softras.arrays.operator import Array
from taichi_softras.arrays.reprs import short_repr


@dataclass(frozen=True, eq=False)
class SparseMatrix:
    """A matrix, or one per item, as a list of entries; those at one place add up.

    Attributes:
        rows: (B or 1, N) int32, the row of each entry.
        columns: (B or 1, N) int32, its column.
        weights: (B or 1, N), its value.
        num_rows: R.
        num_columns: V.

    Examples:
        >>> import numpy as np, taichi_softras as sr
        >>> rows, columns = (sr.from_numpy(np.int32([x])) for x in ([0, 0], [0, 1]))
        >>> weights = sr.from_numpy(np.float32([[0.5, 0.5]]))
        >>> mean = sr.SparseMatrix(rows, columns, weights, num_rows=1, num_columns=2)
        >>> (mean @ sr.from_numpy(np.float32([[[0, 0], [1, 2]]]))).to_numpy()
        array([[[0.5, 1. ]]], dtype=float32)
    """

    rows: Array
    columns: Array
    weights: Array
    num_rows: int
    num_columns: int

    __repr__ = short_repr

    def __matmul__(self, values: Array) -> Array:
        """Multiply with rows of numbers; differentiable with respect to these.

        Args:
            values: (B or 1, V, K), of the type of ``weights``.

        Returns:
            (B, R, K): row r is the sum over entries in it, of weight times row ``column``.

        Raises:
            TypeError: If ``values`` is of the wrong kind or type.
            ValueError: If its shape doesn't fit.
        """
        sizes = check_arrays(
            self.weights,
            values=(values, f"(B or 1, {self.num_columns}, K)"),
            rows=(self.rows, "(B or 1, N) int32"),
            columns=(self.columns, "(B or 1, N) int32"),
            weights=(self.weights, "(B or 1, N)"),
        )
        shape = (sizes["B"], self.num_rows, sizes["K"])
        return apply_kernel(sparse_kernel, (values, self.rows, self.columns, self.weights), shape)
