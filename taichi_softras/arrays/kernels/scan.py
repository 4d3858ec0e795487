"""Prefix sums of integers, on any backend."""

from taichi_softras.arrays.launcher import func, kernel
from taichi_softras.backend import ti

NUM_CHUNKS = 1024
"""Chunks that are summed independently: enough to fill a GPU, few enough to scan serially."""

FEW_CHUNKS = 64
"""As many for a few thousand counts, for which a CPU need not wake its threads."""


@func
def scan(counts: ti.template(), chunk_sums: ti.template(), starts: ti.template()):
    """Do as `exclusive_scan`, between other loops of a kernel.

    There are as many chunks, summed independently, as ``chunk_sums`` has places.
    """
    for chunk in range(chunk_sums.shape[0]):
        n = counts.shape[0]
        size = (n + chunk_sums.shape[0] - 1) // chunk_sums.shape[0]
        total = ti.i64(0)
        for i in range(ti.min(chunk * size, n), ti.min((chunk + 1) * size, n)):
            total += counts[i]
        chunk_sums[chunk] = total

    result = ti.i64(0)
    ti.loop_config(serialize=True)
    for chunk in range(chunk_sums.shape[0]):
        total = chunk_sums[chunk]
        chunk_sums[chunk] = result
        result += total

    for chunk in range(chunk_sums.shape[0]):
        n = counts.shape[0]
        size = (n + chunk_sums.shape[0] - 1) // chunk_sums.shape[0]
        start = chunk_sums[chunk]
        for i in range(ti.min(chunk * size, n), ti.min((chunk + 1) * size, n)):
            starts[i] = ti.i32(start)
            start += counts[i]
        if chunk == chunk_sums.shape[0] - 1:
            starts[n] = ti.i32(start)
    return result


@func
def scan_serially(counts: ti.template(), starts: ti.template()):
    """Do as `exclusive_scan`, by one thread, between other loops of a kernel."""
    total = 0
    starts[0] = 0  # even if there are no counts
    ti.loop_config(serialize=True)
    for i in range(counts.shape[0]):
        total += counts[i]
        starts[i + 1] = total


@kernel
def exclusive_scan(
    counts: ti.types.ndarray(dtype=ti.i32, ndim=1),  # (N,), in
    chunk_sums: ti.types.ndarray(dtype=ti.i64, ndim=1),  # (chunks,), scratch
    starts: ti.types.ndarray(dtype=ti.i32, ndim=1),  # (N + 1,), out
) -> ti.i64:
    """Write the sum of all counts before each, and the total last; return the total.

    The total is counted in 64 bits, so that a caller can refuse one that 32 bits don't hold.
    """
    return scan(counts, chunk_sums, starts)
