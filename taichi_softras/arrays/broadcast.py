"""Copies of what several items share, so that gradients add up in a fixed order.

Where one array serves many items or vertices, each adds to its gradient; threads would do so in
an order of their own, and the sum of floating-point numbers depends on it. With a copy for each,
nobody adds to what another adds to, and the copies are then added up in order.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from taichi_softras.arrays.bridge import apply, dtype_of, wants_grad
from taichi_softras.arrays.kernels.broadcast import repeat_kernels
from taichi_softras.arrays.operator import Allocate, Array

SUMS_PER_ITEM = 64
"""Sums that the gradients of an item's rows are first added up to, by as many threads."""


@dataclass(frozen=True)
class _Repeat:
    """An operator that copies each entry of an array (N, ...) several times: (``count``, ...)."""

    dtype: Any
    count: int

    def forward(
        self, inputs: Sequence[Array], allocate: Allocate
    ) -> tuple[tuple[Array, ...], tuple[Array, ...]]:
        copies = allocate((self.count, *inputs[0].shape[1:]), self.dtype)
        repeat_kernels(self.dtype).repeat(*inputs, copies)
        return (copies,), ()

    def backward(
        self,
        inputs: Sequence[Array],
        outputs: Sequence[Array],
        saved: Sequence[Array],
        allocate: Allocate,
    ) -> None:
        if inputs[0].grad is not None:
            repeat_kernels(self.dtype).add_copies(outputs[0].grad, inputs[0].grad)


def unshare(array: Array, num_items: int) -> Array:
    """Copy an array that serves all items for each of them, if its gradient is wanted.

    Args:
        array: (B or 1, ...).
        num_items: B.

    Returns:
        (B, ...) if a gradient of ``array`` is wanted; else ``array``, to which nobody will add.
    """
    if array.shape[0] == num_items or not wants_grad(array):
        return array
    return apply(_Repeat(dtype_of(array), num_items), (array,))[0]


def unshare_rows(array: Array, num_items: int, num_rows: int) -> Array:
    """Copy an array that serves all rows of an item for each of them, if its gradient is wanted.

    Args:
        array: (B or 1, ...).
        num_items: B.
        num_rows: N, such as the vertices of an item.

    Returns:
        (B * N, ...) if a gradient is wanted, for kernels to look up by
        `arrays.kernels.broadcast.copy_of`; else ``array``.
    """
    if num_rows > SUMS_PER_ITEM:
        array = unshare(array, num_items * SUMS_PER_ITEM)
    return unshare(array, num_items * max(num_rows, 1))
