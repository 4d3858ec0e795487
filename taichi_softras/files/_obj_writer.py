"""The content of OBJ files, and of the MTL files and images that belong to them."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from taichi_softras.files._encoding import _png, unique_names
from taichi_softras.meshes.materials import Material
from taichi_softras.meshes.mesh import Mesh
from taichi_softras.meshes.rows import group_rows


def obj_files(mesh: Mesh, stem: str) -> dict[str, bytes]:
    """Encode a mesh as OBJ, with its materials and their images.

    Args:
        mesh: The mesh.
        stem: The name of the file without its suffix, after which the others are named.

    Returns:
        The content of each file by its name; that of the OBJ file itself by "".

    Raises:
        ValueError: If there are materials, and ``stem`` cannot be written into a line.
    """
    if mesh.materials and (stem.strip() != stem or not stem.isprintable()):
        raise ValueError(
            f"name of an OBJ file with materials must be printable, without spaces at its ends, "
            f"got {stem!r}"
        )
    number = f" %.{_digits(mesh)}g"
    lines = [f"mtllib {stem}.mtl\n"] if mesh.materials else []
    rows = mesh.vertices
    if not mesh.materials:
        rows = np.hstack((mesh.vertices, np.clip(mesh.colors, 0, 1)))
    lines.append(_lines("v" + number * rows.shape[1], rows))
    corners, face_line = mesh.faces[..., None] + 1, "f %d %d %d"
    if mesh.face_uvs is not None:
        uvs = mesh.face_uvs.reshape(-1, 2)
        first, kind = group_rows(uvs)
        lines.append(_lines("vt" + number * 2, uvs[first]))
        corners = np.dstack((corners, kind.reshape(-1, 3) + 1))
        face_line = "f %d/%d %d/%d %d/%d"
    names = unique_names(mesh.materials)
    for material, faces in _runs(mesh):
        lines += [] if material is None else [f"usemtl {names[material]}\n"]
        lines.append(_lines(face_line, corners[faces]))
    files = {"": "".join(lines).encode()}
    return {**files, **_mtl_files(mesh.materials, names, stem)} if mesh.materials else files


def _mtl_files(materials: tuple[Material, ...], names: list[str], stem: str) -> dict[str, bytes]:
    lines: list[str] = []
    images: dict[str, bytes] = {}
    written: dict[Any, str] = {}
    for material, name in zip(materials, names):
        lines.append(f"newmtl {name}\n")
        if material.image is None:
            lines.append("Kd {:.9g} {:.9g} {:.9g}\n".format(*material.color))
            continue
        key = (id(material.image), material.color)
        if key not in written:
            written[key] = f"{stem}_{len(images)}.png"
            images[written[key]] = _png(material.image * np.array(material.color))
        clamp = "-clamp on " if material.wrap == "clamp" else ""
        lines.append(f"Kd 1 1 1\nmap_Kd {clamp}{written[key]}\n")
    return {f"{stem}.mtl": "".join(lines).encode(), **images}


def _runs(mesh: Mesh) -> list[tuple[int | None, slice]]:
    """Cut the faces where the material changes: the material and the faces of each piece."""
    if mesh.face_materials is None:
        return [(None, slice(None))]
    changes = np.flatnonzero(np.diff(mesh.face_materials, prepend=-1))
    ends = [*changes[1:], mesh.num_faces]
    return [
        (int(mesh.face_materials[start]), slice(start, end)) for start, end in zip(changes, ends)
    ]


def _lines(line: str, rows: NDArray[Any]) -> str:
    return (line + "\n") * len(rows) % tuple(rows.reshape(-1).tolist())


def _digits(mesh: Mesh) -> int:
    return 9 if mesh.vertices.dtype == np.float32 else 17  # enough to tell any two apart
