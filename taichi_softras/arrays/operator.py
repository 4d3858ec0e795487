"""Differentiable operators: how kernels are called, whatever arrays they are called on.

An operator knows no framework. It is handed arrays, which carry their gradients in ``.grad``, and
a way to allocate more; the bridges make them part of PyTorch's graph or of a Taichi tape.
"""

from abc import ABC, abstractmethod
from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple, Protocol

Array = Any
"""A `torch.Tensor` or a `ti.ndarray` of numbers, float32 or float64 where nothing else is said.

Its shape, unit and frame are in each function's docstring. Arrays of one call are of one kind.
"""

Faces = Any
"""Indices of the vertices of triangles: an array (F, 3), or (B or 1, F, 3) where items differ.

int32; int64 too in PyTorch. Front faces are counter-clockwise seen from outside. A face whose
indices are -1 is none.
"""

Shape = tuple[int, ...]


class Allocate(Protocol):
    """Makes an array of zeros, in the framework and on the device of the inputs."""

    @property
    def dtype(self) -> Any:
        """Floating-point type of the call: that of the first input."""

    def __call__(
        self, shape: Shape, dtype: Any = None, *, grad: float | None = None, clear: bool = True
    ) -> Array:
        """Make an array.

        Args:
            shape: Its sizes.
            dtype: A Taichi type, which may be a vector's; that of the call if None.
            grad: If given, the array has a gradient, of that value everywhere.
            clear: If not, its numbers may be anything: for what is written before it is read.
        """


class Shared(NamedTuple):
    """How many rows of an operator's work one entry of an input serves: see `broadcast`.

    Attributes:
        num_items: How many items there are, each of which an entry of the input serves.
        num_rows: How many rows, such as vertices, of an item.
    """

    num_items: int
    num_rows: int = 1


def count_items(sizes: Iterable[int]) -> int:
    """Tell how many items there are, by the first sizes, B or 1, of arrays; 0 if one has none."""
    counts = [int(size) for size in sizes]
    return max(counts) if all(counts) else 0


def has_grad(array: Array) -> bool:
    """Tell whether an array handed to an operator's backward wants a gradient."""
    return array.grad is not None


class Operator(ABC):
    """Something differentiable, made of kernels. Called by `arrays.calls.apply`."""

    def shared(self, inputs: Sequence[Array]) -> Sequence[Shared | None]:
        """Declare which inputs serve several items or rows that would all add to their gradients.

        Where the gradient of such an input is wanted, the operator is given copies of it, one for
        each, so that gradients add up in a fixed order. None stands for an input whose gradient
        has one anyway, or that has none.
        """
        return [None] * len(inputs)

    @abstractmethod
    def forward(
        self, inputs: Sequence[Array], allocate: Allocate
    ) -> tuple[tuple[Array, ...], tuple[Array, ...]]:
        """Run.

        Returns:
            The results, which may have gradients, and what else `backward` needs.
        """

    @abstractmethod
    def backward(
        self,
        inputs: Sequence[Array],
        outputs: Sequence[Array],
        saved: Sequence[Array],
        allocate: Allocate,
    ) -> None:
        """Add to ``.grad`` of those inputs that have one, from ``.grad`` of the outputs."""
