"""The content of mesh files.

Source:
    Wavefront, "Advanced Visualizer Manual", appendices B1 (OBJ) and B2 (MTL). Khronos, "glTF 2.0
    Specification".
"""

import io
import json
import struct
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from taichi_softras.materials import Material
from taichi_softras.mesh_parts import group_rows
from taichi_softras.meshes import Mesh

FLOAT, UNSIGNED_INT = 5126, 5125  # as glTF numbers OpenGL's names
ARRAY_BUFFER, ELEMENT_ARRAY_BUFFER = 34962, 34963
WRAP_MODES = {"repeat": 10497, "clamp": 33071}


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


def ply_bytes(mesh: Mesh) -> bytes:
    """Encode a mesh as binary PLY, without its materials."""
    position = "float" if mesh.vertices.dtype == np.float32 else "double"
    header = [
        "ply",
        "format binary_little_endian 1.0",
        f"element vertex {mesh.num_vertices}",
        *(f"property {position} {axis}" for axis in "xyz"),
        *(f"property uchar {channel}" for channel in ("red", "green", "blue")),
        f"element face {mesh.num_faces}",
        "property list uchar int vertex_indices",
        "end_header\n",
    ]
    kind = mesh.vertices.dtype.newbyteorder("<")
    vertices = np.empty(mesh.num_vertices, dtype=[("position", kind, 3), ("color", "u1", 3)])
    vertices["position"] = mesh.vertices
    vertices["color"] = _eight_bits(mesh.colors)
    faces = np.empty(mesh.num_faces, dtype=[("count", "u1"), ("indices", "<i4", 3)])
    faces["count"] = 3
    faces["indices"] = mesh.faces
    return "\n".join(header).encode() + vertices.tobytes() + faces.tobytes()


def glb_bytes(mesh: Mesh) -> bytes:
    """Encode a mesh as GLB, with its materials and images inside.

    Raises:
        ValueError: If the mesh has no faces.
    """
    if not mesh.num_faces:
        raise ValueError("mesh must have faces to become GLB, got none")
    gltf = _Gltf()
    normals = _vertex_normals(mesh)
    if mesh.face_materials is None:
        primitives = [_primitive(gltf, mesh, normals, np.arange(mesh.num_faces))]
    else:
        gltf.add_materials(mesh.materials)
        primitives = [
            {
                **_primitive(gltf, mesh, normals, np.flatnonzero(mesh.face_materials == number)),
                "material": int(number),
            }
            for number in np.unique(mesh.face_materials)
        ]
    return gltf.encoded(primitives)


def unique_names(materials: tuple[Material, ...]) -> list[str]:
    """Name materials each by another name, in one line, and as themselves where that can be."""
    names: list[str] = []
    for material in materials:
        stem = name = " ".join(material.name.split()) or "material"
        count = 1
        while name in names:
            count += 1
            name = f"{stem} {count}"
        names.append(name)
    return names


class _Gltf:
    """The JSON of a glTF file and its one buffer, while they grow."""

    def __init__(self) -> None:
        self.tree: dict[str, Any] = {"accessors": [], "bufferViews": []}
        self.buffer = bytearray()

    def add_view(self, content: bytes, **properties: Any) -> int:
        view = {"buffer": 0, "byteOffset": len(self.buffer), "byteLength": len(content)}
        self.tree["bufferViews"].append({**view, **properties})
        self.buffer += content + bytes(-len(content) % 4)
        return len(self.tree["bufferViews"]) - 1

    def add_floats(self, rows: NDArray[Any]) -> int:
        rows = rows.astype("<f4")
        bounds = {"min": rows.min(axis=0).tolist(), "max": rows.max(axis=0).tolist()}
        view = self.add_view(rows.tobytes(), target=ARRAY_BUFFER)
        return self._add_accessor(view, FLOAT, len(rows), f"VEC{rows.shape[1]}", **bounds)

    def add_indices(self, indices: NDArray[Any]) -> int:
        content = indices.reshape(-1).astype("<u4").tobytes()
        view = self.add_view(content, target=ELEMENT_ARRAY_BUFFER)
        return self._add_accessor(view, UNSIGNED_INT, indices.size, "SCALAR")

    def _add_accessor(self, view: int, component: int, count: int, kind: str, **more: Any) -> int:
        accessor = {"bufferView": view, "componentType": component, "count": count, "type": kind}
        self.tree["accessors"].append({**accessor, **more})
        return len(self.tree["accessors"]) - 1

    def add_materials(self, materials: tuple[Material, ...]) -> None:
        images: dict[int, int] = {}
        textures: list[dict[str, int]] = []
        entries = []
        for material, name in zip(materials, unique_names(materials)):
            color = [*np.clip(material.color, 0, 1).tolist(), 1.0]
            values: dict[str, Any] = {"baseColorFactor": color, "metallicFactor": 0.0}
            if material.image is not None:
                if id(material.image) not in images:
                    images[id(material.image)] = self.add_view(_png(material.image))
                source = list(images).index(id(material.image))
                texture = {"sampler": list(WRAP_MODES).index(material.wrap), "source": source}
                if texture not in textures:
                    textures.append(texture)
                values["baseColorTexture"] = {"index": textures.index(texture)}
            entries.append({"name": name, "pbrMetallicRoughness": values})
        self.tree["materials"] = entries
        if textures:
            self.tree["textures"] = textures
            self.tree["samplers"] = [{"wrapS": m, "wrapT": m} for m in WRAP_MODES.values()]
            self.tree["images"] = [
                {"bufferView": view, "mimeType": "image/png"} for view in images.values()
            ]

    def encoded(self, primitives: list[dict[str, Any]]) -> bytes:
        self.tree |= {
            "asset": {"version": "2.0"},
            "scene": 0,
            "scenes": [{"nodes": [0]}],
            "nodes": [{"mesh": 0}],
            "meshes": [{"primitives": primitives}],
            "buffers": [{"byteLength": len(self.buffer)}],
        }
        text = json.dumps(self.tree).encode()
        text += b" " * (-len(text) % 4)
        chunks = struct.pack("<I4s", len(text), b"JSON") + text
        chunks += struct.pack("<I4s", len(self.buffer), b"BIN\0") + self.buffer
        return struct.pack("<4s2I", b"glTF", 2, 12 + len(chunks)) + chunks


def _primitive(
    gltf: _Gltf, mesh: Mesh, normals: NDArray[Any], faces: NDArray[Any]
) -> dict[str, Any]:
    vertex, indices = np.arange(mesh.num_vertices), mesh.faces
    uvs = None
    if mesh.face_uvs is not None or mesh.materials:
        corners = mesh.faces[faces].reshape(-1, 1)
        if mesh.face_uvs is not None:
            # In the precision that is written; float64 holds the indices too.
            corners = np.hstack((corners, mesh.face_uvs[faces].reshape(-1, 2).astype(np.float32)))
        rows, kind = np.unique(corners.astype(np.float64), axis=0, return_inverse=True)
        vertex, indices = rows[:, 0].astype(np.int64), kind.reshape(-1, 3)
        uvs = None if mesh.face_uvs is None else rows[:, 1:]
    attributes = {
        "POSITION": gltf.add_floats(mesh.vertices[vertex]),
        "NORMAL": gltf.add_floats(normals[vertex]),
    }
    if uvs is not None:  # in glTF v is down
        flipped = np.column_stack((uvs[:, 0], 1 - uvs[:, 1]))
        attributes["TEXCOORD_0"] = gltf.add_floats(flipped)
    if not mesh.materials:
        attributes["COLOR_0"] = gltf.add_floats(np.clip(mesh.colors, 0, 1)[vertex])
    return {"attributes": attributes, "indices": gltf.add_indices(indices)}


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


def _eight_bits(values: NDArray[Any]) -> NDArray[Any]:
    rounded: NDArray[Any] = np.rint(np.clip(values, 0, 1) * 255).astype(np.uint8)
    return rounded


def _png(image: NDArray[Any]) -> bytes:
    content = io.BytesIO()
    Image.fromarray(_eight_bits(image)).save(content, "PNG")
    return content.getvalue()


def _vertex_normals(mesh: Mesh) -> NDArray[Any]:
    """Average the normals of the faces around each vertex by area: (V, 3), up if there are none."""
    a, b, c = np.moveaxis(mesh.vertices[mesh.faces].astype(np.float64), 1, 0)
    normals = np.zeros((mesh.num_vertices, 3))
    np.add.at(normals, mesh.faces, np.cross(b - a, c - a)[:, None])
    lengths = np.linalg.norm(normals, axis=1, keepdims=True)
    return np.where(lengths > 0, normals / np.where(lengths > 0, lengths, 1), [0.0, 0.0, 1.0])
