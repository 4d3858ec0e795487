"""Lenses: from the view frame to normalised device coordinates (NDC)."""

import math
from dataclasses import dataclass
from typing import Any, ClassVar, Protocol

import numpy as np

from taichi_softras.arrays.bridge import dtype_of, is_array
from taichi_softras.arrays.checks import check_array
from taichi_softras.arrays.operator import Array
from taichi_softras.arrays.options import check_integer, keep_checked
from taichi_softras.cameras._attributes import (
    attribute_arrays,
    keep_number,
    keep_numbers,
    make_matrices,
)
from taichi_softras.cameras.kernels.lenses import (
    intrinsics_kernel,
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
        """Give OpenCV's k1, k2, p1, p2 and k3, (B or 1, 5), or None: straight lines stay so."""


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
        (fov_degrees,) = attribute_arrays(self, like, fov_degrees=())
        return perspective(fov_degrees, aspect)

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
        arrays = attribute_arrays(self, like, half_height=())
        return make_matrices(orthographic_kernel(dtype_of(like)), arrays, like, aspect)

    def distortion_coefficients(self, like: Array) -> None:
        """There is no distortion."""


@dataclass(frozen=True)
class Intrinsics:
    """Lenses as OpenCV gives them: by an intrinsic matrix and distortion coefficients.

    Attributes:
        matrix: K = [[fx, skew, cx], [0, fy, cy], [0, 0, 1]], (B or 1, 3, 3), in pixels. The centre
            of the first pixel is at u = v = 0, v is down. Gradients reach all nine entries.
        height: Rows of the image that ``matrix`` is for. The camera may draw larger or smaller
            images of the same shape.
        width: Columns of that image.
        distortion: k1, k2, p1, p2 and k3, (B or 1, 5), or None. Vertices are moved, edges between
            them stay straight. As in OpenCV, the polynomials are taken beyond the image too, where
            strong ones may fold what is far outside back into it.

    Raises:
        TypeError: If the height or the width is no integer.
        ValueError: If they are not positive; or if plain numbers are not finite, or the matrix has
            a focal length that is not above 0, or other zeros and ones than above.

    Source:
        OpenCV, "Camera Calibration and 3D Reconstruction", ``projectPoints``.
    """

    matrix: Any
    height: int
    width: int
    distortion: Any = None
    orthographic: ClassVar[bool] = False

    def __post_init__(self) -> None:
        keep_checked(self, ("height", "width"), check_integer, at_least=1)
        keep_numbers(self, matrix=(3, 3))
        if self.distortion is not None:
            keep_numbers(self, distortion=(5,))
        if not is_array(self.matrix):
            matrix = self.matrix
            focal_lengths = matrix[:, [0, 1], [0, 1]]
            fixed = np.concatenate([matrix[:, 1, 0], matrix[:, 2].ravel()])
            expected = np.concatenate([np.zeros(len(matrix)), np.tile([0, 0, 1], len(matrix))])
            if not (focal_lengths > 0).all() or not (fixed == expected).all():
                raise ValueError(
                    "matrix must be [[fx, skew, cx], [0, fy, cy], [0, 0, 1]] with fx and fy "
                    f"above 0, got {matrix.tolist()}"
                )

    def projection_matrix(self, like: Array, aspect: float) -> Array:
        """See `Lens.projection_matrix`.

        Raises:
            ValueError: If ``aspect`` is not that of the image that ``matrix`` is for.
        """
        if not math.isclose(aspect, self.width / self.height, rel_tol=1e-6):
            raise ValueError(
                f"these intrinsics are for images of {self.width} x {self.height} pixels: aspect "
                f"must be {self.width / self.height:.6g}, got {aspect:.6g}"
            )
        arrays = attribute_arrays(self, like, matrix=(3, 3))
        kernel = intrinsics_kernel(dtype_of(like))
        return make_matrices(kernel, arrays, like, float(self.height), float(self.width))

    def distortion_coefficients(self, like: Array) -> Array | None:
        """See `Lens.distortion_coefficients`."""
        return None if self.distortion is None else attribute_arrays(self, like, distortion=(5,))[0]


def perspective(fov_degrees: Array, aspect: float) -> Array:
    """Make projection matrices of perspective cameras.

    Args:
        fov_degrees: Vertical fields of view, (B,), above 0 and under 180.
        aspect: Width of the image over its height.

    Returns:
        View to clip coordinates, (B, 4, 4). The third row keeps the depth.
    """
    check_array("fov_degrees", fov_degrees, ("B",))
    kernel = perspective_kernel(dtype_of(fov_degrees))
    return make_matrices(kernel, (fov_degrees,), fov_degrees, aspect, math.pi / 360)
