"""Reading the files that trimesh parses: PLY, OFF, STL, GLB and glTF."""

import copy
import io
import json
import struct
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import trimesh
from numpy.typing import NDArray
from trimesh.resolvers import FilePathResolver

from taichi_softras.files._file_mesh import DeclaredMaterial, FileMesh, assign_materials
from taichi_softras.files._images import decoded_image
from taichi_softras.meshes.materials import Material, Wrap
from taichi_softras.meshes.rows import group_rows

CLAMP_TO_EDGE = 33071
"""The number in glTF of a sampler that clamps."""


class _Part(NamedTuple):
    """One geometry of a scene, in its own frame."""

    vertices: NDArray[Any]  # (V, 3)
    normals: NDArray[Any]  # (V, 3)
    faces: NDArray[Any]  # (F, 3)
    colors: NDArray[Any]  # (V, 3), NaN where there are none
    face_uvs: NDArray[Any]  # (F, 3, 2), NaN where there are none
    numbers: NDArray[Any]  # (F,) of materials, -1 where there are none


def read_scene(path: Path, *, weld: bool) -> FileMesh:
    """Read a file's meshes as one, those of a scene in the place where the scene has them.

    Args:
        path: A file in a format that trimesh reads.
        weld: Whether the vertices that a file has several times over, for the sake of texture
            coordinates or materials, become one: those with the same position, normal and colour
            in one frame.

    Returns:
        What it says, in the order of the file. Lines and points are left out.

    Raises:
        Exception: Whatever trimesh meets in a file that it cannot read.
    """
    scene, tree = _loaded(path)
    materials = _Materials(tree)
    has_normals = bool(tree) and all(
        "NORMAL" in primitive["attributes"]
        for mesh in tree.get("meshes", [])
        for primitive in mesh["primitives"]
    )
    parts, transforms = [], []
    for node in scene.graph.nodes_geometry:
        transform, name = scene.graph[node]
        if isinstance(scene.geometry[name], trimesh.Trimesh):
            parts.append(_part(scene.geometry[name], materials, has_normals))
            transforms.append(transform)
    if not parts:
        raise ValueError("it has no faces")
    mesh = _merged([_moved(part, transform) for part, transform in zip(parts, transforms)])
    chosen, face_materials = assign_materials(materials.declared, mesh.numbers, mesh.face_uvs)
    if path.suffix.lower() == ".stl":
        # It has three corners per face, and no word on which are the same.
        mesh = _welded(mesh, parts, range(len(parts)))
    elif weld and (chosen or np.isfinite(mesh.face_uvs).any()):
        mesh = _welded(mesh, parts, group_rows(np.reshape(transforms, (-1, 16)))[1])
    return FileMesh(
        mesh.vertices,
        mesh.faces,
        mesh.colors,
        multiplies=bool(tree),
        corner_normals=None,
        face_uvs=mesh.face_uvs,
        face_materials=face_materials,
        materials=chosen,
    )


class _Materials:
    """The materials of a file, numbered as they are met."""

    def __init__(self, tree: dict[str, Any]) -> None:
        self.tree = tree  # of a glTF file, else empty
        self.declared: list[DeclaredMaterial] = []
        self._numbers: dict[Any, int] = {}
        self._images: dict[int, NDArray[Any] | None] = {}

    def add(self, material: Any) -> int:
        """Number a material of trimesh's; -1 for one that says no colour."""
        number = int(material.name) if self.tree and material.name else None
        key = id(material) if number is None else number
        if key not in self._numbers:
            declared = self._declared(material, number)
            self._numbers[key] = len(self.declared) if any(declared) else -1
            self.declared += [declared] if any(declared) else []
        return self._numbers[key]

    def add_color(self, color: tuple[int, ...]) -> int:
        """Number a colour of 8 bits."""
        if color not in self._numbers:
            self._numbers[color] = len(self.declared)
            red, green, blue = (channel / 255 for channel in color)
            self.declared.append(DeclaredMaterial(None, Material(color=(red, green, blue))))
        return self._numbers[color]

    def _declared(self, material: Any, number: int | None) -> DeclaredMaterial:
        name, wrap, base = _gltf_material(self.tree, number)
        base = _base_color(material) if base is None else base
        image = getattr(material, "baseColorTexture", getattr(material, "image", None))
        # Texture coordinates without a material get an image from trimesh: 2 x 2 pixels of grey.
        if image is not None and (image.size, image.format, image.info) == ((2, 2), None, {}):
            image = None
        if id(image) not in self._images:
            self._images[id(image)] = decoded_image(image)
        texels = self._images[id(image)]
        plain = None if base is None else Material(name, base)
        if texels is None:
            return DeclaredMaterial(None, plain)
        tint = base if self.tree and base is not None else (1, 1, 1)
        return DeclaredMaterial(Material(name, tint, texels, wrap), plain)


def _loaded(path: Path) -> tuple[Any, dict[str, Any]]:
    """Load a scene, and the JSON of it if it is in glTF.

    trimesh does not tell which of the file's materials a geometry has, and drops some of what
    these say; so it is given them with their numbers for names.
    """
    content, suffix = path.read_bytes(), path.suffix.lower()
    tree: dict[str, Any] = {}
    if suffix == ".gltf":
        tree = json.loads(content)
        content = _numbered(tree)
    elif suffix == ".glb":
        magic, version, _, length, kind = struct.unpack("<4sI2I4s", content[:20])
        if magic != b"glTF" or kind != b"JSON":
            raise ValueError("it does not start as GLB does")
        tree = json.loads(content[20 : 20 + length])
        text = _numbered(tree)
        text += b" " * (-len(text) % 4)
        after = content[20 + length :]
        sizes = struct.pack("<2I4s", 20 + len(text) + len(after), len(text), kind)
        content = struct.pack("<4sI", magic, version) + sizes + text + after
    scene = trimesh.load(
        io.BytesIO(content),
        file_type=suffix[1:],
        resolver=FilePathResolver(str(path)),
        process=False,
        force="scene",
    )
    return scene, tree


def _numbered(tree: dict[str, Any]) -> bytes:
    """Write the JSON of a glTF file, with numbers for the names of its materials."""
    tree = copy.deepcopy(tree)
    for number, material in enumerate(tree.get("materials", [])):
        material["name"] = str(number)
    return json.dumps(tree).encode()


def _part(geometry: trimesh.Trimesh, materials: _Materials, has_normals: bool) -> _Part:
    vertices, faces = np.array(geometry.vertices), np.array(geometry.faces)
    _check_indices(faces, len(vertices))
    numbers, colors = np.full(len(faces), -1), np.full(vertices.shape, np.nan)
    visual: Any = geometry.visual
    uvs: Any = getattr(visual, "uv", None)
    face_uvs = np.full((len(faces), 3, 2), np.nan)
    if np.shape(uvs) == (len(vertices), 2):
        face_uvs = np.asarray(uvs, np.float64)[faces]
        if not np.isfinite(face_uvs).all():
            raise ValueError("texture coordinates must be finite")
    if visual.kind == "vertex":
        colors = visual.vertex_colors[:, :3] / 255
    elif visual.kind == "face" and len(visual.face_colors) == len(faces):
        first, kind = group_rows(visual.face_colors[:, :3])
        chosen = visual.face_colors[first, :3].tolist()
        numbers = np.array([materials.add_color(tuple(color)) for color in chosen], int)[kind]
    elif getattr(visual, "material", None) is not None:
        numbers[:] = materials.add(visual.material)
        painted = visual.vertex_attributes.get("color")
        if painted is not None and np.shape(painted)[:1] == (len(vertices),):
            colors = trimesh.visual.color.to_rgba(np.array(painted))[:, :3] / 255
    normals = np.array(geometry.vertex_normals) if has_normals else np.zeros_like(vertices)
    return _Part(vertices, normals, faces, colors, face_uvs, numbers)


def _moved(part: _Part, transform: NDArray[Any]) -> _Part:
    part = part._replace(vertices=part.vertices @ transform[:3, :3].T + transform[:3, 3])
    if np.linalg.det(transform[:3, :3]) < 0:  # a mirror turns faces inside out
        part = part._replace(faces=part.faces[:, ::-1], face_uvs=part.face_uvs[:, ::-1])
    return part


def _merged(parts: Sequence[_Part]) -> _Part:
    merged = _Part(*map(np.concatenate, zip(*parts)))
    sizes = [len(part.vertices) for part in parts]
    starts = np.repeat(np.cumsum(sizes) - sizes, [len(part.faces) for part in parts])
    return merged._replace(faces=merged.faces + starts[:, None])


def _welded(mesh: _Part, parts: Sequence[_Part], frames: Sequence[int] | NDArray[Any]) -> _Part:
    """Make one vertex of those with the same position, normal and colour in the same frame.

    Args:
        mesh: All parts in one.
        parts: The parts before they were moved, as moving them rounds.
        frames: A number for each part, the same for those whose vertices may become one.
    """
    before = _merged(parts)
    frame = np.repeat(np.asarray(frames), [len(part.vertices) for part in parts])
    colors = np.nan_to_num(before.colors, nan=-1)
    first, kind = group_rows(np.hstack((frame[:, None], before.vertices, before.normals, colors)))
    return mesh._replace(
        vertices=mesh.vertices[first], colors=mesh.colors[first], faces=kind[mesh.faces]
    )


def _gltf_material(
    tree: dict[str, Any], number: int | None
) -> tuple[str, Wrap, tuple[float, float, float] | None]:
    """Find what trimesh leaves out or rounds: a material's name, how it wraps, its colour."""
    material = {} if number is None else tree["materials"][number]
    values = material.get("pbrMetallicRoughness", {})
    texture = values.get("baseColorTexture", {}).get("index")
    sampler = None if texture is None else tree["textures"][texture].get("sampler")
    modes = {} if sampler is None else tree["samplers"][sampler]
    wrap: Wrap = "clamp" if modes.get("wrapS") == CLAMP_TO_EDGE else "repeat"
    color = values.get("baseColorFactor")
    return str(material.get("name", "")), wrap, None if color is None else tuple(color[:3])


def _base_color(material: Any) -> tuple[float, float, float] | None:
    color = getattr(material, "baseColorFactor", None)
    if "kd" in getattr(material, "kwargs", {}):  # trimesh's own grey if the file gives none
        color = material.diffuse
    return None if color is None else tuple(color[:3] / 255)


def _check_indices(faces: NDArray[Any], num_vertices: int) -> None:
    if faces.size and (faces.min() < 0 or faces.max() >= num_vertices):
        raise ValueError(
            f"faces must index its {num_vertices} vertices, "
            f"got indices from {faces.min()} to {faces.max()}"
        )
