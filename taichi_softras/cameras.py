"""Cameras: from the world to normalised device coordinates (NDC).

Worlds are right-handed, as in OBJ and glTF files; y is usually up. In the view frame x is right, y
up and z forward, so that depth is positive in front of the camera. In NDC x is right and y up, both
from -1 to 1 over the image whatever its shape, and z is still the view depth.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np

from taichi_softras.bridges import apply, array_like, dtype_of, is_array
from taichi_softras.checks import check_array, check_items
from taichi_softras.kernels.cameras import look_at_kernel, perspective_kernel
from taichi_softras.kernels.vertices import finite_kernel, transform_kernel
from taichi_softras.operators import Array, KernelOperator


class Camera(Protocol):
    """Anything that gives a view matrix and a projection."""

    def matrices(self, like: Array, aspect: float) -> tuple[Array, Array]:
        """Make the camera's matrices.

        Args:
            like: An array of the framework, device and floating-point type wanted.
            aspect: Width of the image over its height.

        Returns:
            World to view, (B, 4, 4), and view to clip coordinates, (B, 4, 4) or (1, 4, 4). The
            third row of the latter is not used: depth is that of the view frame.
        """


@dataclass(frozen=True)
class MatrixCamera:
    """Cameras given by their matrices, which may carry gradients.

    Attributes:
        view: World to view, (B, 4, 4). The view frame is x right, y up, z forward.
        projection: View to clip coordinates, (B or 1, 4, 4): x and y are divided by the fourth
            row's result, the third row is not used.
    """

    view: Array
    projection: Array

    def matrices(self, like: Array, aspect: float) -> tuple[Array, Array]:
        """Check and return the matrices; ``aspect`` is part of the projection already."""
        for name in ("view", "projection"):
            check_array(name, getattr(self, name), ("B or 1", 4, 4), dtype_of(like))
        return self.view, self.projection


@dataclass(frozen=True)
class LookAtCamera:
    """Perspective cameras that look at a point.

    Each attribute is numbers or an array, which may carry a gradient. The first three are of
    shape (B or 1, 3); three plain numbers stand for (1, 3).

    Attributes:
        eye: Where the camera is, in the world.
        at: What it looks at. Not where ``eye`` is.
        up: The direction that is up in the image. Not parallel to the line of sight.
        fov_degrees: Vertical field of view, from the bottom to the top of the image, a number or
            (B or 1,). Above 0, under 180.

    Raises:
        ValueError: If plain numbers are not finite, or break a rule above. Arrays are not looked
            into: where they break one, nothing is drawn.

    Source:
        The rotation of ``gluLookAt``, with z forward instead of backward. SoftRas's ``look_at``
        takes worlds as left-handed, so that its images of right-handed ones are mirrored.
    """

    eye: Any
    at: Any = (0.0, 0.0, 0.0)
    up: Any = (0.0, 1.0, 0.0)
    fov_degrees: Any = 30.0

    def __post_init__(self) -> None:
        for name in ("eye", "at", "up"):
            if not is_array(getattr(self, name)):
                object.__setattr__(self, name, _rows_of_three(name, getattr(self, name)))
        if not is_array(self.fov_degrees):
            fov = np.atleast_1d(np.asarray(self.fov_degrees, dtype=float))
            if fov.ndim != 1 or not ((fov > 0) & (fov < 180)).all():
                raise ValueError(
                    f"fov_degrees must be above 0 and under 180, got {self.fov_degrees!r}"
                )
            object.__setattr__(self, "fov_degrees", fov)
        if not any(is_array(x) for x in (self.eye, self.at, self.up)):
            self._check_direction()

    def _check_direction(self) -> None:
        forward = self.at - self.eye
        sideways = np.cross(forward, self.up)
        lengths = np.linalg.norm(forward, axis=1) * np.linalg.norm(self.up, axis=1)
        if not (np.linalg.norm(sideways, axis=1) > 1e-6 * lengths).all():
            raise ValueError(
                "eye and at must differ, and up must not be parallel to the line between them, "
                f"got eye={self.eye.tolist()}, at={self.at.tolist()}, up={self.up.tolist()}"
            )

    def matrices(self, like: Array, aspect: float) -> tuple[Array, Array]:
        """See `Camera.matrices`."""
        dtype = dtype_of(like)
        eye, at, up = (array_like(x, like) for x in (self.eye, self.at, self.up))
        for name, array in (("eye", eye), ("at", at), ("up", up)):
            check_array(name, array, ("B or 1", 3), dtype)
        num_cameras = check_items(eye=eye, at=at, up=up)
        operator = KernelOperator(look_at_kernel(dtype), dtype, ((num_cameras, 4, 4),))
        (view,) = apply(operator, (eye, at, up))
        return view, perspective(array_like(self.fov_degrees, like), aspect)


def perspective(fov_degrees: Array, aspect: float) -> Array:
    """Make projection matrices of perspective cameras.

    Args:
        fov_degrees: Vertical fields of view, (B,), above 0 and under 180.
        aspect: Width of the image over its height.

    Returns:
        View to clip coordinates, (B, 4, 4). The third row keeps the depth.
    """
    check_array("fov_degrees", fov_degrees, ("B",))
    dtype = dtype_of(fov_degrees)
    shape = (fov_degrees.shape[0], 4, 4)
    constants = (aspect, math.pi / 360)
    operator = KernelOperator(perspective_kernel(dtype), dtype, (shape,), constants)
    (projection,) = apply(operator, (fov_degrees,))
    return projection


def project(vertices: Array, camera: Camera, aspect: float) -> Array:
    """Take vertices from the world to NDC.

    Args:
        vertices: (B or 1, V, 3), in the world.
        camera: One camera or B.
        aspect: Width of the image over its height.

    Returns:
        (B, V, 3): x and y in NDC, and depth. The rasterizer leaves out faces with a depth that is
        not above 0; so vertices that are not finite get depth 0.

    Raises:
        TypeError: If an array is of the wrong kind or type.
        ValueError: If shapes or devices don't fit.
    """
    check_array("vertices", vertices, ("B or 1", "V", 3))
    view, projection = camera.matrices(vertices, aspect)
    num_items = check_items(vertices=vertices, view=view, projection=projection)
    dtype = dtype_of(vertices)
    shape = (num_items, vertices.shape[1], 3)
    operator = KernelOperator(
        transform_kernel(dtype),
        dtype,
        (shape,),
        mask_kernel=finite_kernel(dtype),
        mask_shape=tuple(vertices.shape[:2]),
    )
    (ndc,) = apply(operator, (vertices, view, projection))
    return ndc


def orbit_eyes(
    distance: float, elevation_degrees: float, azimuth_degrees: float | Sequence[float]
) -> np.ndarray:
    """Place cameras on a circle round the origin.

    Args:
        distance: From the origin.
        elevation_degrees: Above the plane of x and z.
        azimuth_degrees: Round the y axis: 0 is on the z axis, 90 on the x axis. One or several.

    Returns:
        (B, 3), in the world; a right-handed one, with y up.

    Example:
        >>> orbit_eyes(2.0, 0.0, [0.0, 90.0]).round(6).tolist()
        [[0.0, 0.0, 2.0], [2.0, 0.0, 0.0]]
    """
    azimuth = np.radians(np.atleast_1d(np.asarray(azimuth_degrees, dtype=float)))
    elevation = math.radians(elevation_degrees)
    height = np.full_like(azimuth, math.sin(elevation))
    x, z = np.sin(azimuth) * math.cos(elevation), np.cos(azimuth) * math.cos(elevation)
    return distance * np.stack([x, height, z], axis=1)


def _rows_of_three(name: str, value: Any) -> np.ndarray:
    rows = np.atleast_2d(np.asarray(value, dtype=float))
    if rows.ndim != 2 or rows.shape[1] != 3 or not np.isfinite(rows).all():
        raise ValueError(f"{name} must be 3 finite numbers, or (B, 3) of them, got {value!r}")
    return rows
