"""PyTorch's CUDA tensors: which are refused, and how Taichi's kernels are kept in order with them.

Streams are stand-ins, so that most of this runs anywhere. What needs a device says so.
"""

import contextlib
import multiprocessing
from concurrent.futures import ProcessPoolExecutor

import numpy as np
import pytest
import torch
from torch._subclasses.fake_tensor import FakeTensorMode
from torch.utils._python_dispatch import TorchDispatchMode

import taichi_softras as sr
from taichi_softras.arrays import runtime, torch_bridge

CUDA = torch.device("cuda", 0)
SETTINGS = sr.RasterizerSettings(height=9, width=12, sigma=1e-2, gamma=1e-1, near=0.5, far=5.0)


class Stream:
    """Stands in for a ``torch.cuda.Stream``: writes down that it was waited for."""

    def __init__(self, name, events):
        self.name = name
        self.events = events

    def synchronize(self):
        self.events.append(f"wait for {self.name}")


class Streams:
    """Stands in for the streams of ``torch.cuda``, and writes down what happens."""

    def __init__(self, monkeypatch):
        self.events = []
        self.default = Stream("default", self.events)
        self.side = Stream("side", self.events)
        self.current = self.default
        monkeypatch.setattr(torch.cuda, "current_stream", lambda device=None: self.current)
        monkeypatch.setattr(torch.cuda, "default_stream", lambda device=None: self.default)
        monkeypatch.setattr(torch.cuda, "stream", self.switch)
        monkeypatch.setattr(torch_bridge.ti, "sync", lambda: self.events.append("wait for Taichi"))

    @contextlib.contextmanager
    def switch(self, stream):
        before, self.current = self.current, stream
        yield
        self.current = before


@pytest.fixture
def streams(monkeypatch):
    return Streams(monkeypatch)


class Elsewhere(torch.Tensor):
    """A tensor without memory, on any device, whether or not this machine has it."""

    @staticmethod
    def __new__(cls, shape, device):
        return torch.Tensor._make_wrapper_subclass(cls, shape, dtype=torch.float32, device=device)

    @classmethod
    def __torch_dispatch__(cls, function, types, args=(), kwargs=None):
        raise AssertionError(f"{function} looked at a tensor that ought to be refused")


def rasterizer_inputs(device):
    shapes = ((1, 2, 3, 3), (1, 2, 3, 3), (1, 1, 1, 3), (1,), (1,), (1,))
    names = ("face_vertices", "colors", "background", "sigma", "gamma", "eps")
    return {name: Elsewhere(shape, device) for name, shape in zip(names, shapes)}


def test_default_stream_needs_no_waiting(streams):
    with torch_bridge._launching(CUDA):
        streams.events.append("launch")
    assert streams.events == ["launch"]


def test_side_stream_is_waited_for_before_and_taichi_after(streams):
    streams.current = streams.side
    with torch_bridge._launching(CUDA):
        streams.events.append("launch")
    assert streams.events == ["wait for side", "launch", "wait for Taichi"]
    assert streams.current is streams.side


def test_cpu_has_no_streams(monkeypatch):
    def refuse(*_):
        raise AssertionError("the CPU has no streams")

    monkeypatch.setattr(torch.cuda, "current_stream", refuse)
    monkeypatch.setattr(torch.cuda, "default_stream", refuse)
    monkeypatch.setattr(torch_bridge.ti, "sync", refuse)
    with torch_bridge._launching(torch.device("cpu")):
        pass


def test_launch_lock_is_held_and_released(streams):
    def fail():
        with torch_bridge._launching(CUDA):
            assert runtime.LAUNCH_LOCK._is_owned()
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        fail()
    assert not runtime.LAUNCH_LOCK._is_owned()


class Writes(TorchDispatchMode):
    """Writes down on which stream each operation of PyTorch's writes."""

    NO_WRITES = (torch.ops.aten.empty, torch.ops.aten.empty_like, torch.ops.aten.detach)

    def __init__(self, streams):
        super().__init__()
        self.streams = streams
        self.written_on = []

    def __torch_dispatch__(self, function, types, args=(), kwargs=None):
        if function.namespace == "aten" and function.overloadpacket not in self.NO_WRITES:
            self.written_on.append(self.streams.current.name)
        return function(*args, **(kwargs or {}))


def test_memory_is_cleared_in_order_with_the_kernels_that_use_it(streams):
    # Taichi launches on the default stream: zeros that are written on another, after that one
    # was waited for, may overwrite what a kernel has written.
    streams.current = streams.side
    with FakeTensorMode(), Writes(streams) as writes, torch_bridge._launching(CUDA):
        torch_bridge.Allocator(CUDA, torch_bridge.ti.f32)((1,), grad=1.0)
    assert set(writes.written_on) == {"default"}


@pytest.mark.parametrize("device", ["cpu", "cuda", "cuda:0"])
def test_devices_that_taichi_has(device):
    tensor = Elsewhere((1,), device)
    assert torch_bridge.check_device(tensor) == device.partition(":")[0]


def test_other_cuda_devices_are_refused():
    with pytest.raises(ValueError, match=r"on cuda:0, got cuda:1.*CUDA_VISIBLE_DEVICES"):
        sr.rasterize(settings=SETTINGS, **rasterizer_inputs("cuda:1"))


def test_other_kinds_of_devices_are_refused():
    with pytest.raises(ValueError, match="on cpu or cuda, got meta"):
        torch_bridge.check_device(torch.zeros(1, device="meta"))


def test_several_devices_are_refused():
    inputs = {**rasterizer_inputs("cuda:0"), "sigma": Elsewhere((1,), "cpu")}
    with pytest.raises(ValueError, match=r"on one device, got \['cpu', 'cuda'\]"):
        sr.rasterize(settings=SETTINGS, **inputs)


@pytest.mark.parametrize(("device", "arch"), [("cuda", "cpu"), ("cpu", "cuda")])
def test_tensors_are_refused_where_taichi_runs_elsewhere(device, arch, monkeypatch):
    config = type("Config", (), {"arch": {"cpu": runtime.ti.x64, "cuda": runtime.ti.cuda}[arch]})
    monkeypatch.setattr(runtime, "is_running", lambda: True)
    monkeypatch.setattr(runtime.impl, "current_cfg", lambda: config)
    with pytest.raises(ValueError, match=f"on {device}, but Taichi was started on"):
        sr.rasterize(settings=SETTINGS, **rasterizer_inputs(device))


def draw(device, dtype_name, on_side_stream):
    """Draw, and differentiate; return the image and all gradients, as NumPy arrays."""
    rng = np.random.default_rng(0)
    corners = rng.uniform(-0.8, 0.8, (1, 4, 3, 2))
    depths = rng.uniform(1, 4, (1, 4, 3, 1))
    colors, background = rng.uniform(size=(1, 4, 3, 3)), rng.uniform(size=(1, 1, 1, 3))
    numbers = (np.concatenate([corners, depths], axis=-1), colors, background, [0.02], [0.2], [0.1])
    dtype = getattr(torch, dtype_name)
    stream = torch.cuda.Stream() if on_side_stream else None
    with torch.cuda.stream(stream) if on_side_stream else contextlib.nullcontext():
        inputs = [torch.tensor(x, dtype=dtype, device=device).requires_grad_() for x in numbers]
        names = ("background", "sigma", "gamma", "eps")
        image = sr.rasterize(inputs[0], inputs[1], SETTINGS, **dict(zip(names, inputs[2:])))
        weights = torch.linspace(-1, 1, image.numel(), dtype=dtype, device=device)
        (image.flatten() * weights).sum().backward()
        return [x.detach().cpu().numpy() for x in (image, *(x.grad for x in inputs))]


@pytest.mark.gpu
@pytest.mark.slow
@pytest.mark.parametrize("on_side_stream", [False, True], ids=["default stream", "side stream"])
@pytest.mark.parametrize(("dtype_name", "tolerance"), [("float32", 1e-3), ("float64", 1e-9)])
def test_cuda_draws_what_the_cpu_draws(dtype_name, tolerance, on_side_stream):
    if not torch.cuda.is_available():
        pytest.skip("no CUDA device")
    on_cpu = in_own_process(draw, "cpu", dtype_name, False)
    on_cuda = in_own_process(draw, "cuda", dtype_name, on_side_stream)
    for cpu, cuda in zip(on_cpu, on_cuda):
        assert np.abs(cpu).max() > 0
        np.testing.assert_allclose(cuda, cpu, rtol=tolerance, atol=tolerance * np.abs(cpu).max())


def in_own_process(function, *args):
    """Call a function where Taichi runs on one backend from first to last."""
    spawn = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(max_workers=1, mp_context=spawn) as pool:
        return pool.submit(function, *args).result()
