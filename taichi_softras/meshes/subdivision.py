"""Finer meshes from coarse ones: every face cut in four."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import scipy
from numpy.typing import ArrayLike, NDArray

from taichi_softras.arrays.bridge import array_like
from taichi_softras.arrays.checks import check_arrays, face_indices
from taichi_softras.arrays.operator import Array, Faces
from taichi_softras.arrays.options import check_choice, check_integer
from taichi_softras.arrays.reprs import short_repr
from taichi_softras.arrays.sparse import SparseMatrix
from taichi_softras.backend import ti
from taichi_softras.meshes.edges import find_edges
from taichi_softras.meshes.mesh import Mesh

SubdivisionScheme = Literal["midpoint", "loop"]
"""Where vertices go: ``"midpoint"`` keeps the surface as it is, ``"loop"`` rounds it off."""


@dataclass(frozen=True, eq=False)
class Subdivision:
    """A finer mesh, its vertices weighted means of a coarse one's. Made by `mesh_subdivision`.

    Attributes:
        matrix: (R, V): ``matrix @ vertices`` are the fine vertices (B, R, 3) of coarse ones
            (B, V, 3), and ``matrix @ colors`` their colours.
        faces: (G, 3) int32, of the fine mesh.
    """

    matrix: SparseMatrix
    faces: Array

    __repr__ = short_repr


def mesh_subdivision(
    faces: ArrayLike | Faces,
    like: Array,
    *,
    scheme: SubdivisionScheme = "midpoint",
    times: int = 1,
) -> Subdivision:
    """Plan how to cut each face of a mesh in four, at the midpoints of its edges.

    The fine vertices are a linear function of the coarse ones, so that gradients flow from the one
    to the other. The coarse vertices come first, then one for each edge.

    With ``"loop"`` an edge that is not between exactly two faces stays sharp: at the border of an
    open mesh, and where three faces or more meet. Vertices without faces stay where they are, and
    so do those at which one such edge ends, or more than two.

    Args:
        faces: (F, 3) integers, of NumPy, PyTorch or Taichi.
        like: The coarse vertices (B, V, 3), whose framework, device and type the result has.
        scheme: ``"midpoint"`` or ``"loop"``.
        times: How many times. There are ``4**times`` times as many faces.

    Raises:
        TypeError: If ``like`` is no array, or ``times`` no integer.
        ValueError: If a shape doesn't fit, faces are no integers, an index is out of range,
            ``scheme`` is neither of the two, or ``times`` is negative.

    Source:
        Loop, Smooth subdivision surfaces based on triangles, 1987; and, for borders, Hoppe et al.,
        Piecewise smooth surface reconstruction, 1994.

    Examples:
        >>> import taichi_softras as sr
        >>> vertices, faces, colors = sr.icosphere(1).to_taichi()
        >>> subdivision = sr.mesh_subdivision(faces, vertices, scheme="loop")
        >>> (subdivision.matrix @ vertices).shape, subdivision.faces.shape
        ((1, 162, 3), (320, 3))
    """
    times = _check_options(scheme, times)
    check_arrays(like=(like, "(B, V, 3)"))
    indices = face_indices(faces, num_vertices=like.shape[1])
    matrix, fine_faces = _subdivide(indices, like.shape[1], scheme, times)
    return Subdivision(
        matrix=SparseMatrix(
            rows=array_like(matrix.row[None], like, dtype=ti.i32),
            columns=array_like(matrix.col[None], like, dtype=ti.i32),
            weights=array_like(matrix.data[None], like),
            num_rows=matrix.shape[0],
            num_columns=matrix.shape[1],
        ),
        faces=array_like(fine_faces, like, dtype=ti.i32),
    )


def subdivide(mesh: Mesh, *, scheme: SubdivisionScheme = "midpoint", times: int = 1) -> Mesh:
    """Cut each face of a mesh in four, as `mesh_subdivision` does.

    Colours of vertices go as positions do. Texture coordinates are those of midpoints with either
    scheme, and the four faces have the material of the one.

    Raises:
        TypeError: If ``mesh`` is no `Mesh`, or ``times`` no integer.
        ValueError: If ``scheme`` is neither of the two, or ``times`` is negative.

    Examples:
        >>> triangle = Mesh([[0, 0, 0], [1, 0, 0], [0, 1, 0]], [[0, 1, 2]])
        >>> fine = subdivide(triangle, times=2)
        >>> fine.num_vertices, fine.num_faces
        (15, 16)
    """
    if not isinstance(mesh, Mesh):
        raise TypeError(f"mesh must be a Mesh, got {type(mesh).__name__}")
    times = _check_options(scheme, times)
    matrix, faces = _subdivide(mesh.faces, mesh.num_vertices, scheme, times)
    dtype = mesh.vertices.dtype
    vertices, colors = (
        (matrix @ values.astype(np.float64)).astype(dtype)
        for values in (mesh.vertices, mesh.colors)
    )
    face_uvs, face_materials = mesh.face_uvs, mesh.face_materials
    if face_uvs is not None:
        for _ in range(times):
            opposite = (np.roll(face_uvs, -1, axis=1) + np.roll(face_uvs, -2, axis=1)) / 2
            face_uvs = _cut_in_four(face_uvs, opposite)
    if face_materials is not None:
        face_materials = np.repeat(face_materials, 4**times)
    return Mesh(vertices, faces, colors, face_uvs, face_materials, mesh.materials)


def _check_options(scheme: SubdivisionScheme, times: int) -> int:
    """Check both; return ``times``."""
    check_choice("scheme", scheme, ("midpoint", "loop"))
    return check_integer("times", times, at_least=0)


def _subdivide(
    faces: NDArray[Any], num_vertices: int, scheme: SubdivisionScheme, times: int
) -> tuple[scipy.sparse.coo_array, NDArray[Any]]:
    """Subdivide, and again: the matrix (R, V) and the faces (G, 3)."""
    matrix = scipy.sparse.eye_array(num_vertices, format="csr")
    for _ in range(times):
        step, faces = _subdivide_once(faces, matrix.shape[0], scheme)
        matrix = step @ matrix
    return matrix.tocoo(), faces


def _subdivide_once(
    faces: NDArray[Any], num_vertices: int, scheme: SubdivisionScheme
) -> tuple[scipy.sparse.csr_array, NDArray[Any]]:
    edges, face_edges = find_edges(faces)
    if scheme == "midpoint":
        old = scipy.sparse.eye_array(num_vertices)
        new = _matrix(np.arange(len(edges)), edges, 1 / 2, (len(edges), num_vertices))
    else:
        # A face that is a line or a point doesn't count where faces at an edge are counted.
        is_solid = (face_edges >= 0).all(axis=1)
        inner = np.bincount(face_edges[is_solid].reshape(-1), minlength=len(edges)) == 2
        old = _loop_vertices(edges, inner, num_vertices)
        new = _loop_edges(faces[is_solid], face_edges[is_solid], edges, inner, num_vertices)
    # The middle of a side that goes from a vertex to itself is that vertex.
    middles = np.where(face_edges >= 0, num_vertices + face_edges, np.roll(faces, -1, axis=1))
    return scipy.sparse.vstack([old, new], format="csr"), _cut_in_four(faces, middles)


def _cut_in_four(corners: NDArray[Any], middles: NDArray[Any]) -> NDArray[Any]:
    """Make four faces of each.

    Args:
        corners: (F, 3, ...) values at its corners.
        middles: (F, 3, ...) values at the middles of the sides opposite these.

    Returns:
        (4 F, 3, ...), the four of a face one after another, the one in the middle last.
    """
    (a, b, c), (bc, ca, ab) = corners.swapaxes(0, 1), middles.swapaxes(0, 1)
    fine = np.stack([a, ab, ca, ab, b, bc, ca, bc, c, ab, bc, ca], axis=1)
    return fine.reshape(-1, *corners.shape[1:])


def _loop_vertices(
    edges: NDArray[Any], inner: NDArray[Any], num_vertices: int
) -> scipy.sparse.coo_array:
    """Where Loop's scheme moves the vertices that there are: (V, V)."""
    shape = (num_vertices, num_vertices)
    degrees = np.bincount(edges.reshape(-1), minlength=num_vertices)
    num_sharp = np.bincount(edges[~inner].reshape(-1), minlength=num_vertices)
    turns = 2 * np.pi / np.maximum(degrees, 1)
    smooth = (40 - (3 + 2 * np.cos(turns)) ** 2) / (64 * np.maximum(degrees, 1))
    # How much each neighbour counts, over smooth edges and over sharp ones.
    over_inner = np.where((num_sharp == 0) & (degrees > 0), smooth, 0)
    over_sharp = np.where(num_sharp == 2, 1 / 8, 0)
    both_ways = np.concatenate([edges, edges[:, ::-1]])
    weight = np.where(
        np.tile(inner, 2)[:, None], *(w[both_ways[:, :1]] for w in (over_inner, over_sharp))
    )
    neighbours = _matrix(both_ways[:, 0], both_ways[:, 1:], weight, shape)
    itself = scipy.sparse.diags_array(1 - neighbours.sum(axis=1))
    return itself + neighbours


def _loop_edges(
    faces: NDArray[Any],
    face_edges: NDArray[Any],
    edges: NDArray[Any],
    inner: NDArray[Any],
    num_vertices: int,
) -> scipy.sparse.coo_array:
    """Where Loop's scheme puts the vertices on edges: (E, V)."""
    shape = (len(edges), num_vertices)
    ends = _matrix(np.arange(len(edges)), edges, np.where(inner, 3 / 8, 1 / 2)[:, None], shape)
    of_corner = face_edges.reshape(-1)
    weight = np.where(inner[of_corner], 1 / 8, 0)[:, None]
    return ends + _matrix(of_corner, faces.reshape(-1, 1), weight, shape)


def _matrix(
    rows: NDArray[Any], columns: NDArray[Any], weights: Any, shape: tuple[int, int]
) -> scipy.sparse.coo_array:
    """Make a matrix with the same weight, or a row of them, at each row's columns (N, K)."""
    weights = np.broadcast_to(np.asarray(weights, dtype=np.float64), columns.shape)
    places = np.repeat(rows, columns.shape[1]), columns.reshape(-1)
    return scipy.sparse.coo_array((weights.reshape(-1), places), shape=shape)
