"""Normals of vertices and of faces."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import taichi as ti

from taichi_softras.arrays.bridge import apply, dtype_of
from taichi_softras.arrays.checks import check_array, check_faces, check_items
from taichi_softras.arrays.kernels.points import finite_kernel
from taichi_softras.arrays.operator import Allocate, Array, KernelOperator
from taichi_softras.meshes.incidence import Incidence
from taichi_softras.meshes.kernels.normals import (
    face_normal_kernel,
    finite_faces_kernel,
    normal_kernels,
    normalize_kernel,
)


@dataclass(frozen=True)
class NormalSumOperator:
    """Adds the normals of faces, twice their area long, up at their vertices.

    The inputs are vertices (B or 1, V, 3) and faces (F, 3) or (B or 1, F, 3); the output is
    (B, V, 3). Faces with an index out of range, or a vertex that isn't finite, don't count.

    Attributes:
        dtype: ``ti.f32`` or ``ti.f64``.
        num_items: B.
        incidence: Of the faces.
    """

    dtype: Any
    num_items: int
    incidence: Incidence = field(default_factory=Incidence)

    def forward(
        self, inputs: Sequence[Array], allocate: Allocate
    ) -> tuple[tuple[Array, ...], tuple[Array, ...]]:
        """Add up."""
        vertices, faces = inputs
        finite = allocate(tuple(vertices.shape[:2]), ti.i32)
        finite_kernel(self.dtype)(vertices, finite)
        lists = self.incidence.lists(faces, vertices.shape[1], allocate)
        sums = allocate((self.num_items, *vertices.shape[1:]), self.dtype)
        normal_kernels(self.dtype).add_normals(vertices, faces, finite, *lists, sums)
        return (sums,), (finite, *lists)

    def backward(
        self,
        inputs: Sequence[Array],
        outputs: Sequence[Array],
        saved: Sequence[Array],
        allocate: Allocate,
    ) -> None:
        """Differentiate with respect to the vertices."""
        vertices, faces = inputs
        if vertices.grad is not None:
            normal_kernels(self.dtype).add_normals_backward(
                vertices, faces, *saved, outputs[0].grad, vertices.grad
            )


def vertex_normals(vertices: Array, faces: Array, *, incidence: Incidence | None = None) -> Array:
    """Average the normals of the faces round each vertex, weighted by their areas.

    Args:
        vertices: (B or 1, V, 3), in a right-handed frame.
        faces: (F, 3) or (B or 1, F, 3) integers, counter-clockwise seen from outside.
        incidence: Of the faces, where the caller has it.

    Returns:
        (B, V, 3), of length 1 and pointing outward; 0 for vertices of no face, or whose faces
        have no area. Faces with vertices that are not finite don't count.

    Raises:
        TypeError: If an array is of the wrong kind or type.
        ValueError: If a shape doesn't fit.
    """
    check_array("vertices", vertices, ("B or 1", "V", 3))
    faces = check_faces(faces, num_vertices=vertices.shape[1])
    num_items = check_items(vertices=vertices, faces=faces)
    dtype = dtype_of(vertices)
    shapes = ((num_items, *vertices.shape[1:]),)
    add = NormalSumOperator(dtype, num_items, incidence or Incidence())
    (sums,) = apply(add, (vertices, faces))
    (normals,) = apply(KernelOperator(normalize_kernel(dtype), dtype, shapes), (sums,))
    return normals


def face_normals(face_points: Array) -> Array:
    """Find the normals of faces.

    Args:
        face_points: (B, F, 3, 3), corners in a right-handed frame, counter-clockwise seen from
            outside.

    Returns:
        (B, F, 3), of length 1 and pointing outward; 0 for faces without area, or that are not
        finite.

    Raises:
        TypeError: If the array is of the wrong kind or type.
        ValueError: If its shape doesn't fit.
    """
    check_array("face_points", face_points, ("B", "F", 3, 3))
    dtype = dtype_of(face_points)
    find_finite = finite_faces_kernel(dtype)
    operator = KernelOperator(
        face_normal_kernel(dtype),
        dtype,
        (tuple(face_points.shape[:3]),),
        mask_kernel=lambda points, finite: find_finite(points, points, finite),
        mask_shape=tuple(face_points.shape[:2]),
    )
    (normals,) = apply(operator, (face_points,))
    return normals
