"""Sums over what meets at a vertex, in a fixed order: the same bits whatever the threads do.

Where faces, edges or hinges add to the vertices that they share, threads would do so in an order
of their own, and sums of floating-point numbers depend on the order. So each vertex has a list of
the corners that are at it, in ascending order, and one thread adds them up. There are no atomics
on floating-point numbers here, and nothing is differentiated by Taichi: all of it is linear in the
numbers that are summed, or nearly so, and has its adjoint beside it.
"""

import functools
from types import SimpleNamespace

from taichi_softras.arrays.kernels.points import corner_index, is_marked
from taichi_softras.arrays.kernels.scan import scan
from taichi_softras.arrays.kernels.sort import sort_stretch
from taichi_softras.arrays.launcher import func, kernel
from taichi_softras.backend import ti


@func
def list_of(starts: ti.template(), num_vertices, b, v):
    """Find the list of a vertex of item ``b``, or of the one item whose rows serve all."""
    num_lists = (starts.shape[0] - 1) // num_vertices
    return ti.min(b, num_lists - 1) * num_vertices + v


@kernel
def list_corners(
    indices: ti.types.ndarray(dtype=ti.i32),  # (R, N) or (L, R, N), in
    num_lists: ti.i32,  # L, or 1
    num_rows: ti.i32,
    num_corners: ti.i32,
    num_vertices: ti.i32,
    counts: ti.types.ndarray(dtype=ti.i32, ndim=1),  # (L * V,), scratch, of zeros
    chunk_sums: ti.types.ndarray(dtype=ti.i64, ndim=1),  # (chunks,), scratch
    starts: ti.types.ndarray(dtype=ti.i32, ndim=1),  # (L * V + 1,), out
    corners: ti.types.ndarray(dtype=ti.i32, ndim=1),  # (starts[-1] or more,) row * N + corner, out
):
    """List the corners at each vertex, ascending; an index out of range is none."""
    for b, r, k in ti.ndrange(num_lists, num_rows, num_corners):
        v = corner_index(indices, b, r, k)
        if v >= 0 and v < num_vertices:
            counts[b * num_vertices + v] += 1
    scan(counts, chunk_sums, starts)
    for b, r, k in ti.ndrange(num_lists, num_rows, num_corners):
        v = corner_index(indices, b, r, k)
        if v >= 0 and v < num_vertices:
            i = b * num_vertices + v
            corners[starts[i + 1] - ti.atomic_sub(counts[i], 1)] = r * num_corners + k
    for i in range(starts.shape[0] - 1):
        sort_stretch(corners, starts[i], starts[i + 1])


@func
def gather_row(
    values: ti.template(),
    indices: ti.template(),
    b,
    r,
    corners: ti.template(),
    dtype: ti.template(),
):
    """Copy the values of vertices to the corners of a row; 0 where an index is out of range."""
    b_value = ti.min(b, values.shape[0] - 1)
    for k in range(corners.shape[2]):
        v = corner_index(indices, b, r, k)
        is_there = v >= 0 and v < values.shape[1]
        for c in range(corners.shape[3]):
            value = ti.cast(0, dtype)
            if is_there:
                value = values[b_value, v, c]
            corners[b, r, k, c] = value


@functools.cache
def gather_kernels(dtype) -> SimpleNamespace:
    """Build the kernels that copy the values of vertices to corners, and differentiate that."""
    array3 = ti.types.ndarray(dtype=dtype, ndim=3)
    array4 = ti.types.ndarray(dtype=dtype, ndim=4)
    integers = ti.types.ndarray(dtype=ti.i32, ndim=1)

    @kernel
    def gather(
        values: array3,  # (B or 1, V, K), in
        indices: ti.types.ndarray(dtype=ti.i32),  # (R, N) or (B or 1, R, N), in
        corners: array4,  # (B, R, N, K), out
    ):
        """Copy; a corner whose index is out of range becomes 0."""
        # Loops within the loop over rows: to take four indices apart would take longer.
        for b, r in ti.ndrange(corners.shape[0], corners.shape[1]):
            gather_row(values, indices, b, r, corners, dtype)

    @kernel
    def gather_backward(
        grad_corners: array4,  # (B, R, N, K), in
        starts: integers,  # (L * V + 1,), in
        corners: integers,  # (starts[-1] at least,), in
        grad_values: array3,  # (B or 1, V, K), accumulated
    ):
        """Add up the gradients of the corners at each vertex, also over items that share values."""
        for b_value, v in ti.ndrange(grad_values.shape[0], grad_values.shape[1]):
            items = grad_corners.shape[0] // grad_values.shape[0]
            for b in range(b_value * items, (b_value + 1) * items):
                i = list_of(starts, grad_values.shape[1], b, v)
                for slot in range(starts[i], starts[i + 1]):
                    r = corners[slot] // grad_corners.shape[2]
                    k = corners[slot] % grad_corners.shape[2]
                    for c in range(grad_values.shape[2]):
                        # One thread has all sums of a vertex: not atomic.
                        grad_values[b_value, v, c] = (
                            grad_values[b_value, v, c] + grad_corners[b, r, k, c]
                        )

    return SimpleNamespace(gather=gather, gather_backward=gather_backward)


@func
def face_vertices(faces: ti.template(), finite: ti.template(), b, f):
    """Look up a face's vertices, and whether it counts: whether all are in range and finite."""
    i = corner_index(faces, b, f, 0)
    j = corner_index(faces, b, f, 1)
    k = corner_index(faces, b, f, 2)
    counts = False
    if ti.min(i, j, k) >= 0 and ti.max(i, j, k) < finite.shape[1]:
        counts = is_marked(finite, b, i) and is_marked(finite, b, j) and is_marked(finite, b, k)
    return ti.Vector([i, j, k]), counts
