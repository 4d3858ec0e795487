"""Which vertices and faces of a mesh are neighbours: what losses of meshes are made from."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from taichi_softras.arrays.bridge import array_like
from taichi_softras.arrays.calls import apply
from taichi_softras.arrays.checks import check_arrays, face_indices
from taichi_softras.arrays.operator import Array, Faces
from taichi_softras.arrays.reprs import short_repr
from taichi_softras.backend import ti
from taichi_softras.meshes.edges import find_edges
from taichi_softras.meshes.incidence import GatherOperator, Incidence


@dataclass(frozen=True, eq=False)
class MeshTopology:
    """Which vertices and faces of a mesh are neighbours. Made by `mesh_topology`.

    Attributes:
        faces: (F, 3) int32.
        edges: (E, 2) int32, every edge once.
        face_edges: (F, 3) int32, the edge opposite each corner; -1 where that side of the face
            goes from a vertex to itself.
        edge_weights: (1, E), ones: how much a neighbour counts in the uniform Laplacian.
        inverse_degrees: (1, V), one over the number of neighbours; 0 for a vertex without any.
        hinges: (K, 4) int32: the two vertices of an edge between two faces, then the corners
            opposite it in the one face and the other. The edge runs in the first face's order.
        face_pairs: (K, 2) int32, the two faces of each hinge.
        incidences: The `Incidence` of each of these arrays, by its name. Their lists are made when
            first needed, so the arrays must not be written to.
    """

    faces: Array
    edges: Array
    face_edges: Array
    edge_weights: Array
    inverse_degrees: Array
    hinges: Array
    face_pairs: Array
    incidences: dict[str, Incidence] = field(init=False, repr=False)

    __repr__ = short_repr

    def __post_init__(self) -> None:
        names = ("edges", "face_edges", "hinges", "face_pairs")
        object.__setattr__(self, "incidences", {name: Incidence() for name in names})

    def gather(self, name: str, values: Array) -> Array:
        """Copy what vertices or faces have, (B, V, K), to the rows of ``edges`` or the like.

        Returns:
            (B, E, 2, K) for ``"edges"``, and so on.
        """
        operator = GatherOperator(values.shape[0], self.incidences[name])
        return apply(operator, (values, getattr(self, name)))[0]


def mesh_topology(faces: ArrayLike | Faces, like: Array) -> MeshTopology:
    """Find a mesh's edges, and the pairs of faces that meet at them.

    Open meshes and vertices without faces are fine. Where more than two faces meet at an edge,
    every two of them are a pair, as PyTorch3D has it.

    Args:
        faces: (F, 3) integers, of NumPy, PyTorch or Taichi.
        like: The vertices, (B, V, 3) or (V, 3), whose framework, device and type the result has.

    Raises:
        TypeError: If ``like`` is no array.
        ValueError: If a shape doesn't fit, faces are no integers, or an index is out of range.

    Examples:
        >>> import taichi_softras as sr
        >>> vertices, faces, _ = sr.cube().to_taichi()
        >>> topology = sr.mesh_topology(faces, vertices)
        >>> topology.edges.shape, topology.hinges.shape
        ((18, 2), (18, 4))
    """
    check_arrays(like=(like, "(B, V, 3) or (V, 3)"))
    num_vertices = like.shape[-2]
    indices = face_indices(faces, num_vertices=num_vertices)
    edges, face_edges = find_edges(indices)
    degrees = np.bincount(edges.ravel(), minlength=num_vertices)
    inverse_degrees = np.where(degrees > 0, 1 / np.maximum(degrees, 1), 0)
    first, second = _pairs_of_sides(face_edges)
    hinges = np.column_stack(
        [
            indices[first // 3, (first + 1) % 3],
            indices[first // 3, (first + 2) % 3],
            indices.reshape(-1)[first],
            indices.reshape(-1)[second],
        ]
    )
    return MeshTopology(
        faces=array_like(indices, like, dtype=ti.i32),
        edges=array_like(edges, like, dtype=ti.i32),
        face_edges=array_like(face_edges, like, dtype=ti.i32),
        edge_weights=array_like(np.ones((1, len(edges))), like),
        inverse_degrees=array_like(inverse_degrees[None], like),
        hinges=array_like(hinges, like, dtype=ti.i32),
        face_pairs=array_like(np.column_stack([first // 3, second // 3]), like, dtype=ti.i32),
    )


def _pairs_of_sides(face_edges: NDArray[Any]) -> tuple[NDArray[Any], NDArray[Any]]:
    """Pair the sides of faces that are one edge, all with all; sides are numbered 3 f + k."""
    sides = np.flatnonzero(face_edges.reshape(-1) >= 0)
    sides = sides[np.argsort(face_edges.reshape(-1)[sides], kind="stable")]
    edge_of = face_edges.reshape(-1)[sides]
    firsts, seconds = [sides[:0]], [sides[:0]]
    # Those of an edge lie one after another: each is paired with the next, with the next but one...
    step = 1
    while (together := edge_of[step:] == edge_of[:-step]).any():
        firsts.append(sides[:-step][together])
        seconds.append(sides[step:][together])
        step += 1
    return np.concatenate(firsts), np.concatenate(seconds)
