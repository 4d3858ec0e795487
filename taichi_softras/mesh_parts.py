"""What trimesh reads from a file, as arrays: one part per material or object.

trimesh parses. This module decides what becomes of its result: which colour a vertex has, and
which vertices are one.
"""

import io
import logging
import re
import warnings
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import trimesh
from numpy.typing import NDArray
from trimesh.exchange.obj import load_obj
from trimesh.resolvers import FilePathResolver
from trimesh.visual.color import uv_to_color

GREY = 0.7
"""Red, green and blue of what has no colour of its own."""

INDEX_BELOW_1 = re.compile(r"^\s*f(?=\s).*?[\s/](?:-\d|0[\s/])", re.MULTILINE)
SPLITTING_DIRECTIVE = re.compile(r"^\s*(vt|vn)\s", re.MULTILINE)
MATERIAL_DIRECTIVE = re.compile(r"^\s*usemtl\s", re.MULTILINE)


class Part(NamedTuple):
    """Some of a file's faces, with the vertices that they have.

    Attributes:
        vertices: (V, 3) in the frame of the file.
        faces: (F, 3) indices of ``vertices``.
        colors: (V, 3) red, green and blue, from 0 to 1.
    """

    vertices: NDArray[Any]
    faces: NDArray[Any]
    colors: NDArray[Any]


def load_parts(path: Path) -> list[Part]:
    """Read a file's meshes, those of a scene in the place where the scene has them.

    Args:
        path: A file in a format that trimesh reads.

    Returns:
        The parts, in the order of the file. Lines and points are left out.

    Raises:
        Exception: Whatever trimesh meets in a file that it cannot read.
    """
    with _quiet():
        parts = _obj_parts(path) if path.suffix.lower() == ".obj" else _scene_parts(path)
        # An STL file has three corners per face, and no word on which are the same.
        return [_welded(part) for part in parts] if path.suffix.lower() == ".stl" else parts


def group_rows(rows: NDArray[Any]) -> tuple[NDArray[Any], NDArray[Any]]:
    """Find which rows of an array are equal.

    As ``np.unique(rows, axis=0)`` does, but kinds are in the order of first appearance.

    Args:
        rows: (N, K) numbers.

    Returns:
        The index of the first row of each kind, of shape (M,) and ascending; and for each row
        its kind, of shape (N,), from 0 to M - 1.

    Example:
        >>> first, kind = group_rows(np.array([[5, 5], [1, 2], [5, 5]]))
        >>> first.tolist(), kind.tolist()
        ([0, 1], [0, 1, 0])
    """
    order = np.lexsort(rows.T)
    is_new = np.ones(len(rows), dtype=bool)
    is_new[1:] = (rows[order][1:] != rows[order][:-1]).any(axis=1)
    first = order[is_new]  # the sort is stable, so equal rows stay in order
    rank = np.empty(len(first), dtype=np.int64)
    rank[np.argsort(first)] = np.arange(len(first))
    kind = np.empty(len(rows), dtype=np.int64)
    kind[order] = rank[np.cumsum(is_new) - 1]
    return np.sort(first), kind


@contextmanager
def _quiet() -> Iterator[None]:
    # trimesh and Pillow remark on what they can do without. What cannot be done without is
    # raised, here or by the caller.
    logger = logging.getLogger("trimesh")
    level = logger.level
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        logger.setLevel(logging.CRITICAL)  # its children's too, as they have none of their own
        try:
            yield
        finally:
            logger.setLevel(level)


class _MaterialResolver(FilePathResolver):
    """Finds the files that an OBJ file names, and puts the text of them into UTF-8.

    Older files are not in it. Only names and comments differ, and to compare names it is enough
    that both files are read in the same way; trimesh wants a further package to do better.
    """

    def get(self, name: str) -> bytes:
        """Read a file that is named; the text of a material file as UTF-8."""
        content: bytes = super().get(name)
        if name.strip().lower().endswith(".mtl"):
            return content.decode("utf-8", errors="replace").encode()
        return content


def _obj_parts(path: Path) -> list[Part]:
    # By load_obj, as trimesh.load would round colours to 8 bits.
    text = _absolute_indices(path.read_text(encoding="utf-8", errors="replace"))
    is_split = SPLITTING_DIRECTIVE.search(text) is not None
    loaded = load_obj(
        io.StringIO(text),
        resolver=_MaterialResolver(str(path)),
        # Keeps vertices of no face. Of several materials, each would get them all.
        maintain_order=not is_split and MATERIAL_DIRECTIVE.search(text) is None,
    )
    # trimesh takes materials from the last to the first.
    geometries = reversed(loaded.get("geometry", {}).values())
    return [_obj_part(geometry, is_split) for geometry in geometries]


def _obj_part(geometry: Mapping[str, Any], is_split: bool) -> Part:
    vertices, faces = geometry["vertices"], _fans(geometry["faces"])
    _check_indices(faces, len(vertices))
    if geometry.get("vertex_colors") is not None:
        colors = geometry["vertex_colors"]
        # No word in the format on the range: some programs write 0 to 255.
        colors = colors / 255 if colors.max(initial=0.0) > 1 else colors
    else:
        colors = _texture_colors(geometry.get("visual"), len(vertices))
    part = Part(vertices, faces, colors)
    # trimesh makes a vertex of each combination of position, texture coordinate and normal by
    # number. Those that differ in number only are one, else a smooth surface falls to pieces.
    return _welded(part, geometry.get("vertex_normals")) if is_split else part


def _fans(polygons: NDArray[Any]) -> NDArray[Any]:
    """Cut polygons, of shape (P, K), into triangles around their first corner."""
    last = np.arange(2, polygons.shape[1])
    corners = np.stack((np.zeros_like(last), last - 1, last), axis=-1)
    return polygons[:, corners].reshape(-1, 3)


def _absolute_indices(text: str) -> str:
    """Count the vertices of an OBJ file's faces from its start.

    An index of -1 is the vertex last defined *above* the face; trimesh takes the last of the
    file, and 0, which is none, for the first.
    """
    if not INDEX_BELOW_1.search(text + "\n"):
        return text
    lines = text.splitlines()
    counts = {"v": 0, "vt": 0, "vn": 0}
    for number, line in enumerate(lines):
        directive, *words = line.split() or [""]
        if directive in counts:
            counts[directive] += 1
        elif directive == "f":
            corners = [
                "/".join(
                    str(count + 1 + int(index)) if index.startswith("-") else index
                    for index, count in zip(word.split("/"), counts.values())
                )
                for word in words
            ]
            if any(int(corner.split("/")[0]) < 1 for corner in corners):
                raise ValueError(f"a face must have vertices from 1, or from -{counts['v']} on")
            lines[number] = " ".join(("f", *corners))
    return "\n".join(lines)


def _scene_parts(path: Path) -> list[Part]:
    scene: Any = trimesh.load(str(path), process=False, force="scene")
    parts = []
    for node in scene.graph.nodes_geometry:
        transform, name = scene.graph[node]
        geometry = scene.geometry[name]
        if isinstance(geometry, trimesh.Trimesh):
            vertices, faces, colors = _geometry_part(geometry)
            vertices = vertices @ transform[:3, :3].T + transform[:3, 3]
            # A mirror turns faces inside out.
            faces = faces[:, ::-1] if np.linalg.det(transform[:3, :3]) < 0 else faces
            parts.append(Part(vertices, faces, colors))
    return parts


def _geometry_part(geometry: trimesh.Trimesh) -> Part:
    vertices, faces = np.array(geometry.vertices), np.array(geometry.faces)
    _check_indices(faces, len(vertices))
    visual: Any = geometry.visual
    if visual.kind == "vertex":
        return Part(vertices, faces, visual.vertex_colors[:, :3] / 255)
    if visual.kind == "face" and len(visual.face_colors) == len(faces):
        corner_colors = np.repeat(visual.face_colors[:, :3], 3, axis=0)
        corners = np.column_stack((faces.reshape(-1), corner_colors.astype(np.int64)))
        first, kind = group_rows(corners)
        vertex, colors = corners[first, 0], corners[first, 1:] / 255
        return Part(vertices[vertex], kind.reshape(-1, 3), colors)
    return Part(vertices, faces, _texture_colors(visual, len(vertices)))


def _texture_colors(visual: Any, num_vertices: int) -> NDArray[Any]:
    """Take the colours of vertices from a material and its texture: (V, 3), grey if neither."""
    material = getattr(visual, "material", None)
    base, image = _base_color(material)
    colors = _sampled(image, visual.uv, num_vertices) if image is not None else None
    if colors is None:
        colors = np.broadcast_to(GREY if base is None else base, (num_vertices, 3))
    elif base is not None and hasattr(material, "baseColorTexture"):
        colors = colors * base  # glTF multiplies the two; of OBJ, writers differ
    painted = getattr(visual, "vertex_attributes", {}).get("color")
    if painted is not None and np.shape(painted)[:1] == (num_vertices,):
        painted = trimesh.visual.color.to_rgba(np.array(painted))[:, :3] / 255
        colors = painted * (1.0 if base is None and image is None else colors)
    return colors


def _base_color(material: Any) -> tuple[NDArray[Any] | None, Any]:
    """Return a material's red, green and blue, and its image; None for what it lacks."""
    if hasattr(material, "baseColorTexture"):
        base, image = material.baseColorFactor, material.baseColorTexture
    else:
        image = getattr(material, "image", None)
        # "diffuse" is trimesh's own grey if the file gives none.
        base = material.diffuse if "kd" in getattr(material, "kwargs", {}) else None
    # Texture coordinates without a material get an image from trimesh: 2 x 2 pixels of grey.
    if image is not None and image.size == (2, 2) and not image.info and image.format is None:
        image = None
    return None if base is None else base[:3] / 255, image


def _sampled(image: Any, uv: Any, num_vertices: int) -> NDArray[Any] | None:
    if np.shape(uv) != (num_vertices, 2):
        return None
    try:
        return np.asarray(uv_to_color(uv, image)[:, :3] / 255)
    except (OSError, SyntaxError, ValueError):  # Pillow decodes here: the image is damaged
        return None


def _welded(part: Part, normals: NDArray[Any] | None = None) -> Part:
    """Make one vertex of those with the same position, colour and normal."""
    columns = (part.vertices, part.colors, *(() if normals is None else (normals,)))
    first, kind = group_rows(np.hstack(columns))
    return Part(part.vertices[first], kind[part.faces], part.colors[first])


def _check_indices(faces: NDArray[Any], num_vertices: int) -> None:
    if faces.size and (faces.min() < 0 or faces.max() >= num_vertices):
        raise ValueError(
            f"faces must index its {num_vertices} vertices, "
            f"got indices from {faces.min()} to {faces.max()}"
        )
