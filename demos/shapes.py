"""Meshes that the demos share: a sphere with an image map, and the models of a Debian package."""

import os
import zipfile
from pathlib import Path, PurePosixPath
from tempfile import TemporaryDirectory

import numpy as np

import taichi_softras as sr

FURNITURE = Path("/usr/share/sweethome3d/furniture")
"""Where the package sweethome3d-furniture is; or where SOFTRAS_FURNITURE says."""


def checkered_sphere() -> sr.Mesh:
    """A sphere whose image map is a globe's: longitude to the right, latitude up."""
    sphere = sr.icosphere(3)
    directions = sphere.vertices / np.linalg.norm(sphere.vertices, axis=1, keepdims=True)
    longitude = np.arctan2(directions[:, 0], directions[:, 2]) / (2 * np.pi) + 0.5
    latitude = np.arcsin(directions[:, 1]) / np.pi + 0.5
    face_uvs = np.stack([longitude, latitude], axis=1)[sphere.faces]
    # A face across the date line has its place beyond the map's border, where that repeats.
    wide = np.ptp(face_uvs[..., 0], axis=1) > 0.5
    face_uvs[wide, :, 0] += face_uvs[wide, :, 0] < 0.5
    rows, cols = np.mgrid[:8, :16]
    checks = np.where(((rows + cols) % 2)[..., None] == 0, (0.9, 0.5, 0.2), (0.2, 0.4, 0.7))
    image = np.repeat(np.repeat(checks, 16, axis=0), 16, axis=1).astype(np.float32)
    return sr.Mesh(
        sphere.vertices,
        sphere.faces,
        face_uvs=face_uvs.astype(np.float32),
        face_materials=np.zeros(sphere.num_faces, dtype=np.int32),
        materials=(sr.Material("checks", image=image),),
    )


def furniture_model(archive: str, model: str) -> sr.Mesh | None:
    """Read a model of sweethome3d-furniture, with its textures.

    Args:
        archive: Which archive of the package, as ``"Scopia"``.
        model: The OBJ file in it, as ``"scopia/cat/cat.obj"``.

    Returns:
        The mesh; None if the package is not installed.
    """
    path = Path(os.environ.get("SOFTRAS_FURNITURE", FURNITURE)) / f"{archive}.sh3f"
    if not path.is_file():
        return None
    folder = PurePosixPath(model).parent
    with TemporaryDirectory() as unpacked, zipfile.ZipFile(path) as content:
        beside = [name for name in content.namelist() if PurePosixPath(name).parent == folder]
        content.extractall(unpacked, beside)
        return sr.read_mesh(Path(unpacked) / model, textures=True)
