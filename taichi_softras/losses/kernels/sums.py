"""Sums of losses, and sparse sums of rows.

The latter, and losses' weighted sum, are differentiable kernels that add to zeroed outputs.
"""

import functools
from types import SimpleNamespace

from taichi_softras.arrays.launcher import kernel
from taichi_softras.backend import ti


@functools.cache
def item_sum_kernels(dtype) -> SimpleNamespace:
    """Build the kernels that add up what was measured of each item, or of all; in a fixed order."""
    array1 = ti.types.ndarray(dtype=dtype, ndim=1)
    array2 = ti.types.ndarray(dtype=dtype, ndim=2)

    @kernel
    def add_parts(
        values: array2,  # (B, K), in
        parts: array2,  # (B, N) sums of every N-th value, out
    ):
        """Add up the values of each item, by several threads."""
        for b, part in ti.ndrange(parts.shape[0], parts.shape[1]):
            total = dtype(0.0)
            for i in range((values.shape[1] - part + parts.shape[1] - 1) // parts.shape[1]):
                total += values[b, i * parts.shape[1] + part]
            parts[b, part] = total

    @kernel
    def add_scaled(
        parts: array2,  # (B, N), in
        scale: dtype,
        sums: array1,  # (B,) one per item, or (1,), out
    ):
        """Add the parts of an item, or of all, times ``scale``."""
        for i in range(sums.shape[0]):
            items = parts.shape[0] // sums.shape[0]
            total = dtype(0.0)
            for b in range(i * items, (i + 1) * items):
                for part in range(parts.shape[1]):
                    total += parts[b, part]
            sums[i] = total * scale

    @kernel
    def spread_scaled(
        grad_sums: array1,  # (B,) or (1,), in
        scale: dtype,
        grad_values: array2,  # (B, K), accumulated
    ):
        """Give each value its sum's derivative, times ``scale``."""
        for b, k in ti.ndrange(grad_values.shape[0], grad_values.shape[1]):
            grad_values[b, k] += grad_sums[ti.min(b, grad_sums.shape[0] - 1)] * scale

    return SimpleNamespace(add_parts=add_parts, add_scaled=add_scaled, spread_scaled=spread_scaled)


@functools.cache
def weighted_kernel(dtype):
    """Build the kernel that adds one loss to another."""
    array1 = ti.types.ndarray(dtype=dtype, ndim=1)

    @kernel
    def add_weighted(
        term: array1,  # (N,), in
        weight: dtype,
        loss: array1,  # (N,), accumulated
    ):
        """Add ``weight`` times ``term``."""
        for i in range(loss.shape[0]):
            loss[i] += term[i] * weight

    return add_weighted
