"""Shapes to start from: centred at the origin, y up, front faces outward, in grey."""

from __future__ import annotations

from types import ModuleType
from typing import TYPE_CHECKING

import numpy as np

from taichi_softras.arrays.options import check_integer, check_number, check_positive
from taichi_softras.meshes.mesh import Mesh
from taichi_softras.meshes.utah_teapot import grid_faces
from taichi_softras.meshes.utah_teapot import teapot as teapot

if TYPE_CHECKING:
    import trimesh

__all__ = ["cube", "icosphere", "plane", "teapot", "torus"]


def icosphere(subdivisions: int = 3, radius: float = 0.5) -> Mesh:
    """Make a sphere from an icosahedron, its faces cut in four again and again.

    Args:
        subdivisions: How many times. There are ``20 * 4**subdivisions`` faces.
        radius: Distance of every vertex from the centre. Above 0.

    Returns:
        The sphere, closed, in float32.

    Raises:
        TypeError: If an argument is of the wrong type.
        ValueError: If it is out of range.

    Examples:
        >>> sphere = icosphere(subdivisions=1)
        >>> sphere.num_vertices, sphere.num_faces
        (42, 80)
    """
    subdivisions = check_integer("subdivisions", subdivisions, at_least=0)
    radius = check_positive("radius", radius)
    return _to_mesh(_shapes().icosphere(subdivisions=subdivisions, radius=radius))


def cube(side: float = 1.0) -> Mesh:
    """Make a cube of 8 vertices and 12 faces.

    Args:
        side: Length of an edge. Above 0.

    Returns:
        The cube, closed, in float32.

    Raises:
        TypeError: If ``side`` is no number.
        ValueError: If it is out of range.

    Examples:
        >>> cube(side=2).vertices.max()
        np.float32(1.0)
    """
    side = check_positive("side", side)
    return _to_mesh(_shapes().box(extents=(side, side, side)))


def torus(
    major_radius: float = 0.35,
    minor_radius: float = 0.15,
    major_segments: int = 48,
    minor_segments: int = 24,
) -> Mesh:
    """Make a torus around the y axis.

    Args:
        major_radius: From the axis to the centre of the tube. Above ``minor_radius``.
        minor_radius: Of the tube. Above 0.
        major_segments: Rings along the tube. At least 3.
        minor_segments: Vertices of each ring. At least 3.

    Returns:
        The torus, closed, of ``2 * major_segments * minor_segments`` faces, in float32.

    Raises:
        TypeError: If an argument is of the wrong type.
        ValueError: If it is out of range.

    Examples:
        >>> torus(major_segments=10, minor_segments=5).num_vertices
        50
    """
    major_segments = check_integer("major_segments", major_segments, at_least=3)
    minor_segments = check_integer("minor_segments", minor_segments, at_least=3)
    major_radius = check_number("major_radius", major_radius)
    minor_radius = check_number("minor_radius", minor_radius)
    if not 0 < minor_radius < major_radius:
        raise ValueError(
            "need 0 < minor_radius < major_radius, "
            f"got minor_radius={minor_radius}, major_radius={major_radius}"
        )
    ring = _shapes().torus(
        major_radius=major_radius,
        minor_radius=minor_radius,
        major_sections=major_segments,
        minor_sections=minor_segments,
        transform=[[1, 0, 0, 0], [0, 0, 1, 0], [0, -1, 0, 0], [0, 0, 0, 1]],  # z becomes y
    )
    return _to_mesh(ring)


def plane(side: float = 1.0, segments: int = 1) -> Mesh:
    """Make a square in the x-y plane, its front towards +z.

    Args:
        side: Length of a side. Above 0.
        segments: Into how many cells each side is cut. At least 1.

    Returns:
        The square, of ``2 * segments**2`` faces, in float32.

    Raises:
        TypeError: If an argument is of the wrong type.
        ValueError: If it is out of range.

    Examples:
        >>> plane(side=2).vertices
        array([[-1., -1.,  0.],
               [ 1., -1.,  0.],
               [-1.,  1.,  0.],
               [ 1.,  1.,  0.]], dtype=float32)
    """
    side = check_positive("side", side)
    segments = check_integer("segments", segments, at_least=1)
    steps = np.linspace(-side / 2, side / 2, segments + 1, dtype=np.float32)
    y, x = np.meshgrid(steps, steps, indexing="ij")
    return Mesh(np.stack((x, y, np.zeros_like(x)), axis=-1).reshape(-1, 3), grid_faces(segments))


def _shapes() -> ModuleType:
    import trimesh.creation  # importing it takes long, and not everyone makes shapes

    return trimesh.creation


def _to_mesh(shape: trimesh.Trimesh) -> Mesh:
    return Mesh(np.asarray(shape.vertices, dtype=np.float32), np.asarray(shape.faces))
