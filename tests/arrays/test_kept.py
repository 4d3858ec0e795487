"""Arrays that are kept: for how long, and for whom."""

import copy
import pickle

import numpy as np
import pytest
import torch

from taichi_softras.arrays import kept
from taichi_softras.arrays.bridge import array_like
from taichi_softras.arrays.kept import KeptArrays, kept_with
from taichi_softras.arrays.runtime import ensure_running
from taichi_softras.arrays.taichi_bridge import from_numpy
from taichi_softras.backend import ti

LIKE = torch.zeros(1)


@pytest.fixture(autouse=True)
def running():
    ensure_running("cpu")


def number(kept_arrays, value, like=LIKE):
    return kept_arrays.get(value, like, lambda: array_like([value], like))


def test_what_is_asked_for_again_is_kept():
    numbers = KeptArrays()
    first = number(numbers, 2.0)
    assert number(numbers, 2.0) is first
    assert number(numbers, 3.0).tolist() == [3.0]
    assert number(numbers, 2.0, LIKE.double()).dtype == torch.float64
    assert number(numbers, 2.0) is first


def test_ndarrays_are_kept_beside_tensors():
    numbers = KeptArrays()
    like = from_numpy(np.zeros(1, np.float32))
    first = number(numbers, 2.0, like)
    assert isinstance(first, ti.Ndarray)
    assert number(numbers, 2.0, like) is first
    assert isinstance(number(numbers, 2.0), torch.Tensor)


def test_ndarrays_go_with_their_taichi(monkeypatch):
    class Program:
        pass

    numbers, running, like = KeptArrays(), Program(), from_numpy(np.zeros(1, np.float32))
    first = number(numbers, 2.0, like)
    monkeypatch.setattr(kept, "running_program", lambda: running)
    second = number(numbers, 2.0, like)
    assert second is not first
    assert number(numbers, 2.0, like) is second


def test_a_tensor_that_was_written_to_is_made_anew():
    numbers = KeptArrays()
    number(numbers, 2.0).add_(1)
    assert number(numbers, 2.0).tolist() == [2.0]


def test_only_a_few_are_kept():
    numbers = KeptArrays(most=3)
    first = number(numbers, 0.0)
    for value in range(1, 100):
        number(numbers, float(value))
    assert len(numbers._arrays) == 3
    assert number(numbers, 99.0) is number(numbers, 99.0)
    assert number(numbers, 0.0) is not first


@pytest.mark.parametrize("copied", [copy.deepcopy, lambda x: pickle.loads(pickle.dumps(x))])
def test_copies_are_empty(copied):
    numbers = KeptArrays(most=2)
    number(numbers, 2.0)
    other = copied(numbers)
    assert not other._arrays
    number(other, 2.0)
    assert other._most == 2


def test_what_is_made_in_inference_mode_serves_for_training():
    numbers = KeptArrays()
    with torch.inference_mode():
        factor = number(numbers, 2.0)
    x = torch.ones(1, requires_grad=True)
    (x * factor).sum().backward()
    assert x.grad.tolist() == [2.0]


def test_objects_have_their_own():
    class Owner:
        pass

    a, b = Owner(), Owner()
    assert kept_with(a) is kept_with(a)
    assert kept_with(a) is not kept_with(b)
