"""Meshes as voxels: which cells of a grid they touch, and which are inside."""

from __future__ import annotations

from typing import Any

import numpy as np
import scipy
from numpy.typing import ArrayLike, NDArray

from taichi_softras.arrays import taichi_bridge
from taichi_softras.arrays.bridge import is_array, to_numpy
from taichi_softras.arrays.checks import face_indices
from taichi_softras.arrays.operator import Array, Faces, count_items
from taichi_softras.arrays.options import check_integer, check_number
from taichi_softras.arrays.runtime import ensure_running
from taichi_softras.meshes.kernels.voxels import surface_kernel


def voxelize(
    vertices: ArrayLike | Array,
    faces: ArrayLike | Faces,
    resolution: int = 32,
    *,
    bounds: tuple[float, float] = (-0.5, 0.5),
    fill: bool = True,
) -> NDArray[np.bool_]:
    """Find the voxels that meshes touch, and those that they enclose. Not differentiable.

    The grid is a cube from ``bounds[0]`` to ``bounds[1]`` in x, y and z: that of a mesh which is
    `Mesh.normalized`, by default. Voxel (i, j, k) is the box of side ``(high - low) / resolution``
    whose least corner is i, j and k sides away from ``low`` along x, y and z. It counts if it has
    any point in common with a face, if only on its border; so the surface has no holes, and a
    solid comes out up to a voxel thicker. What is outside the grid is cut off.

    With ``fill`` a voxel also counts if no path leads from it to the border of the grid, through
    the common sides of voxels off the surface. So a mesh with a hole that is wider than a voxel
    stays a shell, as does one that reaches out of the grid.

    Args:
        vertices: (B, V, 3), of NumPy, PyTorch or Taichi.
        faces: (F, 3) integers, of NumPy, PyTorch or Taichi.
        resolution: Voxels along each side of the grid, R.
        bounds: Where the grid begins and ends, in the units of the vertices.
        fill: Whether what the surface encloses counts.

    Returns:
        (B, R, R, R) on the host, in order x, y, z.

    Raises:
        TypeError: If the resolution is no integer, or a bound no number.
        ValueError: If a shape doesn't fit, an index is out of range, a vertex is not finite, or
            the bounds are not in order.

    Source:
        SoftRas, ``Mesh.voxelize``, whose bounds are -h and h, with h = (R - 1) / (2 R).

    Examples:
        >>> corners = [[[0.1, 0.1, 0.1], [0.4, 0.1, 0.1], [0.1, 0.4, 0.1]]]
        >>> voxelize(corners, [[0, 1, 2]], resolution=2).sum()
        np.int64(1)
    """
    resolution = check_integer("resolution", resolution, at_least=1)
    low, high = (
        check_number(name, bound)
        for name, bound in zip(("bounds[0]", "bounds[1]"), bounds, strict=True)
    )
    if not low < high:
        raise ValueError(f"bounds must be in order, got {bounds}")
    points = to_numpy(vertices) if is_array(vertices) else np.asarray(vertices)
    if points.ndim != 3 or points.shape[2] != 3:
        raise ValueError(f"vertices must have shape (B, V, 3), got {points.shape}")
    indices = face_indices(faces, num_vertices=points.shape[1])
    if not np.isfinite(points).all():
        raise ValueError(f"vertices must be finite, got {int((~np.isfinite(points)).sum())} not")
    voxels = np.zeros((len(points), *(resolution,) * 3), np.bool_)
    ensure_running()
    for item, grid in enumerate(voxels):
        if indices.size:
            inside = (points[item].astype(np.float64) - low) * (resolution / (high - low))
            _mark_surface(inside, indices, grid)
        if fill:
            fill_enclosed(grid)
    return voxels


def voxel_iou(voxels: ArrayLike, others: ArrayLike) -> NDArray[np.float64]:
    """Measure how well voxels agree: intersection over union. Two empty grids agree.

    Args:
        voxels: (B or 1, X, Y, Z), true or not.
        others: (B or 1, X, Y, Z), of the same sizes.

    Returns:
        (B,), 0 to 1.

    Raises:
        ValueError: If a shape doesn't fit.

    Examples:
        >>> voxel_iou([[[[True, True, False]]]], [[[[False, True, True]]]])
        array([0.33333333])
    """
    a, b = np.asarray(voxels, dtype=np.bool_), np.asarray(others, dtype=np.bool_)
    for name, grid in (("voxels", a), ("others", b)):
        if grid.ndim != 4:
            raise ValueError(f"{name} must have shape (B, X, Y, Z), got {grid.shape}")
    items = count_items((len(a), len(b)))
    if a.shape[1:] != b.shape[1:] or not {len(a), len(b)} <= {1, items}:
        raise ValueError(f"others must have the shape of voxels {a.shape}, got {b.shape}")
    axes = (1, 2, 3)
    both, either = (a & b).sum(axis=axes), (a | b).sum(axis=axes)
    iou: NDArray[np.float64] = np.where(either > 0, both / np.maximum(either, 1), 1.0)
    return iou


def fill_enclosed(grid: NDArray[np.bool_]) -> None:
    """Mark the voxels of a grid (X, Y, Z) to which no path leads from its border.

    Paths go from side to side of voxels that are not marked.
    """
    labels, num_labels = scipy.ndimage.label(~grid)
    is_outside = np.zeros(num_labels + 1, np.bool_)
    for axis in range(3):
        for side in (0, -1):
            is_outside[np.take(labels, side, axis=axis)] = True
    is_outside[0] = False  # the surface, where it is at the border
    grid[:] = ~is_outside[labels]


def _mark_surface(points: NDArray[Any], faces: NDArray[Any], grid: NDArray[np.bool_]) -> None:
    bytes_of_grid = grid.view(np.uint8)  # of the same memory: Taichi has no booleans in arrays
    taichi_bridge.unrecorded(lambda: surface_kernel()(points, faces, bytes_of_grid))
