"""Sets of objects, seen from 24 sides and as voxels, in the files of Neural Mesh Renderer.

A folder has two files for each class and split ("train", "val", "test"):

- ``CLASS_SPLIT_images.npz``: ``arr_0``, (N, 24, 4, 64, 64) bytes, red, green, blue and alpha, over
  black. View k is at azimuth -15 k degrees, elevation 30 degrees, distance 2.732, through a lens of
  30 degrees.
- ``CLASS_SPLIT_voxels.npz``: ``arr_0``, (N, 32, 32, 32), ordered y, x, z, of the unit box.

So are the renderings of ShapeNet that SoftRas was trained with (NMR's, of 13 classes with names
such as 02691156), and so is what ``build_dataset.py`` writes. SoftRas's world is left-handed: its
z axis is ours reversed, which makes the order of voxels the one above, and view k's azimuth ours.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch

import taichi_softras as sr

SPLITS = ("train", "val", "test")
NUM_VIEWS = 24
IMAGE_SIZE = 64
RESOLUTION = 32
DISTANCE = 2.732
ELEVATION = 30.0
FOV = 30.0


def azimuths() -> np.ndarray:
    """Angles of the 24 views, in degrees, (24,)."""
    return -360.0 / NUM_VIEWS * np.arange(NUM_VIEWS)


def camera_eyes() -> np.ndarray:
    """Positions of the 24 cameras, (24, 3); all look at the origin."""
    return np.asarray(sr.orbit_eyes(DISTANCE, ELEVATION, azimuths()))


def settings(sigma: float, size: int = IMAGE_SIZE) -> sr.RasterizerSettings:
    """How the views are drawn: the depth range is close round the unit box."""
    return sr.RasterizerSettings(
        height=size,
        width=size,
        near=DISTANCE - 1,
        far=DISTANCE + 1,
        sigma=sigma,
    )


@dataclass(frozen=True, eq=False)
class Objects:
    """The objects of one split.

    Attributes:
        images: (N, 24, 4, 64, 64) bytes.
        voxels: (N, 32, 32, 32) of bool, ordered x, y, z.
        labels: (N,), index of the class.
        class_names: As in the files' names.
    """

    images: np.ndarray
    voxels: np.ndarray
    labels: np.ndarray
    class_names: tuple[str, ...]

    def __len__(self) -> int:
        return len(self.labels)


def find_classes(folder: Path) -> tuple[str, ...]:
    """Name the classes that a folder has images of, sorted.

    Raises:
        FileNotFoundError: If there are none.
    """
    suffix = "_train_images.npz"
    names = sorted(path.name.removesuffix(suffix) for path in folder.glob(f"*{suffix}"))
    if not names:
        raise FileNotFoundError(f"data must be a folder with *{suffix} files, got {folder}")
    return tuple(names)


def load(folder: Path, split: str, class_names: Sequence[str] | None = None) -> Objects:
    """Load the objects of a split, class by class.

    Raises:
        FileNotFoundError: If a file is missing.
        ValueError: If an array is of another shape.
    """
    class_names = tuple(class_names or find_classes(folder))
    images, voxels, labels = [], [], []
    for label, name in enumerate(class_names):
        seen = _array(folder / f"{name}_{split}_images.npz", (NUM_VIEWS, 4, IMAGE_SIZE, IMAGE_SIZE))
        solid = _array(folder / f"{name}_{split}_voxels.npz", (RESOLUTION,) * 3)
        if len(seen) != len(solid):
            raise ValueError(
                f"{name}: there must be as many voxels as images, got {len(solid)} and {len(seen)}"
            )
        images.append(seen.astype(np.uint8, copy=False))
        voxels.append(solid.astype(bool).transpose(0, 2, 1, 3))
        labels.append(np.full(len(seen), label))
    return Objects(
        np.concatenate(images), np.concatenate(voxels), np.concatenate(labels), class_names
    )


def _array(path: Path, shape: tuple[int, ...]) -> np.ndarray:
    with np.load(path) as content:
        array = np.asarray(content[content.files[0]])
    if array.shape[1:] != shape:
        raise ValueError(
            f"{path.name} must hold (N, {', '.join(map(str, shape))}), got {array.shape}"
        )
    return array


@dataclass(frozen=True, eq=False)
class Batch:
    """Objects, each seen from two sides.

    Attributes:
        images: (2, B, 4, 64, 64), 0 to 1.
        views: (2, B), numbers of the views.
    """

    images: torch.Tensor
    views: np.ndarray

    def part(self, rank: int, num_parts: int) -> "Batch":
        """Take one of several equal parts of the objects."""
        return Batch(self.images[:, rank::num_parts], self.views[:, rank::num_parts])


def draw_batch(objects: Objects, size: int, seed: int, step: int, *, mirror: bool) -> Batch:
    """Draw objects and two different views of each, at random.

    A batch is told by seed and step alone, so that training which is resumed, or shared by
    several processes, sees the same as one that is not.

    Args:
        objects: To draw from, with equal chances for all.
        size: How many objects.
        seed: Of the whole training.
        step: Of the training.
        mirror: Whether half of the objects are mirrored, left for right: the picture from the
            other side, reversed.
    """
    rng = np.random.default_rng((seed, step))
    chosen = rng.integers(len(objects), size=size)
    first = rng.integers(NUM_VIEWS, size=size)
    views = np.stack([first, (first + rng.integers(1, NUM_VIEWS, size=size)) % NUM_VIEWS])
    images = objects.images[chosen, views]  # (2, B, 4, 64, 64)
    if mirror:
        flipped = rng.random(size) < 0.5
        images = np.where(flipped[:, None, None, None], images[..., ::-1], images)
        views = np.where(flipped, -views % NUM_VIEWS, views)
    return Batch(torch.from_numpy(images / np.float32(255)), views)
