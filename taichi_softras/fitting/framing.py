"""Cameras that see all of a mesh: from one side, round it, or from all round."""

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from taichi_softras.arrays.options import check_integer, check_number
from taichi_softras.cameras.camera import LookAtCamera
from taichi_softras.cameras.orbits import orbit_eyes
from taichi_softras.meshes.mesh import Mesh

MARGIN = 1.08
"""Room round a mesh in a picture, as a factor of its radius."""

ELEVATIONS = (0.0, 30.0, -30.0)
"""Of cameras all round a mesh, in degrees."""


def frame_mesh(
    mesh: Mesh,
    *,
    azimuth_degrees: Any = 30.0,
    elevation_degrees: Any = 20.0,
    fov_degrees: float = 30.0,
    aspect: float = 1.0,
    distance: float | None = None,
) -> LookAtCamera:
    """Place cameras round a mesh so that it fills the picture, whatever its size and place.

    They look at the middle of its bounding box, and all are equally far from it: far enough for
    the sphere round that point which holds the mesh, and a margin of 8 %.

    Args:
        mesh: What is seen. Of a mesh without vertices, a ball of radius 1 round the origin is.
        azimuth_degrees: Round the vertical axis; 0 is in front (+z). A number, or B.
        elevation_degrees: Above the horizon, more than -90 and less than 90. A number, or B.
        fov_degrees: Vertical field of view, above 0 and under 180.
        aspect: Width of the picture over its height. Above 0.
        distance: From the middle to the cameras, in place of the one described.

    Returns:
        B cameras. `depth_range` finds the near and far planes that go with them.

    Raises:
        TypeError: If a number is of the wrong type.
        ValueError: If it is out of range.

    Examples:
        >>> import taichi_softras as sr
        >>> camera = frame_mesh(sr.icosphere(radius=5.0), azimuth_degrees=[0.0, 120.0, 240.0])
        >>> np.linalg.norm(camera.eye, axis=1).round(2).tolist()
        [20.86, 20.86, 20.86]
    """
    if distance is None:
        distance = framing_distance(mesh, fov_degrees, aspect)
    distance = check_number("distance", distance)
    if distance <= 0:
        raise ValueError(f"distance must be above 0, got {distance}")
    around = orbit_eyes(distance, elevation_degrees, azimuth_degrees)
    middle = mesh_center(mesh)
    return LookAtCamera(middle + around, at=middle, fov_degrees=fov_degrees)


def surround_mesh(
    mesh: Mesh,
    views: int,
    *,
    elevations_degrees: Sequence[float] = ELEVATIONS,
    azimuth_degrees: float = 0.0,
    fov_degrees: float = 30.0,
    aspect: float = 1.0,
) -> LookAtCamera:
    """Place cameras all round a mesh, at several elevations, as `frame_mesh` does.

    Args:
        mesh: What is seen.
        views: How many cameras, at least 1. Their azimuths are even steps of a circle, and their
            elevations change from each to the next; cameras of one elevation stand together.
        elevations_degrees: At least one.
        azimuth_degrees: Of the first camera.
        fov_degrees: See `frame_mesh`.
        aspect: Likewise.

    Raises:
        TypeError: If a number is of the wrong type.
        ValueError: If it is out of range.

    Examples:
        >>> import taichi_softras as sr
        >>> sr.surround_mesh(sr.teapot(), 24).eye.shape
        (24, 3)
    """
    check_integer("views", views, at_least=1)
    if not len(elevations_degrees):
        raise ValueError("elevations_degrees must be at least one, got none")
    step = len(elevations_degrees)
    numbers = np.concatenate([np.arange(first, views, step) for first in range(step)])
    return frame_mesh(
        mesh,
        azimuth_degrees=azimuth_degrees + numbers * 360 / views,
        elevation_degrees=np.asarray(elevations_degrees, dtype=float)[numbers % step],
        fov_degrees=fov_degrees,
        aspect=aspect,
    )


def framing_distance(mesh: Mesh, fov_degrees: float, aspect: float = 1.0) -> float:
    """Tell how far from the middle of a mesh a camera must be to see all of it.

    Args:
        mesh: What is seen.
        fov_degrees: Vertical field of view.
        aspect: Width of the picture over its height.

    Raises:
        TypeError: If a number is of the wrong type.
        ValueError: If it is out of range.
    """
    for name, value in (("fov_degrees", fov_degrees), ("aspect", aspect)):
        check_number(name, value)
    if not 0 < fov_degrees < 180:
        raise ValueError(f"fov_degrees must be above 0 and under 180, got {fov_degrees}")
    if aspect <= 0:
        raise ValueError(f"aspect must be above 0, got {aspect}")
    half_fov = math.radians(fov_degrees) / 2
    if aspect < 1:
        half_fov = math.atan(math.tan(half_fov) * aspect)
    return MARGIN * mesh_radius(mesh) / math.sin(half_fov)


def mesh_center(mesh: Mesh) -> np.ndarray:
    """Give the middle of a mesh's bounding box, (3,); the origin for a mesh without vertices."""
    if mesh.num_vertices == 0:
        return np.zeros(3)
    low, high = mesh.vertices.min(axis=0), mesh.vertices.max(axis=0)
    return np.asarray(low + (high.astype(np.float64) - low) / 2)


def mesh_radius(mesh: Mesh) -> float:
    """Measure how far a mesh reaches from the middle of its box; 1 for one that is a point."""
    if mesh.num_vertices == 0:
        return 1.0
    return float(np.linalg.norm(mesh.vertices - mesh_center(mesh), axis=1).max()) or 1.0
