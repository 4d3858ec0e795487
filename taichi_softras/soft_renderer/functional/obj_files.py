"""OBJ files as SoftRas reads and writes them: vertices in the file's order, texels per face."""

import math
from os import PathLike
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

import taichi_softras as native
from taichi_softras.arrays.options import check_choice, check_integer
from taichi_softras.files._file_mesh import FileMesh
from taichi_softras.files._formats import read_file, warn_of_problems
from taichi_softras.meshes.materials import Wraps, wrapped_uvs
from taichi_softras.soft_renderer.functional.arguments import as_tensor
from taichi_softras.soft_renderer.functional.soft_rasterize import TEXTURE_TYPES

SMALLEST_TILE = 4
"""Side of a face's tile in a saved texture: the triangle, and a border of one texel round it."""


def load_obj(
    filename_obj: str | PathLike[str],
    normalization: bool = False,
    load_texture: bool = False,
    texture_res: int = 4,
    texture_type: str = "surface",
) -> tuple[Tensor, Tensor] | tuple[Tensor, Tensor, Tensor]:
    """Read an OBJ file, and the textures that it names.

    Args:
        filename_obj: The file.
        normalization: Whether to move and scale the mesh, so that its bounding box is centred at
            the origin and the longest side of it is 2.
        load_texture: Whether to return textures.
        texture_res: Each face gets ``texture_res`` squared texels.
        texture_type: "surface": texels, sampled from the materials' images, or else of the
            materials' colours, white for faces without a material. "vertex": the colours that
            follow the positions in the file, or white.

    Returns:
        Vertices (V, 3) float32, in the file's order; faces (F, 3) int32; and with
        ``load_texture`` texels (F, texture_res**2, 3), or colours (V, 3). On the GPU if there is
        one, unless Taichi runs on the CPU already.

    Raises:
        FileNotFoundError: If the file doesn't exist. Materials and images that don't are done
            without, with a warning.
        ValueError: If the file doesn't parse or has no faces, ``texture_res`` is under 1, or the
            texture's type is unknown.
    """
    check_choice("texture_type", texture_type, TEXTURE_TYPES)
    texture_res = check_integer("texture_res", texture_res, at_least=1)
    path = Path(filename_obj)
    content = read_file(path, ".obj")
    vertices = content.vertices
    if not len(content.faces) or not np.isfinite(vertices).all():
        problem = "a vertex that is not finite" if len(content.faces) else "no faces"
        raise ValueError(f"file must hold a mesh, got {str(path)!r}, which has {problem}")
    if normalization:
        low, high = vertices.min(0), vertices.max(0)
        longest = (high - low).max()
        vertices = (vertices - (low + high) / 2) * (2 / longest if longest > 0 else 1)
    mesh = as_tensor(vertices, torch.float32), as_tensor(content.faces, torch.int32)
    if not load_texture:
        return mesh
    warn_of_problems(path, content)
    if texture_type == "vertex":
        return *mesh, as_tensor(np.nan_to_num(content.colors, nan=1.0), torch.float32)
    texels = _sample_textures(content, texture_res)
    return *mesh, as_tensor(texels, torch.float32)


def save_obj(
    filename: str | PathLike[str],
    vertices: Tensor,
    faces: Tensor,
    textures: Tensor | None = None,
    texture_res: int = 16,
    texture_type: str = "surface",
) -> None:
    """Write an OBJ file; with texels, also a material file and a PNG image beside it.

    Args:
        filename: The file; ``a.mtl`` and ``a_0.png`` go with ``a.obj``. What exists is replaced.
        vertices: (V, 3).
        faces: (F, 3).
        textures: (F, R * R, 3) texels ("surface"), or (V, 3) colours of the vertices ("vertex");
            None if there are none. Clipped to between 0 and 1.
        texture_res: Side of the square of the image that each face gets, at least 4.
        texture_type: What ``textures`` are: "surface" or "vertex".

    Raises:
        ValueError: If a shape doesn't fit, a vertex is not finite, the name doesn't end in .obj,
            ``texture_res`` is under 4, or the texture's type is unknown.
        FileNotFoundError: If the folder does not exist.
    """
    check_choice("texture_type", texture_type, TEXTURE_TYPES)
    texture_res = check_integer("texture_res", texture_res, at_least=SMALLEST_TILE)
    if Path(filename).suffix.lower() != ".obj":
        raise ValueError(f"filename must end in .obj, got {str(filename)!r}")
    points, corners = _numpy(vertices), _numpy(faces)
    colors, uvs, face_materials = np.ones_like(points), None, None
    materials: tuple[native.Material, ...] = ()
    if textures is not None and texture_type == "vertex":
        colors = _numpy(textures)
    elif textures is not None:
        texels = _numpy(textures)
        if texels.ndim != 3 or texels.shape[::2] != (len(corners), 3):
            wanted = f"({len(corners)}, R * R, 3)"
            raise ValueError(f"textures must have shape {wanted}, got {texels.shape}")
        image, uvs = _atlas(np.clip(texels, 0, 1), texture_res)
        face_materials = np.zeros(len(corners), dtype=int)
        materials = (native.Material("material_1", image=image),)
    mesh = native.Mesh(points, corners, colors, uvs, face_materials, materials)
    native.write_mesh(mesh, filename)


def texel_index(w0: NDArray[Any], w1: NDArray[Any], texture_res: int) -> NDArray[Any]:
    """Find the texel of a face at barycentric coordinates, of its first and second corner.

    A face is divided into R * R similar triangles. Those that stand upright have their cell
    (floor(R w0), floor(R w1)) as column and row; those upside down fill what is left of the
    square, turned by half a circle.
    """
    x, y = (np.minimum((w * texture_res).astype(np.int64), texture_res - 1) for w in (w0, w1))
    # A cell on the diagonal is upright as a whole; what is on the diagonal must not be rounded off.
    is_upright = (x + y >= texture_res - 1) | ((w0 + w1) * texture_res - x - y <= 1)
    x, y = (np.where(is_upright, k, texture_res - 1 - k) for k in (x, y))
    return y * texture_res + x


def texel_centers(texture_res: int) -> NDArray[Any]:
    """Barycentric coordinates (R * R, 3) of the middles of a face's texels."""
    y, x = (k.reshape(-1) for k in np.mgrid[:texture_res, :texture_res])
    is_upright = x + y < texture_res
    w0, w1 = (
        np.where(is_upright, k + 1 / 3, texture_res - 1 - k + 2 / 3) / texture_res for k in (x, y)
    )
    return np.stack((w0, w1, 1 - w0 - w1), axis=1)


def _sample_textures(content: FileMesh, texture_res: int) -> NDArray[Any]:
    """Make texels (F, R * R, 3) of the materials' colours and images."""
    texels = np.ones((len(content.faces), texture_res**2, 3))
    for number, material in enumerate(content.materials):
        faces = content.face_materials == number
        texels[faces] = material.color
        if material.image is not None:
            points = np.einsum("tk,fkc->ftc", texel_centers(texture_res), content.face_uvs[faces])
            texels[faces] *= _bilinear(material.image, points, material.wrap)
    return texels


def _bilinear(image: NDArray[Any], uvs: NDArray[Any], wrap: Wraps) -> NDArray[Any]:
    """Sample an image (H, W, 3), row 0 on top, at texture coordinates (..., 2), v up.

    0 and 1 are the *middles* of the first and last row or column.
    """
    uvs = wrapped_uvs(uvs, wrap)
    height, width = image.shape[:2]
    x, y = uvs[..., 0] * (width - 1), (1 - uvs[..., 1]) * (height - 1)
    left, top = np.floor(x).astype(np.int64), np.floor(y).astype(np.int64)
    right, bottom = np.minimum(left + 1, width - 1), np.minimum(top + 1, height - 1)
    x, y = (x - left)[..., None], (y - top)[..., None]
    upper = image[top, left] * (1 - x) + image[top, right] * x
    lower = image[bottom, left] * (1 - x) + image[bottom, right] * x
    result: NDArray[Any] = upper * (1 - y) + lower * y
    return result


def _atlas(texels: NDArray[Any], tile: int) -> tuple[NDArray[Any], NDArray[Any]]:
    """Draw the texels of faces side by side, each face's in a square of ``tile`` pixels.

    Returns:
        The image (H, W, 3) from 0 to 1, row 0 on top, and texture coordinates (F, 3, 2), v up.
    """
    num_faces, texture_res = len(texels), math.isqrt(texels.shape[1])
    columns = max(math.ceil(math.sqrt(num_faces)), 1)
    rows = max(math.ceil(num_faces / columns), 1)
    # The corners of a face are at the pixels (side, 1), (1, side) and (1, 1) of its tile.
    side = tile - 2
    y, x = (np.clip(k - 1, 0, side - 1) / (side - 1) for k in np.mgrid[:tile, :tile])
    excess = np.maximum(x + y - 1, 0) / 2  # beyond the long edge, the nearest point of it
    x, y = np.clip(x - excess, 0, 1), np.clip(y - excess, 0, 1)
    tiles = np.zeros((rows * columns, tile, tile, 3))
    tiles[:num_faces] = texels[:, texel_index(x, y, texture_res)]
    image = tiles.reshape(rows, columns, tile, tile, 3).swapaxes(1, 2)
    image = image.reshape(rows * tile, columns * tile, 3)
    corners = np.array([[side, 1], [1, side], [1, 1]])
    start = np.stack(np.divmod(np.arange(num_faces), columns)[::-1], axis=1) * tile
    pixels = start[:, None] + corners
    uvs = pixels / (np.array([image.shape[1], image.shape[0]]) - 1)
    uvs[..., 1] = 1 - uvs[..., 1]
    return image, uvs


def _numpy(value: Any) -> NDArray[Any]:
    array = value.detach().cpu().numpy() if isinstance(value, Tensor) else np.asarray(value)
    return np.asarray(array)
