"""Cutting polygons into triangles."""

import itertools
from typing import Any

import numpy as np
from numpy.typing import NDArray

SMALLEST_NOTCH = 1e-6
"""Area of a corner that turns inward, over that of the polygon, under which it counts as none."""


def triangulate(
    points: NDArray[Any], sizes: NDArray[Any]
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Cut polygons into triangles that turn as they do and use no other points.

    Convex polygons are cut around their first corner. From others, ears are cut off: triangles of
    three corners in a row with no further corner inside. One that crosses itself is cut around
    its first corner where no ear is left.

    Args:
        points: (C, 3) corners of all polygons, one after another.
        sizes: (P,) how many corners each polygon has, at least 3.

    Returns:
        The triangles as indices of ``points``, of shape (F, 3), two less than a polygon has
        corners, in the order of the polygons; and for each triangle its polygon, of shape (F,).

    Examples:
        >>> arrow = np.array([[0.0, 0, 0], [2, 0, 0], [0.5, 0.5, 0], [0, 2, 0]])
        >>> triangulate(arrow, np.array([4]))[0].tolist()
        [[0, 1, 2], [0, 2, 3]]
        >>> triangulate(arrow[[1, 2, 3, 0]], np.array([4]))[0].tolist()
        [[3, 0, 1], [1, 2, 3]]
    """
    counts = sizes - 2
    starts, firsts = np.cumsum(sizes) - sizes, np.cumsum(counts) - counts
    polygon = np.repeat(np.arange(len(sizes)), counts)
    step = np.arange(len(polygon)) - firsts[polygon]
    start = starts[polygon]
    triangles = np.stack((start, start + step + 1, start + step + 2), axis=-1)
    concave, normals = _concave(points, sizes, starts)
    for number, normal in zip(concave, normals):
        own = points[starts[number] : starts[number] + sizes[number]]
        cut = slice(firsts[number], firsts[number] + counts[number])
        triangles[cut] = starts[number] + _ears(_seen_along(own, normal))
    return triangles, polygon


def _concave(
    points: NDArray[Any], sizes: NDArray[Any], starts: NDArray[Any]
) -> tuple[NDArray[Any], NDArray[Any]]:
    """Find the polygons with a corner that turns inward, and their normals times twice the area."""
    if not len(sizes):
        return np.empty(0, dtype=np.int64), np.empty((0, 3))
    polygon = np.repeat(np.arange(len(sizes)), sizes)
    after = np.arange(len(points)) + 1
    after[starts + sizes - 1] = starts
    before = np.empty_like(after)
    before[after] = np.arange(len(points))
    with np.errstate(invalid="ignore", over="ignore"):  # of points that are refused later
        local = points - points[starts][polygon]
        normals = np.add.reduceat(np.cross(local, local[after]), starts)
        turns = np.cross(local - local[before], local[after] - local)
        turned = (turns * normals[polygon]).sum(axis=1)
        is_inward = turned < -SMALLEST_NOTCH * (normals**2).sum(axis=1)[polygon]
    concave = np.unique(polygon[is_inward])
    return concave, normals[concave]


def _seen_along(points: NDArray[Any], normal: NDArray[Any]) -> NDArray[Any]:
    """Drop the coordinate in which a plane is the least extended: (N, 2), counter-clockwise."""
    axis = int(np.argmax(np.abs(normal)))
    seen: NDArray[Any] = points[:, [(axis + 1) % 3, (axis + 2) % 3]]
    return seen if normal[axis] > 0 else seen * [-1, 1]


def _ears(points: NDArray[Any]) -> NDArray[np.int64]:
    """Cut a counter-clockwise polygon (N, 2) into triangles (N - 2, 3), as indices."""
    left = list(range(len(points)))
    triangles = []
    place = 0  # where the last ear was: neighbours of it are the next to be looked at
    while len(left) > 3:
        for turn in range(len(left)):
            middle = (place + turn) % len(left)
            ear = [left[middle - 1], left[middle], left[(middle + 1) % len(left)]]
            if _is_ear(points[ear], points[left]):
                break
        else:
            break
        triangles.append(ear)
        del left[middle]
        place = middle
    triangles += [[left[0], *pair] for pair in itertools.pairwise(left[1:])]
    return np.array(triangles, dtype=np.int64)


def _is_ear(ear: NDArray[Any], points: NDArray[Any]) -> bool:
    sides = np.roll(ear, -1, axis=0) - ear
    if _cross(sides[0], sides[1]) <= 0:
        return False
    # Left of all three sides, or on them. Polygons with holes pass through a corner twice.
    is_inside = (_cross(sides, points[:, None] - ear) >= 0).all(axis=1)
    is_corner = (points[:, None] == ear).all(axis=2).any(axis=1)
    return not (is_inside & ~is_corner).any()


def _cross(a: NDArray[Any], b: NDArray[Any]) -> Any:
    return a[..., 0] * b[..., 1] - a[..., 1] * b[..., 0]
