"""Meshes of several sizes, side by side."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from taichi_softras.backend import ti

if TYPE_CHECKING:
    import torch
from taichi_softras.arrays.reprs import short_repr
from taichi_softras.meshes._host_arrays import to_taichi_arrays, to_torch_tensors
from taichi_softras.meshes.mesh import Mesh


@dataclass(frozen=True, eq=False)
class MeshStack:
    """Meshes of several sizes, side by side for one call. Made by `stack_meshes`.

    Attributes:
        vertices: (B, V, 3), V the most that any mesh has; smaller ones repeat their first vertex.
        faces: (B, F, 3), F the most that any mesh has; smaller ones end in rows of -1.
        colors: (B, V, 3).
    """

    vertices: NDArray[Any]
    faces: NDArray[Any]
    colors: NDArray[Any]

    __repr__ = short_repr

    def to_taichi(
        self, *, dtype: Any = ti.f32, needs_grad: bool = False
    ) -> tuple[ti.Ndarray, ti.Ndarray, ti.Ndarray]:
        """Copy the meshes into Taichi ndarrays; see `Mesh.to_taichi`."""
        return to_taichi_arrays(self.vertices, self.faces, self.colors, dtype, needs_grad)

    def to_torch(
        self, device: str | torch.device = "cpu", dtype: torch.dtype | None = None
    ) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
        """Copy the meshes into PyTorch tensors; see `Mesh.to_torch`."""
        return to_torch_tensors(self.vertices, self.faces, self.colors, device, dtype)


def stack_meshes(meshes: Sequence[Mesh]) -> MeshStack:
    """Put meshes of several sizes side by side, to be drawn in one call.

    Examples:
        >>> triangle = Mesh([[0, 0, 0], [1, 0, 0], [0, 1, 0]], [[0, 1, 2]])
        >>> stack_meshes([triangle, triangle]).vertices.shape
        (2, 3, 3)

    Raises:
        ValueError: If there are none, or one has no vertices.
    """
    if not meshes:
        raise ValueError("meshes must be at least 1, got none")
    if not all(mesh.num_vertices for mesh in meshes):
        raise ValueError("meshes must have vertices, got one without")
    num_vertices = max(mesh.num_vertices for mesh in meshes)
    num_faces = max(mesh.num_faces for mesh in meshes)
    faces = np.full((len(meshes), num_faces, 3), -1, dtype=np.int32)
    for rows, mesh in zip(faces, meshes):
        rows[: mesh.num_faces] = mesh.faces
    vertices, colors = (
        np.stack(
            [
                np.concatenate([x, np.repeat(x[:1], num_vertices - len(x), axis=0)])
                for x in (getattr(mesh, name) for mesh in meshes)
            ]
        )
        for name in ("vertices", "colors")
    )
    return MeshStack(vertices, faces, colors)
