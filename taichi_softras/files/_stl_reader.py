"""Reading STL files.

Read here, as trimesh takes a byte too many for another format, and reads names in UTF-8 alone.

Source:
    3D Systems, "StereoLithography Interface Specification", 1989.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from taichi_softras.files._file_mesh import FileMesh
from taichi_softras.files._words import FormatError, decoded, real_numbers
from taichi_softras.meshes.rows import group_rows

HEADER, FACET = 84, 50
"""Bytes before the first facet, the last four of them how many there are, and of each."""


def read_stl(path: Path) -> FileMesh:
    """Read an STL file, text or binary. Corners of facets at one place become one vertex.

    Args:
        path: The file.

    Returns:
        What it says, with faces in the order of the file.

    Raises:
        FormatError: If it doesn't follow the format, or ends within a facet.
    """
    content = path.read_bytes()
    problems: tuple[str, ...] = ()
    count = int.from_bytes(content[80:HEADER], "little")
    is_whole = len(content) == HEADER + FACET * count
    # Many a binary file starts with "solid" as well, but has bytes of 0 in its count.
    is_text = b"\0" not in content[:1024] and re.match(rb"(?i)\s*solid\b", content)
    if is_text and not is_whole:
        corners, problems = _read_text(decoded(content))
    elif len(content) < HEADER + FACET * count or len(content) < HEADER:
        raise FormatError(
            f"it must have {HEADER + FACET * count} bytes for {count} facets, got {len(content)}"
        )
    else:
        kind = np.dtype([("normal", "<f4", 3), ("corners", "<f4", 9), ("attribute", "<u2")])
        facets = np.frombuffer(content, kind, count, HEADER)  # bytes may follow
        corners = facets["corners"].reshape(-1, 3).astype(np.float64)
    first, kind_of_corner = group_rows(corners)
    vertices = corners[first]
    faces = kind_of_corner.reshape(-1, 3)
    return FileMesh(
        vertices,
        faces,
        np.full(vertices.shape, np.nan),
        multiplies=False,
        corner_normals=None,
        face_uvs=np.full((len(faces), 3, 2), np.nan),
        face_materials=np.full(len(faces), -1),
        materials=(),
        problems=problems,
    )


def _read_text(text: str) -> tuple[NDArray[Any], tuple[str, ...]]:
    """Read the corners of facets, (F * 3, 3), and say if the end is missing."""
    # Names of solids have no say.
    body = re.sub(r"(?im)^[ \t]*(?:end[ \t]*)?solid\b.*?(?=\bfacet\b|$)", "", text)
    if len(re.findall(r"(?i)\bvertex\b", body)) % 3:
        raise FormatError("each facet must have 3 vertices: it may be cut off")
    rows = re.findall(r"(?i)\bvertex\s+(\S+)\s+(\S+)\s+(\S+)", body)
    if len(rows) % 3:
        raise FormatError("each vertex must have 3 numbers: it may be cut off")
    corners = real_numbers(word for row in rows for word in row).reshape(-1, 3)
    is_ended = re.search(r"(?i)end[ \t]*solid", text)
    return corners, () if is_ended else ("it has no 'endsolid': it may be cut off",)
