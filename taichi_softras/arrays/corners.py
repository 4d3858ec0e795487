"""Arrays of faces taken apart and put together, of either framework."""

from collections.abc import Sequence
from dataclasses import dataclass

from taichi_softras.arrays.calls import apply, apply_kernel
from taichi_softras.arrays.kernels.corners import (
    column_kernel,
    columns_kernel,
    face_kernel,
    spread_faces_kernel,
    spread_means_kernel,
    spread_rows_kernel,
)
from taichi_softras.arrays.operator import Allocate, Array, Operator, Shared, count_items


@dataclass(frozen=True)
class _Concatenate(Operator):
    """Puts arrays of 4 dimensions side by side, in the last one."""

    def shared(self, inputs: Sequence[Array]) -> Sequence[Shared | None]:
        return [Shared(count_items(x.shape[0] for x in inputs))] * len(inputs)

    def forward(
        self, inputs: Sequence[Array], allocate: Allocate
    ) -> tuple[tuple[Array, ...], tuple[Array, ...]]:
        shape = tuple(max(x.shape[i] for x in inputs) for i in range(3))
        result = allocate((*shape, sum(x.shape[3] for x in inputs)))
        first = 0
        for x in inputs:
            columns_kernel(allocate.dtype)(x, first, result)
            first += x.shape[3]
        return (result,), ()

    def backward(
        self,
        inputs: Sequence[Array],
        outputs: Sequence[Array],
        saved: Sequence[Array],
        allocate: Allocate,
    ) -> None:
        first = 0
        for x in inputs:
            if x.grad is not None:
                columns_kernel(allocate.dtype).grad(x, first, outputs[0])
            first += x.shape[3]


def concatenate(arrays: Sequence[Array]) -> Array:
    """Put arrays side by side in the last dimension.

    Args:
        arrays: (B or 1, F or 1, N, K), of one type; K may differ. One whose gradient is wanted has
            a place for each of the F faces.

    Returns:
        (B, F, N, the sum of K).
    """
    return apply(_Concatenate(), arrays)[0]


def column_of(values: Array, column: int) -> Array:
    """Take one number of each corner: (B, F, 3, K) to (B, F, 3, 1)."""
    return apply_kernel(column_kernel, (values,), (*values.shape[:3], 1), constants=(column,))


def face_of(values: Array, face: int) -> Array:
    """Take one face of each item: (B, F, 3, K) to (B, 1, 3, K)."""
    shape = (values.shape[0], 1, *values.shape[2:])
    return apply_kernel(face_kernel, (values,), shape, constants=(face,))


def spread_faces(values: Array) -> Array:
    """Give all corners of a face what it has: (B, F, K) to (B, F, 3, K)."""
    return apply_kernel(spread_faces_kernel, (values,), (*values.shape[:2], 3, values.shape[2]))


def spread_means(values: Array) -> Array:
    """Give all corners of a face the mean of what they have, (B, F, 3, K)."""
    return apply_kernel(spread_means_kernel, (values,), tuple(values.shape))


def spread_rows(values: Array, num_rows: int) -> Array:
    """Give all rows of an item what they share, (B, 1, K), each: (B, ``num_rows``, K)."""
    shape = (values.shape[0], num_rows, values.shape[2])
    return apply_kernel(spread_rows_kernel, (values,), shape, num_rows=num_rows)
