"""Launches of what is kept do what Taichi's own do; and where they can't, Taichi's own are made."""

import functools
import subprocess
import sys
import threading

import numpy as np
import pytest
import torch
from closeness import assert_same_bits

from taichi_softras.arrays import launcher
from taichi_softras.arrays.counts import num_launches
from taichi_softras.arrays.launcher import kernel
from taichi_softras.arrays.runtime import ensure_running
from taichi_softras.arrays.taichi_bridge import from_numpy
from taichi_softras.backend import BACKEND, ti

of_taichi = pytest.mark.skipif(
    BACKEND != "taichi", reason="Quadrants launches in its own way, and refuses in its own words"
)


@functools.cache
def scale_kernel(dtype):
    array2 = ti.types.ndarray(dtype=dtype, ndim=2)

    @kernel
    def scale(values: array2, factor: dtype, power: ti.i32, scaled: array2):
        for i, j in scaled:
            scaled[i, j] += values[i, j] * factor**power

    return scale


def scaled(values, *, factor=3.0, power=2, times=1):
    """Launch several times, so that the last are of what was kept."""
    result = torch.zeros_like(values)
    for _ in range(times):
        result.zero_()
        scale_kernel(ti.f32)(values, factor, power, result)
    return result


@pytest.fixture(autouse=True)
def running():
    ensure_running("cpu")


# --- What is kept -----------------------------------------------------------------------------


@of_taichi
def test_what_was_compiled_is_launched_again(monkeypatch):
    values = torch.rand(3, 4)
    expected = scaled(values)
    plain = []
    monkeypatch.setattr(scale_kernel(ti.f32), "plain", lambda *args: plain.append(args))
    assert_same_bits(scaled(values), expected)
    assert_same_bits(scaled(values[:2]), expected[:2])
    assert_same_bits(scaled(values, factor=np.float32(3), power=np.int64(2)), expected)
    assert not plain


@kernel
def count_above(values: ti.types.ndarray(ti.f32, 1), least: ti.f32) -> ti.i64:
    result = ti.cast(0, ti.i64)
    for i in values:
        if values[i] > least:
            result += ti.cast(1, ti.i64) << 33
    return result


@kernel
def add_up(values: ti.types.ndarray(ti.f64, 1)) -> ti.f64:
    result = ti.cast(0, ti.f64)
    for i in values:
        result += values[i]
    return result


def test_numbers_are_returned():
    numbers = torch.tensor([1.0, 2.0, 0.1])
    for _ in range(3):
        assert count_above(numbers, 0.5) == 2**34
        assert add_up(numbers.double()[:2]) == 3.0


def test_arguments_may_have_names():
    values = torch.rand(3, 4)
    expected = scaled(values)
    for _ in range(2):
        result = torch.zeros_like(values)
        scale_kernel(ti.f32)(values, scaled=result, power=2, factor=3.0)
        assert_same_bits(result, expected)


def test_the_same_memory_may_have_other_sizes():
    values, result = torch.ones(3, 4), torch.zeros(3, 4)
    for num_rows in (3, 2, 3, 1):
        scale_kernel(ti.f32)(values, 1.0, 1, result[:num_rows])
    assert result[:, 0].tolist() == [4, 3, 2]


def test_the_same_memory_may_have_another_gradient():
    values, result = torch.ones(3, 4).requires_grad_(), torch.zeros(3, 4).requires_grad_()
    result.grad = torch.ones(3, 4)
    grads = [torch.zeros(3, 4) for _ in range(3)]
    for grad in grads:
        values.grad = grad
        scale_kernel(ti.f32).grad(values, 2.0, 1, result)
    assert all((grad == 2).all() for grad in grads)


def test_launches_are_counted():
    values = torch.rand(3, 4)
    before = num_launches()
    scaled(values, times=3)
    scale_kernel(ti.f32).grad(values, 2.0, 1, torch.zeros_like(values))
    assert num_launches() == before + 4


@of_taichi
@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ((torch.rand(3, 4).double(), 3.0, 2, torch.rand(3, 4)), "dtype"),
        ((torch.rand(3), 3.0, 2, torch.rand(3, 4)), "ndim"),
        ((torch.rand(4, 3).T, 3.0, 2, torch.rand(3, 4)), "[Nn]on contiguous"),
        ((torch.rand(3, 4), "3", 2, torch.rand(3, 4)), "cannot be converted"),
        ((torch.rand(3, 4), 3.0, 2.5, torch.rand(3, 4)), "cannot be converted"),
        ((torch.rand(3, 4), 3.0, 2), "missing"),
        ((torch.rand(3, 4), 3.0, 2, torch.rand(3, 4), 1), "Too many"),
        (([1.0], 3.0, 2, torch.rand(3, 4)), "Invalid type"),
    ],
)
def test_what_does_not_fit_is_refused_in_taichis_words(arguments, words):
    scaled(torch.rand(3, 4), times=2)
    with pytest.raises((TypeError, ValueError, ti.TaichiCompilationError), match=words):
        scale_kernel(ti.f32)(*arguments)


@of_taichi
def test_an_unknown_name_is_refused():
    with pytest.raises(ti.TaichiSyntaxError, match="Unexpected argument 'faktor'"):
        scale_kernel(ti.f32)(torch.rand(3, 4), faktor=3.0, power=2, scaled=torch.rand(3, 4))


def test_vectors_of_another_length_are_refused():
    vectors = ti.types.ndarray(dtype=ti.types.vector(2, ti.f32), ndim=1)

    @kernel
    def swap(pairs: vectors):
        for i in pairs:
            pairs[i] = ti.Vector([pairs[i][1], pairs[i][0]])

    for _ in range(2):
        pairs = torch.tensor([[1.0, 2.0], [3.0, 4.0]])
        swap(pairs)
        assert pairs.tolist() == [[2.0, 1.0], [4.0, 3.0]]
    with pytest.raises(ValueError, match="element_shape"):
        swap(torch.rand(2, 3))


@pytest.mark.parametrize("times", [1, 3])
def test_gradients_are_added_to_those_of_tensors(times):
    for _ in range(times):
        values = torch.rand(3, 4).requires_grad_()
        values.grad = torch.ones(3, 4)
        result = torch.zeros(3, 4).requires_grad_()
        result.grad = torch.full((3, 4), 2.0)
        scale_kernel(ti.f32).grad(values, 3.0, 2, result)
        assert (values.grad == 1 + 2 * 9).all()


def test_a_gradient_that_is_missing_is_made_as_taichi_does():
    for _ in range(2):
        values = torch.rand(3, 4).requires_grad_()
        scale_kernel(ti.f32)(values, 3.0, 2, torch.zeros(3, 4))
        assert (values.grad == 0).all()


@pytest.mark.parametrize("times", [1, 3])
def test_a_tape_records(times):
    @kernel
    def add(values: ti.types.ndarray(ti.f32, 1), total: ti.types.ndarray(ti.f32, 1)):
        for i in values:
            total[0] += values[i] * values[i]

    for _ in range(times):
        values = from_numpy(np.array([1, 2, 3], np.float32), needs_grad=True)
        loss = from_numpy(np.zeros(1, np.float32), needs_grad=True)
        with ti.ad.Tape(loss):
            add(values, loss)
        assert values.grad.to_numpy().tolist() == [2, 4, 6]
        add(values, loss)
        assert loss.to_numpy().tolist() == [28]


def test_threads_launch_at_once():
    values = [torch.full((50, 40), float(i)) for i in range(4)]
    found = [None] * 4
    scaled(values[0])

    def work(i):
        found[i] = scaled(values[i], factor=float(i), times=50)

    threads = [threading.Thread(target=work, args=(i,)) for i in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for i, result in enumerate(found):
        assert (result == i**3).all()


@pytest.mark.parametrize("missing", ["a_method", "a_field", "an_argument"])
def test_without_private_calls_taichi_launches(missing, monkeypatch):
    if missing == "a_method":
        calls = {**launcher._PRIVATE_CALLS, int: ("no_such_method",)}
        monkeypatch.setattr(launcher, "_PRIVATE_CALLS", calls)
    elif missing == "a_field":
        monkeypatch.setattr(launcher, "_PRIVATE_FIELDS", ("no_such_field",))
    else:
        monkeypatch.setattr(launcher, "_SETTERS", {})
    scale_kernel.cache_clear()
    monkeypatch.setattr(
        launcher._Launcher, "_launch", lambda *args: pytest.fail("launched all the same")
    )
    assert (scaled(torch.ones(3, 4), times=3) == 9).all()
    test_gradients_are_added_to_those_of_tensors(2)
    scale_kernel.cache_clear()


# --- Taichi started anew ----------------------------------------------------------------------

PROGRAM = """
import torch
from taichi_softras.arrays.launcher import kernel
from taichi_softras.backend import ti

array = ti.types.ndarray(dtype=ti.f32, ndim=1)

@kernel
def double(values: array):
    for i in values:
        assert values[i] >= 0
        values[i] = 2 * values[i]

def doubled():
    values = torch.arange(5.0)
    double(values)
    return values.tolist()
"""


def run(program, folder):
    path = folder / "program.py"  # Taichi reads the source of kernels
    path.write_text(PROGRAM + program)
    done = subprocess.run([sys.executable, path], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout.split()


@of_taichi
def test_what_was_kept_goes_with_taichi(tmp_path):
    found = run(
        """
ti.init(ti.cpu)
found = [doubled() for _ in range(3)]
ti.reset()
ti.init(ti.cpu, default_fp=ti.f64)
found += [doubled() for _ in range(3)]
ti.init(ti.cpu, debug=True)
found += [doubled() for _ in range(3)]
assert all(x == [0, 2, 4, 6, 8] for x in found), found
print(len(double._kept))
ti.reset()
try:
    doubled()
except Exception as error:
    print(type(error).__name__)
""",
        tmp_path,
    )
    assert found[-2:] == ["1", "AttributeError"]


@of_taichi
def test_errors_of_kernels_are_taichis(tmp_path):
    found = run(
        """
ti.init(ti.cpu, debug=True)
print(doubled() == [0, 2, 4, 6, 8])
for _ in range(2):
    try:
        double(torch.tensor([-1.0]))
        ti.sync()
    except ti.TaichiAssertionError as error:
        print(type(error).__name__)
""",
        tmp_path,
    )
    assert found[-3:] == ["True", "TaichiAssertionError", "TaichiAssertionError"]
