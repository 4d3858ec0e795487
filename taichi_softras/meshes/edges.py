"""Edges of meshes, on the host."""

from typing import Any

import numpy as np
import scipy
from numpy.typing import NDArray


def find_edges(faces: NDArray[Any]) -> tuple[NDArray[Any], NDArray[Any]]:
    """List every edge once, and which three are the sides of each face.

    Args:
        faces: (F, 3) indices of vertices.

    Returns:
        (E, 2) vertices of each edge, the lower index first, in order; and (F, 3) the edge opposite
        each corner, or -1 where that side goes from a vertex to itself.
    """
    sides = np.sort(faces[:, [[1, 2], [2, 0], [0, 1]]].reshape(-1, 2).astype(np.int64), axis=1)
    is_edge = sides[:, 0] != sides[:, 1]
    face_edges = np.full(len(sides), -1, dtype=np.int64)
    # Pairs of indices as one number each, which sort much faster.
    base = int(faces.max(initial=0)) + 1
    keys, face_edges[is_edge] = np.unique(
        sides[is_edge, 0] * base + sides[is_edge, 1], return_inverse=True
    )
    edges = np.column_stack([keys // base, keys % base])
    return edges, face_edges.reshape(-1, 3)


def adjacency_matrix(edges: NDArray[Any], num_vertices: int) -> "scipy.sparse.csr_array":
    """Make the matrix (V, V) that is 1 where two vertices share one of the edges (E, 2), else 0."""
    rows, cols = edges.ravel(), edges[:, ::-1].ravel()
    shape = (num_vertices, num_vertices)
    return scipy.sparse.csr_array((np.ones(len(rows)), (rows, cols)), shape=shape)
