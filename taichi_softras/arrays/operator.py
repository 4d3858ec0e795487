"""Differentiable operators: how kernels are called, whatever arrays they are called on.

An operator knows no framework. It is handed arrays, which carry their gradients in ``.grad``, and
a way to allocate more; the bridges make them part of PyTorch's graph or of a Taichi tape.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import taichi as ti

Array = Any
"""A ``torch.Tensor`` or a ``ti.ndarray`` of scalars; contiguous."""

Shape = tuple[int, ...]


class Allocate(Protocol):
    """Makes an array of zeros, in the framework and on the device of the inputs."""

    def __call__(
        self, shape: Shape, dtype: Any, *, grad: float | None = None, clear: bool = True
    ) -> Array:
        """Make an array of ``shape`` and of the Taichi type ``dtype``, which may be a vector's.

        With ``grad`` it has a gradient, of that value everywhere. Without ``clear`` its numbers
        may be anything: for what is written before it is read.
        """


class Operator(Protocol):
    """Something differentiable, made of kernels."""

    def forward(
        self, inputs: Sequence[Array], allocate: Allocate
    ) -> tuple[tuple[Array, ...], tuple[Array, ...]]:
        """Run.

        Returns:
            The results, which may have gradients, and what else `backward` needs.
        """

    def backward(
        self,
        inputs: Sequence[Array],
        outputs: Sequence[Array],
        saved: Sequence[Array],
        allocate: Allocate,
    ) -> None:
        """Add to ``.grad`` of those inputs that have one, from ``.grad`` of the outputs."""


@dataclass(frozen=True)
class KernelOperator:
    """An operator that is one kernel, with Taichi's own gradient.

    Attributes:
        kernel: Called as ``kernel(*inputs, *constants, *outputs)``, with the mask, if there is
            one, after the inputs. It *adds* to its outputs, which start as zeros: a plain store
            would clear the incoming gradient.
        dtype: Floating-point type of the outputs, ``ti.f32`` or ``ti.f64``.
        output_shapes: Shapes of the outputs.
        constants: Numbers that the kernel takes.
        mask_kernel: Called first, as ``mask_kernel(*inputs[:mask_inputs], mask)``: finds out what
            Taichi can't in a kernel that it differentiates.
        mask_shape: Shape of the mask, which is int32.
        mask_inputs: How many of the first inputs the mask kernel takes.
    """

    kernel: Callable[..., None]
    dtype: Any
    output_shapes: tuple[Shape, ...]
    constants: tuple[float, ...] = ()
    mask_kernel: Callable[..., None] | None = None
    mask_shape: Shape = ()
    mask_inputs: int = 1

    def forward(
        self, inputs: Sequence[Array], allocate: Allocate
    ) -> tuple[tuple[Array, ...], tuple[Array, ...]]:
        """Run the kernel."""
        masks: tuple[Array, ...] = ()
        if self.mask_kernel is not None:
            masks = (allocate(self.mask_shape, ti.i32),)
            self.mask_kernel(*inputs[: self.mask_inputs], *masks)
        outputs = tuple(allocate(shape, self.dtype) for shape in self.output_shapes)
        self.kernel(*inputs, *masks, *self.constants, *outputs)
        return outputs, masks

    def backward(
        self,
        inputs: Sequence[Array],
        outputs: Sequence[Array],
        saved: Sequence[Array],
        allocate: Allocate,
    ) -> None:
        """Run the kernel's gradient."""
        self.kernel.grad(*inputs, *saved, *self.constants, *outputs)  # type: ignore[attr-defined]
