"""A square, its colours, and files that hold it."""

import numpy as np

from taichi_softras.meshes.mesh import Mesh

CORNERS = np.array([[0, 0, 0], [1, 0, 0], [1, 1, 0], [0, 1, 0]], dtype=np.float32)


RED, GREEN, BLUE = np.eye(3)


def written(path, text):
    path.write_text(text)
    return path


def triangles(mesh):
    return mesh.vertices[mesh.faces]


def assert_grey(mesh):
    np.testing.assert_array_equal(mesh.colors, np.float32(0.7))


def random_mesh(rng, dtype=np.float32):
    """A mesh of floats with all their digits, and a vertex of no face."""
    scales = 10.0 ** rng.integers(-3, 4, size=(20, 1))
    vertices = (rng.normal(size=(20, 3)) * scales).astype(dtype)
    return Mesh(vertices, rng.integers(0, 19, size=(30, 3)), rng.random((20, 3)))
