"""A folder of photographs with masks, and, aside, the truth about their cameras."""

import json
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

import taichi_softras as sr
from demos.paper.captured.path_tracing import photograph
from demos.paper.captured.stage import Photographers, photographers_around
from demos.paper.shared.models import FURNITURE, furniture_model
from demos.paper.shared.reporting import make_progress, write_json
from taichi_softras.files.pictures import write_picture


@dataclass(frozen=True, kw_only=True)
class Order:
    """What photographs are wanted.

    Attributes:
        furniture: Name of the model.
        views: How many.
        height: Of each, in pixels.
        width: Of each, in pixels.
        samples: Paths of light in a pixel.
    """

    furniture: str
    views: int
    height: int
    width: int
    samples: int


def take_photographs(order: Order, folder: Path) -> None:
    """Write images, masks and ``truth.json``; those that are there already are kept.

    Raises:
        FileNotFoundError: If there is no furniture.
        RuntimeError: If Mitsuba is not installed.
        ValueError: If there are photographs of another order in the folder.
    """
    mesh = furniture_model(order.furniture)
    if mesh is None:
        raise FileNotFoundError(f"Debian's sweethome3d-furniture is wanted in {FURNITURE}")
    around = photographers_around(order.views)
    _write_truth(order, around, folder)
    for name in ("images", "masks"):
        (folder / name).mkdir(exist_ok=True)
    left = [i for i in range(order.views) if not (folder / "masks" / f"{i:03}.png").exists()]
    size = {"height": order.height, "width": order.width, "samples": order.samples}
    with make_progress() as progress:
        task = progress.add_task("photographs", total=len(left), loss="")
        for i, (photo, mask) in zip(left, photograph(mesh.normalized(), around, left, **size)):
            write_picture(folder / "images" / f"{i:03}.png", photo / 255)
            write_picture(folder / "masks" / f"{i:03}.png", mask / 255)
            progress.advance(task)


def read_truth(folder: Path) -> dict[str, NDArray[np.float64]]:
    """Read rotations (N, 3, 3) and places (N, 3) of the cameras, by names of pictures."""
    frames = json.loads((folder / "truth.json").read_text())["frames"]
    return {name: np.array(pose) for name, pose in frames.items()}


def _write_truth(order: Order, around: Photographers, folder: Path) -> None:
    path = folder / "truth.json"
    if path.exists():
        made = json.loads(path.read_text())["order"]
        if made != asdict(order):
            raise ValueError(f"{str(folder)!r} has photographs of another order: {made}")
        return
    folder.mkdir(parents=True, exist_ok=True)
    rotation, translation, *_ = sr.camera_to_opencv(around.camera, order.height, order.width)
    poses = np.concatenate([np.asarray(rotation), np.asarray(translation)[..., None]], axis=2)
    write_json(path, {"order": asdict(order), "frames": _named(poses)})


def _named(poses: NDArray[np.float64]) -> dict[str, Any]:
    return {f"{i:03}.png": pose for i, pose in enumerate(poses)}
