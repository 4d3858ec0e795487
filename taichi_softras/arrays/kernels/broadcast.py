"""Copies of what several items share, each for one thread to add its gradient to."""

import functools
from types import SimpleNamespace

from taichi_softras.arrays.launcher import func, kernel
from taichi_softras.backend import ti


@func
def copy_of(array: ti.template(), b, num_items, row):
    """Find which entry of an array serves a row, such as a vertex, of item ``b``.

    The array has one entry for all items, or one for each, or for each of them one per row.
    """
    per_item = ti.max(array.shape[0] // num_items, 1)
    return ti.min(b * per_item + ti.min(row, per_item - 1), array.shape[0] - 1)


@func
def first_copy(i, num_values, num_copies):
    """Find the first of the copies of entry ``i``: copies of all are of about the same number."""
    return ti.cast((ti.i64(i) * num_copies + num_values - 1) // num_values, ti.i32)


@functools.cache
def repeat_kernels(dtype) -> SimpleNamespace:
    """Build the kernels that copy each entry of an array several times, and differentiate that."""
    array = ti.types.ndarray(dtype=dtype)

    @kernel
    def repeat(
        values: array,  # (N, ...), in
        copies: array,  # (M, ...), M at least N, out
    ):
        """Copy."""
        for index in ti.grouped(copies):
            source = index
            source[0] = ti.cast(ti.i64(index[0]) * values.shape[0] // copies.shape[0], ti.i32)
            copies[index] = values[source]

    @kernel
    def add_copies(
        grad_copies: array,  # (M, ...), in
        grad_values: array,  # (N, ...), accumulated
    ):
        """Add the gradients of the copies of each number up, in order, by one thread."""
        for index in ti.grouped(grad_values):
            first = first_copy(index[0], grad_values.shape[0], grad_copies.shape[0])
            end = first_copy(index[0] + 1, grad_values.shape[0], grad_copies.shape[0])
            total = dtype(0.0)
            for i in range(first, end):
                copy = index
                copy[0] = i
                total += grad_copies[copy]
            grad_values[index] += total

    return SimpleNamespace(repeat=repeat, add_copies=add_copies)
