"""What the files of a folder say of one photograph, before it is read."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from taichi_softras.cameras.poses import LARGEST_ROTATION_ERROR
from taichi_softras.files.photographs import SUFFIXES

SAME_SHAPE = 0.01
"""How much height and width may be scaled differently in a picture that was made smaller."""


@dataclass(frozen=True, eq=False)
class Shot:
    """One photograph and its camera, as files give them.

    Attributes:
        name: What the files call the picture.
        path: Where it is.
        rotation: From the world to OpenCV's frame of the camera, (3, 3).
        translation: Where the origin of the world is in that frame, (3,).
        matrix: OpenCV's intrinsic matrix, (3, 3); the centre of the first pixel is at 0.
        size: Height and width of the picture that ``matrix`` is for.
        distortion: OpenCV's coefficients; none if there is no distortion.
        fisheye: Whether they are those of a fisheye lens.
        mask: Where its mask is, if the files say so.
    """

    name: str
    path: Path
    rotation: NDArray[np.float64]
    translation: NDArray[np.float64]
    matrix: NDArray[np.float64]
    size: tuple[int, int]
    distortion: tuple[float, ...] = ()
    fisheye: bool = False
    mask: Path | None = None

    def __post_init__(self) -> None:
        numbers = (self.rotation, self.translation, self.matrix, np.array(self.distortion))
        if not all(np.isfinite(x).all() for x in numbers):
            raise ValueError(f"the camera of picture {self.name!r} must be finite")
        error = np.abs(self.rotation @ self.rotation.T - np.eye(3)).max()
        if error > LARGEST_ROTATION_ERROR or np.linalg.det(self.rotation) < 0:
            raise ValueError(
                f"the camera of picture {self.name!r} must have a rotation, "
                f"got {self.rotation.tolist()}"
            )
        if not (self.matrix[[0, 1], [0, 1]] > 0).all():
            raise ValueError(
                f"the camera of picture {self.name!r} must have focal lengths above 0, "
                f"got {self.matrix[0, 0]:g} and {self.matrix[1, 1]:g}"
            )

    @property
    def is_distorted(self) -> bool:
        """Whether straight lines of the world are bent."""
        return self.fisheye or any(self.distortion)

    def scaled(self, height: int, width: int) -> Shot:
        """The shot as of a smaller or larger version of the picture.

        Raises:
            ValueError: If that is of another shape.
        """
        along_y, along_x = height / self.size[0], width / self.size[1]
        # Rounding to whole pixels may change the shape by one of them.
        slack = SAME_SHAPE * along_x + 1 / min(self.size)
        if abs(along_y - along_x) > slack:
            raise ValueError(
                f"picture {self.name!r} must have the shape that its camera is for, "
                f"{self.size[1]} x {self.size[0]} pixels, got {width} x {height}"
            )
        scale = np.diag([along_x, along_y, 1.0])
        matrix = from_corner(scale @ to_corner(self.matrix))
        return replace(self, matrix=matrix, size=(height, width))


def from_corner(matrix: NDArray[np.float64]) -> NDArray[np.float64]:
    """Turn an intrinsic matrix whose pixels have their centres at 0.5 into OpenCV's."""
    return matrix - 0.5 * np.array([[0, 0, 1], [0, 0, 1], [0, 0, 0]])


def to_corner(matrix: NDArray[np.float64]) -> NDArray[np.float64]:
    """Turn OpenCV's intrinsic matrix into one whose pixels have their centres at 0.5."""
    return matrix + 0.5 * np.array([[0, 0, 1], [0, 0, 1], [0, 0, 0]])


def intrinsic_matrix(fx: float, fy: float, cx: float, cy: float) -> NDArray[np.float64]:
    """Make [[fx, 0, cx], [0, fy, cy], [0, 0, 1]]."""
    return np.array([[fx, 0.0, cx], [0.0, fy, cy], [0.0, 0.0, 1.0]])


def numbers_of(name: str, value: Any, *shape: int) -> NDArray[np.float64]:
    """Read numbers that a file has.

    Raises:
        ValueError: If they are none, or of another shape.
    """
    try:
        numbers = np.asarray(value, dtype=np.float64)
    except (TypeError, ValueError):
        raise ValueError(f"{name} must be numbers, got {value!r:.60}") from None
    if numbers.shape != shape:
        wanted = " x ".join(map(str, shape)) or "one"
        raise ValueError(f"{name} must be {wanted} numbers, got {value!r:.60}")
    return numbers


def pictures_in(folder: Path) -> list[Path]:
    """List the pictures of a folder, in the order of their names."""
    if not folder.is_dir():
        return []
    return sorted(path for path in folder.iterdir() if path.suffix.lower() in SUFFIXES)
