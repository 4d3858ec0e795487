"""Reading PLY files: what their elements mean."""

from __future__ import annotations

from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from taichi_softras.files._colors import color_materials, unit_colors
from taichi_softras.files._file_mesh import DeclaredMaterial, FileMesh, assign_materials
from taichi_softras.files._images import Textures
from taichi_softras.files._ply_elements import Element, PlyFile, read_ply_elements
from taichi_softras.files._triangulation import triangulate
from taichi_softras.files._words import FormatError
from taichi_softras.meshes.materials import Material
from taichi_softras.meshes.rows import group_rows

COLOR_NAMES = (
    ("red", "green", "blue"),
    ("diffuse_red", "diffuse_green", "diffuse_blue"),
    ("r", "g", "b"),
)
UV_NAMES = (("s", "t"), ("u", "v"), ("texture_u", "texture_v"), ("texture_s", "texture_t"))
"""What programs call colours, and texture coordinates of vertices."""

INDEX_NAMES = ("vertex_indices", "vertex_index")


class _Polygons(NamedTuple):
    """Faces as the file has them, corners one after another."""

    sizes: NDArray[Any]  # (P,)
    corners: NDArray[Any]  # (C,) indices of vertices
    uvs: NDArray[Any]  # (C, 2), NaN where there are none
    colors: NDArray[Any]  # (P, 3), NaN where there are none
    textures: NDArray[Any]  # (P,) numbers of images


def read_ply(path: Path, *, weld: bool, creases: bool) -> FileMesh:
    """Read a PLY file, and the images that its comments name.

    Args:
        path: The file.
        weld: Whether vertices that the file has several times over, for the sake of texture
            coordinates, become one: those with the same position, normal and colour.
        creases: Whether vertices that only their normals tell apart stay apart.

    Returns:
        What it says, with vertices and faces in the order of the file, strips after faces.

    Raises:
        FormatError: If it doesn't follow the format, or an index is out of range.
    """
    file, textures = read_ply_elements(path.read_bytes()), Textures()
    if "vertex" not in file.elements:
        raise FormatError("it must have an element 'vertex'")
    element = file.elements["vertex"]
    vertices = _columns(element, ("x", "y", "z"))
    if vertices is None:
        raise FormatError("its vertices must have x, y and z")
    vertices = vertices.astype(np.float64)
    colors = _colors(element)
    polygons = _polygons(file, len(vertices))
    triangles, polygon = triangulate(vertices[polygons.corners], polygons.sizes)
    corners, face_uvs = polygons.corners[triangles], polygons.uvs[triangles]
    if np.isfinite(face_uvs).any():
        weld = False  # corners have them, so vertices need not be there more than once
    else:
        face_uvs = _vertex_uvs(element, corners)
    declared, numbers = _materials(file, polygons, path, textures)
    chosen, face_materials = assign_materials(declared, numbers[polygon], face_uvs)
    if weld and np.isfinite(face_uvs).any():
        normals = _columns(element, ("nx", "ny", "nz")) if creases else None
        keys = [vertices, np.nan_to_num(colors, nan=-1), *([] if normals is None else [normals])]
        first, kind = group_rows(np.hstack(keys))
        vertices, colors, corners = vertices[first], colors[first], kind[corners]
    return FileMesh(
        vertices,
        corners,
        colors,
        multiplies=False,
        corner_normals=None,
        face_uvs=face_uvs,
        face_materials=face_materials,
        materials=chosen,
        problems=tuple(textures.problems),
    )


def _columns(element: Element, names: tuple[str, ...]) -> NDArray[Any] | None:
    """Put properties side by side, (N, K), if all of them are there."""
    if not all(name in element.columns for name in names):
        return None
    return np.stack([element.columns[name] for name in names], axis=1)


def _colors(element: Element) -> NDArray[Any]:
    """Red, green and blue of an element's rows, (N, 3): NaN if it has none."""
    for names in COLOR_NAMES:
        found = _columns(element, names)
        if found is not None:
            kinds = {p.name: p.kind for p in element.properties}
            return unit_colors(found.astype(kinds[names[0]]))
    return np.full((element.count, 3), np.nan)


def _vertex_uvs(element: Element, corners: NDArray[Any]) -> NDArray[Any]:
    for names in UV_NAMES:
        found = _columns(element, names)
        if found is not None:
            if not np.isfinite(found).all():
                raise FormatError("texture coordinates must be finite")
            return np.asarray(found.astype(np.float64)[corners])
    return np.full((*corners.shape, 2), np.nan)


def _polygons(file: PlyFile, num_vertices: int) -> _Polygons:
    pieces = []
    for name, read in (("face", _faces), ("tristrips", _strips)):
        if name in file.elements:
            pieces.append(read(file.elements[name]))
    if not pieces:
        raise FormatError("it has no faces")
    polygons = _Polygons(*map(np.concatenate, zip(*pieces)))
    corners = polygons.corners
    if len(corners) and (corners.min() < 0 or corners.max() >= num_vertices):
        raise FormatError(
            f"faces must have vertices from 0 to {num_vertices - 1}, "
            f"got {corners.min()} to {corners.max()}"
        )
    return polygons


def _faces(element: Element) -> _Polygons:
    names = [name for name in INDEX_NAMES if name in element.lists]
    if not names:
        raise FormatError(f"its faces must have a list {INDEX_NAMES[0]!r}")
    counts, corners = element.lists[names[0]]
    uvs = np.full((len(corners), 2), np.nan)
    if "texcoord" in element.lists:
        lengths, values = element.lists["texcoord"]
        has_uvs = lengths == 2 * counts
        uvs[np.repeat(has_uvs, counts)] = values[np.repeat(has_uvs, lengths)].reshape(-1, 2)
        if not np.isfinite(values).all():
            raise FormatError("texture coordinates must be finite")
    textures = element.columns.get("texnumber", np.zeros(element.count)).astype(np.int64)
    is_face = counts >= 3  # else it is a line or a point
    of_face = np.repeat(is_face, counts)
    return _Polygons(
        counts[is_face],
        corners[of_face].astype(np.int64),
        uvs[of_face],
        _colors(element)[is_face],
        textures[is_face],
    )


def _strips(element: Element) -> _Polygons:
    """Take strips of triangles apart; -1 ends one within a list."""
    names = [name for name in INDEX_NAMES if name in element.lists]
    if not names:
        raise FormatError(f"its strips must have a list {INDEX_NAMES[0]!r}")
    counts, values = element.lists[names[0]]
    line = np.insert(values.astype(np.int64), np.cumsum(counts), -1)
    place = np.arange(len(line))
    first = np.maximum.accumulate(np.where(line < 0, place + 1, 0))  # of the strip at each place
    start = place[: max(len(line) - 2, 0)]
    start = start[(line[start] >= 0) & (line[start + 1] >= 0) & (line[start + 2] >= 0)]
    is_odd = (start - first[start]) % 2  # every other triangle is turned round
    corners = line[np.stack((start, start + 1 + is_odd, start + 2 - is_odd), axis=1)].reshape(-1)
    count = len(start)
    return _Polygons(
        np.full(count, 3),
        corners,
        np.full((3 * count, 2), np.nan),
        np.full((count, 3), np.nan),
        np.zeros(count, dtype=np.int64),
    )


def _materials(
    file: PlyFile, polygons: _Polygons, path: Path, textures: Textures
) -> tuple[list[DeclaredMaterial], NDArray[Any]]:
    """Make a material of each image and colour that faces have; (P,) which."""
    plain, numbers = color_materials(polygons.colors)
    names = [
        comment.split(None, 1)[1]
        for comment in file.comments
        if comment.lower().startswith("texturefile ")
    ]
    if not names:
        return plain, numbers
    which = np.where(
        (polygons.textures >= 0) & (polygons.textures < len(names)), polygons.textures, -1
    )
    first, kind = group_rows(np.stack((which, numbers), axis=1))
    declared = []
    for texture, number in zip(which[first].tolist(), numbers[first].tolist()):
        image = textures.named(path.parent, names[texture]) if texture >= 0 else None
        textured = None if image is None else Material(image=image)
        declared.append(DeclaredMaterial(textured, plain[number].plain if number >= 0 else None))
    return declared, kind
