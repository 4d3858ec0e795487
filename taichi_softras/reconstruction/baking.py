"""Textures from photographs: a mesh is unwrapped, and its image map filled from all pictures."""

from __future__ import annotations

from typing import Any

import numpy as np
import scipy
from numpy.typing import ArrayLike, NDArray

from taichi_softras.arrays.options import check_integer
from taichi_softras.arrays.taichi_bridge import from_numpy
from taichi_softras.captures.captures import Captures
from taichi_softras.meshes.materials import Material
from taichi_softras.meshes.mesh import Mesh
from taichi_softras.rasterizer.rasterization import rasterize
from taichi_softras.rasterizer.settings import RasterizerSettings
from taichi_softras.reconstruction.options import SMALLEST_TEXTURE
from taichi_softras.reconstruction.sampling import PhotoSampler, color_vertices, unit_normals

PADDING = 2
"""Texels between charts, so that colours don't run over."""

FAINT = 0.02
"""Weight, as a share of the median, under which colours of vertices mix in: it grows to them where
photographs hardly show a place."""


def bake_texture(
    mesh: Mesh, captures: Captures, *, size: int = 1024, gains: ArrayLike | None = None
) -> Mesh:
    """Give a mesh an image map with the colours that photographs show. Not differentiable.

    The mesh is unwrapped by xatlas. Each texel is the weighted mean of what all photographs show
    of it, more of those that face it, none of those from which another part hides it; those that
    disagree with the mean count less. Where none shows it, its colour blends those of the nearest
    places on the surface that are seen.

    Args:
        mesh: The mesh, in the world of the cameras. Its own colours and materials are lost.
        captures: Photographs; only what is inside of their masks counts, if they have some.
        size: Height and width of the image, in texels.
        gains: Exposures of the photographs, (N,), above 0, by which they are divided; 1 if None.

    Returns:
        The mesh, with a material of that image, and the colours of its vertices.

    Raises:
        RuntimeError: If xatlas, of the extra ``photos``, is not installed.
        TypeError: If an argument is of the wrong type.
        ValueError: If the mesh has no faces, a number is out of range, ``gains`` has another
            shape, or all of the mesh is behind a camera.
    """
    size = check_integer("size", size, at_least=SMALLEST_TEXTURE)
    if not mesh.num_faces:
        raise ValueError("mesh must have faces, got none")
    exposures = np.ones(len(captures)) if gains is None else np.asarray(gains, dtype=np.float64)
    if exposures.shape != (len(captures),) or not (exposures > 0).all():
        raise ValueError(f"gains must be {len(captures)} numbers above 0, got {gains!r}")
    mesh = Mesh(mesh.vertices.astype(np.float32), mesh.faces)
    sampler = PhotoSampler(mesh, captures, exposures)
    colored = color_vertices(mesh, sampler)
    face_uvs = _unwrap(colored, size)
    image = _filled_image(colored, face_uvs, sampler, size)
    return Mesh(
        colored.vertices,
        colored.faces,
        np.clip(colored.colors, 0, 1),
        face_uvs=face_uvs,
        face_materials=np.zeros(mesh.num_faces, np.int32),
        materials=(Material("photographs", image=image, wrap="clamp"),),
    )


def _unwrap(mesh: Mesh, size: int) -> NDArray[np.float32]:
    """Find places in an image for the corners of faces, (F, 3, 2), that overlap nowhere."""
    try:
        import xatlas
    except ImportError:
        raise RuntimeError("textures need xatlas: pip install 'taichi_softras[photos]'") from None
    atlas = xatlas.Atlas()
    atlas.add_mesh(mesh.vertices, mesh.faces.astype(np.uint32))
    packing = xatlas.PackOptions()
    packing.resolution, packing.padding = size, PADDING
    packing.bilinear = True
    atlas.generate(pack_options=packing)
    _, indices, uvs = atlas[0]
    return np.asarray(uvs[indices.astype(np.int64)], dtype=np.float32)


def _filled_image(
    mesh: Mesh, face_uvs: NDArray[np.float32], sampler: PhotoSampler, size: int
) -> NDArray[np.float32]:
    """Colour all texels: (size, size, 3), row 0 at the top."""
    places = _draw_places(mesh, face_uvs, size)
    covered = places[..., -1] > 0.5
    points, normals, base = (places[covered, k : k + 3] for k in (0, 3, 6))
    normals = normals / np.maximum(np.linalg.norm(normals, axis=1, keepdims=True), 1e-20)
    colors, weights = sampler.sample(points, normals)
    faint = FAINT * (np.median(weights[weights > 0]) if (weights > 0).any() else 1.0)
    share = (weights / (weights + faint))[:, None]
    image = np.zeros((size, size, 3), np.float32)
    image[covered] = share * colors + (1 - share) * base
    # Beside a chart the colours of its border go on, for what is looked up between texels.
    nearest = scipy.ndimage.distance_transform_edt(
        ~covered, return_distances=False, return_indices=True
    )
    return np.asarray(np.clip(image[tuple(nearest)], 0, 1))


def _draw_places(mesh: Mesh, face_uvs: NDArray[np.float32], size: int) -> NDArray[np.float32]:
    """Draw the surface into its image: points, normals, colours and alpha, (size, size, 10)."""
    corners = np.ones((1, mesh.num_faces, 3, 3), np.float32)
    corners[0, ..., :2] = 2 * face_uvs - 1
    values: list[Any] = [mesh.vertices, unit_normals(mesh), mesh.colors]
    channels = np.concatenate([v[mesh.faces] for v in values], axis=-1)[None].astype(np.float32)
    settings = RasterizerSettings(
        height=size,
        width=size,
        near=0.5,
        far=2.0,
        coverage="hard",
        alpha="hard",
        color="hard",
        orthographic=True,
    )
    image = rasterize(from_numpy(corners), from_numpy(np.ascontiguousarray(channels)), settings)
    return np.asarray(image.to_numpy()[0])
