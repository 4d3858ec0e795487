"""The steps of remeshing: edges are split, collapsed and flipped, many at once."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from taichi_softras.meshes.edges import adjacency_matrix

LEAST_NEIGHBOURS, MOST_NEIGHBOURS = 3, 9
"""Of the vertex that a collapse leaves."""

LARGEST_TURN = 0.5
"""Cosine of the angle by which the normal of a face may turn in a collapse."""

THINNEST = 0.05
"""Least double area of a face that a collapse leaves, over its longest side squared."""

FLATTEST = 0.8
"""Cosine of the angle up to which two faces count as flat enough to flip their edge."""


@dataclass(frozen=True, eq=False)
class Edges:
    """The edges of a mesh.

    Attributes:
        ends: Vertices of each, (E, 2), as they come in its first face.
        faces: The first and the last face at each, (E, 2).
        opposite: The corner of either face that is not on the edge, (E, 2).
        of_faces: The edge from corner k of each face to the next, (F, 3).
        is_clean: Whether two faces are at it, no more and no less, (E,).
    """

    ends: NDArray[np.int64]
    faces: NDArray[np.int64]
    opposite: NDArray[np.int64]
    of_faces: NDArray[np.int64]
    is_clean: NDArray[np.bool_]

    @classmethod
    def of(cls, faces: NDArray[Any], num_vertices: int) -> Edges:
        """Find the edges of faces (F, 3)."""
        start, end = faces.ravel(), np.roll(faces, -1, axis=1).ravel()
        keys = np.minimum(start, end) * np.int64(num_vertices) + np.maximum(start, end)
        order = np.argsort(keys, kind="stable")
        is_first = np.concatenate([[True], np.diff(keys[order]) != 0])
        firsts = np.flatnonzero(is_first)
        counts = np.diff(np.append(firsts, len(keys)))
        of_faces = np.empty(len(keys), np.int64)
        of_faces[order] = np.cumsum(is_first) - 1
        sides = np.stack([order[firsts], order[firsts + counts - 1]], axis=1)
        return cls(
            ends=np.stack([start[sides[:, 0]], end[sides[:, 0]]], axis=1),
            faces=sides // 3,
            opposite=np.roll(faces, -2, axis=1).ravel()[sides],
            of_faces=of_faces.reshape(-1, 3),
            is_clean=counts == 2,
        )

    def lengths(self, points: NDArray[Any]) -> NDArray[np.float64]:
        """Measure them."""
        return np.asarray(np.linalg.norm(points[self.ends[:, 0]] - points[self.ends[:, 1]], axis=1))

    def degrees(self, num_vertices: int) -> NDArray[np.int64]:
        """Count the neighbours of each vertex."""
        return np.bincount(self.ends.ravel(), minlength=num_vertices)


Parts = tuple[NDArray[np.float64], NDArray[np.int64], NDArray[np.float64]]
"""Points, faces and values of a surface: see `remeshing.Surface`."""


def split_long(
    points: NDArray[Any], faces: NDArray[Any], values: NDArray[Any], longest: NDArray[Any]
) -> Parts:
    """Halve edges that are longer than the mean of what their ends allow, (V,)."""
    edges = Edges.of(faces, len(points))
    is_long = edges.lengths(points) > longest[edges.ends].mean(axis=1)
    new = np.full(len(edges.ends), -1)
    new[is_long] = len(points) + np.arange(is_long.sum())
    halved = edges.ends[is_long]
    points = np.concatenate([points, points[halved].mean(axis=1)])
    values = np.concatenate([values, values[halved].mean(axis=1)])
    middles = new[edges.of_faces]
    cuts = (middles >= 0).sum(axis=1)
    pieces = [faces[cuts == 0]]
    a, b, c, ab, _, _ = _turned(faces, middles, cuts == 1, middles >= 0)
    pieces += [np.stack([a, ab, c], 1), np.stack([ab, b, c], 1)]
    # Of two sides that are cut, the corner between them is one piece; the rest is cut along its
    # shorter diagonal.
    a, b, c, _, bc, ca = _turned(faces, middles, cuts == 2, middles < 0)
    pieces.append(np.stack([bc, c, ca], 1))
    from_a = _distances(points, a, bc) < _distances(points, b, ca)
    ends = np.where(from_a, bc, ca)
    pieces += [np.stack([a, b, ends], 1), np.stack([np.where(from_a, a, b), bc, ca], 1)]
    (a, b, c), (ab, bc, ca) = faces[cuts == 3].T, middles[cuts == 3].T
    pieces += [
        np.stack(corners, 1) for corners in ((ab, bc, ca), (a, ab, ca), (b, bc, ab), (c, ca, bc))
    ]
    return points, np.concatenate(pieces), values


def _turned(
    faces: NDArray[Any], middles: NDArray[Any], chosen: NDArray[Any], is_first: NDArray[Any]
) -> tuple[NDArray[Any], ...]:
    """Turn faces so that the side marked comes first: corners a, b, c and middles of sides."""
    turns = (np.argmax(is_first[chosen], axis=1)[:, None] + np.arange(3)) % 3
    corners = np.take_along_axis(faces[chosen], turns, axis=1)
    return (*corners.T, *np.take_along_axis(middles[chosen], turns, axis=1).T)


def _distances(points: NDArray[Any], a: NDArray[Any], b: NDArray[Any]) -> NDArray[Any]:
    return np.asarray(np.linalg.norm(points[a] - points[b], axis=1))


def collapse_short(
    points: NDArray[Any],
    faces: NDArray[Any],
    values: NDArray[Any],
    shortest: NDArray[Any],
    longest: NDArray[Any],
    rng: np.random.Generator,
) -> Parts:
    """Shrink to a point edges shorter than ``shortest``, where that spoils no face around, (V,)."""
    edges = Edges.of(faces, len(points))
    chosen = _apart(_collapsible(points, edges, shortest), edges, len(points), rng)
    middles = points[edges.ends[chosen]].mean(axis=1)
    spoilt = _spoilt(points, faces, edges.ends[chosen], middles, longest)
    chosen, middles = chosen[~spoilt], middles[~spoilt]
    kept, gone = edges.ends[chosen].T
    points, values = points.copy(), values.copy()
    points[kept] = middles
    values[kept] = (values[kept] + values[gone]) / 2
    target = np.arange(len(points))
    target[gone] = kept
    faces = target[faces]
    faces = faces[(faces != np.roll(faces, 1, axis=1)).all(axis=1)]
    is_used = np.zeros(len(points), np.bool_)
    is_used[faces] = True
    return points[is_used], (np.cumsum(is_used) - 1)[faces], values[is_used]


def _collapsible(points: NDArray[Any], edges: Edges, shortest: NDArray[Any]) -> NDArray[np.int64]:
    """Choose short edges whose collapse leaves the surface one of the same topology."""
    degrees = edges.degrees(len(points))
    at_border = np.zeros(len(points), np.bool_)
    at_border[edges.ends[~edges.is_clean].ravel()] = True
    left = degrees[edges.ends].sum(axis=1) - 4  # neighbours of the vertex that is left
    chosen = np.flatnonzero(
        (edges.lengths(points) < shortest[edges.ends].mean(axis=1))
        & edges.is_clean
        & ~at_border[edges.ends].any(axis=1)
        & (degrees[edges.opposite] > LEAST_NEIGHBOURS).all(axis=1)
        & (left >= LEAST_NEIGHBOURS)
        & (left <= MOST_NEIGHBOURS)
    )
    if not len(chosen):
        return chosen
    # The ends have two neighbours in common, those opposite the edge, or a fold would come.
    neighbours = adjacency_matrix(edges.ends, len(points))
    start, end = edges.ends[chosen].T
    common = np.asarray(neighbours[start].multiply(neighbours[end]).sum(axis=1)).ravel()
    kept: NDArray[np.int64] = chosen[common == 2]
    return kept


def _apart(
    chosen: NDArray[np.int64], edges: Edges, num_vertices: int, rng: np.random.Generator
) -> NDArray[np.int64]:
    """Keep, of edges, those that come before all within two neighbours of them, by chance.

    By length, one that can't be collapsed would hold up all that are longer the farther away.
    """
    ranks = rng.permutation(len(chosen))
    least = np.full(num_vertices, len(chosen))
    np.minimum.at(least, edges.ends[chosen].ravel(), np.repeat(ranks, 2))
    around = least.copy()
    np.minimum.at(around, edges.ends[:, 0], least[edges.ends[:, 1]])
    np.minimum.at(around, edges.ends[:, 1], least[edges.ends[:, 0]])
    kept: NDArray[np.int64] = chosen[(around[edges.ends[chosen]] == ranks[:, None]).all(axis=1)]
    return kept


def _spoilt(
    points: NDArray[Any],
    faces: NDArray[Any],
    pairs: NDArray[Any],
    middles: NDArray[Any],
    longest: NDArray[Any],
) -> NDArray[np.bool_]:
    """Tell which collapses of pairs of vertices would turn, stretch or thin out a face."""
    owners = np.full(len(points), -1)
    owners[pairs.ravel()] = np.repeat(np.arange(len(pairs)), 2)
    of_corners = owners[faces]
    touched = np.flatnonzero(((of_corners >= 0).sum(axis=1)) == 1)  # those with two vanish
    owner = of_corners[touched].max(axis=1)
    before = points[faces[touched]]
    moves = (of_corners[touched] >= 0)[..., None]
    after = np.where(moves, middles[owner][:, None], before)
    old, new = double_areas(before), double_areas(after)
    sizes = np.linalg.norm(old, axis=1) * np.linalg.norm(new, axis=1)
    sides = np.linalg.norm(after - np.roll(after, -1, axis=1), axis=2).max(axis=1)
    bad = (
        ((old * new).sum(axis=1) < LARGEST_TURN * sizes)
        | (sides > longest[faces[touched]].mean(axis=1))
        | (np.linalg.norm(new, axis=1) < THINNEST * sides**2)
    )
    spoilt = np.zeros(len(pairs), np.bool_)
    spoilt[owner[bad]] = True
    return spoilt


def double_areas(corners: NDArray[Any]) -> NDArray[np.float64]:
    """Find normals of triangles (F, 3, 3), twice as long as their areas are large, (F, 3)."""
    return np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0])


def flip_uneven(points: NDArray[Any], faces: NDArray[Any]) -> tuple[NDArray[np.int64], int]:
    """Flip edges where that brings numbers of neighbours closer to six: faces, and how many."""
    edges = Edges.of(faces, len(points))
    degrees = edges.degrees(len(points))
    ends, sides = degrees[edges.ends], degrees[edges.opposite]
    gains = np.abs(ends - 6).sum(axis=1) + np.abs(sides - 6).sum(axis=1)
    gains = gains - np.abs(ends - 7).sum(axis=1) - np.abs(sides - 5).sum(axis=1)
    chosen = np.flatnonzero(
        edges.is_clean
        & (gains > 0)
        & (edges.opposite[:, 0] != edges.opposite[:, 1])
        & (ends > LEAST_NEIGHBOURS).all(axis=1)
    )
    chosen = chosen[_is_new(edges, chosen, len(points))]
    chosen = chosen[_stays_flat(points, edges, chosen)]
    around = np.concatenate([edges.ends[chosen], edges.opposite[chosen]], axis=1)
    ranks = np.argsort(np.argsort(-gains[chosen], kind="stable"), kind="stable")
    least = np.full(len(points), len(chosen))
    np.minimum.at(least, around.ravel(), np.repeat(ranks, 4))
    chosen = chosen[(least[around] == ranks[:, None]).all(axis=1)]
    (a, b), (c, d) = edges.ends[chosen].T, edges.opposite[chosen].T
    flipped = faces.copy()
    flipped[edges.faces[chosen, 0]] = np.stack([c, a, d], axis=1)
    flipped[edges.faces[chosen, 1]] = np.stack([d, b, c], axis=1)
    return flipped, len(chosen)


def _is_new(edges: Edges, chosen: NDArray[Any], num_vertices: int) -> NDArray[np.bool_]:
    """Tell which edges, once flipped, would be edges that there are not yet."""
    base = np.array([num_vertices, 1])
    return ~np.isin(
        np.sort(edges.opposite[chosen], axis=1) @ base, np.sort(edges.ends, axis=1) @ base
    )


def _stays_flat(points: NDArray[Any], edges: Edges, chosen: NDArray[Any]) -> NDArray[np.bool_]:
    """Tell which edges lie between faces that are flat, and are so when flipped."""
    (a, b), (c, d) = edges.ends[chosen].T, edges.opposite[chosen].T
    triangles = ((a, b, c), (b, a, d), (c, a, d), (d, b, c))
    normals = np.stack([double_areas(points[np.stack(t, axis=1)]) for t in triangles])
    normals /= np.linalg.norm(normals, axis=2, keepdims=True) + 1e-300
    before, after = (normals[:2].prod(axis=0), normals[2:].prod(axis=0))
    outward = normals[0] + normals[1]
    return np.asarray(
        (before.sum(axis=1) > FLATTEST)
        & (after.sum(axis=1) > FLATTEST)
        & ((normals[2:] * outward).sum(axis=2) > 1).all(axis=0)
    )
