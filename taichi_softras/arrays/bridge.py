"""The two front ends' common face: arrays of PyTorch or of Taichi, told apart by their type.

`record` makes an operator part of PyTorch's graph if it is given tensors, and of the surrounding
``ti.ad.Tape`` if it is given Taichi ndarrays. PyTorch is never imported here: a tensor can only
come from a program that has imported it.
"""

import contextlib
import functools
import sys
from collections.abc import Callable, Sequence
from typing import Any, TypeVar

import numpy as np

from taichi_softras.arrays import taichi_bridge
from taichi_softras.arrays.counts import note_wait
from taichi_softras.arrays.operator import Allocate, Array, Operator
from taichi_softras.arrays.runtime import check_alive, ensure_running, on_gpu
from taichi_softras.backend import ti

FLOATS = (ti.f32, ti.f64)

T = TypeVar("T")

_NOTHING: contextlib.AbstractContextManager[Any] = contextlib.nullcontext()


def is_tensor(value: object) -> bool:
    """Tell whether ``value`` is a PyTorch tensor."""
    torch = sys.modules.get("torch")
    return torch is not None and isinstance(value, torch.Tensor)


def is_array(value: object) -> bool:
    """Tell whether ``value`` is an array that can have a gradient."""
    return is_tensor(value) or isinstance(value, ti.Ndarray)


def namespace_of(value: object) -> Any:
    """The module whose functions compute with a value: PyTorch's for tensors, else NumPy's.

    For what is no kernel's work and is written once for both: they share the names, and the order
    of arguments, of many functions.
    """
    return sys.modules["torch"] if is_tensor(value) else np


def dtype_of(array: Array) -> Any:
    """Taichi's name for an array's type."""
    if isinstance(array, ti.Ndarray):
        return array.dtype
    return _torch_bridge().TAICHI_DTYPE.get(array.dtype, array.dtype)


def device_of(array: Array) -> str | None:
    """Where an array lives, ``"cpu"`` or ``"cuda"``; None for Taichi's, which live where it runs.

    Raises:
        ValueError: If the array is on a device that Taichi can't use.
    """
    return _torch_bridge().check_device(array) if is_tensor(array) else None


def wants_grad(array: Array) -> bool:
    """Tell whether an array wants the gradient of what is computed from it now."""
    if isinstance(array, ti.Ndarray):
        return array.grad is not None
    return bool(_torch_bridge().wants_grad(array))


def record(operator: Operator, inputs: Sequence[Array]) -> tuple[Array, ...]:
    """Run an operator, and have it recorded for the backward pass: what `calls.apply` comes to.

    Args:
        operator: What to run.
        inputs: Its inputs: all tensors of one device, or all Taichi ndarrays.

    Raises:
        TypeError: If the inputs are of both kinds.
        ValueError: If they are on several devices, or not where Taichi runs.
    """
    if start_for(inputs):
        outputs: tuple[Array, ...] = _torch_bridge().apply(operator, inputs)
        return outputs
    return taichi_bridge.apply(operator, inputs)


def start_for(inputs: Sequence[Array]) -> bool:
    """Check that arrays belong together, and start Taichi where they are unless it runs.

    Args:
        inputs: All tensors of one device, or all Taichi ndarrays.

    Returns:
        Whether they are tensors.

    Raises:
        TypeError: If they are of both kinds.
        ValueError: If they are on several devices, or not where Taichi runs.
        RuntimeError: If Taichi can't run in this process or thread, or an ndarray is of a Taichi
            that has ended.
    """
    tensors = [is_tensor(x) for x in inputs]
    if all(tensors):
        if all(x.is_cpu for x in inputs):
            ensure_running("cpu")
            return True
        devices = {device_of(x) for x in inputs}
        if len(devices) > 1:
            raise ValueError(f"tensors must be on one device, got {sorted(map(str, devices))}")
        ensure_running(devices.pop())
        return True
    if any(tensors) or not all(is_array(x) for x in inputs):
        kinds = sorted({type(x).__name__ for x in inputs})
        raise TypeError(f"arrays must all be tensors or all Taichi ndarrays, got {kinds}")
    check_alive(inputs)
    ensure_running()
    return False


def run(function: Callable[[Sequence[Array], Allocate], T], inputs: Sequence[Array]) -> T:
    """Run kernels that no gradient goes through, unrecorded.

    Args:
        function: Takes the inputs, and a way to allocate arrays beside them.
        inputs: All tensors of one device, or all Taichi ndarrays.
    """
    result: T
    if all(is_tensor(x) for x in inputs):
        ensure_running(device_of(inputs[0]))
        result = _torch_bridge().run(function, inputs)
        return result
    result = taichi_bridge.run(function, inputs)
    return result


def array_like(value: Any, like: Array, *, dtype: Any = None) -> Array:
    """Turn numbers into an array of the framework and device of another.

    Args:
        value: A number, a sequence of numbers or a NumPy array; or an array, which is returned.
        like: The other array.
        dtype: A Taichi type; that of ``like`` if None.
    """
    if is_array(value):
        return value
    dtype = dtype_of(like) if dtype is None else dtype
    numbers = np.ascontiguousarray(value, dtype=taichi_bridge.NUMPY_DTYPE[dtype])
    if is_tensor(like):
        return _torch_bridge().from_numpy(numbers, like.device)
    return taichi_bridge.from_numpy(numbers)


def lasting(like: Array) -> contextlib.AbstractContextManager[Any]:
    """Have arrays made that are to outlast a call, as ``like`` is of: in no inference mode.

    A tensor made in PyTorch's inference mode can never be saved for a backward pass.
    """
    return sys.modules["torch"].inference_mode(False) if is_tensor(like) else _NOTHING


def convert_tensor(tensor: Array, dtype: Any, *, add_dimension: bool = False) -> Array:
    """Give a tensor another floating-point type, and a first dimension of 1, in PyTorch's graph."""
    return _torch_bridge().convert(tensor, dtype, add_dimension=add_dimension)


def on_host(array: Array) -> np.ndarray | None:
    """Look at an array's numbers, where that costs no waiting for a device; else None."""
    if is_tensor(array):
        return array.detach().numpy() if array.device.type == "cpu" else None
    if on_gpu():
        return None
    return taichi_bridge.to_numpy(array)


def to_numpy(array: Array) -> np.ndarray:
    """Copy an array to the host; nothing is recorded."""
    if is_tensor(array):
        note_wait()
        numbers: np.ndarray = array.detach().cpu().numpy().copy()
        return numbers
    return taichi_bridge.to_numpy(array)


@functools.cache
def _torch_bridge() -> Any:
    # Only ever reached with a tensor at hand, so that PyTorch is imported already.
    from taichi_softras.arrays import torch_bridge

    return torch_bridge
