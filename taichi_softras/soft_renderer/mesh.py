"""SoftRas's mesh: a batch of triangle meshes with the same faces or not, and their textures."""

import copy
import math
from os import PathLike
from typing import Any

import torch
from torch import Tensor

import taichi_softras as native
from taichi_softras.arrays.checks import check_arrays, check_faces
from taichi_softras.arrays.options import check_choice
from taichi_softras.soft_renderer import functional as srf
from taichi_softras.soft_renderer.functional.arguments import as_tensor
from taichi_softras.soft_renderer.functional.soft_rasterize import TEXTURE_TYPES


class Mesh:
    """Triangle meshes with colours, in a batch.

    Args:
        vertices: (B, V, 3) or (V, 3), in a left-handed world. A tensor keeps its type, device
            and gradient; what NumPy holds becomes float32, on the GPU if there is one, unless
            Taichi runs on the CPU already.
        faces: (B or 1, F, 3) or (F, 3) integers, in a tensor or of NumPy.
        textures: Colours: of each face's texels, (B or 1, F, R * R, 3), if ``texture_type`` is
            "surface"; of the vertices, (B or 1, V, 3), if "vertex". The first dimension may be
            left out. White if None.
        texture_res: R, if ``textures`` is None.
        texture_type: "surface" or "vertex".

    Raises:
        TypeError: If an array is of the wrong kind or type.
        ValueError: If a shape doesn't fit, an index is out of range, or the type is unknown.
    """

    vertices: Tensor
    faces: Tensor
    textures: Tensor

    def __init__(
        self,
        vertices: Any,
        faces: Any,
        textures: Any = None,
        texture_res: int = 1,
        texture_type: str = "surface",
    ) -> None:
        check_choice("texture_type", texture_type, TEXTURE_TYPES)
        self.texture_type = texture_type
        vertices, faces = as_tensor(vertices, torch.float32), as_tensor(faces, torch.int32)
        vertices = vertices[None] if vertices.ndim == 2 else vertices
        faces = faces[None] if faces.ndim == 2 else faces
        check_arrays(vertices=(vertices, "(B, V, 3)"))
        check_faces(faces, num_vertices=vertices.shape[1])
        if textures is None:
            count = (vertices.shape[1],) if texture_type == "vertex" else (faces.shape[1],)
            texels = () if texture_type == "vertex" else (texture_res**2,)
            textures = vertices.new_ones(len(vertices), *count, *texels, 3)
        textures = as_tensor(textures, vertices.dtype)
        if textures.ndim == (2 if texture_type == "vertex" else 3):
            textures = textures[None]
        self.vertices, self.faces, self.textures = vertices, faces, textures
        self._check_textures()
        self._fill_back = False
        self._original = vertices, faces, textures

    @classmethod
    def from_obj(
        cls,
        filename_obj: str | PathLike[str],
        normalization: bool = False,
        load_texture: bool = False,
        texture_res: int = 1,
        texture_type: str = "surface",
    ) -> "Mesh":
        """Read a mesh from an OBJ file: see `functional.load_obj`."""
        parts = srf.load_obj(filename_obj, normalization, load_texture, texture_res, texture_type)
        textures = parts[2] if len(parts) == 3 else None
        return cls(parts[0], parts[1], textures, texture_res, texture_type)

    @property
    def batch_size(self) -> int:
        """How many meshes there are."""
        return len(self.vertices)

    @property
    def num_vertices(self) -> int:
        """How many vertices each has."""
        return int(self.vertices.shape[1])

    @property
    def num_faces(self) -> int:
        """How many faces each has."""
        return int(self.faces.shape[1])

    @property
    def texture_res(self) -> int:
        """Side of the grid of a face's texels; 1 if vertices have the colours."""
        return math.isqrt(self.textures.shape[2]) if self.texture_type == "surface" else 1

    @property
    def face_vertices(self) -> Tensor:
        """Positions of the faces' corners, (B, F, 3, 3)."""
        return srf.face_vertices(self.vertices, self.faces)

    @property
    def surface_normals(self) -> Tensor:
        """Normals of the faces, (B, F, 3), of length 1; 0 for faces without area."""
        normals: Tensor = native.face_normals(self.face_vertices)
        return normals

    @property
    def vertex_normals(self) -> Tensor:
        """Means of the normals of the faces round each vertex, (B, V, 3), of length 1 or 0."""
        return srf.vertex_normals(self.vertices, self.faces)

    @property
    def face_textures(self) -> Tensor:
        """Colours, for `functional.soft_rasterize`: of the texels, or of the faces' corners."""
        if self.texture_type == "surface":
            return self.textures
        return srf.face_vertices(self.textures, self.faces)

    def fill_back_(self) -> None:
        """Add the back of each face: one with the same texels, its corners the other way round.

        Does nothing the second time.
        """
        if not self._fill_back:
            self.faces = torch.cat((self.faces, self.faces.flip(-1)), dim=1)
            if self.texture_type == "surface":
                self.textures = torch.cat((self.textures, self.textures), dim=1)
            self._fill_back = True

    def reset_(self) -> None:
        """Go back to the vertices, faces and textures that the mesh was made of."""
        self.vertices, self.faces, self.textures = self._original
        self._fill_back = False

    def with_vertices(self, vertices: Tensor) -> "Mesh":
        """Return the mesh with other positions of the vertices."""
        mesh = copy.copy(self)
        mesh.vertices = vertices
        return mesh

    def with_textures(self, textures: Tensor) -> "Mesh":
        """Return the mesh with other colours."""
        mesh = copy.copy(self)
        mesh.textures = textures
        return mesh

    def save_obj(
        self,
        filename_obj: str | PathLike[str],
        save_texture: bool = False,
        texture_res_out: int = 16,
    ) -> None:
        """Write the mesh, which must be alone in its batch: see `functional.save_obj`.

        Raises:
            ValueError: If there are several meshes.
        """
        if self.batch_size != 1:
            raise ValueError(f"a mesh must be alone to be saved, got {self.batch_size} of them")
        textures = self.textures[0] if save_texture else None
        mesh = self.vertices[0], self.faces[0]
        srf.save_obj(filename_obj, *mesh, textures, texture_res_out, self.texture_type)

    def voxelize(self, voxel_size: int = 32) -> Tensor:
        """Fill the voxels that the meshes enclose: see `functional.voxelization`.

        The grid is a little smaller than -0.5 to 0.5 along each axis: that, times (N - 1) / N.

        Returns:
            (B, N, N, N) int32, N being ``voxel_size``.
        """
        corners = self.face_vertices * (voxel_size / (voxel_size - 1)) + 0.5
        return srf.voxelization(corners, voxel_size, False)

    def _check_textures(self) -> None:
        count = "F, R * R" if self.texture_type == "surface" else "V"
        check_arrays(
            vertices=(self.vertices, "(B or 1, V, 3)"),
            faces=(self.faces, "(B or 1, F, 3) integers"),
            textures=(self.textures, f"(B or 1, {count}, 3)"),
        )
        if self.texture_type == "surface":
            num_texels = self.textures.shape[2]
            if num_texels < 1 or math.isqrt(num_texels) ** 2 != num_texels:
                raise ValueError(f"textures must have R * R texels per face, got {num_texels}")
