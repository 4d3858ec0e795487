"""Operators made of kernels: types, what is shared, masks."""

import functools

import pytest
import torch
from torch.autograd import gradcheck

from taichi_softras.arrays.calls import apply, apply_kernel
from taichi_softras.arrays.corners import concatenate
from taichi_softras.arrays.kernels.broadcast import copy_of
from taichi_softras.arrays.launcher import kernel
from taichi_softras.arrays.operator import Operator
from taichi_softras.backend import ti


@functools.cache
def scale_kernel(dtype):
    array2 = ti.types.ndarray(dtype=dtype, ndim=2)

    @kernel(values="item", factors="row")
    def scale(
        values: array2,  # (B or 1, N), in
        factors: ti.types.ndarray(dtype=dtype, ndim=1),  # (B or 1 or B * N,), in
        mask: ti.types.ndarray(dtype=ti.i32, ndim=2),  # (B or 1, N), in
        power: ti.i32,
        scaled: array2,  # (B, N), accumulated
    ):
        for b, i in ti.ndrange(scaled.shape[0], scaled.shape[1]):
            factor = factors[copy_of(factors, b, scaled.shape[0], i)]
            if mask[ti.min(b, mask.shape[0] - 1), i] != 0:
                scaled[b, i] += values[ti.min(b, values.shape[0] - 1), i] * factor**power

    return scale


@functools.cache
def positive_kernel(dtype):
    @kernel
    def find_positive(
        values: ti.types.ndarray(dtype=dtype, ndim=2),  # (B or 1, N), in
        mask: ti.types.ndarray(dtype=ti.i32, ndim=2),  # (B or 1, N), out
    ):
        for b, i in mask:
            mask[b, i] = ti.select(values[b, i] > 0, 1, 0)

    return find_positive


def scale(values, factors):
    num_items, num_rows = max(len(values), len(factors)), values.shape[1]
    return apply_kernel(
        scale_kernel,
        (values, factors),
        (num_items, num_rows),
        constants=(2,),
        num_rows=num_rows,
        mask=positive_kernel,
    )


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("sizes", [(1, 1), (1, 3), (3, 1), (3, 3)])
def test_a_kernel_takes_its_type_from_its_inputs(sizes, dtype, rng):
    values = torch.randn(sizes[0], 70, generator=rng, dtype=dtype)
    factors = torch.randn(sizes[1], generator=rng, dtype=dtype)
    found = scale(values, factors)
    assert found.dtype == dtype
    torch.testing.assert_close(found, (values * factors[:, None] ** 2) * (values > 0))


@pytest.mark.gradcheck
@pytest.mark.parametrize("sizes", [(1, 3), (3, 1), (2, 2)])
def test_gradients_of_what_is_shared(sizes, rng):
    values = torch.randn(sizes[0], 4, generator=rng, dtype=torch.float64).requires_grad_()
    factors = torch.randn(sizes[1], generator=rng, dtype=torch.float64).requires_grad_()
    assert gradcheck(scale, (values, factors))


class _Spy(Operator):
    """Notes the shapes that the kernel is given."""

    def __init__(self, operator):
        self.operator, self.shapes = operator, []

    def shared(self, inputs):
        return self.operator.shared(inputs)

    def forward(self, inputs, allocate):
        self.shapes = [tuple(x.shape) for x in inputs]
        return (allocate((1,)),), ()

    def backward(self, inputs, outputs, saved, allocate):
        pass


def test_only_what_is_shared_and_wants_a_gradient_is_copied(monkeypatch):
    spies = []

    def spy_on(operator, inputs):
        spies.append(_Spy(operator))
        return apply(spies[-1], inputs)

    monkeypatch.setattr("taichi_softras.arrays.calls.apply", spy_on)
    values, factors = torch.ones(1, 70), torch.ones(3)
    scale(values, factors)
    assert spies[-1].shapes == [(1, 70), (3,)]
    scale(values.requires_grad_(), factors.requires_grad_())
    assert spies[-1].shapes == [(3, 70), (3 * 70,)]
    with torch.no_grad():
        scale(values, factors)
    assert spies[-1].shapes == [(1, 70), (3,)]


def test_a_kernel_declares_its_own_arguments_only():
    with pytest.raises(TypeError, match="find has no argument 'valeus'"):

        @kernel(valeus="item")
        def find(values: ti.types.ndarray(dtype=ti.f32, ndim=1)):
            for i in values:
                values[i] = 0


def test_what_is_concatenated_is_shared(rng):
    """One mesh's attributes beside the depths of many: each item has its copy."""
    shared = torch.randn(1, 5, 3, 2, generator=rng, dtype=torch.float64).requires_grad_()
    own = torch.randn(4, 5, 3, 1, generator=rng, dtype=torch.float64)
    result = concatenate([shared, own])
    torch.testing.assert_close(result, torch.cat([shared.expand(4, -1, -1, -1), own], -1))
    weights = torch.randn(result.shape, generator=rng, dtype=torch.float64)
    (found,) = torch.autograd.grad((result * weights).sum(), shared)
    in_order = functools.reduce(torch.add, weights[:, None, ..., :2])
    assert (found == in_order).all()
