"""Meshes with materials, and their files, that tests share."""

import numpy as np
from PIL import Image

import taichi_softras as sr

CORNERS = np.array([[0, 0, 0], [1, 0, 0], [1, 1, 0], [0, 1, 0]], dtype=np.float32)
UVS = CORNERS[:, :2] * 0.5 + 0.25
RED, GREEN, BLUE = np.eye(3)
QUAD = [[0, 1, 2], [0, 2, 3]]


def random_image(rng, height, width):
    """Texels that 8 bits hold."""
    return rng.integers(0, 256, (height, width, 3)).astype(np.float32) / np.float32(255)


def sphere(rng, num_materials=3):
    """A closed mesh with texture coordinates that differ at every corner."""
    shape = sr.icosphere(1)
    shared = sr.Material(image=random_image(rng, 4, 6)).image  # which nobody can write to
    materials = [
        sr.Material("oak, dark", image=shared),
        sr.Material("red", (1, 0.25, 0)),
        sr.Material("name with  spaces #2", image=random_image(rng, 5, 3), wrap="clamp"),
        sr.Material("tinted", (1, 0, 1), image=shared),
        sr.Material("turned", image=shared, wrap=("mirror", "clamp")),
    ][:num_materials]
    return sr.Mesh(
        shape.vertices,
        shape.faces,
        face_uvs=rng.normal(size=(shape.num_faces, 3, 2)).astype(np.float32),
        face_materials=np.arange(shape.num_faces) % num_materials,
        materials=materials,
    )


def written(path, text):
    path.write_text(text)
    return path


def save_png(path, image):
    Image.fromarray(np.rint(image * 255).astype(np.uint8)).save(path)


def drawn(mesh):
    """What a mesh looks like, whatever the order of its faces: sorted rows of corners."""
    maps = mesh.texture_maps()
    first, height, width, wrap = maps.maps[maps.face_maps].T
    # Of each map the first, the last and the mean texel stand for the image.
    texels = [maps.texels[start : start + h * w] for start, h, w in zip(first, height, width)]
    looks = [[*t[0], *t[-1], *t.mean(axis=0), h, w] for t, h, w in zip(texels, height, width)]
    uvs = np.where((height * width > 1)[:, None, None], maps.face_uvs, 0)
    corners = np.concatenate((mesh.vertices[mesh.faces], uvs), axis=-1)
    rows = np.hstack((corners.reshape(len(corners), -1), looks, wrap[:, None] * 1.0))
    return rows[np.lexsort(np.round(rows, 4).T)]
