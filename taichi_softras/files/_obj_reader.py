"""Reading OBJ files and the MTL files that belong to them.

Read here, as trimesh splits vertices at texture seams, mixes up faces with and without texture
coordinates, and counts negative indices from the end of the file.

Source:
    Wavefront, "Advanced Visualizer Manual", appendices B1 (OBJ) and B2 (MTL).
"""

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from taichi_softras.files._colors import unit_colors
from taichi_softras.files._file_mesh import FileMesh, assign_materials
from taichi_softras.files._images import Textures
from taichi_softras.files._mtl_reader import MtlMaterial, read_libraries
from taichi_softras.files._obj_text import before_comment, directives, words_of
from taichi_softras.files._triangulation import triangulate
from taichi_softras.files._words import FormatError, decoded, real_numbers, whole_number


class _Polygons:
    """The faces of an OBJ file: a row of indices per corner, -1 for what it lacks."""

    def __init__(self) -> None:
        self.corners: list[tuple[int, ...]] = []  # (v, vt, vn) from 0
        self.sizes: list[int] = []
        self.materials: list[str] = []  # by name
        self._known: dict[str, tuple[int, ...]] = {}  # most words occur several times

    def add(self, words: list[str], counts: tuple[int, ...], material: str) -> None:
        if len(words) < 3:  # a point or a line, which other programs write so too
            return
        for word in words:
            corner = self._known.get(word)
            if corner is None:
                corner = _corner(word, counts)
                if "-" not in word:  # that counts from where it stands
                    self._known[word] = corner
            self.corners.append(corner)
        self.sizes.append(len(words))
        self.materials.append(material)


def read_obj(path: Path) -> FileMesh:
    """Read an OBJ file, its materials and their images.

    Lines, points and curves are left out.

    Args:
        path: The file.

    Returns:
        What it says, with vertices and faces in the order of the file.

    Raises:
        FormatError: If a number cannot be read, or an index is out of range.
    """
    rows: dict[str, list[list[str]]] = {"v": [], "vt": [], "vn": []}
    polygons, libraries, material = _Polygons(), list[str](), ""
    for directive, rest in directives(decoded(path.read_bytes())):
        if directive in rows:
            rows[directive].append(words_of(rest))
        elif directive == "f":
            polygons.add(words_of(rest), tuple(map(len, rows.values())), material)
        elif directive == "usemtl":
            material = rest
        elif directive == "mtllib":
            libraries.append(rest)
    vertices, colors = _vertices(rows["v"])
    corners = np.array(polygons.corners, dtype=np.int64).reshape(-1, 3)
    highest = corners[:, 0].max(initial=-1)
    if highest >= len(vertices):
        raise FormatError(f"a face must have vertices up to {len(vertices)}, got {highest + 1}")
    triangles, face_polygons = triangulate(
        vertices[corners[:, 0]], np.array(polygons.sizes, dtype=np.int64)
    )
    corners = corners[triangles]
    textures = Textures()
    used = {name for said in set(polygons.materials) for name in (said, before_comment(said))}
    declared = read_libraries(path.parent, libraries, used, textures)
    numbers = _material_numbers(polygons.materials, declared)[face_polygons]
    face_uvs = _face_uvs(rows["vt"], corners[..., 1], numbers, list(declared.values()))
    materials, face_materials = assign_materials(
        [material.declared for material in declared.values()], numbers, face_uvs
    )
    normals = _looked_up(_numbers(rows["vn"], 3, "vn"), corners[..., 2])
    return FileMesh(
        vertices,
        corners[..., 0],
        colors,
        multiplies=False,
        corner_normals=np.nan_to_num(normals) if rows["vn"] else None,
        face_uvs=face_uvs,
        face_materials=face_materials,
        materials=materials,
        problems=tuple(textures.problems),
    )


def _material_numbers(names: list[str], declared: dict[str, MtlMaterial]) -> NDArray[Any]:
    """Look up the materials of polygons by name, (P,), -1 for one that is not declared."""
    places = {name: number for number, name in enumerate(declared)}
    for name in set(names) - set(places):
        if before_comment(name) in places:
            places[name] = places[before_comment(name)]
    return np.array([places.get(name, -1) for name in names], dtype=np.int64)


def _face_uvs(
    rows: list[list[str]],
    indices: NDArray[Any],
    numbers: NDArray[Any],
    declared: list[MtlMaterial],
) -> NDArray[Any]:
    """Look up texture coordinates (F, 3, 2), and move them as the materials of faces say."""
    uvs = _numbers(rows, 2, "vt")
    if not np.isfinite(uvs).all():
        raise FormatError("texture coordinates must be finite")
    face_uvs = _looked_up(uvs, indices)
    for number, material in enumerate(declared):
        if material.scale != (1, 1) or material.offset != (0, 0):
            is_moved = numbers == number
            face_uvs[is_moved] = face_uvs[is_moved] * material.scale + material.offset
    return face_uvs


def _corner(word: str, counts: tuple[int, ...]) -> tuple[int, ...]:
    indices = [_absolute(part, count) for part, count in zip(word.split("/"), counts)]
    if indices[0] < 0:
        raise FormatError(
            f"a face must have vertices from 1, or from -{counts[0]} on, got {word!r}"
        )
    return (*indices, -1, -1)[:3]


def _absolute(word: str, count: int) -> int:
    """Count an index from 0; -1 stands for one that is missing, 0 or before the first."""
    index = whole_number(word) if word else 0
    return max(index + count if index < 0 else index - 1, -1)


def _vertices(rows: list[list[str]]) -> tuple[NDArray[Any], NDArray[Any]]:
    vertices = _numbers(rows, 3, "v")
    painted = [i for i, row in enumerate(rows) if len(row) >= 6]
    colors = np.full((len(rows), 3), np.nan)
    if painted:
        given = _numbers([rows[i][3:] for i in painted], 3, "v")
        if not np.isfinite(given).all():
            raise FormatError("colours of vertices must be finite")
        colors[painted] = unit_colors(given)  # the format has no word on the range
    return vertices, colors


def _numbers(rows: list[list[str]], width: int, directive: str) -> NDArray[Any]:
    shortest = min(map(len, rows), default=width)
    if directive == "vt" and shortest == 1:  # of a texture with one dimension
        rows = [[*row, "0"] for row in rows]
    elif shortest < width:
        raise FormatError(f"{directive} must have {width} numbers, got {shortest}")
    return real_numbers(word for row in rows for word in row[:width]).reshape(-1, width)


def _looked_up(values: NDArray[Any], indices: NDArray[Any]) -> NDArray[Any]:
    """Take rows by index: NaN for an index that is none."""
    is_known = (indices >= 0) & (indices < len(values))
    found = np.full((*indices.shape, values.shape[1]), np.nan)
    found[is_known] = values[indices[is_known]]
    return found
