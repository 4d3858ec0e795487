"""What the writers of several mesh formats share."""

import io
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from taichi_softras.meshes.materials import Material
from taichi_softras.meshes.mesh import Mesh


def unique_names(materials: tuple[Material, ...]) -> list[str]:
    """Name materials each by another name, in one line, and as themselves where that can be."""
    names: list[str] = []
    for material in materials:
        stem = name = " ".join(material.name.split()) or "material"
        count = 1
        while name in names:
            count += 1
            name = f"{stem} {count}"
        names.append(name)
    return names


def _eight_bits(values: NDArray[Any]) -> NDArray[Any]:
    rounded: NDArray[Any] = np.rint(np.clip(values, 0, 1) * 255).astype(np.uint8)
    return rounded


def _png(image: NDArray[Any]) -> bytes:
    content = io.BytesIO()
    Image.fromarray(_eight_bits(image)).save(content, "PNG")
    return content.getvalue()


def _vertex_normals(mesh: Mesh) -> NDArray[Any]:
    """Average the normals of the faces around each vertex by area: (V, 3), up if there are none."""
    a, b, c = np.moveaxis(mesh.vertices[mesh.faces].astype(np.float64), 1, 0)
    normals = np.zeros((mesh.num_vertices, 3))
    np.add.at(normals, mesh.faces, np.cross(b - a, c - a)[:, None])
    lengths = np.linalg.norm(normals, axis=1, keepdims=True)
    return np.where(lengths > 0, normals / np.where(lengths > 0, lengths, 1), [0.0, 0.0, 1.0])
