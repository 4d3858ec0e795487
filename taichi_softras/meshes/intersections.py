"""Where a mesh goes through itself, by signed volumes; smoothing it there. On the host."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from taichi_softras.arrays.options import check_integer
from taichi_softras.meshes.edges import adjacency_matrix, find_edges
from taichi_softras.meshes.mesh import Mesh

MOST_PAIRS = 1 << 20
"""Pairs of faces that are looked at at a time: memory stays bounded."""


def self_intersections(mesh: Mesh) -> NDArray[np.int64]:
    """Find the pairs of faces that go through each other.

    They do if an edge of one pierces the other: its ends are on either side of that face, and it
    passes the face's sides on the same side, told by the signs of tetrahedra's volumes. Faces that
    only touch, as neighbours do, or that lie in one plane, don't count.

    Args:
        mesh: The mesh, closed or not.

    Returns:
        (P, 2) numbers of faces, the lower first, in order.

    Examples:
        >>> import taichi_softras as sr
        >>> len(self_intersections(sr.torus()))
        0
    """
    return _crossing(mesh.vertices[mesh.faces].astype(np.float64))


def _crossing(corners: NDArray[np.float64]) -> NDArray[np.int64]:
    found = [np.empty((0, 2), np.int64)]
    for pairs in _close_pairs(corners.min(axis=1), corners.max(axis=1)):
        first, second = pairs.T
        crossing = _pierces(corners, first, second)
        crossing |= _pierces(corners, second, first)
        found.append(pairs[crossing])
    every = np.sort(np.concatenate(found), axis=1)
    return every[np.lexsort((every[:, 1], every[:, 0]))]


def untangle(mesh: Mesh, *, rounds: int = 10) -> Mesh:
    """Smooth a mesh where it goes through itself, until it does so no more.

    Each round moves the vertices of such faces, and the neighbours of these, half-way to the mean
    of their neighbours; the rest of the mesh stays. That undoes folds and spikes. Parts that went
    through each other deeply may stay so: ask `self_intersections` afterwards.

    Args:
        mesh: The mesh. Colours, texture coordinates and materials stay as they are.
        rounds: How often at most. At least 1.

    Returns:
        The mesh with other vertices; the same one if no faces go through each other.

    Raises:
        TypeError: If ``rounds`` is no integer.
        ValueError: If it is out of range.

    Examples:
        >>> import taichi_softras as sr
        >>> points = sr.icosphere(2).vertices.copy()
        >>> points[0] = 0.3, -0.7, 0.1  # out of the other side
        >>> spiked = sr.icosphere(2).with_vertices(points)
        >>> len(self_intersections(spiked)) > 0, len(self_intersections(untangle(spiked)))
        (True, 0)
    """
    check_integer("rounds", rounds, at_least=1)
    points, faces, places = _welded(mesh)
    crossing = _crossing(points[faces])
    if not len(crossing):
        return mesh
    neighbours = adjacency_matrix(find_edges(faces)[0], len(points))
    degrees = np.maximum(np.asarray(neighbours.sum(axis=1)).ravel(), 1)[:, None]
    for _ in range(rounds):
        moved = np.zeros(len(points))
        moved[faces[crossing]] = 1
        share = 0.5 * ((moved + neighbours @ moved) > 0)[:, None]
        points = points + share * (neighbours @ points / degrees - points)
        # As the mesh will have them: what is asked of it then has the same answer.
        points = points.astype(mesh.vertices.dtype).astype(np.float64)
        crossing = _crossing(points[faces])
        if not len(crossing):
            break
    return mesh.with_vertices(points[places].astype(mesh.vertices.dtype))


def _welded(
    mesh: Mesh,
) -> tuple[NDArray[np.float64], NDArray[np.int64], NDArray[np.int64]]:
    """Make vertices at one place one: points (W, 3), faces (F, 3), and which each became, (V,)."""
    points, places = np.unique(mesh.vertices.astype(np.float64), axis=0, return_inverse=True)
    places = places.reshape(-1)
    return points, places[mesh.faces], places


def _pierces(
    corners: NDArray[np.float64],
    first: NDArray[np.int64],
    second: NDArray[np.int64],
) -> NDArray[np.bool_]:
    """Tell of pairs of faces whether an edge of the first goes through the second.

    Of an edge that ends in a corner of the second a volume is exactly 0.
    """
    a, b, c = corners[second].swapaxes(0, 1)
    found = np.zeros(len(first), np.bool_)
    for k in range(3):
        p, q = corners[first, k], corners[first, (k + 1) % 3]
        crosses = _volumes(p, a, b, c) * _volumes(q, a, b, c) < 0
        sides = np.stack([_volumes(p, q, a, b), _volumes(p, q, b, c), _volumes(p, q, c, a)])
        crosses &= (sides > 0).all(axis=0) | (sides < 0).all(axis=0)
        found |= crosses
    return found


def _volumes(
    a: NDArray[np.float64], b: NDArray[np.float64], c: NDArray[np.float64], d: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Signed volumes of tetrahedra, times six."""
    return np.asarray(np.einsum("ni,ni->n", b - a, np.cross(c - a, d - a)))


def _close_pairs(
    low: NDArray[np.float64], high: NDArray[np.float64]
) -> Iterator[NDArray[np.int64]]:
    """List pairs of boxes (F, 3) that overlap, each once, some at a time.

    Boxes are sorted into grids by size, each into one whose cells are as large as it or up to
    twice; there it is paired with what is as large, or smaller, in the same cell. Of the cells that
    a pair has in common, the one that holds the lower corner of what they overlap in counts.
    """
    extents = (high - low).max(axis=1, initial=0)
    if not len(extents) or extents.max() == 0:
        return
    levels = np.ceil(np.log2(np.maximum(extents, extents.max() * 2.0**-30))).astype(int)
    origin = low.min(axis=0)
    for level in np.unique(levels):
        boxes = np.flatnonzero(levels <= level)
        size = 2.0**level
        first = np.floor((low[boxes] - origin) / size).astype(np.int64)
        last = np.floor((high[boxes] - origin) / size).astype(np.int64)
        for pairs, cells in _in_same_cells(boxes, first, last, levels[boxes] == level):
            i, j = pairs.T
            lower = np.maximum(low[i], low[j])
            overlap = (lower <= np.minimum(high[i], high[j])).all(axis=1)
            overlap &= (np.floor((lower - origin) / size).astype(np.int64) == cells).all(axis=1)
            yield pairs[overlap]


def _in_same_cells(
    boxes: NDArray[np.int64],
    first: NDArray[np.int64],
    last: NDArray[np.int64],
    is_large: NDArray[np.bool_],
) -> Iterator[tuple[NDArray[np.int64], NDArray[np.int64]]]:
    """List pairs of boxes with a cell in common, one of them large, and that cell, (P, 3)."""
    counts = last - first + 1
    entries = np.repeat(np.arange(len(boxes)), counts.prod(axis=1))
    within = np.arange(len(entries)) - np.repeat(
        np.cumsum(counts.prod(axis=1)) - counts.prod(axis=1), counts.prod(axis=1)
    )
    y, z = counts[entries, 1], counts[entries, 2]
    cells = first[entries] + np.stack([within // (y * z), within // z % y, within % z], axis=1)
    # Of the boxes in a cell the large ones come first: each is paired with all that follow.
    order = np.lexsort((~is_large[entries], cells[:, 2], cells[:, 1], cells[:, 0]))
    entries, cells = entries[order], cells[order]
    starts = np.flatnonzero(np.append(True, (np.diff(cells, axis=0) != 0).any(axis=1)))
    ends = np.repeat(np.append(starts[1:], len(entries)), np.diff(np.append(starts, len(entries))))
    large = np.flatnonzero(is_large[entries])
    following = ends[large] - large - 1
    blocks = np.cumsum(following) // MOST_PAIRS
    for block in np.unique(blocks):
        chosen = large[blocks == block]
        count = following[blocks == block]
        one = np.repeat(chosen, count)
        other = one + 1 + np.arange(len(one)) - np.repeat(np.cumsum(count) - count, count)
        yield np.stack([boxes[entries[one]], boxes[entries[other]]], axis=1), cells[one]
