"""Reading glTF files, in JSON or binary (GLB).

The JSON is read here, as a library that stood in between would leave out what it does not know,
in silence: ranges of integers, sparse arrays, the second set of texture coordinates.

Source:
    Khronos, "glTF 2.0 Specification", 3.7.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from taichi_softras.files._file_mesh import FileMesh, assign_materials
from taichi_softras.files._gltf_document import GltfDocument, member
from taichi_softras.files._gltf_materials import PLAIN, GltfMaterials
from taichi_softras.files._gltf_nodes import GltfNodes
from taichi_softras.files._gltf_primitives import Attributes, read_faces
from taichi_softras.files._images import Textures
from taichi_softras.files._words import FormatError
from taichi_softras.meshes.rows import group_rows

WHITE = 1.0
"""Red, green and blue of faces without a material."""


class _Vertices(NamedTuple):
    """Vertices, in one place."""

    positions: NDArray[Any]  # (V, 3) in the frame of the scene
    keys: NDArray[Any]  # (V, K): those with the same are one vertex of the shape
    colors: NDArray[Any]  # (V, 3), NaN where there are none


class _Faces(NamedTuple):
    """Triangles of vertices, wherever these are."""

    corners: NDArray[Any]  # (F, 3)
    uvs: NDArray[Any]  # (F, 3, 2), NaN where there are none
    numbers: NDArray[Any]  # (F,) of materials, -1 where there are none


def read_gltf(path: Path, *, weld: bool, creases: bool) -> FileMesh:
    """Read the meshes of a glTF or GLB file's scene as one, where its nodes have them.

    Args:
        path: The file.
        weld: Whether the vertices that a file has several times over, for the sake of texture
            coordinates or materials, become one: those with the same position, normal and colour
            in one frame.
        creases: Whether vertices that only their normals tell apart stay apart.

    Returns:
        What it says, with vertices in the order of the scene. Lines and points are left out.

    Raises:
        FormatError: If it doesn't follow the format, or requires what isn't read.
    """
    document, textures = GltfDocument(path), Textures()
    materials = GltfMaterials(document, textures)
    parts = list(_Scene(document, materials, creases).parts())
    if not parts:
        raise FormatError("it has no faces")
    vertices = _Vertices(*map(np.concatenate, zip(*(part for part, _ in parts))))
    faces = _joined([faces for _, faces in parts], [len(part.positions) for part, _ in parts])
    corners = faces.corners
    chosen, face_materials = assign_materials(materials.declared, faces.numbers, faces.uvs)
    if weld and (chosen or np.isfinite(faces.uvs).any()):
        colors = np.nan_to_num(vertices.colors, nan=-1)
        first, kind = group_rows(np.hstack((vertices.keys, colors)))
        vertices, corners = _Vertices(*(values[first] for values in vertices)), kind[corners]
    return FileMesh(
        vertices.positions,
        corners,
        vertices.colors,
        multiplies=True,
        corner_normals=None,
        face_uvs=faces.uvs,
        face_materials=face_materials,
        materials=chosen,
        bare_color=WHITE,
        problems=tuple(textures.problems),
    )


class _Scene:
    """What the nodes of a file hold, and where."""

    def __init__(self, document: GltfDocument, materials: GltfMaterials, creases: bool) -> None:
        self._document = document
        self._materials = materials
        self._creases = creases
        self._nodes = GltfNodes(document)
        self._frames: dict[bytes, int] = {}

    def parts(self) -> Iterator[tuple[_Vertices, _Faces]]:
        """Read the scene, vertices and their faces at a time."""
        for number, node in self._nodes.drawn():
            if "mesh" not in node:
                continue
            mesh = self._document.item("meshes", node["mesh"])
            weights = member(node, "weights", list, member(mesh, "weights", list, []))
            joints = self._nodes.joint_matrices(node)
            for primitives in _sharing(member(mesh, "primitives", list)):
                attributes = [Attributes(self._document, x, weights) for x in primitives]
                if "POSITION" not in attributes[0]:
                    continue
                faces = self._faces(primitives, attributes)
                for place in self._nodes.places(number):
                    yield self._placed(attributes[0], faces, place, joints)

    def _placed(
        self,
        attributes: Attributes,
        faces: _Faces,
        place: NDArray[Any],
        joints: NDArray[Any] | None,
    ) -> tuple[_Vertices, _Faces]:
        own = attributes.read("POSITION", 3)
        normals, colors = np.zeros_like(own), np.full(own.shape, np.nan)
        if self._creases and "NORMAL" in attributes:
            normals = attributes.read("NORMAL", 3)
        if "COLOR_0" in attributes:
            colors = attributes.read("COLOR_0", 3, 4)[:, :3]
        if joints is not None and "JOINTS_0" in attributes and "WEIGHTS_0" in attributes:
            # The joints say where it is, and the node has no say.
            positions = own = _skinned(own, attributes, joints)
            place = np.eye(4)
        else:
            positions = own @ place[:3, :3].T + place[:3, 3]
        if np.linalg.det(place[:3, :3]) < 0:  # a mirror turns faces inside out
            faces = faces._replace(corners=faces.corners[:, ::-1], uvs=faces.uvs[:, ::-1])
        frame = self._frames.setdefault(place.tobytes(), len(self._frames))
        # Moving them rounds: it is before that they are the same.
        keys = np.hstack((np.full((len(own), 1), frame), own, normals))
        return _Vertices(positions, keys, colors), faces

    def _faces(
        self, primitives: Sequence[dict[str, Any]], attributes: Sequence[Attributes]
    ) -> _Faces:
        """Read the faces of primitives that share their vertices."""
        num_vertices = len(attributes[0].read("POSITION", 3))
        pieces = []
        for primitive, arrays in zip(primitives, attributes):
            corners = read_faces(primitive, arrays, num_vertices)
            material, layout = -1, PLAIN
            if len(corners) and "material" in primitive:  # points and lines are not drawn
                material, layout = self._materials.add(primitive["material"])
            uvs = np.full((len(corners), 3, 2), np.nan)
            if f"TEXCOORD_{layout.channel}" in arrays:
                found = arrays.read(f"TEXCOORD_{layout.channel}", 2)
                if not np.isfinite(found).all():
                    raise FormatError("texture coordinates must be finite")
                found = found @ layout.transform[:, :2].T + layout.transform[:, 2]
                # In the file v is down.
                uvs = np.stack((found[:, 0], 1 - found[:, 1]), axis=1)[corners]
            pieces.append(_Faces(corners, uvs, np.full(len(corners), material)))
        return _joined(pieces, [0] * len(pieces))


def _sharing(primitives: list[Any]) -> list[list[dict[str, Any]]]:
    """Put primitives with the same vertices together."""
    groups: dict[str, list[dict[str, Any]]] = {}
    for primitive in primitives:
        if not isinstance(primitive, dict):
            raise FormatError("primitives must be objects")
        shared = [primitive.get(key) for key in ("attributes", "targets", "extensions")]
        groups.setdefault(json.dumps(shared, sort_keys=True), []).append(primitive)
    return list(groups.values())


def _joined(pieces: Sequence[_Faces], sizes: Sequence[int]) -> _Faces:
    """Put faces one after another whose vertices, so many each, are."""
    starts = np.cumsum([0, *sizes])
    shifted = [piece._replace(corners=piece.corners + k) for piece, k in zip(pieces, starts)]
    return _Faces(*map(np.concatenate, zip(*shifted)))


def _skinned(own: NDArray[Any], attributes: Attributes, joints: NDArray[Any]) -> NDArray[Any]:
    """Move vertices (V, 3) as their joints do, by the weights of these."""
    total = np.zeros((len(own), 4, 4))
    channel = 0
    while f"JOINTS_{channel}" in attributes and f"WEIGHTS_{channel}" in attributes:
        which = attributes.read(f"JOINTS_{channel}", 4).astype(np.int64)
        weights = attributes.read(f"WEIGHTS_{channel}", 4)
        if which.size and (which.max() >= len(joints) or which.min() < 0):
            raise FormatError(f"vertices must have joints from 0 to {len(joints) - 1}")
        total += np.einsum("vk,vkij->vij", weights, joints[which])
        channel += 1
    homogeneous = np.hstack((own, np.ones((len(own), 1))))
    return np.asarray(np.einsum("vij,vj->vi", total, homogeneous)[:, :3])
