"""Lenses: from the view frame to normalised device coordinates (NDC)."""

import math
from dataclasses import dataclass
from typing import Any, ClassVar, Protocol

import numpy as np

from taichi_softras.arrays.checks import check_arrays
from taichi_softras.arrays.operator import Array
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
    """

    fov_degrees: Any = 30.0
    orthographic: ClassVar[bool] = False

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
    """

    half_height: Any = 1.0
    orthographic: ClassVar[bool] = True

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
    """
    check_arrays(fov_degrees=(fov_degrees, "(B,)"))
    return make_matrices(perspective_kernel, (fov_degrees,), aspect, math.pi / 360)
