"""Photographs of meshes that are known, drawn by the package itself."""

import numpy as np

import taichi_softras as sr


def photograph(mesh, views=8, height=48, width=64, eyes=None, light=None, **camera):
    """Draw a mesh on black from all round, as `Captures` with its silhouettes as masks."""
    seen_by = sr.surround_mesh(mesh, views, aspect=width / height, **camera)
    if eyes is not None:
        seen_by = sr.LookAtCamera(eyes, fov_degrees=30.0)
    vertices, faces, colors = mesh.to_taichi()
    near, far = sr.depth_range(vertices, seen_by)
    settings = sr.RasterizerSettings(
        height=height, width=width, near=near, far=far, sigma=1e-7, color="hard", supersampling=4
    )
    images = sr.render(vertices, faces, colors, seen_by, settings, light=light).to_numpy()
    rotation, translation, matrix, _ = sr.camera_to_opencv(seen_by, height, width)
    count = len(images)
    return sr.Captures(
        tuple(f"{i}.png" for i in range(count)),
        (images[..., :3] * 255 + 0.5).astype(np.uint8),
        (images[..., 3] * 255 + 0.5).astype(np.uint8),
        np.ones(images.shape[:3], bool),
        sr.PosedCamera(
            sr.Extrinsics(np.asarray(rotation), np.asarray(translation)),
            sr.Intrinsics(np.tile(matrix, (count // len(matrix), 1, 1)), height, width),
        ),
    )


def colorful(mesh, strength=0.4):
    """Colours that vary smoothly over a mesh."""
    waves = np.sin(7 * mesh.vertices @ np.array([[1, 0.3, 0], [0, 1, 0.3], [0.3, 0, 1]]))
    return mesh.with_colors(0.5 + strength * waves)


def volume(mesh):
    a, b, c = mesh.vertices[mesh.faces].astype(float).swapaxes(0, 1)
    return np.einsum("fi,fi->", a, np.cross(b, c)) / 6
