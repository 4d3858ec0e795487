"""Copies between arrays of either framework and NumPy's, inside of operators."""

import functools
from types import SimpleNamespace

import taichi as ti

from taichi_softras.arrays.launcher import kernel


@functools.cache
def copy_kernels(dtype) -> SimpleNamespace:
    """Build the kernels that copy rows of numbers, and add them."""
    array3 = ti.types.ndarray(dtype=dtype, ndim=3)

    @kernel
    def copy(
        source: array3,  # (B, V, K), in
        target: array3,  # the same, out
    ):
        """Copy numbers."""
        for i in ti.grouped(source):
            target[i] = source[i]

    @kernel
    def add(
        source: array3,  # (B, V, K), in
        target: array3,  # the same, accumulated
    ):
        """Add numbers."""
        for i in ti.grouped(source):
            target[i] += source[i]

    return SimpleNamespace(copy=copy, add=add)
