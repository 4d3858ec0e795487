"""Steps so small that their time is that of launches and of PyTorch's graph."""

import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

import torch

from taichi_softras.arrays.counts import num_launches, num_waits
from taichi_softras.arrays.operator import Array
from taichi_softras.backend import ti
from taichi_softras.bench.measuring import WARM_UPS
from taichi_softras.cameras.camera import LookAtCamera
from taichi_softras.cameras.kernels.clipping import clip_attributes_kernel
from taichi_softras.cameras.orbits import orbit_eyes
from taichi_softras.lights.kinds import Light
from taichi_softras.losses import image_loss, silhouette_loss
from taichi_softras.meshes.primitives import icosphere
from taichi_softras.rasterizer.settings import RasterizerSettings
from taichi_softras.renderer import render, render_silhouette

SIZE = 64
REPEATS = 20
"""How often what takes a fraction of a millisecond is repeated, to be timed once."""


@dataclass(frozen=True, kw_only=True)
class SmallStep:
    """What was found of a step: one view of 64² pixels, 320 faces, a loss and its gradient.

    Attributes:
        name: What is drawn.
        forward_launches: Kernels launched for the image.
        launches: Kernels launched for image, loss and gradient.
        waits: How often such a step waits for what was launched, as `num_waits` counts.
        forward: Seconds of an image without a graph, in each run.
        both: Seconds of a step, likewise.
        cpu: Seconds of the processor, of all threads, for a step, likewise.
    """

    name: str
    forward_launches: int
    launches: int
    waits: int
    forward: list[float]
    both: list[float]
    cpu: list[float]


def measure_small_steps(runs: int, device: str = "cpu") -> tuple[list[float], list[SmallStep]]:
    """Time small steps, in turn with a launch of Taichi's own.

    Args:
        runs: How often, after warming up.
        device: ``"cpu"`` or ``"cuda"``, where Taichi runs.

    Returns:
        Seconds of a launch, by Taichi's own front end, of a kernel that takes five tensors, in each
        run; and what was found of each step.
    """
    launch_plainly = _make_launch(device)
    steps = {
        name: _make_step(device, lit=lit)
        for name, lit in (("silhouette", False), ("lit colours", True))
    }
    plain: list[float] = []
    found: dict[str, SmallStep] = {}
    for run in range(WARM_UPS + runs):
        seconds = _time(launch_plainly)[0]
        if run >= WARM_UPS:
            plain.append(seconds)
        for name, (forward, both) in steps.items():
            times = _time(forward)[0], *_time(both)
            if run == WARM_UPS:
                counts = {
                    "forward_launches": _count(num_launches, forward),
                    "launches": _count(num_launches, both),
                    "waits": _count(num_waits, both),
                }
                found[name] = SmallStep(name=name, forward=[], both=[], cpu=[], **counts)
            if run >= WARM_UPS:
                columns = found[name].forward, found[name].both, found[name].cpu
                for column, value in zip(columns, times):
                    column.append(value)
    return plain, list(found.values())


def _make_launch(device: str) -> Callable[[], object]:
    """Make a function that has Taichi itself launch one of the kernels that take five tensors."""
    shapes = {"attributes": (1, 1, 3, 1), "weights": (1, 1, 3, 3), "clipped": (1, 1, 3, 1)}
    masks = {"source": (1, 1), "finite": (1, 1)}
    tensors = {name: torch.zeros(shape, device=device) for name, shape in shapes.items()}
    for name, mask in masks.items():
        tensors[name] = torch.zeros(mask, dtype=torch.int32, device=device)
    return partial(clip_attributes_kernel(ti.f32).plain, **tensors)


def _make_step(device: str, *, lit: bool) -> tuple[Callable[[], None], Callable[[], None]]:
    """Make functions that draw an image alone, and that also compare and differentiate it."""
    vertices, faces, colors = icosphere(2).to_torch(device)
    leaf = vertices.clone().requires_grad_()
    camera = LookAtCamera(orbit_eyes(3.0, 25.0, [0.0]))
    settings = RasterizerSettings(height=SIZE, width=SIZE, sigma=1e-4)
    light = Light()

    def draw(vertices: Array) -> Array:
        if lit:
            return render(vertices, faces, colors, camera, settings, light=light)
        return render_silhouette(vertices, faces, camera, settings)

    with torch.no_grad():
        target = draw(0.8 * vertices)

    def forward() -> None:
        with torch.no_grad():
            draw(leaf)

    def both() -> None:
        leaf.grad = None
        (image_loss if lit else silhouette_loss)(draw(leaf), target).backward()

    return forward, both


def _time(function: Callable[[], object]) -> tuple[float, float]:
    """Time a function: seconds by the clock, and of the processor."""
    ti.sync()
    start, cpu_start = time.perf_counter(), time.process_time()
    for _ in range(REPEATS):
        function()
    ti.sync()
    seconds, cpu = time.perf_counter() - start, time.process_time() - cpu_start
    return seconds / REPEATS, cpu / REPEATS


def _count(counter: Callable[[], int], function: Callable[[], object]) -> int:
    before = counter()
    function()
    return counter() - before
