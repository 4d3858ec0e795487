"""Copies of what several items share, so that gradients add up in a fixed order.

Where one array serves many items or vertices, each adds to its gradient; threads would do so in
an order of their own, and the sum of floating-point numbers depends on it. With a copy for each,
nobody adds to what another adds to, and the copies are then added up in order. Operators declare
what they share (`Operator.shared`), and `arrays.calls.apply` makes the copies.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from taichi_softras.arrays.bridge import record, wants_grad
from taichi_softras.arrays.kernels.broadcast import repeat_kernels
from taichi_softras.arrays.operator import Allocate, Array, Operator, Shared

SUMS_PER_ITEM = 64
"""How many partial sums the gradients of an item's rows are first added up to, one a thread."""


@dataclass(frozen=True)
class _Repeat(Operator):
    """An operator that copies each entry of an array (N, ...) several times: (``count``, ...)."""

    count: int

    def forward(
        self, inputs: Sequence[Array], allocate: Allocate
    ) -> tuple[tuple[Array, ...], tuple[Array, ...]]:
        copies = allocate((self.count, *inputs[0].shape[1:]), clear=False)
        repeat_kernels(allocate.dtype).repeat(*inputs, copies)
        return (copies,), ()

    def backward(
        self,
        inputs: Sequence[Array],
        outputs: Sequence[Array],
        saved: Sequence[Array],
        allocate: Allocate,
    ) -> None:
        if inputs[0].grad is not None:
            repeat_kernels(allocate.dtype).add_copies(outputs[0].grad, inputs[0].grad)


def unshare(array: Array, shared: Shared) -> Array:
    """Copy an array for all that it serves, if its gradient is wanted.

    Args:
        array: (B or 1, ...).
        shared: The items, B, and the rows, N, that entries of ``array`` serve.

    Returns:
        (B * N, ...) if a gradient of ``array`` is wanted, for kernels to look up by
        `arrays.kernels.broadcast.copy_of`; else ``array``, to which nobody will add.
    """
    num_items, num_rows = shared
    if not wants_grad(array):
        return array
    if num_rows > SUMS_PER_ITEM:
        array = _repeat(array, num_items * SUMS_PER_ITEM)
    return _repeat(array, num_items * max(num_rows, 1))


def _repeat(array: Array, count: int) -> Array:
    return array if array.shape[0] == count else record(_Repeat(count), (array,))[0]
