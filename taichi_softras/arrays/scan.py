"""Prefix sums of integers in an array of either framework."""

from taichi_softras.arrays.kernels.scan import FEW_CHUNKS, NUM_CHUNKS, exclusive_scan
from taichi_softras.arrays.operator import Allocate, Array
from taichi_softras.backend import ti

LARGEST_INT32 = 2**31 - 1


def prefix_sum(counts: Array, allocate: Allocate) -> tuple[Array, int]:
    """Sum counts (N,) up to each.

    Returns:
        The sums before each count, and that of all, (N + 1,); and that of all as a number, which
        may be more than the array's 32 bits hold.
    """
    chunk_sums, starts = scan_arrays(counts, allocate)
    return starts, exclusive_scan(counts, chunk_sums, starts)


def scan_arrays(counts: Array, allocate: Allocate) -> tuple[Array, Array]:
    """Make the arrays that `kernels.scan.scan` needs for counts (N,): scratch, and the sums."""
    num_counts = counts.shape[0]
    chunks = FEW_CHUNKS if num_counts <= FEW_CHUNKS**2 else NUM_CHUNKS
    chunk_sums = allocate((chunks,), ti.i64, clear=False)
    return chunk_sums, allocate((num_counts + 1,), ti.i32, clear=False)
