"""What is computed on the host for NumPy's numbers, and for tensors in PyTorch's graph."""

from typing import Any

import numpy as np

from taichi_softras.arrays.bridge import FLOATS, array_like, dtype_of, is_array, is_tensor
from taichi_softras.arrays.bridge import to_numpy as as_numpy

Numbers = Any
"""Numbers of NumPy, or a tensor."""


def taken(array: Any) -> Any:
    """Take a tensor as it is, and the numbers of a Taichi ndarray."""
    return as_numpy(array).astype(float) if is_array(array) and not is_tensor(array) else array


def to_numpy(array: Numbers) -> np.ndarray:
    """Look at numbers; of a tensor on a GPU that waits."""
    return as_numpy(array) if is_tensor(array) else np.asarray(array)


def beside(numbers: Numbers, constants: np.ndarray) -> Numbers:
    """Take constants as numbers of the same kind as others."""
    return array_like(constants, numbers) if is_tensor(numbers) else constants.astype(float)


def times(a: Numbers, b: Numbers) -> Numbers:
    """Multiply matrices, of which one may be NumPy's and the other a tensor or a Taichi ndarray."""
    a, b = taken(a), taken(b)
    like = a if is_tensor(a) else b
    return (a if is_tensor(a) else beside(like, a)) @ (b if is_tensor(b) else beside(like, b))


def rows(name: str, value: Any, *shape: int) -> Numbers:
    """Turn numbers, or a tensor, into (B, *shape); vectors may be columns, as OpenCV's are.

    Raises:
        TypeError: If a tensor is of another type than float32 or float64.
        ValueError: If the shape is another, or numbers of no tensor are not finite.
    """
    if is_tensor(value) and dtype_of(value) not in FLOATS:
        raise TypeError(f"{name} must be float32 or float64, got {value.dtype}")
    numbers = value if is_tensor(value) else np.asarray(taken(value), dtype=float)
    if len(shape) == 1 and numbers.shape[-2:] == (*shape, 1):
        numbers = numbers[..., 0]
    if numbers.ndim == len(shape):
        numbers = numbers[None]
    if (
        numbers.ndim != len(shape) + 1
        or tuple(numbers.shape[1:]) != shape
        or not (is_tensor(numbers) or np.isfinite(numbers).all())
    ):
        wanted = ", ".join(map(str, shape))
        raise ValueError(
            f"{name} must be finite numbers of shape ({wanted}) or (B, {wanted}), got {value!r}"
        )
    return numbers
