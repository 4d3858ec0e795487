"""Pictures of a reconstruction from all round."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from taichi_softras.cameras.camera import LookAtCamera
from taichi_softras.captures.captures import Captures
from taichi_softras.files.pictures import WHITE, composite
from taichi_softras.fitting.framing import framing_distance, mesh_center
from taichi_softras.meshes.mesh import Mesh
from taichi_softras.previews import Headlight, PreviewStyle, draw_previews
from taichi_softras.rasterizer.settings import RasterizerSettings

FIELD_OF_VIEW = 30.0
"""Of these pictures, in degrees."""

ELEVATION = 15.0
"""Of their cameras above the middle, in degrees."""


def camera_around(mesh: Mesh, captures: Captures, views: int) -> LookAtCamera:
    """Place cameras on a circle round a mesh, upright as most photographs are.

    Args:
        mesh: What is seen.
        captures: Photographs; the circle's axis is where up is in them, on the mean, or, where
            they cancel out, the direction nearest to it.
        views: How many cameras.
    """
    up = -captures.rotations[:, 1].mean(axis=0)
    if np.linalg.norm(up) < 0.2:  # as many upside down as not: across all lines of sight
        up = np.linalg.svd(captures.rotations[:, 2])[2][-1]
    up /= np.linalg.norm(up)
    towards = captures.eyes[0] - mesh_center(mesh)
    first = np.cross(up, np.cross(towards, up))
    if np.linalg.norm(first) < 1e-6 * np.linalg.norm(towards):
        first = np.cross(up, np.eye(3)[np.argmin(np.abs(up))])
    first /= np.linalg.norm(first)
    angles = np.linspace(0, 2 * np.pi, views, endpoint=False)[:, None]
    level = np.cos(angles) * first + np.sin(angles) * np.cross(up, first)
    slope = np.radians(ELEVATION)
    distance = framing_distance(mesh, FIELD_OF_VIEW)
    eyes = mesh_center(mesh) + distance * (np.cos(slope) * level + np.sin(slope) * up)
    return LookAtCamera(eyes, at=mesh_center(mesh), up=up, fov_degrees=FIELD_OF_VIEW)


def draw_around(mesh: Mesh, captures: Captures, views: int, size: int) -> Iterator[NDArray[Any]]:
    """Draw a mesh from all round: with its colours as they are, and beside them grey in light.

    Args:
        mesh: With its texture or colours.
        captures: Photographs, which tell where up is.
        views: How many pictures.
        size: Their height, and half of their width.

    Yields:
        (size, 2 size, 3), on white.
    """
    camera = camera_around(mesh, captures, views)
    settings = RasterizerSettings(height=size, width=size, supersampling=2)
    grey = Mesh(mesh.vertices, mesh.faces)
    # Photographs have their light in them.
    unlit = PreviewStyle(headlight=Headlight(ambient=1.0))
    for pair in zip(
        draw_previews(mesh, camera, settings, unlit), draw_previews(grey, camera, settings)
    ):
        yield np.concatenate([composite(x, WHITE) for x in pair], axis=1)
