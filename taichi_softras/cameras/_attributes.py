"""Attributes of poses and lenses: plain numbers, checked, or arrays."""

from collections.abc import Callable
from typing import Any

import numpy as np

from taichi_softras.arrays.bridge import apply, array_like, dtype_of, is_array
from taichi_softras.arrays.broadcast import unshare
from taichi_softras.arrays.checks import check_array, check_items
from taichi_softras.arrays.operator import Array, KernelOperator


def keep_numbers(options: object, **shapes: tuple[int, ...]) -> None:
    """Turn those attributes of a frozen dataclass that are plain numbers into NumPy's, checked."""
    for name, shape in shapes.items():
        value = getattr(options, name)
        if not is_array(value):
            object.__setattr__(options, name, as_numbers(name, value, shape))


def keep_number(
    options: object, name: str, rule: str, keeps: Callable[[np.ndarray], np.ndarray]
) -> None:
    """Turn an attribute that is one number a camera, if plain, into NumPy's, checked by a rule."""
    value = getattr(options, name)
    if not is_array(value):
        numbers = np.atleast_1d(np.asarray(value, dtype=float))
        if numbers.ndim != 1 or not keeps(numbers).all():
            raise ValueError(f"{name} must be {rule}, got {value!r}")
        object.__setattr__(options, name, numbers)


def as_numbers(name: str, value: Any, shape: tuple[int, ...]) -> np.ndarray:
    """Turn plain numbers into (B, *shape); vectors may be columns, as OpenCV's are."""
    numbers = np.asarray(value, dtype=float)
    if len(shape) == 1 and numbers.shape[-2:] == (*shape, 1):
        numbers = numbers[..., 0]
    if numbers.ndim == len(shape):
        numbers = numbers[None]
    if (
        numbers.shape[1:] != shape
        or numbers.ndim != len(shape) + 1
        or not np.isfinite(numbers).all()
    ):
        count = " x ".join(map(str, shape)) or "1"
        batch = ", ".join(["B", *map(str, shape)])
        raise ValueError(
            f"{name} must be {count} finite numbers, or ({batch}) of them, got {value!r}"
        )
    return numbers


def attribute_arrays(options: object, like: Array, **shapes: tuple[int, ...]) -> list[Array]:
    """Take attributes as arrays of the framework and type of another; check their shapes."""
    arrays = []
    for name, shape in shapes.items():
        array = array_like(getattr(options, name), like)
        check_array(name, array, ("B or 1", *shape), dtype_of(like))
        arrays.append(array)
    check_items(**dict(zip(shapes, arrays)))
    return arrays


def make_matrices(
    kernel: Callable[..., None], arrays: Any, like: Array, *constants: float
) -> Array:
    """Run a kernel that makes a 4 x 4 matrix for each item of its arrays, whose sizes fit."""
    num_items = max(array.shape[0] for array in arrays)
    operator = KernelOperator(kernel, dtype_of(like), ((num_items, 4, 4),), constants)
    (matrices,) = apply(operator, [unshare(array, num_items) for array in arrays])
    return matrices
