"""Reading OBJ files and the MTL files that belong to them.

trimesh splits vertices at texture seams, mixes up faces with and without texture coordinates, and
counts negative indices from the end of the file; so this is read here.

Source:
    Wavefront, "Advanced Visualizer Manual", appendices B1 (OBJ) and B2 (MTL).
"""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from taichi_softras.files._file_mesh import DeclaredMaterial, FileMesh, assign_materials
from taichi_softras.files._images import read_image
from taichi_softras.files._triangulation import triangulate
from taichi_softras.files.paths import find_file
from taichi_softras.meshes.materials import Material, Wrap

MAP_OPTIONS = {"-s": 3, "-o": 3, "-t": 3, "-mm": 2} | dict.fromkeys(
    ("-blendu", "-blendv", "-bm", "-boost", "-cc", "-clamp", "-imfchan", "-texres", "-type"), 1
)
"""How many words the options of a map in an MTL file have at most."""


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
        ValueError: If a number cannot be read, or an index is out of range.
    """
    rows: dict[str, list[list[str]]] = {"v": [], "vt": [], "vn": []}
    polygons, libraries, material = _Polygons(), list[str](), ""
    for directive, rest in _directives(_text(path)):
        if directive in rows:
            rows[directive].append(_words(rest))
        elif directive == "f":
            polygons.add(_words(rest), tuple(map(len, rows.values())), material)
        elif directive == "usemtl":
            material = rest
        elif directive == "mtllib":
            libraries.append(rest)
    vertices, colors = _vertices(rows["v"])
    corners = np.array(polygons.corners, dtype=np.int64).reshape(-1, 3)
    highest = corners[:, 0].max(initial=-1)
    if highest >= len(vertices):
        raise ValueError(f"a face must have vertices up to {len(vertices)}, got {highest + 1}")
    triangles, face_polygons = triangulate(
        vertices[corners[:, 0]], np.array(polygons.sizes, dtype=np.int64)
    )
    corners = corners[triangles]
    uvs = _numbers(rows["vt"], 2, "vt")
    if not np.isfinite(uvs).all():
        raise ValueError("texture coordinates must be finite")
    face_uvs = _looked_up(uvs, corners[..., 1])
    declared = _read_libraries(path.parent, libraries)
    place = {name: number for number, name in enumerate(declared)}
    numbers = np.array([place.get(name, -1) for name in polygons.materials], dtype=np.int64)
    materials, face_materials = assign_materials(
        list(declared.values()), numbers[face_polygons], face_uvs
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
    )


def _text(path: Path) -> str:
    content = path.read_bytes()
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError:  # older files; any byte is some character of this one
        return content.decode("latin-1")


def _directives(text: str) -> Iterator[tuple[str, str]]:
    """Split a file into the first word of each line, and what follows that."""
    text = text.replace("\r\n", "\n").replace("\r", "\n")
    for line in text.replace("\\\n", " ").split("\n"):
        words = line.split(None, 1)
        if words and not words[0].startswith("#"):
            yield words[0], words[1].strip() if len(words) > 1 else ""


def _words(rest: str) -> list[str]:
    """Split numbers from each other, and from a comment; names may have such a sign in them."""
    return (rest.split("#", 1)[0] if "#" in rest else rest).split()


def _corner(word: str, counts: tuple[int, ...]) -> tuple[int, ...]:
    indices = [_absolute(part, count) for part, count in zip(word.split("/"), counts)]
    if indices[0] < 0:
        raise ValueError(f"a face must have vertices from 1, or from -{counts[0]} on, got {word!r}")
    return (*indices, -1, -1)[:3]


def _absolute(word: str, count: int) -> int:
    """Count an index from 0; -1 stands for one that is missing, 0 or before the first."""
    index = int(word) if word else 0
    return max(index + count if index < 0 else index - 1, -1)


def _vertices(rows: list[list[str]]) -> tuple[NDArray[Any], NDArray[Any]]:
    vertices = _numbers(rows, 3, "v")
    painted = [i for i, row in enumerate(rows) if len(row) >= 6]
    colors = np.full((len(rows), 3), np.nan)
    if painted:
        given = _numbers([rows[i][3:] for i in painted], 3, "v")
        if not np.isfinite(given).all():
            raise ValueError("colours of vertices must be finite")
        # No word in the format on the range: some programs write 0 to 255.
        colors[painted] = given / 255 if given.max() > 1 else given
    return vertices, colors


def _numbers(rows: list[list[str]], width: int, directive: str) -> NDArray[Any]:
    shortest = min(map(len, rows), default=width)
    if directive == "vt" and shortest == 1:  # of a texture with one dimension
        rows = [[*row, "0"] for row in rows]
    elif shortest < width:
        raise ValueError(f"{directive} must have {width} numbers, got {shortest}")
    numbers = [float(word) for row in rows for word in row[:width]]
    return np.array(numbers, dtype=np.float64).reshape(-1, width)


def _looked_up(values: NDArray[Any], indices: NDArray[Any]) -> NDArray[Any]:
    """Take rows by index: NaN for an index that is none."""
    is_known = (indices >= 0) & (indices < len(values))
    found = np.full((*indices.shape, values.shape[1]), np.nan)
    found[is_known] = values[indices[is_known]]
    return found


def _read_libraries(folder: Path, libraries: list[str]) -> dict[str, DeclaredMaterial]:
    materials: dict[str, DeclaredMaterial] = {}
    for library in libraries:
        whole = find_file(folder, library)
        # Several may be named in one line, but names with spaces are the more common.
        for path in [whole] if whole else [find_file(folder, word) for word in library.split()]:
            if path is not None:
                materials |= _read_mtl(path)
    return materials


def _read_mtl(path: Path) -> dict[str, DeclaredMaterial]:
    said: dict[str, dict[str, str]] = {}
    current: dict[str, str] = {}
    for directive, rest in _directives(_text(path)):
        if directive.lower() == "newmtl":
            current = said.setdefault(rest, {})
        else:
            current[directive.lower()] = rest
    images: dict[str, NDArray[Any] | None] = {}
    return {name: _declared(name, values, path.parent, images) for name, values in said.items()}


def _declared(
    name: str, said: dict[str, str], folder: Path, images: dict[str, NDArray[Any] | None]
) -> DeclaredMaterial:
    color = _kd(said.get("kd", ""))
    plain = None if color is None else Material(name, color)
    if "map_kd" not in said:
        return DeclaredMaterial(None, plain)
    file, wrap = _map(said["map_kd"])
    if file not in images:
        images[file] = read_image(find_file(folder, file))
    # Kd does not count beside a map: exporters leave there what is only for want of one.
    textured = None if images[file] is None else Material(name, image=images[file], wrap=wrap)
    return DeclaredMaterial(textured, plain)


def _kd(rest: str) -> tuple[float, float, float] | None:
    try:
        values = [float(word) for word in _words(rest)]
    except ValueError:  # a curve over the spectrum, or another space, named by a word
        return None
    if not values or not np.isfinite(values).all():
        return None
    red, green, blue = values[:3] if len(values) >= 3 else values[:1] * 3
    return red, green, blue


def _map(rest: str) -> tuple[str, Wrap]:
    """Split a map into its file, whose name may have spaces, and how that wraps."""
    wrap: Wrap = "repeat"
    while (option := rest.split(" ", 1)[0]) in MAP_OPTIONS:
        rest = rest[len(option) :].strip()
        for count in range(MAP_OPTIONS[option]):
            word, _, after = rest.partition(" ")
            if count and not _is_number(word):
                break  # only the first of several must be there
            if option == "-clamp" and word == "on":
                wrap = "clamp"
            rest = after.strip()
    return rest, wrap


def _is_number(word: str) -> bool:
    try:
        float(word)
    except ValueError:
        return False
    return True
