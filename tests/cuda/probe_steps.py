"""Steps of optimisation that `probe.py` takes, each in a process of its own.

    python tests/cuda/probe_steps.py NAME [--device cuda|cpu] [--small]

Each prints what it found, a line of JSON, and fails where that is not as it must be.
"""

import argparse
import json
import os
import resource
import statistics
import sys
import time
from collections.abc import Callable
from typing import Any

import torch

import taichi_softras as sr
from taichi_softras.arrays.runtime import on_gpu
from taichi_softras.backend import ti
from taichi_softras.bench.gpu import memory_in_use
from taichi_softras.bench.measuring import peak_memory

LEAST_LEAK = 4096
"""Bytes a step by which memory that grows with steps is told from what is kept once."""


def report(**numbers: Any) -> None:
    sys.stdout.write(json.dumps(numbers) + "\n")
    sys.stdout.flush()


def make_step(device: str, level: int, size: int, sigma: float = 1e-4) -> Callable[[], None]:
    """Make a step of shape and colours: an image of one view, a loss, gradients."""
    vertices, faces, colors = sr.icosphere(level).to_torch(device)
    leaves = [x.clone().requires_grad_() for x in (vertices, colors)]
    camera = sr.LookAtCamera(sr.orbit_eyes(3.0, 25.0, [30.0]))
    settings = sr.RasterizerSettings(height=size, width=size, sigma=sigma)
    target = torch.zeros(1, size, size, 4, device=device)

    def step() -> None:
        for leaf in leaves:
            leaf.grad = None
        image = sr.render(leaves[0], faces, leaves[1], camera, settings, light=sr.Light())
        sr.image_loss(image, target).backward()
        step.image, step.gradient = image.detach(), leaves[0].grad

    return step


def milliseconds(step: Callable[[], None], runs: int) -> dict[str, float]:
    for _ in range(3):
        step()
    times = []
    for _ in range(runs):
        ti.sync()
        start = time.perf_counter()
        step()
        ti.sync()
        times.append(1e3 * (time.perf_counter() - start))
    return {"median_ms": statistics.median(times), "least_ms": min(times)}


def once(device: str, small: bool) -> None:
    """One small step, for tools that watch it."""
    step = make_step(device, 1, 16)
    step()
    report(gradient=float(step.gradient.abs().max()))


def memory(device: str, small: bool) -> None:
    """Memory must not grow with steps, of PyTorch or of Taichi."""
    count = 60 if small else 2000
    step = make_step(device, 2, 64)
    vertices, faces, _ = sr.icosphere(2).to_taichi(needs_grad=True)
    loss = ti.ndarray(ti.f32, 1, needs_grad=True)
    settings = sr.RasterizerSettings(height=64, width=64)
    camera = sr.LookAtCamera((0.0, 0.0, 3.0))
    target = sr.render_silhouette(vertices, faces, camera, settings)

    def step_on_tape() -> None:
        with ti.ad.Tape(loss=loss):
            alpha = sr.render_silhouette(vertices, faces, camera, settings)
            sr.add_to_loss(loss, sr.silhouette_loss(alpha, target))

    for name, take in (("torch", step), ("taichi", step_on_tape)):
        for _ in range(count // 4):
            take()
        ti.sync()
        before = in_use()
        for _ in range(count):
            take()
        ti.sync()
        grown = [now - then for now, then in zip(in_use(), before)]
        report(**{f"{name}_host_bytes_a_step": grown[0] / count})
        report(**{f"{name}_device_bytes_a_step": grown[1] / count})
        # A short run's caches are too large a share of it.
        assert small or max(grown) < LEAST_LEAK * count, f"{name}: grew by {grown} bytes"


def in_use() -> tuple[int, int]:
    """Bytes of this process, and of the GPU."""
    pages = resource.getpagesize()
    with open("/proc/self/statm") as file:
        host = int(file.read().split()[1]) * pages
    return host, memory_in_use() if on_gpu() else 0


def many_faces(device: str, small: bool) -> None:
    """Half a million faces on 1024² pixels."""
    mesh = sr.torus(major_segments=1000, minor_segments=250) if not small else sr.icosphere(3)
    size = 64 if small else 1024
    vertices, faces, colors = mesh.to_torch(device)
    leaf = vertices.clone().requires_grad_()
    camera = sr.LookAtCamera(sr.orbit_eyes(3.0, 25.0, [30.0]))
    settings = sr.RasterizerSettings(height=size, width=size, sigma=1e-5)

    def step() -> None:
        leaf.grad = None
        sr.render(leaf, faces, colors, camera, settings).square().sum().backward()

    times = milliseconds(step, 2 if small else 10)
    assert torch.isfinite(leaf.grad).all()
    assert float(leaf.grad.abs().max()) > 0
    report(faces=mesh.num_faces, size=size, **times, peak_host_mib=peak_memory() / 2**20)


def streams(device: str, small: bool) -> None:
    """A step on a side stream, and in a backward pass from another thread: the same bits."""
    step = make_step(device, 2, 48)
    step()
    wanted = step.image.clone(), step.gradient.clone()
    if device == "cuda":
        for _ in range(5):
            with torch.cuda.stream(torch.cuda.Stream()):
                step()
            torch.cuda.synchronize()
            assert all(map(torch.equal, wanted, (step.image, step.gradient)))
    for _ in range(5):
        step()
        assert all(map(torch.equal, wanted, (step.image, step.gradient)))
    report(same_bits=True)


def ddp(device: str, small: bool) -> None:
    """A process of `DistributedDataParallel`, of one rank."""
    import torch.distributed as dist
    from torch.nn.parallel import DistributedDataParallel

    os.environ.update(MASTER_ADDR="127.0.0.1", MASTER_PORT="29511")
    dist.init_process_group("nccl" if device == "cuda" else "gloo", rank=0, world_size=1)
    sphere, faces, _ = sr.icosphere(1).to_torch(device)

    class Shape(torch.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.offsets = torch.nn.Parameter(torch.zeros_like(sphere))

        def forward(self, camera: sr.Camera) -> torch.Tensor:
            settings = sr.RasterizerSettings(height=32, width=32)
            return sr.render_silhouette(sphere + self.offsets, faces, camera, settings)

    camera = sr.LookAtCamera((0.0, 0.0, 3.0))
    model = DistributedDataParallel(Shape().to(device))
    optimizer = torch.optim.SGD(model.parameters(), lr=1e-3)
    losses = []
    for _ in range(5):
        optimizer.zero_grad()
        loss = model(camera).mean()
        loss.backward()
        optimizer.step()
        losses.append(float(loss.detach()))
    dist.destroy_process_group()
    assert losses[-1] < losses[0], losses
    report(losses=losses)


def kernels(device: str, small: bool) -> None:
    """Where the time of steps goes, by Taichi's profiler: the ten longest kernels of each."""
    sr.init(device, kernel_profiler=True)
    sizes = ((1, 16),) if small else ((2, 64), (4, 256), (4, 1024))
    for level, size in sizes:
        step = make_step(device, level, size)
        step()
        ti.sync()
        ti.profiler.clear_kernel_profiler_info()
        for _ in range(2 if small else 10):
            step()
        ti.sync()
        sys.stdout.write(f"sphere of {20 * 4**level} faces, {size} x {size}\n")
        ti.profiler.print_kernel_profiler_info("count")


def torch_profile(device: str, small: bool) -> None:
    """Where the time of a small step goes, on the host too."""
    from torch.profiler import ProfilerActivity
    from torch.profiler import profile as record

    step = make_step(device, 2, 64)
    step()
    kinds = [ProfilerActivity.CPU] + [ProfilerActivity.CUDA] * (device == "cuda")
    with record(activities=kinds) as found:
        for _ in range(2 if small else 20):
            step()
        ti.sync()
    key = "self_cuda_time_total" if device == "cuda" else "self_cpu_time_total"
    sys.stdout.write(found.key_averages().table(sort_by=key, row_limit=20) + "\n")


STEPS = (once, memory, many_faces, streams, ddp, kernels, torch_profile)


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("name", choices=[step.__name__ for step in STEPS])
    parser.add_argument("--device", choices=("cuda", "cpu"), default="cuda")
    parser.add_argument("--small", action="store_true")
    args = parser.parse_args()
    {step.__name__: step for step in STEPS}[args.name](args.device, args.small)


if __name__ == "__main__":
    main()
