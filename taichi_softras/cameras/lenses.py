"""Lenses: from the view frame to normalised device coordinates (NDC)."""

import math
from dataclasses import dataclass
from typing import Any, ClassVar, Protocol

import numpy as np

from taichi_softras.arrays.bridge import is_array
from taichi_softras.arrays.checks import check_arrays
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

DISTORTION_COUNTS = (4, 5, 8, 12, 14)
"""How many distortion coefficients OpenCV gives."""

FISHEYE_COUNTS = (4,)
"""How many it gives for fisheye lenses."""

LARGEST_NOISE = 1e-6
"""How far from 0 what is 0 in an intrinsic matrix may be, relative to 1 or to the focal length."""


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
        return make_matrices(orthographic_kernel, arrays, aspect)

    def distortion_coefficients(self, like: Array) -> None:
        """There is no distortion."""


class _PixelLens:
    """A lens that is given by OpenCV's intrinsic matrix, for images of one size."""

    matrix: Any
    height: int
    width: int

    def _check(self) -> None:
        keep_checked(self, ("height", "width"), check_integer, at_least=1)
        keep_numbers(self, matrix=(3, 3))
        if not is_array(self.matrix):
            object.__setattr__(self, "matrix", _tidy_matrix(self.matrix))

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
        return make_matrices(intrinsics_kernel, arrays, float(self.height), float(self.width))


@dataclass(frozen=True)
class Intrinsics(_PixelLens):
    """Lenses as OpenCV gives them: by an intrinsic matrix and distortion coefficients.

    Attributes:
        matrix: K = [[fx, skew, cx], [0, fy, cy], [0, 0, 1]], (B or 1, 3, 3), in pixels. The centre
            of the first pixel is at u = v = 0, v is down. Any positive multiple of K is the same
            camera. Gradients reach all nine entries.
        height: Rows of the image that ``matrix`` is for. The camera may draw larger or smaller
            images of the same shape.
        width: Columns of that image.
        distortion: Coefficients, (B or 1, N), or None. Numbers may also be (N, 1), as OpenCV gives
            them. N is 4, 5, 8, 12 or 14, for k1, k2, p1, p2; then k3; then k4, k5, k6; then s1, s2,
            s3, s4; then the angles in radians by which the sensor is tilted about x and y. Vertices
            are moved, edges between them stay straight. As in OpenCV, the polynomials are taken
            beyond the image too, where strong ones may fold what is far outside back into it.

    Raises:
        TypeError: If the height or the width is no integer.
        ValueError: If they are not positive; or if plain numbers are not finite or of another
            shape, or the matrix has a focal length that is not above 0, or other zeros and ones
            than above, but for rounding.

    Source:
        OpenCV, "Camera Calibration and 3D Reconstruction", ``projectPoints``.
    """

    matrix: Any
    height: int
    width: int
    distortion: Any = None
    orthographic: ClassVar[bool] = False
    fisheye: ClassVar[bool] = False

    def __post_init__(self) -> None:
        self._check()
        if self.distortion is not None:
            _keep_distortion(self, DISTORTION_COUNTS)

    def distortion_coefficients(self, like: Array) -> Array | None:
        """See `Lens.distortion_coefficients`."""
        return None if self.distortion is None else _distortion_array(self, like, DISTORTION_COUNTS)


@dataclass(frozen=True)
class Fisheye(_PixelLens):
    """Fisheye lenses as OpenCV gives them: distances from the middle grow with angles.

    A point at the angle t from the axis is shown at the distance t (1 + k1 t^2 + k2 t^4 + k3 t^6 +
    k4 t^8) from the middle, in units of the focal length. It must be in front of the camera: t is
    under 90 degrees.

    Attributes:
        matrix: K, (B or 1, 3, 3), in pixels, as in `Intrinsics`.
        height: Rows of the image that ``matrix`` is for.
        width: Columns of that image.
        distortion: k1, k2, k3 and k4, (B or 1, 4). Numbers may also be (4, 1).

    Raises:
        TypeError: As `Intrinsics` does.
        ValueError: As `Intrinsics` does.

    Source:
        OpenCV, "Fisheye camera model", ``fisheye.projectPoints``; COLMAP's ``OPENCV_FISHEYE``.
    """

    matrix: Any
    height: int
    width: int
    distortion: Any = (0.0, 0.0, 0.0, 0.0)
    orthographic: ClassVar[bool] = False
    fisheye: ClassVar[bool] = True

    def __post_init__(self) -> None:
        self._check()
        _keep_distortion(self, FISHEYE_COUNTS)

    def distortion_coefficients(self, like: Array) -> Array:
        """See `Lens.distortion_coefficients`."""
        return _distortion_array(self, like, FISHEYE_COUNTS)


def _tidy_matrix(matrix: np.ndarray) -> np.ndarray:
    """Check intrinsic matrices (B, 3, 3), and undo what scaling and rounding have done to them."""
    scales = matrix[:, 2:, 2:]
    with np.errstate(divide="ignore", invalid="ignore"):
        tidy: np.ndarray = matrix / scales
    noise = np.abs(tidy[:, [1, 2, 2], [0, 0, 1]]) / np.stack(
        [np.abs(tidy[:, 1, 1]), *np.ones((2, len(matrix)))], axis=1
    )
    focal_lengths = tidy[:, [0, 1], [0, 1]]
    if not ((scales > 0).all() and (focal_lengths > 0).all() and (noise < LARGEST_NOISE).all()):
        raise ValueError(
            "matrix must be [[fx, skew, cx], [0, fy, cy], [0, 0, 1]], or a positive multiple, with "
            f"fx and fy above 0, got {matrix.tolist()}"
        )
    tidy[:, [1, 2, 2], [0, 0, 1]] = 0
    return tidy


def _keep_distortion(lens: Any, counts: tuple[int, ...]) -> None:
    """Turn a lens's coefficients, if they are plain numbers, into (B, N), N one of ``counts``."""
    value = lens.distortion
    if is_array(value):
        return
    numbers = np.asarray(value, dtype=float)
    if numbers.ndim > 1 and numbers.shape[-1] == 1:
        numbers = numbers[..., 0]
    rows = np.atleast_2d(numbers)
    if rows.ndim != 2 or rows.shape[1] not in counts or not np.isfinite(rows).all():
        raise ValueError(
            f"distortion must be {either(counts)} finite numbers, or (B, as many), got {value!r}"
        )
    object.__setattr__(lens, "distortion", rows)


def _distortion_array(lens: Any, like: Array, counts: tuple[int, ...]) -> Array:
    """Take a lens's coefficients as an array; check how many there are."""
    shape = tuple(lens.distortion.shape)
    if not shape or shape[-1] not in counts:
        raise ValueError(f"distortion must have shape (B or 1, {either(counts)}), got {shape}")
    return attribute_arrays(lens, like, distortion=shape[-1:])[0]


def either(counts: tuple[int, ...]) -> str:
    """Name several numbers, as in "4, 5 or 8"."""
    *most, last = map(str, counts)
    return f"{', '.join(most)} or {last}" if most else last


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
