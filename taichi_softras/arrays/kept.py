"""Arrays that every step asks for again: made once, and kept."""

import weakref
from collections.abc import Callable, Hashable
from typing import Any

from taichi_softras.arrays.bridge import is_tensor, lasting
from taichi_softras.arrays.operator import Array
from taichi_softras.arrays.runtime import running_program
from taichi_softras.backend import ti


class KeptArrays:
    """Arrays made of plain numbers, by what was asked for, and by framework, device and type.

    A tensor that someone wrote to in place by PyTorch is made anew. Ndarrays go with the Taichi
    that they belong to. A copy of this object, and one that was pickled, is empty.

    Args:
        most: How many are kept; the oldest goes first.
    """

    def __init__(self, most: int = 64) -> None:
        self._most = most
        self._arrays: dict[Hashable, tuple[Array, Any]] = {}

    def get(self, key: Hashable, like: Array, make: Callable[[], Array]) -> Array:
        """Return what is kept, or else make it and keep it.

        Args:
            key: What is asked for. All that ``make`` depends on, but for ``like``.
            like: An array of the framework, device and floating-point type wanted.
            make: Makes it: an array without a gradient.
        """
        whole_key = (key, like.device, like.dtype) if is_tensor(like) else (key, like.dtype)
        array, mark = self._arrays.get(whole_key, (None, None))
        if array is None or mark != _mark_of(array):
            with lasting(like):
                array = make()
            self._arrays.pop(whole_key, None)
            while len(self._arrays) >= self._most:
                del self._arrays[next(iter(self._arrays))]
            self._arrays[whole_key] = array, _mark_of(array)
        return array

    def __reduce__(self) -> tuple[Any, ...]:
        return KeptArrays, (self._most,)


def kept_with(owner: object) -> KeptArrays:
    """What is kept with an object, such as a frozen dataclass."""
    kept: KeptArrays = owner.__dict__.setdefault("_kept", KeptArrays())
    return kept


def _mark_of(array: Array) -> Any:
    """Something that changes when a kept array can be used no more."""
    if isinstance(array, ti.Ndarray):
        program = running_program()
        return None if program is None else weakref.ref(program)
    return array._version
