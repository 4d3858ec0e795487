"""How kernels are run: by `apply`, as differentiable operators, or by `run`, unrecorded."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from taichi_softras.arrays.bridge import dtype_of, record
from taichi_softras.arrays.bridge import run as run
from taichi_softras.arrays.broadcast import unshare
from taichi_softras.arrays.launcher import Kernel
from taichi_softras.arrays.operator import Allocate, Array, Operator, Shape, Shared, count_items
from taichi_softras.backend import ti


def apply(operator: Operator, inputs: Sequence[Array]) -> tuple[Array, ...]:
    """Run an operator, and have it recorded for the backward pass.

    Args:
        operator: What to run.
        inputs: Its inputs: all tensors of one device, or all Taichi ndarrays. Those that several
            items or rows share are copied for each where their gradient is wanted.

    Raises:
        TypeError: If the inputs are of both kinds.
        ValueError: If they are on several devices, or not where Taichi runs.
    """
    declared = operator.shared(inputs)
    return record(operator, [x if s is None else unshare(x, s) for x, s in zip(inputs, declared)])


def apply_kernel(
    build: Callable[[Any], Kernel], inputs: Sequence[Array], shape: Shape, **options: Any
) -> Array:
    """Run a differentiable kernel that has one output, of ``shape``: see `KernelOperator`."""
    return apply(KernelOperator(build, (shape,), **options), inputs)[0]


@dataclass(frozen=True)
class KernelOperator(Operator):
    """An operator that is one kernel, with Taichi's own gradient.

    Attributes:
        build: Builds the kernel for a floating-point type, that of the first input. It is called as
            ``kernel(*inputs, *constants, *outputs)``, with the mask, if there is one, after the
            inputs. It *adds* to its outputs, which start as zeros: a plain store would clear the
            incoming gradient. It declares what is shared: see `arrays.launcher.kernel`.
        output_shapes: Shapes of the outputs.
        constants: Numbers that the kernel takes.
        num_items: How many items share what they share; the first size of the first output if None.
        num_rows: How many rows of an item share what rows share, and the mask's second size.
        mask: Builds a kernel that is called first, as ``mask(*masked inputs, mask)``: it finds out
            what Taichi can't in a kernel that it differentiates. The mask is int32, with an entry
            for each row of each item, or of the one item that serves all.
        masked: Which of the inputs that kernel takes.
    """

    build: Callable[[Any], Kernel]
    output_shapes: tuple[Shape, ...]
    constants: tuple[float, ...] = ()
    num_items: int | None = None
    num_rows: int = 1
    mask: Callable[[Any], Kernel] | None = None
    masked: tuple[int, ...] = (0,)

    def shared(self, inputs: Sequence[Array]) -> Sequence[Shared | None]:
        """Declare what the kernel declares."""
        kernel = self.build(dtype_of(inputs[0]))
        num_items = self.output_shapes[0][0] if self.num_items is None else self.num_items
        rows = {"item": Shared(num_items), "row": Shared(num_items, self.num_rows), None: None}
        return [rows[sharer] for sharer in kernel.sharers[: len(inputs)]]

    def forward(
        self, inputs: Sequence[Array], allocate: Allocate
    ) -> tuple[tuple[Array, ...], tuple[Array, ...]]:
        """Run the kernel."""
        masks: tuple[Array, ...] = ()
        if self.mask is not None:
            masked = [inputs[i] for i in self.masked]
            size = count_items(x.shape[0] for x in masked), self.num_rows
            masks = (allocate(size, ti.i32, clear=False),)
            self.mask(allocate.dtype)(*masked, *masks)
        outputs = tuple(allocate(shape) for shape in self.output_shapes)
        self.build(allocate.dtype)(*inputs, *masks, *self.constants, *outputs)
        return outputs, masks

    def backward(
        self,
        inputs: Sequence[Array],
        outputs: Sequence[Array],
        saved: Sequence[Array],
        allocate: Allocate,
    ) -> None:
        """Run the kernel's gradient."""
        self.build(allocate.dtype).grad(*inputs, *saved, *self.constants, *outputs)
