"""Normals of vertices and of faces."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from taichi_softras.arrays.calls import apply, apply_kernel
from taichi_softras.arrays.checks import FACES, check_arrays
from taichi_softras.arrays.operator import Allocate, Array, Faces, Operator
from taichi_softras.backend import ti
from taichi_softras.meshes.incidence import Incidence, know_faces
from taichi_softras.meshes.kernels.normals import (
    face_normal_kernel,
    finite_faces_kernel,
    normal_kernels,
)


@dataclass(frozen=True)
class NormalOperator(Operator):
    """Averages the normals of faces, by their areas, at their vertices.

    The inputs are vertices (B or 1, V, 3) and faces (F, 3) or (B or 1, F, 3); the output is
    (B, V, 3). Faces with an index out of range, or a vertex that isn't finite, don't count.

    Attributes:
        num_items: B.
        incidence: Of the faces.
    """

    num_items: int
    incidence: Incidence = field(default_factory=Incidence)

    def forward(
        self, inputs: Sequence[Array], allocate: Allocate
    ) -> tuple[tuple[Array, ...], tuple[Array, ...]]:
        """Find normals."""
        vertices, faces = inputs
        lists = self.incidence.lists(faces, vertices.shape[1], allocate)
        finite = allocate(tuple(vertices.shape[:2]), ti.i32, clear=False)
        sums, normals = (
            allocate((self.num_items, *vertices.shape[1:]), clear=False) for _ in range(2)
        )
        normal_kernels(allocate.dtype).find(vertices, faces, *lists, finite, sums, normals)
        return (normals,), (*lists, finite, sums)

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
            grad_sums = allocate(tuple(outputs[0].shape), clear=False)
            differentiate = normal_kernels(allocate.dtype).differentiate
            differentiate(*(vertices, faces, *saved, outputs[0].grad, grad_sums, vertices.grad))


def vertex_normals(vertices: Array, faces: Faces, *, incidence: Incidence | None = None) -> Array:
    """Average the normals of the faces round each vertex, weighted by their areas.

    Args:
        vertices: (B or 1, V, 3), in a right-handed frame.
        faces: (F, 3) or (B or 1, F, 3) integers, counter-clockwise seen from outside.
        incidence: Of the faces, where the caller has both from `know_faces`.

    Returns:
        (B, V, 3), of length 1 and pointing outward; 0 for vertices of no face, or whose faces
        have no area. Faces with vertices that are not finite don't count.

    Raises:
        TypeError: If an array is of the wrong kind or type.
        ValueError: If a shape doesn't fit.

    Examples:
        >>> import taichi_softras as sr
        >>> vertices, faces, colors = sr.icosphere(1).to_taichi()
        >>> normals = sr.vertex_normals(vertices, faces)
        >>> outward = 2 * vertices.to_numpy()  # of a ball, radius 1/2
        >>> bool(abs(normals.to_numpy() - outward).max() < 0.02)
        True
    """
    sizes = check_arrays(vertices=(vertices, "(B or 1, V, 3)"))
    if incidence is None:
        faces, incidence = know_faces(faces, num_vertices=sizes["V"])
    sizes = check_arrays(vertices=(vertices, "(B or 1, V, 3)"), faces=(faces, FACES))
    (normals,) = apply(NormalOperator(sizes["B"], incidence), (vertices, faces))
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

    Examples:
        >>> import numpy as np, taichi_softras as sr
        >>> corners = sr.from_numpy(np.float32([[[[0, 0, 0], [2, 0, 0], [0, 2, 0]]]]))
        >>> sr.face_normals(corners).to_numpy().tolist()
        [[[0.0, 0.0, 1.0]]]
    """
    sizes = check_arrays(face_points=(face_points, "(B, F, 3, 3)"))
    return apply_kernel(
        face_normal_kernel,
        (face_points,),
        (sizes["B"], sizes["F"], 3),
        num_rows=sizes["F"],
        mask=finite_faces_kernel,
        masked=(0, 0),  # it takes colours and points: what is finite twice is finite
    )
