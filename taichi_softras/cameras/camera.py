"""Cameras: a pose and a lens at once."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Protocol

from taichi_softras.arrays.bridge import is_array
from taichi_softras.arrays.operator import Array
from taichi_softras.arrays.reprs import short_repr
from taichi_softras.cameras._attributes import (
    attribute_arrays,
    keep_finite,
    keep_made,
    keep_numbers,
)
from taichi_softras.cameras.lenses import Lens, Perspective
from taichi_softras.cameras.poses import LookAt, Pose


class Camera(Pose, Lens, Protocol):
    """Anything that is a pose and a lens at once."""


class _PoseAndLens:
    """A camera that has its pose and its lens from others."""

    pose: Pose
    lens: Lens

    @property
    def orthographic(self) -> bool:
        """See `Lens.orthographic`."""
        return self.lens.orthographic

    @property
    def fisheye(self) -> bool:
        """See `Lens.distortion_coefficients`."""
        return bool(getattr(self.lens, "fisheye", False))

    def view_matrix(self, like: Array) -> Array:
        """See `Pose.view_matrix`."""
        return self.pose.view_matrix(like)

    def projection_matrix(self, like: Array, aspect: float) -> Array:
        """See `Lens.projection_matrix`."""
        return self.lens.projection_matrix(like, aspect)

    def distortion_coefficients(self, like: Array) -> Array | None:
        """See `Lens.distortion_coefficients`."""
        return self.lens.distortion_coefficients(like)


@dataclass(frozen=True)
class PosedCamera(_PoseAndLens):
    """Cameras made of a pose and a lens: B of each, or 1 for all.

    Attributes:
        pose: `LookAt`, `Look`, `Extrinsics`, or anything else that has a view matrix.
        lens: `Perspective`, `Orthographic`, `Intrinsics`, `Fisheye`, or anything else that
            projects.

    Examples:
        >>> import taichi_softras as sr
        >>> pose = sr.Look(eye=(0, 0, 5), direction=(0, 0, -1))
        >>> camera = PosedCamera(pose, sr.Orthographic(2.0))
        >>> camera.orthographic
        True
    """

    pose: Pose
    lens: Lens

    __repr__ = short_repr


@dataclass(frozen=True)
class LookAtCamera(_PoseAndLens):
    """Perspective cameras that look at a point: a `LookAt` and a `Perspective` in one.

    Attributes:
        eye: Where the camera is, in the world, (B or 1, 3).
        at: What it looks at, (B or 1, 3). Not where ``eye`` is.
        up: The direction that is up in the image, (B or 1, 3). Not parallel to the line of sight.
        fov_degrees: Vertical field of view, from the bottom to the top of the image, (B or 1,).
            Above 0, under 180.

    Raises:
        ValueError: If plain numbers are not finite, or break a rule above.

    Examples:
        >>> import taichi_softras as sr
        >>> camera = sr.LookAtCamera(eye=[(0, 0, 3), (3, 0, 0)], fov_degrees=45)  # two
        >>> sr.project(sr.cube().to_taichi()[0], camera, aspect=1.0).shape
        (2, 8, 3)
    """

    eye: Any
    at: Any = (0.0, 0.0, 0.0)
    up: Any = (0.0, 1.0, 0.0)
    fov_degrees: Any = 30.0
    pose: LookAt = field(init=False, repr=False, compare=False)
    lens: Perspective = field(init=False, repr=False, compare=False)

    __repr__ = short_repr

    def __post_init__(self) -> None:
        pose, lens = LookAt(self.eye, self.at, self.up), Perspective(self.fov_degrees)
        parts = {"pose": pose, "lens": lens}
        for name, value in (vars(pose) | vars(lens) | parts).items():
            object.__setattr__(self, name, value)


@dataclass(frozen=True)
class MatrixCamera:
    """Cameras given by their matrices.

    Attributes:
        view: World to view, (B or 1, 4, 4). The view frame is x right, y up, z forward. The last
            row is not used.
        projection: View to clip coordinates, (B or 1, 4, 4): x and y are divided by the fourth
            row's result, the third row is not used.
        orthographic: Whether that result is the same everywhere.

    Raises:
        ValueError: If plain numbers are not finite.

    Examples:
        >>> import numpy as np, taichi_softras as sr
        >>> view = np.eye(4)
        >>> view[2, 3] = 5  # five units in front of the camera
        >>> projection = np.diag([2.0, 2.0, 1.0, 0.0])
        >>> projection[3, 2] = 1  # x and y are divided by depth
        >>> vertices = sr.from_numpy(np.float32([[[1, 0, 0]]]))
        >>> camera = sr.MatrixCamera(view, projection)
        >>> sr.project(vertices, camera, aspect=1.0).to_numpy()
        array([[[0.4, 0. , 5. ]]], dtype=float32)
    """

    view: Any
    projection: Any
    orthographic: bool = False

    __repr__ = short_repr

    def __post_init__(self) -> None:
        keep_numbers(self, view=(4, 4), projection=(4, 4))

    def view_matrix(self, like: Array) -> Array:
        """See `Pose.view_matrix`."""
        return self._matrix(like, "view")

    def projection_matrix(self, like: Array, aspect: float) -> Array:
        """See `Lens.projection_matrix`; ``aspect`` is part of the projection already."""
        return self._matrix(like, "projection")

    def distortion_coefficients(self, like: Array) -> None:
        """There is no distortion."""

    def _matrix(self, like: Array, name: str) -> Array:
        def make() -> Array:
            return attribute_arrays(self, like, **{name: (4, 4)})[0]

        matrix = keep_made(self, like, (), make, name)
        return keep_finite(matrix) if is_array(getattr(self, name)) else matrix
