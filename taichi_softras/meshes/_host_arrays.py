"""Arrays of a mesh on the host: checked, and copied to either framework."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from taichi_softras.arrays.kernels.arithmetic import LARGEST_SQUARED_TWICE
from taichi_softras.arrays.taichi_bridge import NUMPY_DTYPE, from_numpy
from taichi_softras.arrays.user_warnings import warn_user
from taichi_softras.backend import ti

if TYPE_CHECKING:
    import torch

FINEST_SHARE = 2.0**-18
"""Of a mesh's longest side, by which rounding to float32 may move a vertex."""


def fits_singles(vertices: NDArray[Any]) -> bool:
    """Tell whether positions (..., 3) may be rounded to float32 without anyone seeing it."""
    if not np.isfinite(vertices).all():
        return True  # which is refused in either
    if np.abs(vertices).max(initial=0.0) >= LARGEST_SQUARED_TWICE[ti.f32]:
        return False
    points = vertices.reshape(-1, 3)
    longest = np.ptp(points, axis=0).max() if len(points) else 0.0
    moved = np.abs(points.astype(np.float32) - points).max(initial=0.0)
    return bool(moved <= FINEST_SHARE * longest)


def to_taichi_arrays(
    vertices: NDArray[Any], faces: NDArray[Any], colors: NDArray[Any], dtype: Any, needs_grad: bool
) -> tuple[ti.Ndarray, ti.Ndarray, ti.Ndarray]:
    floats = NUMPY_DTYPE[dtype]
    _check_precision(vertices, floats)
    vertex_array, color_array = (
        from_numpy(values.astype(floats), needs_grad=needs_grad) for values in (vertices, colors)
    )
    return vertex_array, from_numpy(faces), color_array


def to_torch_tensors(
    vertices: NDArray[Any],
    faces: NDArray[Any],
    colors: NDArray[Any],
    device: str | torch.device,
    dtype: torch.dtype | None,
) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    # Only programs that call this need PyTorch.
    from taichi_softras.arrays import torch_bridge

    _check_precision(vertices, np.dtype(str(dtype or vertices.dtype).removeprefix("torch.")))
    vertex_tensor, color_tensor = (
        torch_bridge.from_numpy(array, device, dtype) for array in (vertices, colors)
    )
    return vertex_tensor, torch_bridge.from_numpy(faces, device), color_tensor


def _check_precision(vertices: NDArray[Any], floats: Any) -> None:
    """Warn if positions lose their shape as they are rounded."""
    if floats == np.float32 and vertices.dtype == np.float64 and not fits_singles(vertices):
        check_workable("vertices", vertices.astype(np.float32))
        warn_user(
            "vertices lose their shape in float32, so far from the origin: move the mesh there "
            "first, as Mesh.normalized does, or ask for float64"
        )


def copy_floats(
    name: str, values: ArrayLike, shape: tuple[int | str, ...], dtype: Any = None
) -> NDArray[Any]:
    """Copy numbers into an array of ``dtype``, or else of their own precision."""
    array = _array(name, values, shape)
    if array.dtype.kind not in "iuf":
        raise TypeError(f"{name} must be numbers, got {array.dtype}")
    _check_shape(name, array, shape)
    if dtype is None:
        is_double = array.dtype.kind == "f" and array.dtype.itemsize == 8
        dtype = np.float64 if is_double and not isinstance(values, (list, tuple)) else np.float32
    with np.errstate(over="ignore"):  # becomes infinite, and is refused as such
        array = np.array(array, dtype=dtype, order="C")
    is_finite = np.isfinite(array).all(axis=tuple(range(1, array.ndim)))
    if not is_finite.all():
        row = int(np.argmin(is_finite))
        raise ValueError(f"{name} must be finite, got {array[row].tolist()} in row {row}")
    return array


def check_workable(name: str, values: NDArray[Any]) -> None:
    """Check that positions are not so large that kernels take them for infinite.

    Raises:
        ValueError: If one is.
    """
    limit = LARGEST_SQUARED_TWICE[ti.f32 if values.dtype == np.float32 else ti.f64]
    largest = np.abs(values).max(initial=0.0)
    if largest >= limit:
        raise ValueError(
            f"{name} must be under 2**{round(math.log2(limit))} in {values.dtype}, "
            f"got {largest:.4g}: scale them down"
        )


def copy_indices(
    name: str, values: ArrayLike, shape: tuple[int | str, ...], count: int, of_what: str
) -> NDArray[Any]:
    array = _array(name, values, shape)
    if array.dtype.kind not in "iu":
        raise TypeError(f"{name} must be integers, got {array.dtype}")
    _check_shape(name, array, shape)
    if array.size and (array.min() < 0 or array.max() >= count):
        raise ValueError(
            f"{name} must be indices of the {count} {of_what}, got {array.min()} to {array.max()}"
        )
    return np.array(array, dtype=np.int32, order="C")


def _array(name: str, values: ArrayLike, shape: tuple[int | str, ...]) -> NDArray[Any]:
    try:
        array = np.asarray(values)
    except ValueError as error:  # rows of several lengths
        raise ValueError(f"{name} must have rows of one length, got {values!r:.60}") from error
    is_empty_list = isinstance(values, (list, tuple)) and array.shape == (0,)
    return array.reshape(0, *map(int, shape[1:])).astype(np.int32) if is_empty_list else array


def _check_shape(name: str, array: NDArray[Any], shape: tuple[int | str, ...]) -> None:
    sizes = [given if isinstance(size, str) else size for size, given in zip(shape, array.shape)]
    if array.ndim != len(shape) or array.shape != tuple(sizes):
        wanted = ", ".join(map(str, shape)) + ("," if len(shape) == 1 else "")
        raise ValueError(f"{name} must have shape ({wanted}), got {array.shape}")
