"""Poses: from the world to the view frame of a camera."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import Any, Protocol

import numpy as np

from taichi_softras.arrays.bridge import is_array
from taichi_softras.arrays.operator import Array
from taichi_softras.arrays.reprs import short_repr
from taichi_softras.cameras._attributes import attribute_matrices, keep_numbers
from taichi_softras.cameras.kernels.poses import extrinsics_kernel, look_kernel

LARGEST_ROTATION_ERROR = 1e-3
"""How far rows of a rotation given as numbers may be from orthonormal: files round them."""


class Pose(Protocol):
    """Where cameras are, and how they are turned."""

    def view_matrix(self, like: Array) -> Array:
        """Make the matrices from the world to the view frame, (B or 1, 4, 4).

        Args:
            like: An array of the framework, device and floating-point type wanted.
        """


@dataclass(frozen=True)
class LookAt:
    """Poses of cameras that look at a point.

    Attributes:
        eye: Where the camera is, in the world, (B or 1, 3).
        at: What it looks at, (B or 1, 3). Not where ``eye`` is.
        up: The direction that is up in the image, (B or 1, 3). Not parallel to the line of sight.

    Raises:
        ValueError: If plain numbers are not finite, or break a rule above.

    Source:
        The rotation of ``gluLookAt``, with z forward instead of backward. SoftRas's ``look_at``
        takes worlds as left-handed, so that its images of right-handed ones are mirrored.

    Examples:
        >>> import taichi_softras as sr
        >>> pose = sr.LookAt(eye=(0, 0, 5))
        >>> pose.view_matrix(sr.cube().to_taichi()[0]).to_numpy()[0, 2]  # depth of a point
        array([ 0.,  0., -1.,  5.], dtype=float32)
    """

    eye: Any
    at: Any = (0.0, 0.0, 0.0)
    up: Any = (0.0, 1.0, 0.0)

    __repr__ = short_repr

    def __post_init__(self) -> None:
        keep_numbers(self, eye=(3,), at=(3,), up=(3,))
        eye, at, up = self.eye, self.at, self.up
        if not any(map(is_array, (eye, at, up))) and not _span_a_plane(at - eye, up):
            raise ValueError(
                "eye and at must differ, and up must not be parallel to the line between them, "
                f"got eye={eye.tolist()}, at={at.tolist()}, up={up.tolist()}"
            )

    def view_matrix(self, like: Array) -> Array:
        """See `Pose.view_matrix`."""
        build = partial(look_kernel, at_point=True)
        return attribute_matrices(self, like, build, eye=(3,), at=(3,), up=(3,))


@dataclass(frozen=True)
class Look:
    """Poses of cameras that look in a direction.

    Attributes:
        eye: Where the camera is, in the world, (B or 1, 3).
        direction: Where it looks, (B or 1, 3), of any length but 0.
        up: The direction that is up in the image, (B or 1, 3). Not parallel to ``direction``.

    Raises:
        ValueError: If plain numbers are not finite, or break a rule above.

    Examples:
        >>> import taichi_softras as sr
        >>> pose = sr.Look(eye=(0, 0, 5), direction=(0, 0, -1))
        >>> pose.view_matrix(sr.cube().to_taichi()[0]).to_numpy()[0, 2]  # depth of a point
        array([ 0.,  0., -1.,  5.], dtype=float32)
    """

    eye: Any
    direction: Any
    up: Any = (0.0, 1.0, 0.0)

    __repr__ = short_repr

    def __post_init__(self) -> None:
        keep_numbers(self, eye=(3,), direction=(3,), up=(3,))
        direction, up = self.direction, self.up
        if not any(map(is_array, (direction, up))) and not _span_a_plane(direction, up):
            raise ValueError(
                "direction must not be zero, and up must not be parallel to it, "
                f"got direction={direction.tolist()}, up={up.tolist()}"
            )

    def view_matrix(self, like: Array) -> Array:
        """See `Pose.view_matrix`."""
        build = partial(look_kernel, at_point=False)
        return attribute_matrices(self, like, build, eye=(3,), direction=(3,), up=(3,))


@dataclass(frozen=True)
class Extrinsics:
    """Poses as OpenCV and COLMAP give them: a point is at ``rotation @ point + translation``.

    There x is right, y *down* and z forward.

    Attributes:
        rotation: From the world to OpenCV's frame of the camera, (B or 1, 3, 3).
        translation: Where the origin of the world is in that frame, (B or 1, 3). Numbers may also
            be (3, 1), as OpenCV gives them.

    Raises:
        ValueError: If plain numbers are not finite, or no rotation.

    Examples:
        >>> import numpy as np, taichi_softras as sr
        >>> pose = sr.Extrinsics(np.eye(3), (0, 0, 5))
        >>> pose.view_matrix(sr.cube().to_taichi()[0]).to_numpy()[0].astype(int).tolist()  # y is up
        [[1, 0, 0, 0], [0, -1, 0, 0], [0, 0, 1, 5], [0, 0, 0, 1]]
    """

    rotation: Any
    translation: Any = (0.0, 0.0, 0.0)

    __repr__ = short_repr

    def __post_init__(self) -> None:
        keep_numbers(self, rotation=(3, 3), translation=(3,))
        if not is_array(self.rotation):
            product = self.rotation @ np.swapaxes(self.rotation, 1, 2)
            error = np.abs(product - np.eye(3)).max(initial=0.0)
            if error > LARGEST_ROTATION_ERROR or not (np.linalg.det(self.rotation) > 0).all():
                raise ValueError(
                    "rotation must have orthonormal rows and determinant 1, "
                    f"got {self.rotation.tolist()}"
                )

    def view_matrix(self, like: Array) -> Array:
        """See `Pose.view_matrix`."""
        shapes: dict[str, Any] = {"rotation": (3, 3), "translation": (3,)}
        return attribute_matrices(self, like, extrinsics_kernel, **shapes)


def _span_a_plane(u: np.ndarray, v: np.ndarray) -> bool:
    """Tell whether neither of two directions is zero, nor one parallel to the other."""
    sideways = np.linalg.norm(np.cross(u, v), axis=1)
    lengths = np.linalg.norm(u, axis=1) * np.linalg.norm(v, axis=1)
    return bool((sideways > 1e-6 * lengths).all())
