"""Some of several cameras."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from taichi_softras.arrays.bridge import array_like, is_tensor, to_numpy, wants_grad
from taichi_softras.arrays.operator import Array
from taichi_softras.arrays.options import check_integer
from taichi_softras.arrays.reprs import short_repr
from taichi_softras.cameras.camera import Camera


@dataclass(frozen=True)
class SelectedCameras:
    """Those of a camera's items that `select_cameras` was asked for.

    Attributes:
        camera: B cameras.
        indices: Which of them, in this order.
    """

    camera: Camera
    indices: tuple[int, ...]

    __repr__ = short_repr

    @property
    def orthographic(self) -> bool:
        """See `Lens.orthographic`."""
        return self.camera.orthographic

    @property
    def fisheye(self) -> bool:
        """See `Lens.distortion_coefficients`."""
        return bool(getattr(self.camera, "fisheye", False))

    def view_matrix(self, like: Array) -> Array:
        """See `Pose.view_matrix`."""
        return self._select(self.camera.view_matrix(like))

    def projection_matrix(self, like: Array, aspect: float) -> Array:
        """See `Lens.projection_matrix`."""
        return self._select(self.camera.projection_matrix(like, aspect))

    def distortion_coefficients(self, like: Array) -> Array | None:
        """See `Lens.distortion_coefficients`."""
        coefficients = self.camera.distortion_coefficients(like)
        return None if coefficients is None else self._select(coefficients)

    def _select(self, rows: Array) -> Array:
        """Take the rows of the cameras selected; one row is all cameras'."""
        num_rows = int(rows.shape[0])
        if num_rows == 1:
            return rows
        if max(self.indices) >= num_rows:
            raise ValueError(
                f"indices must be under the number of cameras, {num_rows}, got {max(self.indices)}"
            )
        if is_tensor(rows):
            return rows[list(self.indices)]
        if wants_grad(rows):
            raise ValueError(
                "cameras whose arrays have gradients can't be selected in Taichi: "
                "make them of the numbers wanted"
            )
        return array_like(to_numpy(rows)[list(self.indices)], rows)


def select_cameras(
    camera: Camera, indices: int | Sequence[int] | NDArray[np.integer[Any]]
) -> SelectedCameras:
    """Choose some of several cameras, to draw a batch of views or one view at a time.

    Args:
        camera: B cameras, of any kind. What all of them share stays shared.
        indices: Which of them, from 0 to B - 1, in the order wanted: one, or several.

    Returns:
        A camera of as many items as there are indices. In PyTorch gradients flow to the cameras'
        tensors; in Taichi arrays that have a gradient are refused when it is used.

    Raises:
        TypeError: If an index is no integer.
        ValueError: If there are no indices, or one is below 0; when it is used, if one is B or
            more.

    Examples:
        >>> import taichi_softras as sr
        >>> cameras = sr.LookAtCamera(sr.orbit_eyes(3.0, 20.0, [0.0, 90.0, 180.0]))
        >>> vertices = sr.cube().to_taichi()[0]
        >>> sr.to_view(vertices, sr.select_cameras(cameras, [2, 0])).shape
        (2, 8, 3)
    """
    flat = np.atleast_1d(indices).tolist()
    if not flat:
        raise ValueError("indices must be at least one, got none")
    return SelectedCameras(camera, tuple(check_integer("indices", i, at_least=0) for i in flat))


def count_cameras(camera: Camera, like: Array, aspect: float) -> int:
    """Count a camera's items: B.

    Args:
        camera: One camera, or B.
        like: An array of the framework and type wanted.
        aspect: Width of the image over its height.
    """
    rows = camera.view_matrix(like), camera.projection_matrix(like, aspect)
    return max(int(matrices.shape[0]) for matrices in rows)
