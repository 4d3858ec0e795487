"""The content of OBJ files, and of the MTL files and images that belong to them."""

from typing import Any, NamedTuple

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
    maps = [_ObjMap.of(mesh, number) for number in range(len(mesh.materials))]
    if mesh.face_uvs is not None:
        uvs = mesh.face_uvs
        if mesh.face_materials is not None:
            uvs = uvs * np.array([m.scale for m in maps])[mesh.face_materials][:, None]
        uvs = uvs.reshape(-1, 2).astype(mesh.vertices.dtype)
        first, kind = group_rows(uvs)
        lines.append(_lines("vt" + number * 2, uvs[first]))
        corners = np.dstack((corners, kind.reshape(-1, 3) + 1))
        face_line = "f %d/%d %d/%d %d/%d"
    names = unique_names(mesh.materials)
    for material, faces in _runs(mesh):
        lines += [] if material is None else [f"usemtl {names[material]}\n"]
        lines.append(_lines(face_line, corners[faces]))
    files = {"": "".join(lines).encode()}
    return {**files, **_mtl_files(mesh.materials, names, stem, maps)} if mesh.materials else files


class _ObjMap(NamedTuple):
    """How an image is written that OBJ can only repeat or clamp, along both axes alike.

    Attributes:
        clamps: Whether it clamps.
        mirrors: Along u and v, whether its mirror image is beside it.
    """

    clamps: bool
    mirrors: tuple[bool, bool]

    @staticmethod
    def of(mesh: Mesh, number: int) -> "_ObjMap":
        """Find out how to write the image of a material.

        Raises:
            ValueError: If there is no way.
        """
        material = mesh.materials[number]
        mirrors = material.wraps[0] == "mirror", material.wraps[1] == "mirror"
        clamping = [wrap == "clamp" for wrap in material.wraps]
        if material.image is None or clamping[0] == clamping[1]:
            return _ObjMap(clamping[0] and clamping[1], mirrors)
        # Which there are, where a material has an image.
        face_uvs, numbers = np.asarray(mesh.face_uvs), np.asarray(mesh.face_materials)
        uvs = face_uvs[numbers == number].reshape(-1, 2)
        leaves = ((uvs < 0) | (uvs > 1)).any(axis=0)
        if leaves.all():
            raise ValueError(
                f"material {material.name!r} must wrap along both axes alike to become OBJ, "
                f"got {material.wrap!r}: GLB can have it"
            )
        return _ObjMap(bool(leaves[clamping.index(True)]), mirrors)

    @property
    def scale(self) -> tuple[float, float]:
        """Of texture coordinates, in the image as it is written."""
        along_u, along_v = (0.5 if mirrors else 1.0 for mirrors in self.mirrors)
        return along_u, along_v

    def written(self, image: NDArray[Any]) -> NDArray[Any]:
        """The image as it is written: the one that it wraps with is at (0, 0), bottom left."""
        if self.mirrors[0]:
            image = np.concatenate((image, image[:, ::-1]), axis=1)
        if self.mirrors[1]:
            image = np.concatenate((image[::-1], image), axis=0)
        return image


def _mtl_files(
    materials: tuple[Material, ...], names: list[str], stem: str, maps: list[_ObjMap]
) -> dict[str, bytes]:
    lines: list[str] = []
    images: dict[str, bytes] = {}
    written: dict[Any, str] = {}
    for material, name, layout in zip(materials, names, maps):
        lines.append(f"newmtl {name}\n")
        if material.image is None:
            lines.append("Kd {:.9g} {:.9g} {:.9g}\n".format(*material.color))
            continue
        key = (id(material.image), material.color, layout.mirrors)
        if key not in written:
            written[key] = f"{stem}_{len(images)}.png"
            images[written[key]] = _png(layout.written(material.image * np.array(material.color)))
        clamp = "-clamp on " if layout.clamps else ""
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
