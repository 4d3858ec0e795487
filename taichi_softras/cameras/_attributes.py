"""Attributes of poses and lenses: plain numbers, checked, or arrays."""

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

import numpy as np

from taichi_softras.arrays.bridge import array_like, is_array, is_tensor
from taichi_softras.arrays.calls import apply_kernel
from taichi_softras.arrays.checks import check_arrays
from taichi_softras.arrays.conversion import as_items
from taichi_softras.arrays.kept import kept_with
from taichi_softras.arrays.kernels.items import finite_items_kernel, keep_kernel
from taichi_softras.arrays.launcher import Kernel
from taichi_softras.arrays.operator import Array, count_items


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
        numbers = np.atleast_1d(frozen(value))
        if numbers.ndim != 1 or not keeps(numbers).all():
            raise ValueError(f"{name} must be {rule}, got {value!r}")
        object.__setattr__(options, name, numbers)


def as_numbers(name: str, value: Any, shape: tuple[int, ...]) -> np.ndarray:
    """Turn plain numbers into (B, *shape); vectors may be columns, as OpenCV's are."""
    numbers = frozen(value)
    if len(shape) == 1 and numbers.shape[-2:] == (*shape, 1):
        numbers = numbers[..., 0]
    if numbers.ndim == len(shape):
        numbers = numbers[None]
    if (
        numbers.shape[1:] != shape
        or numbers.ndim != len(shape) + 1
        or len(numbers) == 0
        or not np.isfinite(numbers).all()
    ):
        count = " x ".join(map(str, shape)) or "1"
        batch = ", ".join(["B", *map(str, shape)])
        raise ValueError(
            f"{name} must be {count} finite numbers, or ({batch}) of them, got {value!r}"
        )
    return numbers


def frozen(value: Any) -> np.ndarray:
    """Copy numbers into an array that nobody can write to: matrices are made of it once."""
    numbers = np.array(value, dtype=float)
    numbers.flags.writeable = False
    return numbers


def attribute_arrays(options: object, like: Array, **shapes: tuple[int, ...]) -> list[Array]:
    """Take attributes as arrays (B or 1, *shape) of the framework and type of another.

    Arrays may do without the first dimension, and be of another floating-point type.
    """
    arrays = {}
    for name, shape in shapes.items():
        value = array_like(getattr(options, name), like)
        arrays[name] = as_items(value, like, shape)
    texts = {name: f"({', '.join(['B or 1', *map(str, shapes[name])])})" for name in shapes}
    check_arrays(like, **{name: (arrays[name], texts[name]) for name in shapes})
    return list(arrays.values())


def attribute_matrices(
    options: object,
    like: Array,
    build: Callable[[Any], Kernel],
    *constants: float,
    **shapes: tuple[int, ...],
) -> Array:
    """Make matrices of attributes by `make_matrices`; once, of plain numbers and for tensors."""

    def make() -> Array:
        return make_matrices(build, attribute_arrays(options, like, **shapes), *constants)

    return keep_made(options, like, constants, make, *shapes)


def keep_made(
    options: object, like: Array, key: tuple[float, ...], make: Callable[[], Array], *names: str
) -> Array:
    """Keep a tensor that is made of attributes, by their names, if these are plain numbers.

    Ndarrays are made anew: nobody could tell whether one was written to.
    """
    if not is_tensor(like) or any(is_array(getattr(options, name)) for name in names):
        return make()
    return kept_with(options).get((names, key), like, make)


def make_matrices(
    build: Callable[[Any], Kernel], arrays: Sequence[Array], *constants: float
) -> Array:
    """Run a kernel that makes a 4 x 4 matrix for each item of its arrays, whose sizes fit.

    The kernel takes a mask of the items whose numbers are finite, and leaves the others' matrices
    0: nothing is drawn by them, and no NaN comes into gradients of what items share.
    """
    num_items = count_items(array.shape[0] for array in arrays)
    return apply_kernel(build, arrays, (num_items, 4, 4), constants=constants, **of_finite(arrays))


def of_finite(arrays: Sequence[Array]) -> dict[str, Any]:
    """Have a kernel given the mask of the items of which all its arrays' numbers are finite."""
    count = len(arrays)
    return {"mask": partial(finite_items_kernel, count=count), "masked": tuple(range(count))}


def keep_finite(values: Array, judges: Array | None = None) -> Array:
    """Copy the items of ``values`` of which ``judges``, or they themselves, are finite; else 0."""
    judges = values if judges is None else judges
    num_items = count_items((values.shape[0], judges.shape[0]))
    return apply_kernel(
        keep_kernel,
        (values, judges),
        (num_items, *values.shape[1:]),
        mask=partial(finite_items_kernel, count=1),
        masked=(1,),
    )
