"""Lenses: from the view frame to normalised device coordinates (NDC)."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any, ClassVar, Protocol

import numpy as np

from taichi_softras.arrays.checks import check_arrays
from taichi_softras.arrays.operator import Array
from taichi_softras.arrays.reprs import short_repr
from taichi_softras.cameras._attributes import (
    attribute_matrices,
    keep_number,
    make_matrices,
)
from taichi_softras.cameras.kernels.lenses import (
    orthographic_kernel,
    perspective_kernel,
)


class Lens(Protocol):
    """How cameras take what is in front of them to the image."""

    @property
    def orthographic(self) -> bool:
        """Whether rays are parallel: x and y in NDC don't depend on depth."""

    def projection_matrix(self, like: Array, aspect: float) -> Array:
        """Make the matrices from the view frame to clip coordinates, (B or 1, 4, 4).

        x and y are divided by the fourth row's result; the third row is not used.

        Args:
            like: An array of the framework, device and floating-point type wanted.
            aspect: Width of the image over its height.
        """

    def distortion_coefficients(self, like: Array) -> Array | None:
        """Give OpenCV's coefficients, (B or 1, 4, 5, 8, 12 or 14), or None: straight lines stay so.

        They are those of `Intrinsics`; or of `Fisheye`, if the lens has an attribute ``fisheye``
        that is true. A lens without one has the former.
        """


@dataclass(frozen=True)
class Perspective:
    """Lenses given by their field of view.

    Attributes:
        fov_degrees: Vertical field of view, from the bottom to the top of the image, (B or 1,).
            Above 0, under 180.

    Raises:
        ValueError: If plain numbers are not.

    Examples:
        >>> import taichi_softras as sr
        >>> sr.PosedCamera(sr.LookAt(eye=(0, 0, 3)), sr.Perspective(fov_degrees=60)).orthographic
        False
    """

    fov_degrees: Any = 30.0
    orthographic: ClassVar[bool] = False

    __repr__ = short_repr

    def __post_init__(self) -> None:
        keep_number(
            self, "fov_degrees", "above 0 and under 180", lambda fov: (fov > 0) & (fov < 180)
        )

    def projection_matrix(self, like: Array, aspect: float) -> Array:
        """See `Lens.projection_matrix`."""
        constants = aspect, math.pi / 360
        return attribute_matrices(self, like, perspective_kernel, *constants, fov_degrees=())

    def distortion_coefficients(self, like: Array) -> None:
        """There is no distortion."""


@dataclass(frozen=True)
class Orthographic:
    """Lenses that look along parallel rays.

    Attributes:
        half_height: From the middle to the top of the image, in world units, (B or 1,). Above 0.

    Raises:
        ValueError: If plain numbers are not.

    Examples:
        >>> import taichi_softras as sr
        >>> camera = sr.PosedCamera(sr.LookAt(eye=(0, 0, 3)), sr.Orthographic(half_height=2.0))
        >>> vertices = sr.from_numpy(np.float32([[[1, 0, 0]]]))
        >>> sr.project(vertices, camera, aspect=1.0).to_numpy()[0, 0].tolist()
        [0.5, 0.0, 3.0]
    """

    half_height: Any = 1.0
    orthographic: ClassVar[bool] = True

    __repr__ = short_repr

    def __post_init__(self) -> None:
        keep_number(self, "half_height", "finite and above 0", lambda x: (x > 0) & np.isfinite(x))

    def projection_matrix(self, like: Array, aspect: float) -> Array:
        """See `Lens.projection_matrix`."""
        return attribute_matrices(self, like, orthographic_kernel, aspect, half_height=())

    def distortion_coefficients(self, like: Array) -> None:
        """There is no distortion."""


def perspective(fov_degrees: Array, aspect: float) -> Array:
    """Make projection matrices of perspective cameras.

    Args:
        fov_degrees: Vertical fields of view, (B,), above 0 and under 180.
        aspect: Width of the image over its height.

    Returns:
        View to clip coordinates, (B, 4, 4). The third row keeps the depth.

    Examples:
        >>> import numpy as np, taichi_softras as sr
        >>> sr.perspective(sr.from_numpy(np.float32([90, 45])), aspect=1.0).shape
        (2, 4, 4)
    """
    check_arrays(fov_degrees=(fov_degrees, "(B,)"))
    return make_matrices(perspective_kernel, (fov_degrees,), aspect, math.pi / 360)
