"""The content of PLY files."""

import numpy as np

from taichi_softras.files._encoding import _eight_bits
from taichi_softras.meshes.mesh import Mesh


def ply_bytes(mesh: Mesh) -> bytes:
    """Encode a mesh as binary PLY, without its materials."""
    position = "float" if mesh.vertices.dtype == np.float32 else "double"
    header = [
        "ply",
        "format binary_little_endian 1.0",
        f"element vertex {mesh.num_vertices}",
        *(f"property {position} {axis}" for axis in "xyz"),
        *(f"property uchar {channel}" for channel in ("red", "green", "blue")),
        f"element face {mesh.num_faces}",
        "property list uchar int vertex_indices",
        "end_header\n",
    ]
    kind = mesh.vertices.dtype.newbyteorder("<")
    vertices = np.empty(mesh.num_vertices, dtype=[("position", kind, 3), ("color", "u1", 3)])
    vertices["position"] = mesh.vertices
    vertices["color"] = _eight_bits(mesh.colors)
    faces = np.empty(mesh.num_faces, dtype=[("count", "u1"), ("indices", "<i4", 3)])
    faces["count"] = 3
    faces["indices"] = mesh.faces
    return "\n".join(header).encode() + vertices.tobytes() + faces.tobytes()
