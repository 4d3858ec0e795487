"""What tests of losses share."""

from pathlib import Path

import torch
from hypothesis import settings

from taichi_softras.arrays.calls import apply_kernel
from taichi_softras.arrays.launcher import kernel
from taichi_softras.backend import ti

GOLDEN = Path(__file__).parents[1] / "golden"

anything = settings(max_examples=25, deadline=None, derandomize=True, database=None)


def assert_same(actual, expected):
    torch.testing.assert_close(actual, expected.reshape(1), rtol=1e-13, atol=1e-13)


def total(losses):
    """Add up an ndarray of losses: (1,)."""
    return apply_kernel(lambda _: sum_kernel, (losses,), (1,))


@kernel
def sum_kernel(
    values: ti.types.ndarray(dtype=ti.f64, ndim=1), result: ti.types.ndarray(dtype=ti.f64, ndim=1)
):
    for i in range(values.shape[0]):
        result[0] += values[i]
