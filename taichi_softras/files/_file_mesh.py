"""What a file says of a mesh, and how that becomes vertices, faces and colours."""

import math
from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from taichi_softras.meshes.materials import GREY, Material, nearest_texels
from taichi_softras.meshes.rows import group_rows

COSINE_OF_A_CREASE = math.cos(math.radians(1))
"""Of the angle between normals that are one: many files round them."""


class DeclaredMaterial(NamedTuple):
    """A material as a file has it, which may lack either.

    Attributes:
        textured: What faces with texture coordinates have.
        plain: What faces have if ``textured`` is None, or if they have no coordinates.
    """

    textured: Material | None
    plain: Material | None


class FileMesh(NamedTuple):
    """What a file says of a mesh.

    Attributes:
        vertices: (V, 3) in the frame of the file.
        faces: (F, 3) indices of ``vertices``.
        colors: (V, 3) red, green and blue that the file gives vertices, NaN where it gives none.
        multiplies: Whether these multiply the colours of materials, as in glTF; else they take
            their place.
        corner_normals: (F, 3, 3) normals of the corners of faces, 0 where there are none, if
            vertices are to be split where they differ; else None.
        face_uvs: (F, 3, 2) texture coordinates, v up, NaN where there are none.
        face_materials: (F,) indices of ``materials``, -1 for none.
        materials: Those that faces have. Faces of one with an image have texture coordinates.
        bare_color: Red, green and blue of what the file gives no colour.
        problems: What could not be read and is done without, each in words.
    """

    vertices: NDArray[Any]
    faces: NDArray[Any]
    colors: NDArray[Any]
    multiplies: bool
    corner_normals: NDArray[Any] | None
    face_uvs: NDArray[Any]
    face_materials: NDArray[Any]
    materials: tuple[Material, ...]
    bare_color: float = GREY
    problems: tuple[str, ...] = ()


def assign_materials(
    declared: Sequence[DeclaredMaterial], numbers: NDArray[Any], face_uvs: NDArray[Any]
) -> tuple[tuple[Material, ...], NDArray[Any]]:
    """Choose for each face between a material's texture and its plain colour.

    Args:
        declared: The materials of the file.
        numbers: (F,) the material of each face by its place in ``declared``, or -1.
        face_uvs: (F, 3, 2) texture coordinates, NaN where there are none.

    Returns:
        The materials that faces have, in the order of ``declared``; and for each face its index
        in these, of shape (F,), -1 if it has none.
    """
    options = [option for material in declared for option in material]
    has_texture = np.array([material.textured is not None for material in declared] + [False])
    has_uvs = np.isfinite(face_uvs).all(axis=(1, 2))
    option = np.where(numbers < 0, -1, 2 * numbers + ~(has_texture[numbers] & has_uvs))
    used = [i for i in np.unique(option) if i >= 0 and options[i] is not None]
    place = np.full(len(options) + 1, -1)  # the last is that of option -1
    place[used] = np.arange(len(used))
    return tuple(m for m in (options[i] for i in used) if m is not None), place[option]


def corner_colors(mesh: FileMesh) -> NDArray[Any]:
    """Colour the corners of faces: (F, 3, 3), by the vertices and materials, if by either."""
    has_material = mesh.face_materials >= 0
    colors = np.full((len(mesh.faces), 3, 3), mesh.bare_color)
    if mesh.materials:
        plain = np.array([material.color for material in mesh.materials])
        colors[has_material] = plain[mesh.face_materials[has_material], None]
    for number, material in enumerate(mesh.materials):
        if material.image is not None:
            faces = np.flatnonzero(mesh.face_materials == number)
            uvs = mesh.face_uvs[faces].reshape(-1, 2)
            texels = nearest_texels(material.image, uvs, material.wrap)
            colors[faces] *= texels.reshape(-1, 3, 3)
    painted = mesh.colors[mesh.faces]
    factor = np.where(has_material[:, None, None] & mesh.multiplies, colors, 1.0)
    return np.where(np.isnan(painted), colors, painted * factor)


def split_vertices(mesh: FileMesh) -> tuple[NDArray[Any], NDArray[Any], NDArray[Any]]:
    """Split vertices where faces meet in several colours or normals.

    Vertices keep their numbers; what is split off follows.

    Returns:
        Vertices (V', 3), faces (F, 3) and colours of the vertices (V', 3).
    """
    colors = corner_colors(mesh).reshape(-1, 3)
    first, number, faces, source = _split(mesh, colors)
    vertex_colors = _own_colors(mesh)[source]
    vertex_colors[number] = colors[first]
    return mesh.vertices[source], faces, vertex_colors


def share_repeated(mesh: FileMesh, *, creases: bool) -> FileMesh:
    """Have faces share one of several vertices that are the same: in place, colour and normal.

    Vertices stay, those that no face has any more too. A corner without a normal keeps its own.

    Args:
        mesh: What a file says.
        creases: Whether normals tell vertices apart.
    """
    if mesh.corner_normals is None:
        return mesh
    first, place = group_rows(np.hstack((mesh.vertices, np.nan_to_num(mesh.colors, nan=-1))))
    if len(first) == len(mesh.vertices):
        return mesh
    corners = mesh.faces.reshape(-1)
    has_normal = mesh.corner_normals.reshape(-1, 3).any(axis=1)
    places = np.where(has_normal, place[corners], len(first) + corners)
    keys = (places, _directions(mesh.corner_normals, places)) if creases else (places,)
    first, kind = group_rows(np.column_stack(keys))
    return mesh._replace(faces=corners[first][kind].reshape(-1, 3))


def split_creases(mesh: FileMesh) -> FileMesh:
    """Split vertices where faces meet in several normals, as `split_vertices` does."""
    if mesh.corner_normals is None:
        return mesh
    _, _, faces, source = _split(mesh, np.empty((mesh.faces.size, 0)))
    return mesh._replace(
        vertices=mesh.vertices[source],
        faces=faces,
        colors=mesh.colors[source],
        corner_normals=None,
    )


def _split(
    mesh: FileMesh, looks: NDArray[Any]
) -> tuple[NDArray[Any], NDArray[Any], NDArray[Any], NDArray[Any]]:
    """Give each vertex as many numbers as its corners have looks (F * 3, K), and normals.

    Returns:
        For each number a corner that has it, and the number; faces (F, 3); and for each vertex
        that there is now, the one that it was.
    """
    corners, num_vertices = mesh.faces.reshape(-1), len(mesh.vertices)
    directions = _directions(mesh.corner_normals, corners)
    first, kind = group_rows(np.column_stack((corners, directions, looks)))
    vertex = corners[first]
    is_extra = np.ones(len(vertex), dtype=bool)
    is_extra[np.unique(vertex, return_index=True)[1]] = False
    number = np.where(is_extra, num_vertices + np.cumsum(is_extra) - 1, vertex)
    source = np.concatenate((np.arange(num_vertices), vertex[is_extra]))
    return first, number, number[kind].reshape(-1, 3), source


def _directions(corner_normals: NDArray[Any] | None, corners: NDArray[Any]) -> NDArray[Any]:
    """Number the directions that the normals (F, 3, 3) of a vertex's corners have, from 0 each.

    Args:
        corner_normals: None for none at all.
        corners: (F * 3,) the vertex, or the place, that each corner is at.

    Returns:
        (F * 3,).
    """
    numbers = np.zeros(len(corners), dtype=np.int64)
    if corner_normals is None:
        return numbers
    normals = corner_normals.reshape(-1, 3)
    lengths = np.linalg.norm(normals, axis=1, keepdims=True)
    normals = normals / np.where(lengths > 0, lengths, 1)
    left = np.arange(len(corners))
    while len(left):  # those like the first that is left at each vertex get the next number
        _, first, vertex = np.unique(corners[left], return_index=True, return_inverse=True)
        leading = normals[left][first][vertex]
        is_alike = (normals[left] * leading).sum(axis=1) > COSINE_OF_A_CREASE
        is_alike |= (normals[left] == leading).all(axis=1)
        left = left[~is_alike]
        numbers[left] += 1
    return numbers


def mean_colors(mesh: FileMesh) -> NDArray[Any]:
    """Average the colours that a vertex has in its faces: (V, 3)."""
    corners, num_vertices = mesh.faces.reshape(-1), len(mesh.vertices)
    channels = corner_colors(mesh).reshape(-1, 3).T
    sums = np.stack([np.bincount(corners, c, num_vertices) for c in channels], axis=-1)
    counts = np.bincount(corners, minlength=num_vertices)[:, None]
    return np.where(counts > 0, sums / np.maximum(counts, 1), _own_colors(mesh))


def complete_materials(mesh: FileMesh) -> tuple[tuple[Material, ...], NDArray[Any] | None]:
    """Give the faces without a material one, of the mean colour of their corners.

    Returns:
        The materials, and the index of each face's. () and None if no face has one.
    """
    if not mesh.materials:
        return (), None
    is_bare = mesh.face_materials < 0
    if not is_bare.any():
        return mesh.materials, mesh.face_materials
    color = corner_colors(mesh)[is_bare].mean(axis=(0, 1))
    numbers = np.where(is_bare, len(mesh.materials), mesh.face_materials)
    return (*mesh.materials, Material(color=tuple(color))), numbers


def _own_colors(mesh: FileMesh) -> NDArray[Any]:
    return np.where(np.isnan(mesh.colors), mesh.bare_color, mesh.colors)
