"""What is fitted: meshes, and masks of them."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np

import taichi_softras as sr
from demos.paper.shared.models import furniture_file


def read_targets(files: Sequence[Path], furniture: Sequence[str]) -> dict[str, sr.Mesh]:
    """Read the meshes wanted, normalised, by name.

    Raises:
        OSError: If a file can't be read.
        ValueError: If it holds no mesh with faces, or two have one name.
    """
    named = [(path.stem, sr.read_mesh(path)) for path in files]
    for name in furniture:
        with furniture_file(name) as path:
            named.append((path.stem, sr.read_mesh(path)))
    if not named:
        named = [("teapot", sr.teapot()), ("torus", sr.torus())]
    targets: dict[str, sr.Mesh] = {}
    for name, mesh in named:
        if name in targets:
            raise ValueError(f"meshes must have different names, got {name} twice")
        if mesh.num_faces == 0:
            raise ValueError(f"meshes must have faces, got none in {name}")
        targets[name] = mesh.normalized()
    return targets


def draw_masks(mesh: sr.Mesh, camera: sr.LookAtCamera, size: int, supersampling: int) -> np.ndarray:
    """Draw hard silhouettes, (B, size, size), a camera at a time."""
    vertices, faces, _ = mesh.to_taichi()
    near, far = sr.depth_range(vertices, camera)
    settings = sr.RasterizerSettings(
        height=size,
        width=size,
        near=near,
        far=far,
        coverage="hard",
        supersampling=supersampling,
    )
    masks = [
        sr.render_silhouette(vertices, faces, sr.select_cameras(camera, i), settings).to_numpy()
        for i in range(len(camera.eye))
    ]
    return np.concatenate(masks)
