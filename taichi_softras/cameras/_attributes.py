"""Attributes of poses and lenses: plain numbers, checked, or arrays."""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from taichi_softras.arrays.bridge import array_like, is_array
from taichi_softras.arrays.calls import apply_kernel
from taichi_softras.arrays.checks import check_arrays
from taichi_softras.arrays.launcher import Kernel
from taichi_softras.arrays.operator import Array


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
    arrays = {name: array_like(getattr(options, name), like) for name in shapes}
    texts = {name: f"({', '.join(['B or 1', *map(str, shapes[name])])})" for name in shapes}
    check_arrays(like, **{name: (arrays[name], texts[name]) for name in shapes})
    return list(arrays.values())


def make_matrices(
    build: Callable[[Any], Kernel], arrays: Sequence[Array], *constants: float
) -> Array:
    """Run a kernel that makes a 4 x 4 matrix for each item of its arrays, whose sizes fit."""
    num_items = max(array.shape[0] for array in arrays)
    return apply_kernel(build, arrays, (num_items, 4, 4), constants=constants)
