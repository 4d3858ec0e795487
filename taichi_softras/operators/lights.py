"""The numbers of all lights, side by side in one array."""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from taichi_softras.kernels.lights import pack_kernel
from taichi_softras.operators import Allocate, Array


@dataclass(frozen=True)
class PackOperator:
    """Puts arrays side by side: inputs (B or 1, ...), of 1 to 3 dimensions, become one (B, N).

    Attributes:
        dtype: ``ti.f32`` or ``ti.f64``.
        num_items: B.
    """

    dtype: Any
    num_items: int

    def forward(
        self, inputs: Sequence[Array], allocate: Allocate
    ) -> tuple[tuple[Array, ...], tuple[Array, ...]]:
        """Copy each input to its columns."""
        numbers = allocate((self.num_items, sum(map(row_size, inputs))), self.dtype)
        for array, column in self._columns(inputs):
            self._kernel(array)(array, row_size(array), column, numbers)
        return (numbers,), ()

    def backward(
        self,
        inputs: Sequence[Array],
        outputs: Sequence[Array],
        saved: Sequence[Array],
        allocate: Allocate,
    ) -> None:
        """Copy the gradients back."""
        for array, column in self._columns(inputs):
            if array.grad is not None:
                self._kernel(array).grad(array, row_size(array), column, *outputs)

    def _kernel(self, array: Array) -> Any:
        return pack_kernel(self.dtype, len(array.shape))

    def _columns(self, inputs: Sequence[Array]) -> Iterator[tuple[Array, int]]:
        column = 0
        for array in inputs:
            yield array, column
            column += row_size(array)


def row_size(array: Array) -> int:
    """How many numbers an array has for each item."""
    return math.prod(array.shape[1:])
