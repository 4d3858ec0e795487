"""Sparse matrices of constants, that arrays of both front ends can be multiplied with."""

from dataclasses import dataclass

from taichi_softras.arrays.bridge import apply, dtype_of
from taichi_softras.arrays.checks import check_array, check_items
from taichi_softras.arrays.kernels.sparse import sparse_kernel
from taichi_softras.arrays.operator import Array, KernelOperator


@dataclass(frozen=True, eq=False)
class SparseMatrix:
    """A matrix, or one per item, as a list of entries; those at one place add up.

    Attributes:
        rows: (B or 1, N) int32, the row of each entry.
        columns: (B or 1, N) int32, its column.
        weights: (B or 1, N), its value.
        num_rows: R.
        num_columns: V.
    """

    rows: Array
    columns: Array
    weights: Array
    num_rows: int
    num_columns: int

    def __matmul__(self, values: Array) -> Array:
        """Multiply with rows of numbers; differentiable by them.

        Args:
            values: (B or 1, V, K), of the type of ``weights``.

        Returns:
            (B, R, K): row r is the sum over entries in it, of weight times row ``column``.

        Raises:
            TypeError: If ``values`` is of the wrong kind or type.
            ValueError: If its shape doesn't fit.
        """
        check_array("values", values, ("B or 1", self.num_columns, "K"), dtype_of(self.weights))
        num_items = check_items(
            values=values, rows=self.rows, columns=self.columns, weights=self.weights
        )
        dtype = dtype_of(values)
        shape = (num_items, self.num_rows, values.shape[2])
        operator = KernelOperator(sparse_kernel(dtype), dtype, (shape,))
        return apply(operator, (values, self.rows, self.columns, self.weights))[0]
