"""The numbers of all lights, side by side in one array."""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import Any

import numpy as np

from taichi_softras.arrays.bridge import array_like, is_array
from taichi_softras.arrays.calls import apply
from taichi_softras.arrays.checks import check_arrays
from taichi_softras.arrays.operator import Allocate, Array, Operator, Shared, count_items
from taichi_softras.lights.kernels.packing import pack_kernel
from taichi_softras.lights.kinds import Lighting, number_rows


@dataclass(frozen=True)
class PackOperator(Operator):
    """Puts arrays side by side: inputs (B or 1, ...), of 1 to 3 dimensions, become one (B, N).

    Attributes:
        num_items: B.
    """

    num_items: int

    def shared(self, inputs: Sequence[Array]) -> Sequence[Shared | None]:
        """Declare that each input may serve all items."""
        return [Shared(self.num_items)] * len(inputs)

    def forward(
        self, inputs: Sequence[Array], allocate: Allocate
    ) -> tuple[tuple[Array, ...], tuple[Array, ...]]:
        """Copy each input to its columns."""
        numbers = allocate((self.num_items, sum(map(row_size, inputs))))
        for array, column in self._columns(inputs):
            pack_kernel(allocate.dtype, len(array.shape))(array, row_size(array), column, numbers)
        return (numbers,), ()

    def backward(
        self,
        inputs: Sequence[Array],
        outputs: Sequence[Array],
        saved: Sequence[Array],
        allocate: Allocate,
    ) -> None:
        """Copy the gradients back."""
        for array, column in self._columns(inputs):
            if array.grad is not None:
                kernel = pack_kernel(allocate.dtype, len(array.shape))
                kernel.grad(array, row_size(array), column, *outputs)

    def _columns(self, inputs: Sequence[Array]) -> Iterator[tuple[Array, int]]:
        column = 0
        for array in inputs:
            yield array, column
            column += row_size(array)


def row_size(array: Array) -> int:
    """How many numbers an array has for each item."""
    return math.prod(array.shape[1:])


def pack_lighting(lighting: Lighting, like: Array, *, eye: Any = None) -> Array:
    """Put the numbers of all lights side by side.

    `lights.kernels.reflection.shading_func` reads them.

    Args:
        lighting: The lights.
        like: An array of the framework, device and floating-point type wanted.
        eye: Where the camera is, in the world: three numbers, (B or 1, 3) of them, or such an
            array. Needed for a specular term.

    Returns:
        (B or 1, N), to which gradients flow.

    Raises:
        TypeError: If an array is of the wrong kind or type.
        ValueError: If a shape doesn't fit, or ``eye`` is missing.
    """
    parts: dict[str, Any] = {}
    given: dict[str, tuple[Array, str]] = {}
    for name, value, shape in _named_parts(lighting, eye):
        if is_array(value):
            parts[name] = value
            given[name] = value, f"({', '.join(['B or 1', *map(str, shape)])})"
        else:
            parts[name] = number_rows(name, value, shape)
    check_arrays(like, **given)
    num_items = _common_items(parts)
    inputs: list[Array] = []
    for are_arrays, group in groupby(parts.values(), key=is_array):
        run = list(group)
        inputs += run if are_arrays else [array_like(_side_by_side(run), like)]
    if len(inputs) == 1 and len(inputs[0].shape) == 2:
        return inputs[0]
    (numbers,) = apply(PackOperator(num_items), inputs)
    return numbers


def _named_parts(lighting: Lighting, eye: Any) -> Iterator[tuple[str, Any, tuple[int, ...]]]:
    """Names, values and shapes of what `LightKinds.parts` lists, in that order."""
    *of_lights, of_specular = lighting.kinds.parts
    for i, shapes in enumerate(of_lights):
        for name, shape in shapes.items():
            yield f"lights[{i}].{name}", getattr(lighting.lights[i], name), shape
    values = {"specular": lighting.specular, "shininess": lighting.shininess, "eye": eye}
    for name, shape in of_specular.items():
        if values[name] is None:
            raise ValueError(f"{name} is needed for a specular term")
        yield name, values[name], shape


def _common_items(parts: dict[str, Any]) -> int:
    """Find how many items there are, of arrays and of plain numbers, which may have 1 for all."""
    num_items = count_items(part.shape[0] for part in parts.values())
    for name, part in parts.items():
        if part.shape[0] not in (1, num_items):
            wanted = ", ".join([f"{num_items} or 1", *map(str, part.shape[1:])])
            raise ValueError(f"{name} must have shape ({wanted}), got {tuple(part.shape)}")
    return num_items


def _side_by_side(arrays: list[np.ndarray]) -> np.ndarray:
    """Join arrays (B or 1, ...) to one (B, N)."""
    num_items = max(len(array) for array in arrays)
    rows = [array.reshape(len(array), -1) for array in arrays]
    return np.concatenate([np.broadcast_to(x, (num_items, x.shape[1])) for x in rows], axis=1)
