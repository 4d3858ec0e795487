"""Isotropic remeshing: edges of one length, or of lengths that vary over the mesh. On the host.

Rounds of splitting long edges, collapsing short ones, flipping those that make the numbers of
neighbours uneven, and smoothing along the surface. Each step works on many edges at once: those
of which no two touch the same faces.

Source:
    Botsch and Kobbelt, A remeshing approach to multiresolution modeling, SGP 2004.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import scipy
from numpy.typing import ArrayLike, NDArray

from taichi_softras.arrays.options import check_integer
from taichi_softras.meshes._remeshing_edges import (
    Edges,
    collapse_short,
    double_areas,
    flip_uneven,
    split_long,
)
from taichi_softras.meshes.edges import adjacency_matrix
from taichi_softras.meshes.mesh import Mesh

LONGEST, SHORTEST = 4 / 3, 4 / 5
"""Lengths beyond which edges are split and collapsed, as factors of the length wanted."""

MOST_COLLAPSES, MOST_FLIPS = 40, 3
"""Passes of a round, each over edges that don't touch."""

FEW = 0.002
"""Share of the vertices: with fewer collapses in a pass, there are no more."""


@dataclass(frozen=True, eq=False)
class Surface:
    """A mesh while it is changed.

    Attributes:
        points: (V, 3) float64.
        faces: (F, 3) int64.
        values: What else vertices have, (V, K): averaged where they become one, or are new.
    """

    points: NDArray[np.float64]
    faces: NDArray[np.int64]
    values: NDArray[np.float64]


def remesh(mesh: Mesh, length: float | ArrayLike, *, rounds: int = 2) -> Mesh:
    """Make a mesh's triangles nearly equilateral, with edges of about one length.

    Topology stays: a closed surface stays closed, and edges at a border, or where more than two
    faces meet, are split but not collapsed or flipped. Where the mesh is coarser than ``length``
    its shape stays but for the smoothing; where it is finer detail is lost.

    Args:
        mesh: The mesh. Colours of vertices are averaged; texture coordinates and materials are
            lost.
        length: Of edges, in the units of the vertices: one number, or one for each vertex, (V,).
            Above 0.
        rounds: How often edges are split, collapsed and flipped, and vertices smoothed. From a
            mesh of another length five make it even; at least 1.

    Returns:
        A mesh in the type of the first; vertices of no face are left out.

    Raises:
        TypeError: If ``length`` holds no numbers, or ``rounds`` is no integer.
        ValueError: If a number is out of range, or ``length`` is of another shape.

    Examples:
        >>> import taichi_softras as sr
        >>> coarse = remesh(sr.icosphere(4), 0.3, rounds=5)
        >>> bool(coarse.num_faces < sr.icosphere(4).num_faces / 4)
        True
    """
    check_integer("rounds", rounds, at_least=1)
    lengths = _lengths(length, mesh.num_vertices)
    if not mesh.num_faces:
        return Mesh(mesh.vertices[:0], mesh.faces)
    values = np.column_stack([mesh.colors, lengths]).astype(np.float64)
    surface = _used(Surface(mesh.vertices.astype(float), mesh.faces.astype(np.int64), values))
    rng = np.random.default_rng(0)
    for _ in range(rounds):
        surface = _round(surface, rng)
    dtype = mesh.vertices.dtype
    return Mesh(surface.points.astype(dtype), surface.faces, surface.values[:, :3].astype(dtype))


def _lengths(length: float | ArrayLike, num_vertices: int) -> NDArray[np.float64]:
    numbers = np.asarray(length)
    if numbers.dtype.kind not in "iuf":
        raise TypeError(f"length must be numbers, got {numbers.dtype}")
    if numbers.shape not in ((), (num_vertices,)):
        raise ValueError(
            f"length must be a number, or have shape ({num_vertices},), got {numbers.shape}"
        )
    if not (np.isfinite(numbers).all() and (numbers > 0).all()):
        raise ValueError("length must be finite and above 0")
    return np.broadcast_to(numbers.astype(np.float64), (num_vertices,))


def _round(surface: Surface, rng: np.random.Generator) -> Surface:
    points, faces, values = split_long(
        surface.points, surface.faces, surface.values, LONGEST * surface.values[:, -1]
    )
    for _ in range(MOST_COLLAPSES):
        count = len(points)
        low, high = SHORTEST * values[:, -1], LONGEST * values[:, -1]
        points, faces, values = collapse_short(points, faces, values, low, high, rng)
        if count - len(points) < max(FEW * count, 1):
            break
    for _ in range(MOST_FLIPS):
        faces, flipped = flip_uneven(points, faces)
        if not flipped:
            break
    return _smoothed(Surface(points, faces, values))


def _smoothed(surface: Surface) -> Surface:
    """Move vertices half-way to the mean of their neighbours, along the surface only.

    Values go the same way: what vertices have belongs to places. Those at a border stay.
    """
    points, faces, values = surface.points, surface.faces, surface.values
    edges = Edges.of(faces, len(points))
    neighbours = adjacency_matrix(edges.ends, len(points))
    degrees = np.maximum(np.asarray(neighbours.sum(axis=1)).ravel(), 1)[:, None]
    share = np.full((len(points), 1), 0.5)
    share[edges.ends[~edges.is_clean].ravel()] = 0
    moves = share * (neighbours @ points / degrees - points)
    normals = double_areas(points[faces])
    of_vertices = scipy.sparse.csr_array(
        (np.ones(faces.size), (faces.ravel(), np.repeat(np.arange(len(faces)), 3))),
        shape=(len(points), len(faces)),
    )
    directions = of_vertices @ normals
    directions /= np.linalg.norm(directions, axis=1, keepdims=True) + 1e-300
    along = (moves * directions).sum(axis=1, keepdims=True) * directions
    between = values + share * (neighbours @ values / degrees - values)
    return Surface(points + moves - along, faces, between)


def _used(surface: Surface) -> Surface:
    """Leave out faces that are none, with a vertex twice, and vertices of no face."""
    faces = surface.faces
    faces = faces[(faces != np.roll(faces, 1, axis=1)).all(axis=1)]
    used, faces = np.unique(faces, return_inverse=True)
    return replace(
        surface,
        points=surface.points[used],
        faces=faces.reshape(-1, 3),
        values=surface.values[used],
    )
