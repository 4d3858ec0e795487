"""From what a kernel measured to a loss: sums and means, over items, views and terms."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from taichi_softras.arrays.bridge import dtype_of
from taichi_softras.arrays.calls import apply
from taichi_softras.arrays.checks import check_arrays
from taichi_softras.arrays.operator import Allocate, Array, Operator
from taichi_softras.arrays.options import check_choice
from taichi_softras.arrays.runtime import launching
from taichi_softras.backend import ti
from taichi_softras.losses.kernels.sums import item_sum_kernels, weighted_kernel

PARTS_PER_ITEM = 64
"""How many partial sums the values of an item are first added up to, one by each thread."""

Reduction = Literal["mean", "none"]
"""What is returned of the losses of items: their mean, (1,), or all of them, (B,)."""


def check_reduction(reduction: Reduction) -> None:
    """Refuse what is no `Reduction`.

    Raises:
        ValueError: If it is neither of the two.
    """
    check_choice("reduction", reduction, ("mean", "none"))


def sum_items(values: Array, scale: float, reduction: Reduction) -> Array:
    """Add up the values (B, K) of each item, times ``scale``, and reduce: (1,) or (B,)."""
    num_items = values.shape[0]
    if reduction == "mean":
        scale /= max(num_items, 1)
    return apply(_SumOperator(num_items if reduction == "none" else 1, scale), (values,))[0]


def mean_items(values: Array, reduction: Reduction) -> Array:
    """Average the values (B, K) of each item, and reduce: (1,) or (B,). With K = 0 that is 0."""
    return sum_items(values, 1 / max(values.shape[1], 1), reduction)


def add_losses(losses: Sequence[Array], weight: float = 1.0) -> Array:
    """Add up losses of one shape, times ``weight``."""
    return apply(_AddOperator(weight), losses)[0]


def add_to_loss(loss: ti.Ndarray, term: ti.Ndarray, weight: float = 1.0) -> None:
    """Add a term to the loss of a ``ti.ad.Tape``: ``loss += weight * term``, recorded.

    For Taichi programs: a tape's loss is made before it is entered. In PyTorch, write the sum.

    Args:
        loss: (1,), the loss that the tape was given.
        term: (1,), what one of the functions here returned.
        weight: How much the term counts.

    Raises:
        TypeError: If an array is no ``ti.ndarray``, or of another type.
        ValueError: If a shape doesn't fit.

    Examples:
        >>> import taichi as ti, taichi_softras as sr
        >>> vertices, faces, _ = sr.icosphere(1, radius=1.0).to_taichi(needs_grad=True)
        >>> topology = sr.mesh_topology(faces, vertices)
        >>> loss = ti.ndarray(ti.f32, 1, needs_grad=True)
        >>> with ti.ad.Tape(loss=loss):
        ...     sr.add_to_loss(loss, sr.laplacian_loss(vertices, topology), weight=0.1)
        >>> bool(abs(vertices.grad.to_numpy()).max() > 0)
        True
    """
    for name, array in (("loss", loss), ("term", term)):
        if not isinstance(array, ti.Ndarray):
            raise TypeError(f"{name} must be a ti.ndarray, got {type(array).__name__}")
    check_arrays(loss=(loss, "(1,)"), term=(term, "(1,)"))
    with launching((loss, term)):
        weighted_kernel(dtype_of(loss))(term, weight, loss)


@dataclass(frozen=True)
class _SumOperator(Operator):
    """Adds up the values (B, K) of each item, or of all, times a scale: (B,) or (1,)."""

    num_sums: int
    scale: float

    def forward(
        self, inputs: Sequence[Array], allocate: Allocate
    ) -> tuple[tuple[Array, ...], tuple[Array, ...]]:
        (values,) = inputs
        kernels = item_sum_kernels(allocate.dtype)
        num_parts = max(min(values.shape[1], PARTS_PER_ITEM), 1)
        parts = allocate((values.shape[0], num_parts), clear=False)
        kernels.add_parts(values, parts)
        sums = allocate((self.num_sums,), clear=False)
        kernels.add_scaled(parts, self.scale, sums)
        return (sums,), ()

    def backward(
        self,
        inputs: Sequence[Array],
        outputs: Sequence[Array],
        saved: Sequence[Array],
        allocate: Allocate,
    ) -> None:
        (values,) = inputs
        if values.grad is not None:
            kernels = item_sum_kernels(allocate.dtype)
            kernels.spread_scaled(outputs[0].grad, self.scale, values.grad)


@dataclass(frozen=True)
class _AddOperator(Operator):
    """Adds up arrays (N,) of one type, times a weight."""

    weight: float

    def forward(
        self, inputs: Sequence[Array], allocate: Allocate
    ) -> tuple[tuple[Array, ...], tuple[Array, ...]]:
        total = allocate(tuple(inputs[0].shape))
        for term in inputs:
            weighted_kernel(allocate.dtype)(term, self.weight, total)
        return (total,), ()

    def backward(
        self,
        inputs: Sequence[Array],
        outputs: Sequence[Array],
        saved: Sequence[Array],
        allocate: Allocate,
    ) -> None:
        for term in inputs:
            if term.grad is not None:
                weighted_kernel(allocate.dtype).grad(term, self.weight, outputs[0])
