"""The Laplacian of a mesh, summed at each vertex in a fixed order."""

import functools
from types import SimpleNamespace

from taichi_softras.arrays.launcher import func, kernel
from taichi_softras.backend import ti


@functools.cache
def laplacian_kernels(dtype) -> SimpleNamespace:
    """Build the kernels that compare vertices with their neighbours, and differentiate that."""
    array2 = ti.types.ndarray(dtype=dtype, ndim=2)
    array3 = ti.types.ndarray(dtype=dtype, ndim=3)
    integers = ti.types.ndarray(dtype=ti.i32, ndim=1)

    @func
    def weight_of(values: ti.template(), b, i):
        """Look up a number of item ``b``, or of the one item that serves all."""
        return values[ti.min(b, values.shape[0] - 1), i]

    @kernel
    def laplacian(
        vertices: array3,  # (B, V, 3), in
        edges: ti.types.ndarray(dtype=ti.i32, ndim=2),  # (E, 2), in
        weights: array2,  # (B or 1, E), in
        inverse_sums: array2,  # (B or 1, V) of the weights of a vertex's edges, 0 if isolated, in
        starts: integers,  # (V + 1,), in
        ends: integers,  # (starts[-1] at least,) edge * 2 + end, in
        deltas: array3,  # (B, V, 3), accumulated
    ):
        """Subtract the weighted mean of the neighbours from each vertex; isolated ones give 0."""
        for b, v, c in ti.ndrange(deltas.shape[0], deltas.shape[1], 3):
            total = dtype(0.0)
            for slot in range(starts[v], starts[v + 1]):
                e = ends[slot] // 2
                neighbour = edges[e, 1 - ends[slot] % 2]
                difference = vertices[b, v, c] - vertices[b, neighbour, c]
                total += difference * weight_of(weights, b, e)
            deltas[b, v, c] += total * weight_of(inverse_sums, b, v)

    @kernel
    def laplacian_backward(
        edges: ti.types.ndarray(dtype=ti.i32, ndim=2),  # (E, 2), in
        weights: array2,  # (B or 1, E), in
        inverse_sums: array2,  # (B or 1, V), in
        starts: integers,  # (V + 1,), in
        ends: integers,  # (starts[-1] at least,), in
        grad_deltas: array3,  # (B, V, 3), in
        grad_vertices: array3,  # (B, V, 3), accumulated
    ):
        """Add gradients with respect to the vertices: `laplacian`'s matrix, transposed."""
        for b, v, c in ti.ndrange(grad_vertices.shape[0], grad_vertices.shape[1], 3):
            total = dtype(0.0)
            for slot in range(starts[v], starts[v + 1]):
                e = ends[slot] // 2
                neighbour = edges[e, 1 - ends[slot] % 2]
                own = grad_deltas[b, v, c] * weight_of(inverse_sums, b, v)
                other = grad_deltas[b, neighbour, c] * weight_of(inverse_sums, b, neighbour)
                total += (own - other) * weight_of(weights, b, e)
            grad_vertices[b, v, c] += total

    return SimpleNamespace(laplacian=laplacian, laplacian_backward=laplacian_backward)
