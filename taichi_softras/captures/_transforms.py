"""Cameras of NeRF, instant-ngp and nerfstudio: ``transforms*.json``.

Matrices take the camera to the world; the camera is OpenGL's, which looks down -z. Pixels have
their centres at 0.5, as COLMAP's.

Source:
    NeRF's synthetic scenes; instant-ngp, ``docs/nerf_dataset_tips.md`` and ``colmap2nerf.py``;
    nerfstudio, "Data conventions".
"""

import json
import math
from pathlib import Path
from typing import Any

import numpy as np

from taichi_softras.captures._shot import Shot, from_corner, intrinsic_matrix, numbers_of
from taichi_softras.files.paths import find_file
from taichi_softras.files.photographs import SUFFIXES, photograph_size

FISHEYE_MODELS = ("OPENCV_FISHEYE",)
PINHOLE_MODELS = ("OPENCV", "PINHOLE", "SIMPLE_PINHOLE", "SIMPLE_RADIAL", "RADIAL", "PERSPECTIVE")
"""Names of models whose coefficients are all of k1, k2, p1, p2 and k3."""


def find_transforms(folder: Path) -> list[Shot] | None:
    """Find the shots of a folder; None if it is of another kind.

    Raises:
        ValueError: If the file is not as it should be.
    """
    path = _file_in(folder)
    if path is None:
        return None
    try:
        content = json.loads(path.read_text("utf-8"))
    except (UnicodeDecodeError, json.JSONDecodeError):
        raise ValueError(f"{path.name} must be JSON") from None
    frames = content.get("frames") if isinstance(content, dict) else None
    if not isinstance(frames, list) or not all(isinstance(frame, dict) for frame in frames):
        raise ValueError(f"{path.name} must have a list of frames")
    return [_shot(folder, {**content, **frame}, path.name, i) for i, frame in enumerate(frames)]


def _file_in(folder: Path) -> Path | None:
    """Choose the file: ``transforms.json``, that of the pictures to train with, or the only one."""
    for name in ("transforms.json", "transforms_train.json"):
        if (folder / name).is_file():
            return folder / name
    paths = sorted(folder.glob("transforms*.json"))
    if len(paths) > 1:
        names = ", ".join(path.name for path in paths)
        raise ValueError(f"folder must have a transforms.json, or one like it, got {names}")
    return paths[0] if paths else None


def _shot(folder: Path, frame: dict[str, Any], file_name: str, number: int) -> Shot:
    """Read one frame, which has what all share unless it says otherwise."""
    name = frame.get("file_path")
    if not isinstance(name, str):
        raise ValueError(f"frame {number} of {file_name} must have a file_path, got {name!r:.40}")
    path = _find_picture(folder, name)
    if path is None:
        raise ValueError(f"there is no picture {name!r}, which {file_name} names")
    what = f"of picture {name!r} in {file_name}"
    to_world = numbers_of(f"transform_matrix {what}", frame.get("transform_matrix"), 4, 4)
    # OpenGL's axes become OpenCV's; some programs scale them, which moves nothing.
    axes = to_world[:3, :3] * (1, -1, -1)
    lengths = np.linalg.norm(axes, axis=0)
    if not (np.isfinite(lengths).all() and (lengths > 0).all()):
        raise ValueError(f"transform_matrix {what} must have a rotation")
    rotation = (axes / lengths).T
    size = photograph_size(path)
    height, width = (int(_number(frame, k, what, n)) for k, n in (("h", size[0]), ("w", size[1])))
    if height < 1 or width < 1:
        raise ValueError(f"h and w {what} must be at least 1, got {height} and {width}")
    fisheye, distortion = _distortion(frame, what)
    mask = frame.get("mask_path")
    return Shot(
        name=name.removeprefix("./"),
        path=path,
        rotation=rotation,
        translation=-rotation @ to_world[:3, 3],
        matrix=_matrix(frame, what, height, width),
        size=(height, width),
        distortion=distortion,
        fisheye=fisheye,
        mask=find_file(folder, mask) if isinstance(mask, str) else None,
    )


def _matrix(frame: dict[str, Any], what: str, height: int, width: int) -> Any:
    """Read focal lengths, or the angles they are given by, and the principal point."""
    fx = _focal_length(frame, "fl_x", "camera_angle_x", width, what)
    fy = _focal_length(frame, "fl_y", "camera_angle_y", height, what)
    if fx is None and fy is None:
        raise ValueError(f"there must be an fl_x or a camera_angle_x {what}")
    cx, cy = _number(frame, "cx", what, width / 2), _number(frame, "cy", what, height / 2)
    return from_corner(intrinsic_matrix(fx or fy or 0.0, fy or fx or 0.0, cx, cy))


def _focal_length(
    frame: dict[str, Any], name: str, angle_name: str, side: int, what: str
) -> float | None:
    if name in frame:
        return _number(frame, name, what, 0.0)
    if angle_name not in frame:
        return None
    angle = _number(frame, angle_name, what, 0.0)
    if not 0 < angle < math.pi:
        raise ValueError(f"{angle_name} {what} must be above 0 and under pi, got {angle:g}")
    return side / 2 / math.tan(angle / 2)


def _distortion(frame: dict[str, Any], what: str) -> tuple[bool, tuple[float, ...]]:
    model = frame.get("camera_model", "OPENCV")
    if model not in FISHEYE_MODELS + PINHOLE_MODELS:
        known = ", ".join(PINHOLE_MODELS + FISHEYE_MODELS)
        raise ValueError(f"camera_model {what} must be one of {known}, got {model!r}")
    fisheye = bool(frame.get("is_fisheye", False)) or model in FISHEYE_MODELS
    names = ("k1", "k2", "k3", "k4") if fisheye else ("k1", "k2", "p1", "p2", "k3")
    return fisheye, tuple(_number(frame, name, what, 0.0) for name in names)


def _number(frame: dict[str, Any], name: str, what: str, otherwise: float) -> float:
    return float(numbers_of(f"{name} {what}", frame.get(name, otherwise)))


def _find_picture(folder: Path, name: str) -> Path | None:
    """Find a picture that may be named without its suffix."""
    for suffix in ("", *SUFFIXES):
        path = find_file(folder, name + suffix)
        if path is not None:
            return path
    return None
