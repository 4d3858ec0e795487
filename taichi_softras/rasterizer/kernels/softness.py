"""Softness that was given by arrays whose numbers nobody has looked at."""

import functools

from taichi_softras.arrays.kernels.arithmetic import is_finite
from taichi_softras.arrays.kernels.items import is_kept
from taichi_softras.arrays.launcher import kernel
from taichi_softras.backend import ti


@functools.cache
def workable_kernel(dtype, least):
    """Build the kernel that finds numbers to work with: Taichi can't differentiate it.

    Args:
        dtype: Floating-point type.
        least: What they must not be below; None if there is no such number.
    """
    has_least = least is not None

    @kernel
    def find_workable(
        values: ti.types.ndarray(dtype=dtype, ndim=1, needs_grad=False),  # (B or 1,), in
        workable: ti.types.ndarray(dtype=ti.i32, ndim=2),  # (B or 1, 1), out
    ):
        """Write 1 for a number that is finite, and not too small, else 0."""
        for b in range(workable.shape[0]):
            is_workable = is_finite(values[b])
            if ti.static(has_least):
                is_workable = is_workable and values[b] >= ti.cast(ti.static(least), dtype)
            workable[b, 0] = is_workable

    return find_workable


@functools.cache
def replace_kernel(dtype):
    """Build the kernel that puts a number in place of those that can't be worked with."""
    array = ti.types.ndarray(dtype=dtype, ndim=1)

    @kernel
    def replace_unworkable(
        values: array,  # (B or 1,), in
        workable: ti.types.ndarray(dtype=ti.i32, ndim=2),  # (B or 1, 1), in
        instead: dtype,
        replaced: array,  # (B or 1,), accumulated
    ):
        """Copy the others."""
        for b in range(replaced.shape[0]):
            if is_kept(workable, b):
                replaced[b] += values[b]
            else:
                replaced[b] += instead

    return replace_unworkable
