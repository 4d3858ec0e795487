"""Arrays of another floating-point type, or with a first dimension more."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, fields, is_dataclass
from typing import Any

from taichi_softras.arrays.bridge import FLOATS, convert_tensor, dtype_of, is_array, is_tensor
from taichi_softras.arrays.calls import apply
from taichi_softras.arrays.kernels.conversion import conversion_kernels
from taichi_softras.arrays.operator import Allocate, Array, Operator


def as_items(array: Array, like: Array, shape: tuple[int, ...]) -> Array:
    """Give an array the type of another, and the dimension of items if it lacks it.

    Args:
        array: ``shape``, or (B or 1, *shape).
        like: An array of the floating-point type wanted.
        shape: That of one item. If it is (), only tensors may lack the dimension.

    Returns:
        (B or 1, *shape), through which gradients flow to ``array``; which it is, if it is like that
        already, or can't be made so.
    """
    lacks_items = tuple(array.shape) == shape and (shape != () or is_tensor(array))
    dtype = dtype_of(like)
    if dtype_of(array) not in FLOATS or (dtype_of(array) == dtype and not lacks_items):
        return array
    if is_tensor(array):
        return convert_tensor(array, dtype, add_dimension=lacks_items)
    return apply(_Convert(dtype, lacks_items), (array,))[0]


def as_item(array: Any, num_dims: int) -> Any:
    """Give an array of one item the dimension of items; return anything else as it is.

    Args:
        array: Of ``num_dims`` dimensions with that of items; or not an array.
        num_dims: How many.
    """
    if not is_array(array) or len(array.shape) != num_dims - 1:
        return array
    if getattr(array, "element_shape", ()):  # of vectors, which are refused
        return array
    return as_items(array, array, tuple(array.shape))


def arrays_in(value: Any) -> Iterator[Array]:
    """Find the arrays in options, or in a sequence or mapping of them, however deep."""
    if is_array(value):
        yield value
    elif isinstance(value, dict):
        yield from arrays_in(list(value.values()))
    elif isinstance(value, (list, tuple)):
        for part in value:
            yield from arrays_in(part)
    elif is_dataclass(value) and not isinstance(value, type):
        for field in fields(value):
            yield from arrays_in(getattr(value, field.name))


@dataclass(frozen=True)
class _Convert(Operator):
    """Copies an array to another type, (...) or, with a dimension more, (1, ...)."""

    dtype: Any
    add_dimension: bool

    def forward(
        self, inputs: Sequence[Array], allocate: Allocate
    ) -> tuple[tuple[Array, ...], tuple[Array, ...]]:
        (values,) = inputs
        shape = (1, *values.shape) if self.add_dimension else tuple(values.shape)
        converted = allocate(shape, self.dtype, clear=False)
        conversion_kernels(allocate.dtype, self.dtype).convert(values, converted)
        return (converted,), ()

    def backward(
        self,
        inputs: Sequence[Array],
        outputs: Sequence[Array],
        saved: Sequence[Array],
        allocate: Allocate,
    ) -> None:
        (values,) = inputs
        if values.grad is not None:
            kernels = conversion_kernels(allocate.dtype, self.dtype)
            kernels.add_gradients(outputs[0].grad, values.grad)
