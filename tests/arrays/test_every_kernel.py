"""Launches of what is kept do what Taichi's own do, for every kernel of the package."""

import contextlib
import dataclasses
import importlib.util
import itertools
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from closeness import assert_same_bits

from taichi_softras.arrays import launcher
from taichi_softras.arrays.launcher import Kernel
from taichi_softras.arrays.runtime import ensure_running
from taichi_softras.arrays.taichi_bridge import _Vectors, from_numpy
from taichi_softras.backend import ti

CUDA_TESTS = Path(__file__).parents[1] / "cuda"


GIVEN_NUMPY = {
    "meshes.kernels.voxels.mark_surface",
    "reconstruction.kernels.hull.carve",
    "reconstruction.kernels.sampling.sample",
}
"""Kernels that are given arrays of NumPy, which Taichi itself launches."""


ON_A_GPU = {
    "rasterizer.kernels.softness.find_workable",
    "rasterizer.kernels.softness.replace_unworkable",
}
"""Kernels for numbers that the host does not look at."""


def module_of(name):
    """Import a module of the folder whose programs run every kernel of the package."""
    spec = importlib.util.spec_from_file_location(name, CUDA_TESTS / f"{name}.py")
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module  # where dataclasses look for it
    spec.loader.exec_module(module)
    return module


class Comparison:
    """Makes each launch of what is kept twice: Taichi makes the other, on copies."""

    def __init__(self, monkeypatch):
        self.names, self._seen = set(), set()
        self._launch = launcher._Launcher._launch
        monkeypatch.setattr(launcher._Launcher, "_launch", self._compare)

    @property
    def _compare(self):
        def compare(thin, compiled, program, args, places):
            seen = thin, thin._look_at(args)[0]
            if seen in self._seen:
                return self._launch(thin, compiled, program, args, places)
            self._seen.add(seen)
            function = thin._taichi.func
            is_grad = "" if isinstance(thin, Kernel) else ".grad"
            self.names.add(f"{function.__module__.partition('.')[2]}.{function.__name__}{is_grad}")
            copies = each_once(copy_of, args)
            tensors = [each_once(as_tensor, args) for _ in range(2)]
            found = self._launch(thin, compiled, program, args, places)
            assert found == thin.plain(*copies)
            for x, y in zip(args, copies):
                assert_same_array(x, y)
            if any(isinstance(x, ti.Ndarray) for x in args):
                for arguments in tensors:  # the first compiles, the second is compared here
                    thin(*arguments)
            return found

        return compare


def each_once(copy, args):
    """Copy arguments. One may be given twice, or be the gradient of another."""
    copies = {}

    def once(x):
        if id(x) not in copies:
            copies[id(x)] = copy(x, once)
        return copies[id(x)]

    return [once(x) for x in args]


def copy_of(x, once):
    """Copy an array of either framework, with its gradient."""
    if isinstance(x, torch.Tensor):
        result = x.detach().clone()
        if x.grad is not None:
            result.requires_grad_().grad = once(x.grad)
    elif isinstance(x, ti.Ndarray):
        is_vector = len(x.element_shape) == 1
        result = _Vectors(x.n, x.dtype, x.shape) if is_vector else ti.ndarray(x.dtype, x.shape)
        if 0 not in x.shape:
            result.from_numpy(x.to_numpy())
        if x.grad is not None:
            result._set_grad(once(x.grad))
    else:
        result = x
    return result


def as_tensor(x, once):
    """Make a tensor of a Taichi ndarray, with its gradient."""
    if not isinstance(x, ti.Ndarray):
        return x
    result = torch.from_numpy(x.to_numpy())
    if x.grad is not None:
        result.requires_grad_().grad = once(x.grad)
    return result


def assert_same_array(x, y):
    if isinstance(x, (torch.Tensor, ti.Ndarray)):
        pair = (z.to_numpy() if isinstance(z, ti.Ndarray) else z for z in (x, y))
        assert_same_bits(*pair)
        assert (x.grad is None) == (y.grad is None)
        if x.grad is not None:
            assert_same_array(x.grad, y.grad)


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore:nothing is drawn")
def test_every_kernel_does_what_taichi_does(monkeypatch, numpy_rng):
    """To the bit, forward and backward, on ndarrays and on tensors; some in float64 too."""
    ensure_running("cpu")
    calls = module_of("compile_kernels")

    def random_array(dtype, *shape, grad=True):
        if dtype == ti.i32:
            return ti.ndarray(dtype, shape)
        numbers = numpy_rng.uniform(0.1, 1.0, shape)
        return from_numpy(
            numbers.astype(np.float32 if dtype == ti.f32 else np.float64), needs_grad=grad
        )

    monkeypatch.setattr(calls, "array", random_array)
    monkeypatch.setattr(calls, "SETTINGS", dataclasses.replace(calls.SETTINGS, near=0.01))
    comparison = Comparison(monkeypatch)
    for dtype, family in itertools.product((ti.f32, ti.f64), calls.FAMILIES):
        for name, call in [*family(dtype), *family(dtype)]:
            if not is_wanted(name, family.__name__, is_double=dtype == ti.f64):
                continue
            loss = ti.ndarray(dtype, 1, needs_grad=True)
            with ti.ad.Tape(loss) if calls.FAMILIES[family] else contextlib.nullcontext():
                call(loss)
    compared = {name.removesuffix(".grad") for name in comparison.names}
    left_out = module_of("report").source_kernels() - compared
    assert sorted(left_out) == sorted(GIVEN_NUMPY | ON_A_GPU)
    assert sum(name.endswith(".grad") for name in comparison.names) > 30


def is_wanted(name, family, *, is_double):
    """Choose calls that launch every kernel, of whatever variant."""
    if is_double:
        return family in ("camera_calls", "clipping_calls") or "plain camera" in name
    if family == "rasterizer_calls":
        return name in (
            "3 channels",
            "3 channels, by autodiff",
            "3 channels, long lists",
            "3 channels, mipmapped texture",
            "coverage of a face",
            "silhouette, supersampling 2",
        )
    if family == "scene_calls":
        return name.startswith("mesh") or name.endswith("lit by face")
    return True
