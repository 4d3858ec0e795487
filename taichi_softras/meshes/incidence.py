"""Operators between vertices and what meets at them: faces, edges, hinges. Deterministic."""

from collections.abc import Sequence
from dataclasses import dataclass, field

import taichi as ti

from taichi_softras.arrays.calls import apply
from taichi_softras.arrays.checks import FACES, check_arrays, check_faces
from taichi_softras.arrays.kernels.scan import NUM_CHUNKS, exclusive_scan
from taichi_softras.arrays.operator import Allocate, Array, Operator
from taichi_softras.meshes.kernels.incidence import gather_kernels, incidence_kernels


class Incidence:
    """Which corners of some rows of indices, such as faces, are at each vertex.

    Made when it is first asked for: only sums over the corners at a vertex need it. One object
    belongs to one array of indices; operators that share the array share the object, so that
    the lists are made once. It can't tell if the array changes.
    """

    def __init__(self) -> None:
        self._lists: tuple[Array, Array] | None = None

    def lists(self, indices: Array, num_vertices: int, allocate: Allocate) -> tuple[Array, Array]:
        """Return the lists of corners, one for each vertex.

        Args:
            indices: (R, N), or (L, R, N) where items differ, int32. One out of range is left out.
            num_vertices: V, how many vertices there are.
            allocate: Makes arrays.

        Returns:
            Where each vertex's list starts, (L * V + 1,) int32, and the lists: row * N + corner,
            ascending, int32; some numbers to spare may follow.
        """
        if self._lists is None:
            num_rows, num_corners = (int(size) for size in indices.shape[-2:])
            num_lists = int(indices.shape[0]) if len(indices.shape) == 3 else 1
            sizes = {
                "num_lists": num_lists,
                "num_rows": num_rows,
                "num_corners": num_corners,
                "num_vertices": num_vertices,
            }
            kernels = incidence_kernels()
            counts = allocate((num_lists * num_vertices,), ti.i32)
            kernels.count_corners(indices=indices, **sizes, counts=counts)
            starts = allocate((num_lists * num_vertices + 1,), ti.i32)
            exclusive_scan(counts, allocate((NUM_CHUNKS,), ti.i64), starts)
            corners = allocate((max(num_lists * num_rows * num_corners, 1),), ti.i32)
            kernels.list_corners(
                indices=indices, **sizes, starts=starts, counts=counts, corners=corners
            )
            self._lists = starts, corners
        return self._lists


@dataclass(frozen=True)
class GatherOperator(Operator):
    """Copies the values of vertices to the corners of faces, or of other rows of indices.

    The inputs are values (B or 1, V, K) and indices (R, N) or (B or 1, R, N); the output is
    (B, R, N, K). A corner whose index is out of range is 0.

    Attributes:
        num_items: B.
        incidence: Of the indices.
    """

    num_items: int
    incidence: Incidence = field(default_factory=Incidence)

    def forward(
        self, inputs: Sequence[Array], allocate: Allocate
    ) -> tuple[tuple[Array, ...], tuple[Array, ...]]:
        """Copy."""
        values, indices = inputs
        corners = allocate((self.num_items, *indices.shape[-2:], values.shape[2]))
        gather_kernels(allocate.dtype).gather(values, indices, corners)
        return (corners,), ()

    def backward(
        self,
        inputs: Sequence[Array],
        outputs: Sequence[Array],
        saved: Sequence[Array],
        allocate: Allocate,
    ) -> None:
        """Add up the gradients of the corners at each vertex."""
        values, indices = inputs
        if values.grad is not None:
            lists = self.incidence.lists(indices, values.shape[1], allocate)
            gather_kernels(allocate.dtype).gather_backward(outputs[0].grad, *lists, values.grad)


def gather(values: Array, faces: Array, *, incidence: Incidence | None = None) -> Array:
    """Copy the values of vertices to the corners of faces.

    Args:
        values: (B or 1, V, K), positions, colours or anything else.
        faces: (F, 3) or (B or 1, F, 3).
        incidence: Of the faces, where the caller has it.

    Returns:
        (B, F, 3, K).
    """
    sizes = check_arrays(values=(values, "(B or 1, V, K)"))
    faces = check_faces(faces, num_vertices=sizes["V"])
    sizes = check_arrays(values=(values, "(B or 1, V, K)"), faces=(faces, FACES))
    operator = GatherOperator(sizes["B"], incidence or Incidence())
    (corners,) = apply(operator, (values, faces))
    return corners
