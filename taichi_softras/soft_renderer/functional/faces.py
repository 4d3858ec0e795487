"""From vertices to faces."""

from torch import Tensor

import taichi_softras as native


def face_vertices(vertices: Tensor, faces: Tensor) -> Tensor:
    """Copy the values of vertices to the corners of faces.

    Args:
        vertices: (B or 1, V, K), positions, colours or anything else.
        faces: (B or 1, F, 3) integers.

    Returns:
        (B, F, 3, K).

    Raises:
        TypeError: If an array is of the wrong kind or type.
        ValueError: If a shape doesn't fit, or an index is out of range.
    """
    corners: Tensor = native.gather(vertices, faces)
    return corners


def vertex_normals(vertices: Tensor, faces: Tensor) -> Tensor:
    """Average the normals of the faces round each vertex, weighted by their areas.

    Args:
        vertices: (B or 1, V, 3).
        faces: (B or 1, F, 3) integers.

    Returns:
        (B, V, 3), of length 1; 0 for vertices of no face.

    Raises:
        TypeError: If an array is of the wrong kind or type.
        ValueError: If a shape doesn't fit, or an index is out of range.
    """
    normals: Tensor = native.vertex_normals(vertices, faces)
    return normals
