"""Colours of a surface from the photographs that show it."""

from __future__ import annotations

from typing import Any

import numpy as np
import scipy
from numpy.typing import NDArray

from taichi_softras.arrays import taichi_bridge
from taichi_softras.arrays.runtime import ensure_running
from taichi_softras.captures.captures import Captures
from taichi_softras.meshes.edges import adjacency_matrix, find_edges
from taichi_softras.meshes.mesh import Mesh
from taichi_softras.meshes.normals import vertex_normals
from taichi_softras.reconstruction.drawing import draw_depths
from taichi_softras.reconstruction.kernels.sampling import sample_kernel

SPREAD = 0.1
"""Differences of colours, 0 to 1, beyond which a photograph that disagrees counts for little."""

INSIDE = 250
"""Mask, 0 to 255, from which on a pixel shows nothing but the object."""

LEAST_PULL = 1e-6
"""Of unseen vertices towards the mean colour, beside their neighbours'."""


class PhotoSampler:
    """Looks colours up in photographs, for points of one mesh.

    Args:
        mesh: What hides parts of itself.
        captures: Photographs of it.
        gains: Their exposures, (N,): photographs are divided by these.
    """

    def __init__(self, mesh: Mesh, captures: Captures, gains: NDArray[Any]) -> None:
        depths, factor = draw_depths(mesh, captures)
        inside = captures.known
        if captures.masks is not None:
            inside = inside & (captures.masks >= INSIDE)
        matrices = captures.matrices
        self._arrays = (
            captures.pictures,
            inside.astype(np.uint8),
            depths,
            captures.projections.astype(np.float32),
            captures.eyes.astype(np.float32),
            ((matrices[:, 0, 0] + matrices[:, 1, 1]) / 2 / factor).astype(np.float32),
            gains.astype(np.float32),
        )
        self._shrink = 1 / factor

    def sample(
        self, points: NDArray[Any], normals: NDArray[Any]
    ) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        """Average what photographs show, first all, then those that agree with the average.

        Args:
            points: (P, 3), on the mesh.
            normals: Of unit length, (P, 3).

        Returns:
            Colours (P, 3), 0 where nothing shows a point; and weights (P,), 0 there.
        """
        places = (points.astype(np.float32), normals.astype(np.float32))
        colors, _ = self._average(places, np.zeros((len(points), 3), np.float32), -1.0)
        return self._average(places, colors, SPREAD)

    def _average(
        self, places: tuple[NDArray[Any], ...], near: NDArray[np.float32], spread: float
    ) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        """Average colours; if ``spread`` is above 0, those near to given ones."""
        ensure_running()
        sums = np.zeros((len(near), 4), np.float32)
        taichi_bridge.unrecorded(
            lambda: sample_kernel()(*places, *self._arrays, near, spread, self._shrink, sums)
        )
        colors = sums[:, :3] / np.maximum(sums[:, 3:], np.float32(1e-30))
        return np.ascontiguousarray(colors), sums[:, 3].copy()


def unit_normals(mesh: Mesh) -> NDArray[np.float32]:
    """Normals of vertices, (V, 3)."""
    vertices, faces, _ = mesh.to_taichi()
    return np.asarray(vertex_normals(vertices, faces).to_numpy()[0])


def color_vertices(mesh: Mesh, sampler: PhotoSampler) -> Mesh:
    """Give vertices the colours that photographs show; unseen ones blend those around them."""
    colors, weights = sampler.sample(mesh.vertices, unit_normals(mesh))
    return mesh.with_colors(_spread(colors, weights > 0, mesh.faces))


def _spread(
    colors: NDArray[np.float32], seen: NDArray[np.bool_], faces: NDArray[Any]
) -> NDArray[np.float32]:
    """Fill in colours smoothly: each is the mean of its neighbours'."""
    if seen.all():
        return colors
    mean = colors[seen].mean(axis=0) if seen.any() else np.full(3, 0.5)
    edges, _ = find_edges(faces)
    neighbours = adjacency_matrix(edges, len(colors))
    degrees = neighbours.sum(axis=1) + LEAST_PULL
    unseen = np.flatnonzero(~seen)
    matrix = (scipy.sparse.diags_array(degrees) - neighbours).tocsr()[unseen]
    known = -matrix[:, np.flatnonzero(seen)] @ colors[seen] + LEAST_PULL * mean
    filled = colors.copy()
    filled[unseen] = scipy.sparse.linalg.splu(matrix[:, unseen].tocsc()).solve(known)
    return filled
