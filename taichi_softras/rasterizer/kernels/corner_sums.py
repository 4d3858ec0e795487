"""Adding up the sums of chunks, into gradients of corners and of softness, always in order."""

import functools
from types import SimpleNamespace
from typing import Any

from taichi_softras.arrays.launcher import kernel
from taichi_softras.backend import ti
from taichi_softras.rasterizer.kernels.boxes import BOX_TYPE
from taichi_softras.rasterizer.kernels.variant import Variant

SIGMA_COLUMN = 9
GAMMA_COLUMN = 10
GEOMETRY_COLUMNS = 11
"""Columns of a chunk's sums: x, y, z of three corners, sigma and gamma. Those of what the corners
have follow: colours, or texture coordinates."""


def corner_columns(variant: Variant) -> int:
    """How many sums a chunk has for each corner, besides its position."""
    return {"vertex": variant.channels, "surface": 0, "uv": 2}[variant.texture]


def sums_type(dtype: Any, columns: int) -> Any:
    """Make the type of a chunk's sums, of `corner_columns`."""
    return ti.types.vector(GEOMETRY_COLUMNS + 3 * columns, dtype)


@functools.cache
def sum_kernels(dtype, columns: int) -> SimpleNamespace:
    """Build the kernels that add chunks up, of `corner_columns`, for arrays of one type."""
    sums_array = ti.types.ndarray(dtype=sums_type(dtype, columns), ndim=1, needs_grad=False)
    array1 = ti.types.ndarray(dtype=dtype, ndim=1, needs_grad=False)
    array4 = ti.types.ndarray(dtype=dtype, ndim=4, needs_grad=False)
    integers = ti.types.ndarray(dtype=ti.i32, ndim=1)

    @kernel
    def add_to_vertices(
        starts: integers,  # (B * F + 1,), in
        sums: sums_array,  # (starts[-1],), in
        grad_face_vertices: array4,  # (B, F, 3, 3), accumulated
    ):
        """Add the chunks of each face up, in order."""
        for b, f in ti.ndrange(grad_face_vertices.shape[0], grad_face_vertices.shape[1]):
            face = b * grad_face_vertices.shape[1] + f
            total = ti.Vector([dtype(0.0)] * 9)
            for chunk in range(starts[face], starts[face + 1]):
                row_of_sums = sums[chunk]
                for k in ti.static(range(9)):
                    total[k] += row_of_sums[k]
            for k, c in ti.static(ti.ndrange(3, 3)):
                grad_face_vertices[b, f, k, c] += total[3 * k + c]

    @kernel
    def add_to_corners(
        starts: integers,  # (B * F + 1,), in
        sums: sums_array,  # (starts[-1],), in
        first: ti.i32,
        grad: array4,  # (B or 1, F, 3, K), accumulated from the column ``first`` on
    ):
        """Add the chunks of each face up, in order; of all items where they share the numbers."""
        faces = grad.shape[1]
        for b_grad, f in ti.ndrange(grad.shape[0], faces):
            items = (starts.shape[0] - 1) // faces
            first_item = ti.select(grad.shape[0] == items, b_grad, 0)
            last_item = ti.select(grad.shape[0] == items, b_grad + 1, items)
            total = ti.Vector([dtype(0.0)] * (3 * columns))
            for b in range(first_item, last_item):
                for chunk in range(starts[b * faces + f], starts[b * faces + f + 1]):
                    row_of_sums = sums[chunk]
                    for k in ti.static(range(3 * columns)):
                        total[k] += row_of_sums[GEOMETRY_COLUMNS + k]
            for k, c in ti.static(ti.ndrange(3, columns)):
                grad[b_grad, f, k, first + c] += total[columns * k + c]

    @kernel
    def add_to_softness(
        starts: integers,  # (B * F + 1,), in
        column: ti.i32,  # `SIGMA_COLUMN` or `GAMMA_COLUMN`
        boxes: ti.types.ndarray(dtype=BOX_TYPE, ndim=2),  # (B or 1, F), in
        sums: sums_array,  # (starts[-1],), in
        grad: array1,  # (B or 1,), accumulated
    ):
        """Add all chunks of each item up, in order; of all items where they share the value."""
        for i in range(grad.shape[0]):
            total = dtype(0.0)
            for b, f in ti.ndrange(boxes.shape[0], boxes.shape[1]):
                if grad.shape[0] == 1 or boxes[b, f][4] == i:
                    face = b * boxes.shape[1] + f
                    for chunk in range(starts[face], starts[face + 1]):
                        total += sums[chunk][column]
            grad[i] += total

    return SimpleNamespace(
        add_to_vertices=add_to_vertices,
        add_to_corners=add_to_corners,
        add_to_softness=add_to_softness,
    )
