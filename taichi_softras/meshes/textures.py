"""Textures: where faces have their colours from, when not from their corners."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import isqrt
from typing import Any

import numpy as np

from taichi_softras.arrays.bridge import array_like, on_host, to_numpy
from taichi_softras.arrays.checks import check_arrays
from taichi_softras.arrays.operator import Array
from taichi_softras.arrays.options import check_flag, keep_checked
from taichi_softras.arrays.reprs import short_repr
from taichi_softras.backend import ti
from taichi_softras.meshes.materials import WRAPS

CORNERS = np.eye(3)[None, None]
"""Barycentric coordinates of a face's corners, (1, 1, 3, 3)."""


@dataclass(frozen=True, eq=False)
class SurfaceTexture:
    """A grid of R x R texels on each face, the nearest of which is its colour.

    Attributes:
        texels: (B or 1, F, R * R, C); may carry a gradient. Texel ``row * R + col`` is seen where
            the first barycentric coordinate times R is in ``col`` to ``col + 1``, the second's in
            ``row`` to ``row + 1``, below the diagonal of that cell; the upper halves of cells
            have the texels of the other half of the square, ``(R - 1 - row) * R + R - 1 - col``.

    Source:
        SoftRas's textures of type "surface".

    Examples:
        >>> import numpy as np, taichi_softras as sr
        >>> corners = np.float32([[-1, -1, 2], [1, -1, 2], [0, 1, 2]])
        >>> face_vertices = sr.from_numpy(corners[None, None])  # (1, 1, 3, 3)
        >>> settings = sr.RasterizerSettings(height=3, width=3)
        >>> texels = sr.from_numpy(np.float32([[[[1, 0, 0]] * 4]]))  # 2 x 2 on the one face
        >>> sr.rasterize(face_vertices, sr.SurfaceTexture(texels), settings).to_numpy()[0, 1, 1]
        array([1., 0., 0., 1.], dtype=float32)
    """

    texels: Array

    __repr__ = short_repr

    @property
    def num_channels(self) -> int:
        """How many colours a texel has."""
        return int(self.texels.shape[-1])

    def check(self, like: Array, num_items: int, num_faces: int) -> None:
        """Check that the texture fits faces.

        Raises:
            TypeError: If the texels are no array of the faces' type.
            ValueError: If their shape doesn't fit, or they are no square number.
        """
        check_arrays(like, texels=(self.texels, f"({num_items} or 1, {num_faces}, R * R, C)"))
        count = self.texels.shape[2]
        if count < 1 or isqrt(count) ** 2 != count:
            raise ValueError(f"texels must be R * R for each face, got {count}")


@dataclass(frozen=True, eq=False)
class UVTexture:
    """Images, several if need be, in which each corner of a face has a place.

    Between the centres of texels colours are interpolated bilinearly. Gradients flow to the texels
    and to the places.

    With mipmaps colours are also interpolated between two levels of an image pyramid, whose texels
    are about as large as the pixel: a map of more texels than the picture has pixels is shown
    without flicker, and each pixel's gradient reaches all texels under it. Each level has the means
    of the one before at half its size, rounded down. The level is log2 of the pixel's footprint,
    the root of the mean square of the two axes, in texels, of the ellipse that is the image in the
    map of a circle one pixel wide: it is 0 where a texel is a pixel or more, and the colour is that
    without mipmaps, to rounding. The gradient through the level is exact, too.

    Attributes:
        face_uvs: (B or 1, F, 3, 2), places of corners: u to the right, v up, from 0 to 1 over the
            image.
        texels: (B or 1, H, W, C), the image, row 0 on top; C colours. Or, of any height and
            width, the texels of several images, one after the other, each row by row from the top.
        maps: (M, 4) int32, for each of several images its first texel, its height and width, and
            what is beyond its border: 0, it again; 1, the texels of its border; 2, it again,
            mirrored every other time. 3 + 3 a + b stands for a along u and b along v, of these
            three. None if ``texels`` are one image, that is repeated.
        face_maps: (F,) int32, which of them each face has; None if there is one only.
        mipmaps: Whether to look colours up in an image pyramid. It is made anew in each call. On a
            GPU that waits for ``maps``, if they are given.

    Raises:
        TypeError: If ``mipmaps`` is neither true nor false.

    Examples:
        >>> import numpy as np, taichi_softras as sr
        >>> image = sr.from_numpy(np.zeros((1, 4, 6, 3), dtype=np.float32))
        >>> uvs = sr.from_numpy(np.zeros((1, 5, 3, 2), dtype=np.float32))
        >>> sr.UVTexture(uvs, image).num_channels
        3
    """

    face_uvs: Array
    texels: Array
    maps: Array | None = None
    face_maps: Array | None = None
    mipmaps: bool = False

    __repr__ = short_repr

    def __post_init__(self) -> None:
        keep_checked(self, ("mipmaps",), check_flag)

    @staticmethod
    def from_maps(maps: Sequence[np.ndarray], like: Array, *, mipmaps: bool = False) -> UVTexture:
        """Make a texture of what `Mesh.texture_maps` gives.

        Args:
            maps: Places of corners (F, 3, 2), texels (T, C), maps (M, 4), and each face's map (F,).
            like: An array of the framework, device and floating-point type wanted.
            mipmaps: Whether to look colours up in an image pyramid.
        """
        face_uvs, texels, sizes, face_maps = maps
        return UVTexture(
            array_like(face_uvs[None], like),
            array_like(texels[None, None], like),
            array_like(sizes, like, dtype=ti.i32),
            array_like(face_maps, like, dtype=ti.i32),
            mipmaps,
        )

    @property
    def num_channels(self) -> int:
        """How many colours a texel has."""
        return int(self.texels.shape[-1])

    def host_maps(self) -> np.ndarray:
        """Copy the maps to the host, (M, 4) int32: the one map that there is if none are given."""
        if self.maps is None:
            return np.array([[0, *self.texels.shape[1:3], 0]], dtype=np.int32)
        return to_numpy(self.maps)

    def check(
        self, like: Array, num_items: int, num_faces: int, *, num_sources: int | None
    ) -> None:
        """Check that the texture fits faces, and the faces that they were cut out of, if known.

        Raises:
            TypeError: If an array is of the wrong kind or type.
            ValueError: If a shape doesn't fit, or a map's texels are not all there; which is looked
                at where that costs no waiting, on the CPU, and with mipmaps.
        """
        check_arrays(
            like,
            face_uvs=(self.face_uvs, f"({num_items} or 1, {num_faces}, 3, 2)"),
            texels=(self.texels, f"({num_items} or 1, H, W, C)"),
        )
        self.check_maps(waits=self.mipmaps)
        if self.maps is None:
            return
        if self.face_maps is None:
            if self.maps.shape[0] != 1:
                raise ValueError(f"face_maps must be given with {self.maps.shape[0]} maps")
            return
        faces = "F" if num_sources is None else num_sources
        check_arrays(face_maps=(self.face_maps, f"({faces},) int32"))
        face_maps = on_host(self.face_maps)
        if face_maps is not None and len(face_maps):
            low, high = face_maps.min(), face_maps.max()
            if low < 0 or high >= self.maps.shape[0]:
                raise ValueError(
                    f"face_maps must be from 0 to {self.maps.shape[0] - 1}, got {low} to {high}"
                )

    def check_maps(self, *, waits: bool = True) -> None:
        """Check that maps are within the texels.

        Args:
            waits: Whether their numbers are looked at also where a device must be waited for.

        Raises:
            TypeError: If they are no array of int32.
            ValueError: If they don't fit, or there is no texel.
        """
        num_texels = self.texels.shape[1] * self.texels.shape[2]
        if num_texels < 1:
            raise ValueError(f"texels must be at least 1, got {tuple(self.texels.shape)}")
        if self.maps is None:
            return
        check_arrays(maps=(self.maps, "(M, 4) int32"))
        maps = self.host_maps() if waits else on_host(self.maps)
        if maps is not None:
            ends = maps[:, 0].astype(np.int64) + maps[:, 1].astype(np.int64) * maps[:, 2]
            sizes_fit = (maps[:, :3] >= (0, 1, 1)).all() and (ends <= num_texels).all()
            if not sizes_fit or not len(maps):
                raise ValueError(
                    f"maps must be at least 1, within the {num_texels} texels, got {maps.tolist()}"
                )
            wraps = maps[:, 3]
            if wraps.min() < 0 or wraps.max() >= len(WRAPS) + len(WRAPS) ** 2:
                raise ValueError(
                    f"maps must wrap by numbers from 0 to 11, got {wraps.min()} to {wraps.max()}"
                )


Texture = Any
"""An array of colours at faces' corners, (B or 1, F, 3, C), a `SurfaceTexture` or a `UVTexture`."""
