"""Triangle meshes on the host."""

from __future__ import annotations

import base64
import dataclasses
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar, Literal, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from taichi_softras.arrays.options import check_choice
from taichi_softras.backend import ti
from taichi_softras.meshes.materials import GREY, Material

if TYPE_CHECKING:
    import torch
from taichi_softras.meshes._host_arrays import (
    check_workable,
    copy_floats,
    copy_indices,
    to_taichi_arrays,
    to_torch_tensors,
)
from taichi_softras.meshes.textures import UVTexture

Framework = Literal["taichi", "torch"]
"""Whose arrays a mesh is copied into."""


class TextureMaps(NamedTuple):
    """The materials of a mesh as arrays, for a rasterizer.

    Attributes:
        face_uvs: (F, 3, 2) texture coordinates of the corners, v up.
        texels: (T, 3) red, green and blue of all maps, one after another, each row by row from
            the top. In the type of the mesh.
        maps: (M, 4) int32: of each map the number of its first texel, its height and its width
            in texels, and how it wraps: 0 repeats, 1 clamps, 2 mirrors, along u and v alike;
            3 + 3 a + b stands for a along u and b along v, of these three.
        face_maps: (F,) int32, the map of each face.
    """

    face_uvs: NDArray[Any]
    texels: NDArray[Any]
    maps: NDArray[Any]
    face_maps: NDArray[Any]


@dataclass(frozen=True, eq=False)
class Mesh:
    """Triangles with a colour per vertex, and materials if they have some.

    The arrays are copied, and cannot be written to.

    Texture coordinates belong to the corners of faces, not to vertices, so that no vertex is split
    at a seam of a texture.

    Attributes:
        vertices: Positions, of shape (V, 3), finite, and under 2**30 in float32, lest what is made
            of them is not. float32 or float64 as given; other numbers, and lists, become float32.
        faces: Indices of the vertices of each triangle, of shape (F, 3), counter-clockwise seen
            from outside. Kept as int32. There may be none.
        colors: Red, green and blue of each vertex, of shape (V, 3), finite, from 0 to 1, though
            this is not enforced. Kept in the type of ``vertices``. None stands for grey. Drawn
            where materials are not.
        face_uvs: Texture coordinates of the corners of each face, of shape (F, 3, 2), finite:
            (0, 0) is the bottom left of the image, (1, 1) the top right. Kept in the type of
            ``vertices``. None if there are none.
        face_materials: The material of each face, of shape (F,), an index of ``materials``. Kept
            as int32. None if there are no materials.
        materials: The materials. Those with an image need ``face_uvs``.

    Raises:
        TypeError: If an array holds no numbers, an array of indices no integers, or
            ``materials`` no `Material`.
        ValueError: If a shape doesn't fit, a value is not finite, an index is out of range, or
            only one of ``face_materials`` and ``materials`` is given.

    Examples:
        >>> mesh = Mesh([[0, 0, 0], [1, 0, 0], [0, 1, 0]], [[0, 1, 2]])
        >>> mesh.num_vertices, mesh.num_faces, mesh.vertices.dtype
        (3, 1, dtype('float32'))
        >>> mesh.colors[0]
        array([0.7, 0.7, 0.7], dtype=float32)
    """

    vertices: NDArray[Any]
    faces: NDArray[Any]
    colors: NDArray[Any] = None  # type: ignore[assignment]  # never None once constructed
    face_uvs: NDArray[Any] | None = None
    face_materials: NDArray[Any] | None = None
    materials: tuple[Material, ...] = ()
    painter: ClassVar[Callable[[Mesh], bytes] | None] = None
    """Draws a mesh as a PNG, for notebooks. Set by `notebook`, as this wing can't draw."""

    def __post_init__(self) -> None:
        vertices = copy_floats("vertices", self.vertices, ("V", 3))
        check_workable("vertices", vertices)
        faces = copy_indices("faces", self.faces, ("F", 3), len(vertices), "vertices")
        if self.colors is None:
            colors = np.full(vertices.shape, GREY, dtype=vertices.dtype)
        else:
            colors = copy_floats("colors", self.colors, (len(vertices), 3), vertices.dtype)
        arrays = {"vertices": vertices, "faces": faces, "colors": colors}
        if self.face_uvs is not None:
            shape = (len(faces), 3, 2)
            arrays["face_uvs"] = copy_floats("face_uvs", self.face_uvs, shape, vertices.dtype)
        object.__setattr__(self, "materials", _materials(self.materials, self.face_uvs))
        if (self.face_materials is None) != (not self.materials):
            raise ValueError(
                f"face_materials and materials must be given both or neither, "
                f"got {len(self.materials)} materials"
            )
        if self.face_materials is not None:
            arrays["face_materials"] = copy_indices(
                "face_materials",
                self.face_materials,
                (len(faces),),
                len(self.materials),
                "materials",
            )
        for name, values in arrays.items():
            values.flags.writeable = False
            object.__setattr__(self, name, values)

    def __repr__(self) -> str:
        of_materials = f", {len(self.materials)} materials" * bool(self.materials)
        return f"Mesh({self.num_vertices:,} vertices, {self.num_faces:,} faces{of_materials})"

    def _repr_png_(self) -> bytes | None:
        return Mesh.painter(self) if Mesh.painter is not None and self.num_faces else None

    def _repr_html_(self) -> str:
        png = self._repr_png_()
        encoded = "" if png is None else base64.b64encode(png).decode()
        picture = f'<img alt="" src="data:image/png;base64,{encoded}"><br>' * bool(encoded)
        return f"<figure>{picture}<figcaption>{self!r}</figcaption></figure>"

    @property
    def num_vertices(self) -> int:
        """How many vertices there are, those of no face included."""
        return len(self.vertices)

    @property
    def num_faces(self) -> int:
        """How many triangles there are."""
        return len(self.faces)

    def normalized(self) -> Mesh:
        """Move and scale the mesh into the unit box.

        Returns:
            A mesh whose bounding box is centred at the origin, and the longest side of it 1.
            One whose vertices are all in one place is moved only.

        Examples:
            >>> Mesh([[0, 0, 0], [4, 0, 0], [0, 2, 0]], [[0, 1, 2]]).normalized().vertices[:, :2]
            array([[-0.5 , -0.25],
                   [ 0.5 , -0.25],
                   [-0.5 ,  0.25]], dtype=float32)
        """
        if self.num_vertices == 0:
            return self
        vertices = self.vertices.astype(np.float64)
        low, high = vertices.min(axis=0), vertices.max(axis=0)
        longest = (high - low).max()
        centred = vertices - (low + (high - low) / 2)
        if longest > 0:
            # Rounding may leave the box by a last digit.
            centred = np.clip(centred / longest, -0.5, 0.5)
        return self.with_vertices(centred.astype(self.vertices.dtype))

    def with_vertices(self, vertices: ArrayLike) -> Mesh:
        """Return the mesh with other positions, of the same number.

        Examples:
            >>> flat = Mesh([[0, 0, 0], [1, 0, 0], [0, 1, 0]], [[0, 1, 2]])
            >>> flat.with_vertices(flat.vertices + 1).vertices[0]
            array([1., 1., 1.], dtype=float32)
        """
        return dataclasses.replace(self, vertices=vertices)  # type: ignore[arg-type]

    def with_colors(self, colors: ArrayLike | None) -> Mesh:
        """Return the mesh with other colours of its vertices; grey ones if None.

        Examples:
            >>> mesh = Mesh([[0, 0, 0], [1, 0, 0], [0, 1, 0]], [[0, 1, 2]])
            >>> mesh.with_colors([[1, 0, 0]] * 3).colors[0]
            array([1., 0., 0.], dtype=float32)
        """
        return dataclasses.replace(self, colors=colors)  # type: ignore[arg-type]

    def texture_maps(self) -> TextureMaps:
        """Lay the materials out as arrays.

        Returns:
            One map per material: its image times its colour, or one texel of its colour. Equal
            materials that share their image share their map. Texture coordinates are 0 where the
            mesh has none.

        Raises:
            ValueError: If the mesh has no materials.

        Examples:
            >>> mesh = Mesh([[0, 0, 0], [1, 0, 0], [0, 1, 0]], [[0, 1, 2]],
            ...             face_materials=[0], materials=[Material("red", (1, 0, 0))])
            >>> mesh.texture_maps().texels, mesh.texture_maps().maps
            (array([[1., 0., 0.]], dtype=float32), array([[0, 1, 1, 0]], dtype=int32))
        """
        if self.face_materials is None:
            raise ValueError("mesh must have materials, got none")
        dtype = self.vertices.dtype
        numbers: dict[tuple[Any, ...], int] = {}
        texels: list[NDArray[Any]] = []
        maps: list[tuple[int, ...]] = []
        map_of_material = []
        first = 0
        for material in self.materials:
            key = (id(material.image), material.color, material.wrap)
            if key not in numbers:
                image = np.ones((1, 1, 3), dtype) if material.image is None else material.image
                numbers[key] = len(maps)
                maps.append((first, *image.shape[:2], material.wrap_code))
                texels.append((image * np.array(material.color)).astype(dtype).reshape(-1, 3))
                first += len(texels[-1])
            map_of_material.append(numbers[key])
        face_uvs = self.face_uvs
        return TextureMaps(
            np.zeros((self.num_faces, 3, 2), dtype) if face_uvs is None else face_uvs,
            np.concatenate(texels),
            np.array(maps, dtype=np.int32),
            np.array(map_of_material, dtype=np.int32)[self.face_materials],
        )

    def texture(
        self,
        framework: Framework = "taichi",
        *,
        device: str | torch.device = "cpu",
        dtype: Any = None,
        mipmaps: bool = False,
    ) -> UVTexture:
        """Copy the materials into arrays, for `render` to take in place of colours.

        Args:
            framework: ``"taichi"`` or ``"torch"``.
            device: Where to, in PyTorch.
            dtype: Of the texels and coordinates: ``ti.f32`` or ``ti.f64``, or PyTorch's; that of
                the mesh if None.
            mipmaps: Whether to look colours up in an image pyramid: see `UVTexture`.

        Raises:
            TypeError: If ``mipmaps`` is neither true nor false.
            ValueError: If the mesh has no materials, or ``framework`` is neither of the two.

        Examples:
            >>> mesh = Mesh([[0, 0, 0], [1, 0, 0], [0, 1, 0]], [[0, 1, 2]],
            ...             face_materials=[0], materials=[Material("red", (1, 0, 0))])
            >>> mesh.texture().texels.shape  # of one texel
            (1, 1, 1, 3)
        """
        check_choice("framework", framework, ("taichi", "torch"))
        if framework == "torch":
            like = self.to_torch(device, dtype)[0]
        else:
            like = self.to_taichi(dtype=dtype or self.dtype)[0]
        return UVTexture.from_maps(self.texture_maps(), like, mipmaps=mipmaps)

    @property
    def dtype(self) -> Any:
        """Taichi's name of the type of vertices and colours: ``ti.f32`` or ``ti.f64``."""
        return ti.f32 if self.vertices.dtype == np.float32 else ti.f64

    def to_taichi(
        self, *, dtype: Any = ti.f32, needs_grad: bool = False
    ) -> tuple[ti.Ndarray, ti.Ndarray, ti.Ndarray]:
        """Copy the mesh into Taichi ndarrays, for the functions of this package.

        Args:
            dtype: ``ti.f32`` or ``ti.f64``, of the vertices and colours.
            needs_grad: Whether the vertices and colours have gradients.

        Returns:
            Vertices (1, V, 3), faces (F, 3) and colours (1, V, 3).
        """
        return to_taichi_arrays(
            self.vertices[None], self.faces, self.colors[None], dtype, needs_grad
        )

    def to_torch(
        self, device: str | torch.device = "cpu", dtype: torch.dtype | None = None
    ) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
        """Copy the mesh into PyTorch tensors, for the functions of this package.

        Args:
            device: Where to: the CPU, or the first CUDA device.
            dtype: Of the vertices and colours; their own if None.

        Returns:
            Vertices (1, V, 3), faces (F, 3) and colours (1, V, 3).
        """
        return to_torch_tensors(self.vertices[None], self.faces, self.colors[None], device, dtype)


def _materials(given: Iterable[Material], face_uvs: Any) -> tuple[Material, ...]:
    materials = tuple(given)
    for material in materials:
        if not isinstance(material, Material):
            raise TypeError(f"materials must be Materials, got {type(material).__name__}")
        if material.image is not None and face_uvs is None:
            raise ValueError(
                f"face_uvs must be given for materials with an image, as {material.name!r}"
            )
    return materials
