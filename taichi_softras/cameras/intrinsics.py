"""Lenses as OpenCV gives them: an intrinsic matrix in pixels, and distortion."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np

from taichi_softras.arrays.bridge import is_array
from taichi_softras.arrays.operator import Array
from taichi_softras.arrays.options import check_integer, keep_checked
from taichi_softras.arrays.reprs import short_repr
from taichi_softras.cameras._attributes import (
    attribute_arrays,
    attribute_matrices,
    frozen,
    keep_finite,
    keep_made,
    keep_numbers,
)
from taichi_softras.cameras.kernels.lenses import intrinsics_kernel

DISTORTION_COUNTS = (4, 5, 8, 12, 14)
"""How many distortion coefficients OpenCV gives."""

FISHEYE_COUNTS = (4,)
"""How many it gives for fisheye lenses."""

LARGEST_NOISE = 1e-6
"""How far from 0 what is 0 in an intrinsic matrix may be, relative to 1 or to the focal length."""


class _PixelLens:
    """A lens that is given by OpenCV's intrinsic matrix, for images of one size."""

    matrix: Any
    height: int
    width: int
    distortion: Any
    counts: ClassVar[tuple[int, ...]]

    def __post_init__(self) -> None:
        keep_checked(self, ("height", "width"), check_integer, at_least=1)
        keep_numbers(self, matrix=(3, 3))
        if not is_array(self.matrix):
            object.__setattr__(self, "matrix", _tidy_matrix(self.matrix))
        if self.distortion is not None and not is_array(self.distortion):
            object.__setattr__(self, "distortion", _coefficients(self.distortion, self.counts))

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
        size = float(self.height), float(self.width)
        projection = attribute_matrices(self, like, intrinsics_kernel, *size, matrix=(3, 3))
        if is_array(self.distortion):
            projection = keep_finite(projection, self._distortion_array(like))
        return projection

    def distortion_coefficients(self, like: Array) -> Array | None:
        """See `Lens.distortion_coefficients`."""
        if self.distortion is None:
            return None
        array = keep_made(self, like, (), lambda: self._distortion_array(like), "distortion")
        return keep_finite(array) if is_array(self.distortion) else array

    def _distortion_array(self, like: Array) -> Array:
        shape = tuple(self.distortion.shape)
        if not shape or shape[-1] not in self.counts:
            wanted = either(self.counts)
            raise ValueError(f"distortion must have shape (B or 1, {wanted}), got {shape}")
        return attribute_arrays(self, like, distortion=shape[-1:])[0]


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

    Examples:
        >>> import taichi_softras as sr
        >>> K = [[500, 0, 320], [0, 500, 240], [0, 0, 1]]
        >>> lens = sr.Intrinsics(K, height=480, width=640, distortion=(0.1, -0.05, 0, 0))
        >>> camera = sr.PosedCamera(sr.LookAt(eye=(0, 0, 3)), lens)
    """

    matrix: Any
    height: int
    width: int
    distortion: Any = None
    orthographic: ClassVar[bool] = False
    fisheye: ClassVar[bool] = False
    counts: ClassVar[tuple[int, ...]] = DISTORTION_COUNTS

    __repr__ = short_repr


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

    Examples:
        >>> import taichi_softras as sr
        >>> K = [[200, 0, 320], [0, 200, 240], [0, 0, 1]]
        >>> camera = sr.PosedCamera(sr.LookAt(eye=(0, 0, 3)), sr.Fisheye(K, height=480, width=640))
        >>> camera.fisheye
        True
    """

    matrix: Any
    height: int
    width: int
    distortion: Any = (0.0, 0.0, 0.0, 0.0)
    orthographic: ClassVar[bool] = False
    fisheye: ClassVar[bool] = True
    counts: ClassVar[tuple[int, ...]] = FISHEYE_COUNTS

    __repr__ = short_repr


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
    return frozen(tidy)


def _coefficients(value: Any, counts: tuple[int, ...]) -> np.ndarray:
    """Turn plain numbers into distortion coefficients (B, N), N one of ``counts``."""
    numbers = frozen(value)
    if numbers.ndim > 1 and numbers.shape[-1] == 1:
        numbers = numbers[..., 0]
    rows = np.atleast_2d(numbers)
    if rows.ndim != 2 or rows.shape[1] not in counts or not np.isfinite(rows).all():
        raise ValueError(
            f"distortion must be {either(counts)} finite numbers, or (B, as many), got {value!r}"
        )
    return rows


def either(counts: tuple[int, ...]) -> str:
    """Name several numbers, as in "4, 5 or 8"."""
    *most, last = map(str, counts)
    return f"{', '.join(most)} or {last}" if most else last
