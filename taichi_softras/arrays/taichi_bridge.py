"""Operators on Taichi ndarrays, recorded by ``ti.ad.Tape``."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from taichi_softras.arrays.counts import note_wait
from taichi_softras.arrays.operator import Allocate, Array, Operator, Shape
from taichi_softras.arrays.runtime import check_alive, launching
from taichi_softras.backend import impl, ti

NUMPY_DTYPE = {ti.f32: np.float32, ti.f64: np.float64, ti.i32: np.int32, ti.i64: np.int64}


@dataclass
class _Call:
    """One use of an operator, from its inputs to what its gradient needs."""

    operator: Operator
    inputs: Sequence[Array]
    outputs: tuple[Array, ...] = ()
    saved: tuple[Array, ...] = ()


class _Vectors(ti.lang.matrix.VectorNdarray):  # type: ignore[misc]
    """An ndarray of vectors that gives its memory back: in Taichi 1.7 only those of numbers do."""

    if not hasattr(ti.lang.matrix.VectorNdarray, "__del__"):  # as it has in Quadrants

        def __del__(self) -> None:
            if getattr(self, "arr", None) is None:
                return  # it was interrupted while it was made
            runtime = impl.get_runtime() if impl is not None else None  # None when Python ends
            if runtime is not None and runtime.prog is not None:
                runtime.prog.delete_ndarray(self.arr)


@dataclass(frozen=True)
class Allocator:
    """An `arrays.operator.Allocate`; Taichi clears all of its arrays."""

    dtype: Any

    def __call__(
        self, shape: Shape, dtype: Any = None, *, grad: float | None = None, clear: bool = True
    ) -> ti.Ndarray:
        """See `arrays.operator.Allocate`."""
        if isinstance(dtype, ti.lang.matrix.VectorType):
            return _Vectors(dtype.n, dtype.dtype, shape)
        array = ti.ndarray(
            self.dtype if dtype is None else dtype, shape, needs_grad=grad is not None
        )
        if grad:
            array.grad.fill(grad)
        return array


def from_numpy(numbers: np.ndarray, *, needs_grad: bool = False) -> ti.Ndarray:
    """Copy a NumPy array of 32- or 64-bit numbers into a Taichi ndarray.

    Args:
        numbers: What to copy.
        needs_grad: Whether the ndarray has a gradient, which is zero at first.

    Examples:
        >>> import numpy as np, taichi_softras as sr
        >>> array = sr.from_numpy(np.ones((1, 4, 3), np.float32), needs_grad=True)
        >>> array.shape, array.grad is None
        ((1, 4, 3), False)
    """
    dtype = next(t for t, d in NUMPY_DTYPE.items() if numbers.dtype == d)
    with launching(()):
        array = ti.ndarray(dtype, numbers.shape, needs_grad=needs_grad)
        if numbers.size:
            array.from_numpy(np.ascontiguousarray(numbers))
    check_alive((array,))
    return array


def to_numpy(array: ti.Ndarray) -> np.ndarray:
    """Copy an ndarray to the host, without a word of it on the tape that may be recording."""
    note_wait()
    copies: list[np.ndarray] = []
    unrecorded(lambda: copies.append(array.to_numpy()), (array,))
    return copies[0]


@ti.ad.no_grad  # type: ignore[untyped-decorator]
def unrecorded(function: Callable[[], None], arrays: Sequence[Array] = ()) -> None:
    """Call a function whose kernels, which take these ndarrays, no tape is to differentiate."""
    with launching(arrays):
        function()


def apply(operator: Operator, inputs: Sequence[Array]) -> tuple[Array, ...]:
    """Run an operator on ndarrays; its outputs have gradients if any input has one."""
    call = _Call(operator, inputs)
    _run(call)
    return call.outputs


def run(function: Callable[[Sequence[Array], Allocate], Any], inputs: Sequence[Array]) -> Any:
    """See `arrays.bridge.run`."""
    results: list[Any] = []
    _run_unrecorded(function, inputs, results)
    return results[0]


@ti.ad.no_grad  # type: ignore[untyped-decorator]
def _run_unrecorded(
    function: Callable[[Sequence[Array], Allocate], Any], inputs: Sequence[Array], results: Any
) -> None:
    with launching(inputs):
        results.append(function(inputs, Allocator(inputs[0].dtype)))


@ti.ad.grad_replaced  # type: ignore[untyped-decorator]
def _run(call: _Call) -> None:
    needs_grad = any(x.grad is not None for x in call.inputs)
    with launching(call.inputs):
        allocate = Allocator(call.inputs[0].dtype)
        call.outputs, call.saved = call.operator.forward(call.inputs, allocate)
        if needs_grad:
            for output in call.outputs:
                output._set_grad(allocate(output.shape, output.dtype))
    check_alive(call.outputs)


@ti.ad.grad_for(_run)  # type: ignore[untyped-decorator]
def _run_backward(call: _Call) -> None:
    if any(x.grad is not None for x in call.inputs):
        with launching(call.outputs):
            allocate = Allocator(call.inputs[0].dtype)
            call.operator.backward(call.inputs, call.outputs, call.saved, allocate)
