"""Kernels, and what they declare of their arguments."""

from collections.abc import Callable
from typing import Any, Literal

import taichi as ti

Sharer = Literal["item", "row"]
"""What shares an entry of an argument: the items, or all rows, such as vertices, of all items."""


class Kernel:
    """A Taichi kernel of this package, with its gradient.

    Attributes:
        grad: Taichi's derivative of it, called with the same arguments.
        sharers: For each argument what shares its entries, or None.
    """

    def __init__(self, function: Callable[..., Any], shared: dict[str, Sharer]) -> None:
        self._taichi = ti.kernel(function)
        self.grad: Callable[..., Any] = self._taichi.grad
        self.__name__, self.__doc__ = function.__name__, function.__doc__
        names = [argument.name for argument in self._taichi._primal.arguments]
        for name in shared.keys() - set(names):
            raise TypeError(f"{function.__name__} has no argument {name!r}")
        self.sharers = tuple(shared.get(name) for name in names)

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        """Launch."""
        return self._taichi(*args, **kwargs)


def kernel(function: Callable[..., Any] | None = None, **shared: Sharer) -> Any:
    """Make a kernel of a function, as ``ti.kernel`` does.

    Args:
        function: What ``ti.kernel`` takes.
        shared: For arguments whose gradient Taichi's derivative would have several threads add to:
            ``"item"`` if an argument (B or 1, ...) may serve all items, ``"row"`` if an entry
            serves all rows of an item too. `KernelOperator` then passes copies, which kernels look
            up by `arrays.kernels.broadcast.copy_of` in the latter case.
    """
    if function is None:
        return lambda function: Kernel(function, shared)
    return Kernel(function, shared)
