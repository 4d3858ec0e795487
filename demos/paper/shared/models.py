"""A sphere with an image map, and the models of furniture of a Debian package."""

import os
import tempfile
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path, PurePosixPath

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


@contextmanager
def furniture_file(name: str) -> Iterator[Path]:
    """Unpack a model of Sweet Home 3D for as long as the block lasts.

    Args:
        name: The folder of its OBJ file, with that of the collection before it or not.

    Raises:
        FileNotFoundError: If there are no archives.
        ValueError: If no model, or several, have that name.
    """
    folder = Path(os.environ.get("SOFTRAS_FURNITURE", FURNITURE))
    archives = sorted(folder.glob("*.sh3f"))
    if not archives:
        raise FileNotFoundError(
            f"no archives (*.sh3f) in {folder}: install Debian's sweethome3d-furniture, or let "
            "SOFTRAS_FURNITURE name their folder"
        )
    wanted = PurePosixPath(name).parts
    found = [
        (archive, entry)
        for archive in archives
        for entry in zipfile.ZipFile(archive).namelist()
        if entry.endswith(".obj") and PurePosixPath(entry).parent.parts[-len(wanted) :] == wanted
    ]
    if len(found) != 1:
        paths = ", ".join(str(PurePosixPath(entry).parent) for _, entry in found) or "none"
        raise ValueError(
            f"furniture must be named after one model, got {name!r}, which fits {paths}"
        )
    ((archive, entry),) = found
    with tempfile.TemporaryDirectory() as unpacked, zipfile.ZipFile(archive) as content:
        beside = str(PurePosixPath(entry).parent) + "/"
        content.extractall(
            unpacked, [file for file in content.namelist() if file.startswith(beside)]
        )
        yield Path(unpacked) / entry


def furniture_model(name: str) -> sr.Mesh | None:
    """Read a model of sweethome3d-furniture, with its textures.

    Args:
        name: As `furniture_file` takes it.

    Returns:
        The mesh; None if the package is not installed.
    """
    try:
        with furniture_file(name) as path:
            return sr.read_mesh(path, textures=True, creases=False)
    except FileNotFoundError:
        return None
