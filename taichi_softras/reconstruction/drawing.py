"""Drawing meshes as photographs show them: one camera after the other, with hard edges."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from taichi_softras.arrays.taichi_bridge import from_numpy
from taichi_softras.cameras.depths import depth_range
from taichi_softras.cameras.selection import select_cameras
from taichi_softras.captures.captures import Captures
from taichi_softras.drawn import texture_of
from taichi_softras.meshes.mesh import Mesh
from taichi_softras.rasterizer.settings import RasterizerSettings
from taichi_softras.renderer import render

SAMPLES = 2
"""Rows and columns of samples in a pixel of a drawing that is compared with a photograph."""

MOST_ROWS = 480
"""Of drawings that tell what is seen from where."""


def hard_settings(mesh: Mesh, captures: Captures, *, supersampling: int = 1) -> RasterizerSettings:
    """Make settings for drawings like photographs: hard edges, nearest faces, all depths.

    Raises:
        ValueError: If all of the mesh is behind a camera.
    """
    _, height, width = captures.known.shape
    near, far = depth_range(mesh.to_taichi()[0], captures.camera)
    return RasterizerSettings(
        height=height,
        width=width,
        near=near,
        far=far,
        sigma=1e-7,
        color="hard",
        supersampling=supersampling,
    )


def draw_captures(mesh: Mesh, captures: Captures) -> Iterator[NDArray[np.float32]]:
    """Draw a mesh, with its texture or colours, from where each photograph was taken.

    Args:
        mesh: What is drawn.
        captures: Photographs, whose size the drawings have.

    Yields:
        (H, W, 4), straight red, green and blue, and alpha.
    """
    settings = hard_settings(mesh, captures, supersampling=SAMPLES)
    vertices, faces, colors = mesh.to_taichi()
    texture = texture_of(mesh, vertices, colors)
    for i in range(len(captures)):
        camera = select_cameras(captures.camera, i)
        image = render(vertices, faces, texture, camera, settings)
        yield np.asarray(image.to_numpy()[0])


def draw_depths(mesh: Mesh, captures: Captures) -> tuple[NDArray[np.float32], int]:
    """Draw depths along the view axis, not larger than needed.

    Returns:
        (N, h, w), far where nothing is; and how many pixels of the photographs, along either side,
        are one of these.
    """
    factor = max(1, round(min(captures.known.shape[1:]) / MOST_ROWS))
    smaller = captures.reduced(factor)
    settings = hard_settings(mesh, smaller)
    vertices, faces, _ = mesh.to_taichi()
    white = from_numpy(np.ones((1, 1, 1), np.float32))
    depths = []
    for i in range(len(captures)):
        camera = select_cameras(smaller.camera, i)
        image = render(vertices, faces, white, camera, settings, depth=True)
        depths.append(image.to_numpy()[0, :, :, 1])
    return np.stack(depths), factor
