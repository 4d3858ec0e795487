"""The content of mesh files.

Source:
    Wavefront, "Advanced Visualizer Manual", appendices B1 (OBJ) and B2 (MTL). Khronos, "glTF 2.0
    Specification".
"""

import json
import struct
from typing import Any

import numpy as np
from numpy.typing import NDArray

from taichi_softras.files._encoding import _png, _vertex_normals, unique_names
from taichi_softras.files._gltf_materials import WRAP_MODES
from taichi_softras.meshes._host_arrays import fits_singles
from taichi_softras.meshes.materials import Material, Wrap
from taichi_softras.meshes.mesh import Mesh

FLOAT, UNSIGNED_INT = 5126, 5125  # as glTF numbers OpenGL's names

ARRAY_BUFFER, ELEMENT_ARRAY_BUFFER = 34962, 34963

MODES = {wrap: mode for mode, wrap in WRAP_MODES.items()}


def glb_bytes(mesh: Mesh) -> bytes:
    """Encode a mesh as GLB, with its materials and images inside.

    Raises:
        ValueError: If the mesh has no faces.
    """
    if not mesh.num_faces:
        raise ValueError("mesh must have faces to become GLB, got none")
    gltf = _Gltf()
    normals = _vertex_normals(mesh)
    if not fits_singles(mesh.vertices):
        center = (mesh.vertices.min(axis=0) + mesh.vertices.max(axis=0)) / 2
        gltf.tree["nodes"] = [{"mesh": 0, "translation": center.tolist()}]
        mesh = mesh.with_vertices(mesh.vertices - center)
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
        samplers: list[tuple[Wrap, Wrap]] = []
        textures: list[dict[str, int]] = []
        entries = []
        for material, name in zip(materials, unique_names(materials)):
            color = [*np.clip(material.color, 0, 1).tolist(), 1.0]
            values: dict[str, Any] = {"baseColorFactor": color, "metallicFactor": 0.0}
            if material.image is not None:
                if id(material.image) not in images:
                    images[id(material.image)] = self.add_view(_png(material.image))
                source = list(images).index(id(material.image))
                if material.wraps not in samplers:
                    samplers.append(material.wraps)
                texture = {"sampler": samplers.index(material.wraps), "source": source}
                if texture not in textures:
                    textures.append(texture)
                values["baseColorTexture"] = {"index": textures.index(texture)}
            entries.append({"name": name, "pbrMetallicRoughness": values})
        self.tree["materials"] = entries
        if textures:
            self.tree["textures"] = textures
            self.tree["samplers"] = [
                {"wrapS": MODES[along_u], "wrapT": MODES[along_v]} for along_u, along_v in samplers
            ]
            self.tree["images"] = [
                {"bufferView": view, "mimeType": "image/png"} for view in images.values()
            ]

    def encoded(self, primitives: list[dict[str, Any]]) -> bytes:
        self.tree.setdefault("nodes", [{"mesh": 0}])
        self.tree |= {
            "asset": {"version": "2.0"},
            "scene": 0,
            "scenes": [{"nodes": [0]}],
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
