"""Reading OFF files.

Source:
    Geomview, "OFF: Object File Format", http://www.geomview.org/docs/html/OFF.html.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from taichi_softras.files._colors import color_materials, unit_colors
from taichi_softras.files._file_mesh import FileMesh, assign_materials
from taichi_softras.files._triangulation import triangulate
from taichi_softras.files._words import FormatError, decoded, real_numbers, whole_number


def read_off(path: Path) -> FileMesh:
    """Read an OFF file, with the colours of its vertices and faces.

    Args:
        path: The file. The word OFF may be missing, or in small letters.

    Returns:
        What it says, with vertices and faces in the order of the file. Lines and points are left
        out; so are colours by the number of a table, and texture coordinates.

    Raises:
        FormatError: If it doesn't follow the format, or an index is out of range.
    """
    lines = _lines(decoded(path.read_bytes()))
    kind = _kind(lines)
    num_vertices, num_faces = _counts(lines)
    if len(lines) < num_vertices + num_faces:
        raise FormatError(
            f"it must have {num_vertices} lines of vertices and {num_faces} of faces, "
            f"got {len(lines)}"
        )
    vertices, colors = _vertices(lines[:num_vertices], kind)
    rows = [line.split() for line in lines[num_vertices : num_vertices + num_faces]]
    sizes = [_size(row) for row in rows]
    corners = np.array(
        [whole_number(word) for row, size in zip(rows, sizes) for word in row[1 : size + 1]],
        dtype=np.int64,
    )
    if corners.size and (corners.min() < 0 or corners.max() >= num_vertices):
        raise FormatError(
            f"faces must have vertices from 0 to {num_vertices - 1}, "
            f"got {corners.min()} to {corners.max()}"
        )
    size = np.array(sizes, dtype=np.int64)
    is_face = size >= 3
    corners = corners[np.repeat(is_face, size)]
    triangles, polygon = triangulate(vertices[corners], size[is_face])
    declared, numbers = color_materials(_face_colors(rows, sizes)[is_face])
    face_uvs = np.full((len(triangles), 3, 2), np.nan)
    materials, face_materials = assign_materials(declared, numbers[polygon], face_uvs)
    return FileMesh(
        vertices,
        corners[triangles],
        colors,
        multiplies=False,
        corner_normals=None,
        face_uvs=face_uvs,
        face_materials=face_materials,
        materials=materials,
    )


def _lines(text: str) -> list[str]:
    """Split a text into lines, less comments and what is then empty."""
    lines = (line.split("#", 1)[0].strip() for line in text.splitlines())
    return [line for line in lines if line]


def _kind(lines: list[str]) -> str:
    """Take the header word off: what vertices have, such as "CN" of "CNOFF"."""
    match = re.match(r"((?:ST)?C?N?4?n?)OFF\b", lines[0] if lines else "", re.IGNORECASE)
    if not match:
        return ""
    rest = lines.pop(0)[match.end() :].strip()
    if rest.upper().startswith("BINARY"):
        raise FormatError("OFF is read as text only, got BINARY")
    if "n" in match[1]:
        raise FormatError(f"OFF is read in 3 dimensions only, got {match[0]}")
    if rest:
        lines.insert(0, rest)
    return match[1].upper()


def _counts(lines: list[str]) -> tuple[int, int]:
    words = lines.pop(0).split() if lines else []
    if len(words) < 2:
        got = " ".join(words)[:40] or "nothing"
        raise FormatError(f"it must start with the numbers of vertices and faces, got {got!r}")
    num_vertices, num_faces = (whole_number(word) for word in words[:2])
    if num_vertices < 0 or num_faces < 0:
        raise FormatError(f"it can't have {num_vertices} vertices and {num_faces} faces")
    return num_vertices, num_faces


def _vertices(lines: list[str], kind: str) -> tuple[NDArray[Any], NDArray[Any]]:
    """Read positions and colours of vertices, (V, 3) each; NaN for colours that are not there."""
    rows = [line.split() for line in lines]
    place = 4 if "4" in kind else 3
    first_color = place + (3 if "N" in kind else 0)
    needed = first_color + (3 if "C" in kind else 0)
    for number, row in enumerate(rows):
        if len(row) < needed:
            raise FormatError(f"vertex {number} must have {needed} numbers, got {len(row)}")
    positions = real_numbers(word for row in rows for word in row[:place]).reshape(-1, place)
    if place == 4:
        positions = positions[:, :3] / positions[:, 3:]
    if "C" not in kind or not rows:
        return positions, np.full(positions.shape, np.nan)
    words = [word for row in rows for word in row[first_color : first_color + 3]]
    return positions, unit_colors(real_numbers(words).reshape(-1, 3))


def _size(row: list[str]) -> int:
    size = whole_number(row[0])
    if not 0 <= size < len(row):
        raise FormatError(f"a face of {size} vertices must name them, got {' '.join(row)[:60]!r}")
    return size


def _face_colors(rows: list[list[str]], sizes: list[int]) -> NDArray[Any]:
    """Read the colours that follow the corners of faces, (F, 3): NaN where there are none."""
    colors = np.full((len(rows), 3), np.nan)
    painted = [i for i, (row, size) in enumerate(zip(rows, sizes)) if len(row) >= size + 4]
    words = [word for i in painted for word in rows[i][sizes[i] + 1 : sizes[i] + 4]]
    colors[painted] = unit_colors(real_numbers(words).reshape(-1, 3))
    return colors
