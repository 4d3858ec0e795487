"""Operators on PyTorch tensors, as part of autograd's graph. Memory and streams, no maths.

Tensors are handed to Taichi without a copy. They are detached first, because Taichi would
allocate a ``.grad`` on any argument that requires one.
"""

import contextlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch

from taichi_softras.arrays.counts import note_wait
from taichi_softras.arrays.operator import Allocate, Array, Operator, Shape
from taichi_softras.arrays.runtime import LAUNCH_LOCK, ensure_running
from taichi_softras.arrays.uncompiled import hide_wrappers
from taichi_softras.backend import ti

hide_wrappers()

TAICHI_DTYPE = {
    torch.float32: ti.f32,
    torch.float64: ti.f64,
    torch.int32: ti.i32,
    torch.int64: ti.i64,
}
_TORCH_DTYPE = {taichi: dtype for dtype, taichi in TAICHI_DTYPE.items()}


def check_device(tensor: torch.Tensor) -> str:
    """Name the kind of device of a tensor.

    Raises:
        ValueError: If Taichi can't use that device: it has the CPU, and the first CUDA device.
    """
    device = tensor.device
    if device.type not in ("cpu", "cuda"):
        raise ValueError(f"tensors must be on cpu or cuda, got {device}")
    if device.type == "cuda" and device.index not in (None, 0):
        raise ValueError(
            f"tensors must be on cuda:0, got {device}: Taichi uses the first CUDA device only; "
            "choose another with CUDA_VISIBLE_DEVICES, one process for each"
        )
    return device.type


def wants_grad(tensor: torch.Tensor) -> bool:
    """See `arrays.bridge.wants_grad`."""
    return tensor.requires_grad and torch.is_grad_enabled()


def from_numpy(
    numbers: np.ndarray, device: str | torch.device, dtype: torch.dtype | None = None
) -> torch.Tensor:
    """Copy a NumPy array to a device; of its own type if ``dtype`` is None.

    Examples:
        >>> import numpy as np, taichi_softras as sr
        >>> array = sr.from_numpy(np.ones((1, 4, 3), np.float32), needs_grad=True)
        >>> array.shape, array.grad is None
        ((1, 4, 3), False)
    """
    # Reshaped, because a first dimension that was indexed by None has a stride of 0, at which
    # PyTorch warns when it comes to gradients.
    return torch.tensor(numbers, device=device, dtype=dtype).reshape(-1).reshape(numbers.shape)


def convert(tensor: torch.Tensor, dtype: Any, *, add_dimension: bool) -> torch.Tensor:
    """See `arrays.bridge.convert_tensor`."""
    return (tensor[None] if add_dimension else tensor).to(_TORCH_DTYPE[dtype])


def apply(operator: Operator, inputs: Sequence[torch.Tensor]) -> tuple[torch.Tensor, ...]:
    """Run an operator on tensors, which are on one device."""
    outputs: tuple[torch.Tensor, ...] = _OperatorFunction.apply(operator, *inputs)  # type: ignore[no-untyped-call]
    return outputs


def run(
    function: Callable[[Sequence[Array], Allocate], Any], inputs: Sequence[torch.Tensor]
) -> Any:
    """See `arrays.bridge.run`."""
    device = inputs[0].device
    arrays = [x.detach().contiguous() for x in inputs]
    with _launching(device):
        return function(arrays, Allocator.beside(arrays[0]))


class _OperatorFunction(torch.autograd.Function):
    """Makes any operator a node of autograd's graph."""

    @staticmethod
    def forward(ctx: Any, operator: Operator, *inputs: torch.Tensor) -> tuple[torch.Tensor, ...]:
        """Run, and keep what the gradient needs."""
        arrays = [x.detach().contiguous() for x in inputs]
        with _launching(inputs[0].device):
            outputs, saved = operator.forward(arrays, Allocator.beside(arrays[0]))
        ctx.operator = operator
        ctx.sizes = len(inputs), len(outputs)
        # The inputs themselves, not the contiguous copies: PyTorch then notices if the caller
        # writes to one of them before the backward pass.
        ctx.save_for_backward(*inputs, *outputs, *saved)
        return tuple(outputs)

    @staticmethod
    def backward(ctx: Any, *grad_outputs: torch.Tensor) -> tuple[torch.Tensor | None, ...]:
        """Return the gradients of the inputs that need one."""
        with torch.no_grad():
            grads = _differentiate(ctx, grad_outputs)
        if torch.is_grad_enabled():  # ``create_graph``: someone may differentiate the gradients
            inputs = ctx.saved_tensors[: ctx.sizes[0]]
            grads = _Undifferentiable.apply(len(grads), *grads, *inputs, *grad_outputs)  # type: ignore[no-untyped-call]
        return None, *grads


class _Undifferentiable(torch.autograd.Function):
    """Gradients, which depend on other tensors: who differentiates them by those is told no.

    ``once_differentiable`` of PyTorch does so only where the incoming gradient has a graph. Where
    it is constant, as that of a sum is, second derivatives would silently be zero.
    """

    @staticmethod
    def forward(
        ctx: Any, num_grads: int, *tensors: torch.Tensor | None
    ) -> tuple[torch.Tensor | None, ...]:
        """Pass the gradients, the first of the tensors, on."""
        return tensors[:num_grads]

    @staticmethod
    def backward(ctx: Any, *_: torch.Tensor) -> tuple[torch.Tensor | None, ...]:
        """Refuse."""
        raise RuntimeError(
            "taichi_softras has no second derivatives: its gradients can't be differentiated. "
            "Detach them to use them as constants"
        )


def _differentiate(
    ctx: Any, grad_outputs: Sequence[torch.Tensor]
) -> tuple[torch.Tensor | None, ...]:
    """Run an operator backward."""
    num_inputs, num_outputs = ctx.sizes
    tensors = ctx.saved_tensors
    inputs = [
        _leaf(x, _zeros_like(x) if needed else None)
        for x, needed in zip(tensors[:num_inputs], ctx.needs_input_grad[1:])
    ]
    outputs = [
        _leaf(x, grad)
        for x, grad in zip(tensors[num_inputs : num_inputs + num_outputs], grad_outputs)
    ]
    saved = [x.detach() for x in tensors[num_inputs + num_outputs :]]
    device = inputs[0].device
    ensure_running(device.type)  # not so if Taichi was reset since
    with _launching(device):
        ctx.operator.backward(inputs, outputs, saved, Allocator.beside(inputs[0]))
    return tuple(x.grad for x in inputs)


def _zeros_like(tensor: torch.Tensor) -> torch.Tensor:
    zeros = torch.empty_like(tensor, memory_format=torch.contiguous_format)
    _fill(zeros, 0)
    return zeros


def _leaf(tensor: torch.Tensor, grad: torch.Tensor | None) -> torch.Tensor:
    """Make a private alias of a tensor that carries a gradient of ours, for a kernel to see."""
    leaf = tensor.detach().contiguous()
    if grad is not None:
        leaf.requires_grad_()
        leaf.grad = grad.detach().contiguous()
    return leaf


@dataclass(frozen=True)
class Allocator:
    """An `arrays.operator.Allocate` for a device."""

    device: torch.device
    dtype: Any

    @classmethod
    def beside(cls, tensor: torch.Tensor) -> "Allocator":
        """Make one for a call whose first input is ``tensor``."""
        return cls(tensor.device, TAICHI_DTYPE[tensor.dtype])

    def __call__(
        self, shape: Shape, dtype: Any = None, *, grad: float | None = None, clear: bool = True
    ) -> torch.Tensor:
        """See `arrays.operator.Allocate`."""
        if isinstance(dtype, ti.lang.matrix.VectorType):
            shape, dtype = (*shape, dtype.n), dtype.dtype
        torch_dtype = _TORCH_DTYPE[self.dtype if dtype is None else dtype]
        tensor = torch.empty(shape, dtype=torch_dtype, device=self.device)
        if clear:
            _fill(tensor, 0)
        if grad is not None:
            gradient = torch.empty_like(tensor)
            _fill(gradient, grad)
            tensor.requires_grad_().grad = gradient
        return tensor


def _fill(tensor: torch.Tensor, number: float) -> None:
    """Set all numbers of a new tensor.

    On the CPU by NumPy, in this thread: the threads that PyTorch would wake go on to wait busily,
    and get in the way of Taichi's. On a GPU the memory belongs to the current stream, but is filled
    on the one that the kernels run on: they, and whoever is next given memory that has been freed,
    then come in order.
    """
    if tensor.is_cpu:
        tensor.numpy().fill(number)
    else:
        with _on_default_stream(tensor.device), torch.no_grad():
            tensor.fill_(number)


def _launching(device: torch.device) -> contextlib.AbstractContextManager[Any]:
    """Hold the launch lock; for a GPU see `_launching_in_order`."""
    return LAUNCH_LOCK if device.type == "cpu" else _launching_in_order(device)


@contextlib.contextmanager
def _launching_in_order(device: torch.device) -> Iterator[None]:
    """Hold the launch lock, and keep Taichi's kernels in order with PyTorch's.

    Taichi launches on CUDA's default stream. On PyTorch's default stream, which is the same one,
    order comes of itself; a side stream is waited for before, and Taichi's kernels after.
    """
    stream = torch.cuda.current_stream(device)
    on_side_stream = stream != torch.cuda.default_stream(device)
    with LAUNCH_LOCK:
        if on_side_stream:
            note_wait()
            stream.synchronize()
        try:
            yield
        finally:
            if on_side_stream:
                note_wait()
                ti.sync()


def _on_default_stream(device: torch.device) -> contextlib.AbstractContextManager[None]:
    """Have PyTorch run what follows on the stream that Taichi uses."""
    return torch.cuda.stream(torch.cuda.default_stream(device))
