"""How near two results must be: in the last places of their type, at the size of the numbers.

The same call gives the same bits, with any number of threads: `assert_same_bits`. No more is
promised. A number's place in its array, and the kernel that computes it, decide which
multiplications and additions the compiler fuses; so a mesh alone and in a batch, or light given as
numbers and as arrays, may differ in the last bits: `assert_near`.
"""

from typing import Any

import numpy as np
import torch


def ulps(count: float, dtype: Any) -> float:
    """The relative difference of so many units in the last place, in a type of PyTorch or NumPy."""
    return count * float(np.finfo(str(dtype).removeprefix("torch.")).eps)


def assert_near(actual: Any, expected: Any, count: float = 8) -> None:
    """Hold the results of one formula, worked out in two ways, to differ by rounding alone.

    Args:
        actual: A tensor or a NumPy array.
        expected: Another, of the same shape and type; not finite in the same places.
        count: By how many units in the last place of the largest of the expected numbers.
    """
    found, wanted = _arrays(actual, expected)
    largest = float(np.abs(wanted[np.isfinite(wanted)]).max(initial=0))
    np.testing.assert_allclose(found, wanted, rtol=0, atol=ulps(count, wanted.dtype) * largest)


def assert_within(actual: torch.Tensor, expected: torch.Tensor, atol: float = 1e-13) -> None:
    """Hold tensors to differ by no more than ``atol``: by default, float64 of size 1."""
    torch.testing.assert_close(actual, expected, rtol=0, atol=atol)


def assert_same_bits(actual: Any, expected: Any) -> None:
    """Hold the results of the same call to be the same to the last bit."""
    np.testing.assert_array_equal(*_arrays(actual, expected))


def _arrays(*results: Any) -> tuple[np.ndarray, ...]:
    arrays = tuple(np.asarray(x.detach() if hasattr(x, "detach") else x) for x in results)
    assert len({(x.shape, x.dtype) for x in arrays}) == 1
    return arrays
