"""Cameras of COLMAP: a sparse model, of text or binary files, read by ``pycolmap``.

Source:
    COLMAP, "Output format" and "Camera models".
"""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from taichi_softras.captures._shot import Shot, from_corner, intrinsic_matrix

Lens = tuple[tuple[float, float, float, float], tuple[float, ...], bool]
"""fx, fy, cx and cy; OpenCV's coefficients; whether they are those of a fisheye lens."""

MODELS: dict[str, Callable[..., Lens]] = {
    "SIMPLE_PINHOLE": lambda f, cx, cy: ((f, f, cx, cy), (), False),
    "PINHOLE": lambda *lens: (lens, (), False),
    "SIMPLE_RADIAL": lambda f, cx, cy, k: ((f, f, cx, cy), (k, 0.0, 0.0, 0.0), False),
    "RADIAL": lambda f, cx, cy, k1, k2: ((f, f, cx, cy), (k1, k2, 0.0, 0.0), False),
    "OPENCV": lambda *lens: (lens[:4], lens[4:], False),
    "FULL_OPENCV": lambda *lens: (lens[:4], lens[4:], False),
    "SIMPLE_FISHEYE": lambda f, cx, cy: ((f, f, cx, cy), (0.0,) * 4, True),
    "FISHEYE": lambda *lens: (lens, (0.0,) * 4, True),
    "SIMPLE_RADIAL_FISHEYE": lambda f, cx, cy, k: ((f, f, cx, cy), (k, 0.0, 0.0, 0.0), True),
    "RADIAL_FISHEYE": lambda f, cx, cy, k1, k2: ((f, f, cx, cy), (k1, k2, 0.0, 0.0), True),
    "OPENCV_FISHEYE": lambda *lens: (lens[:4], lens[4:], True),
}
"""COLMAP's models that OpenCV has formulas for: from their parameters to OpenCV's."""

FOLDERS = ("sparse/0", "sparse", "colmap/sparse/0", ".")
"""Where a sparse model may be, in the order in which they are looked for."""


IMAGE_FOLDERS = ("images", "image")


def image_folder(folder: Path) -> Path:
    """Find where the pictures of a folder are: in one of `IMAGE_FOLDERS`, or beside the rest."""
    return next((folder / name for name in IMAGE_FOLDERS if (folder / name).is_dir()), folder)


def find_colmap(folder: Path, model: Path | None = None) -> list[Shot] | None:
    """Find the shots of a folder; None if it is of another kind.

    Args:
        folder: Where the pictures are.
        model: The sparse model; if None it is looked for in the folder.

    Raises:
        ValueError: If the model is damaged, a lens is of a kind that OpenCV has no formula for, or
            a picture is not there.
        RuntimeError: If ``pycolmap`` is not installed.
    """
    places = [folder / name for name in FOLDERS] if model is None else [model]
    model = next((place for place in places if is_model(place)), None)
    if model is None:
        return None
    images = image_folder(folder)
    found = _read(model)
    shots = [_shot(images, found, image) for image in found.images.values() if image.has_pose]
    return sorted(shots, key=lambda shot: shot.name)


def is_model(place: Path) -> bool:
    """Tell whether a folder has the files of a sparse model."""
    return any(
        all((place / f"{name}{suffix}").is_file() for name in ("cameras", "images"))
        for suffix in (".bin", ".txt")
    )


def import_pycolmap(needed_by: str) -> Any:
    """Import ``pycolmap``, or say what needs it.

    Raises:
        RuntimeError: If it is not installed.
    """
    try:
        import pycolmap
    except ImportError:
        raise RuntimeError(f"{needed_by} pycolmap: pip install 'taichi_softras[photos]'") from None
    return pycolmap


def _read(model: Path) -> Any:
    pycolmap = import_pycolmap("COLMAP's models need")
    try:
        return pycolmap.Reconstruction(str(model))
    except Exception:  # of its own kinds
        raise ValueError(f"{str(model)!r} must be a model of COLMAP's, and is damaged") from None


def _shot(images: Path, found: Any, image: Any) -> Shot:
    camera = found.cameras[image.camera_id]
    model = str(camera.model.name)
    if model not in MODELS:
        raise ValueError(
            f"the lens of picture {image.name!r} must be one of {', '.join(MODELS)}, got {model}"
        )
    path = images / image.name
    if not path.is_file():
        raise ValueError(f"there is no picture {image.name!r}, which COLMAP's model names")
    lens, distortion, fisheye = MODELS[model](*map(float, camera.params))
    pose = image.cam_from_world() if callable(image.cam_from_world) else image.cam_from_world
    return Shot(
        name=image.name,
        path=path,
        rotation=np.asarray(pose.rotation.matrix(), dtype=np.float64),
        translation=np.asarray(pose.translation, dtype=np.float64),
        matrix=from_corner(intrinsic_matrix(*lens)),
        size=(int(camera.height), int(camera.width)),
        distortion=distortion,
        fisheye=fisheye,
    )
