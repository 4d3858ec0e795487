"""Which faces the inspected pixel is made of."""

from dataclasses import replace

import numpy as np

from taichi_softras.arrays.taichi_bridge import from_numpy
from taichi_softras.meshes.materials import nearest_texels
from taichi_softras.meshes.mesh import Mesh
from taichi_softras.rasterizer.inspection import PixelFragments, list_fragments
from taichi_softras.viewer.viewed_mesh import Shot


def inspect(shot: Shot) -> PixelFragments | None:
    """List the faces of the inspected pixel; None if none is inspected.

    Colours of textures are those of the nearest texels, lit at vertices.
    """
    pixel = shot.pixel()
    if pixel is None:
        return None
    mesh = shot.viewed.mesh
    if not mesh.materials:
        return list_fragments(shot.face_vertices, shot.face_colors, shot.settings, *pixel)
    # Texture coordinates and light are interpolated as colours are.
    uvs = np.zeros((mesh.num_faces, 3, 2)) if mesh.face_uvs is None else mesh.face_uvs
    corners = np.concatenate([uvs[None], shot.face_light.to_numpy()], axis=-1)
    fragments = list_fragments(
        shot.face_vertices, from_numpy(corners.astype(np.float32)), shot.settings, *pixel
    )
    albedo = _albedo(mesh, fragments.faces, fragments.color[:, :2])
    return replace(fragments, color=albedo * fragments.color[:, 2:])


def _albedo(mesh: Mesh, faces: np.ndarray, uvs: np.ndarray) -> np.ndarray:
    """Look up the materials of faces (N,) at texture coordinates (N, 2): (N, 3)."""
    colors = np.empty((len(faces), 3))
    for i, (number, uv) in enumerate(zip(np.asarray(mesh.face_materials)[faces], uvs)):
        material = mesh.materials[number]
        colors[i] = material.color
        if material.image is not None:
            colors[i] *= nearest_texels(material.image, uv[None], material.wrap)[0]
    return colors
