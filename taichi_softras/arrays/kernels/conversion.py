"""Arrays of another floating-point type, or with a first dimension more."""

import functools
from types import SimpleNamespace

from taichi_softras.arrays.launcher import kernel
from taichi_softras.backend import ti


@functools.cache
def conversion_kernels(source, target) -> SimpleNamespace:
    """Build the kernels that copy numbers from one type to another, and differentiate that.

    Args:
        source: Floating-point type of what is copied.
        target: That of the copy.
    """
    given = ti.types.ndarray(dtype=source)
    wanted = ti.types.ndarray(dtype=target)

    @kernel
    def convert(
        values: given,  # (...), of one or two dimensions if the copy has one more, in
        converted: wanted,  # (...) or (1, ...), out
    ):
        """Copy."""
        for index in ti.grouped(values):
            if ti.static(len(converted.shape) == len(values.shape)):
                converted[index] = ti.cast(values[index], target)
            elif ti.static(len(values.shape) == 1):
                converted[0, index[0]] = ti.cast(values[index], target)
            else:
                converted[0, index[0], index[1]] = ti.cast(values[index], target)

    @kernel
    def add_gradients(
        grad_converted: wanted,  # (...) or (1, ...), in
        grad_values: given,  # (...), accumulated
    ):
        """Add the gradients of the copy."""
        for index in ti.grouped(grad_values):
            if ti.static(len(grad_converted.shape) == len(grad_values.shape)):
                grad_values[index] += ti.cast(grad_converted[index], source)
            elif ti.static(len(grad_values.shape) == 1):
                grad_values[index] += ti.cast(grad_converted[0, index[0]], source)
            else:
                grad_values[index] += ti.cast(grad_converted[0, index[0], index[1]], source)

    return SimpleNamespace(convert=convert, add_gradients=add_gradients)
