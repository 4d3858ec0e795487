"""Measurements of one case: times, fragments and memory, each in a process of its own.

`measure_alone` starts such a process, whose `main` takes a `Request` as JSON and prints a
`Measurement` as JSON. A process of its own has a peak of memory of its own.
"""

import dataclasses
import json
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from taichi_softras.arrays.operator import Array
from taichi_softras.arrays.runtime import init, on_gpu
from taichi_softras.arrays.taichi_bridge import from_numpy
from taichi_softras.backend import ti
from taichi_softras.bench.cases import Case
from taichi_softras.bench.gpu import memory_in_use
from taichi_softras.losses import add_to_loss, image_loss, silhouette_loss
from taichi_softras.rasterizer.inspection import count_fragments
from taichi_softras.rasterizer.rasterization import rasterize, rasterize_silhouette
from taichi_softras.rasterizer.settings import RasterizerSettings

WARM_UPS = 2
"""Runs before those that are timed: the first compiles, the second finds memory mapped."""


@dataclass(frozen=True, kw_only=True)
class Request:
    """What is measured.

    Attributes:
        case: What is drawn.
        runs: How often, after warming up. At least 1.
        arch: What on: ``"cpu"`` or ``"cuda"``.
    """

    case: Case
    runs: int = 10
    arch: str = "cpu"


@dataclass(frozen=True, kw_only=True)
class Measurement:
    """What was found.

    Attributes:
        faces: How many faces the mesh has, really.
        fragments: Pairs of a pixel and a face that covers it by more than the cut-off.
        forward: Seconds of each run, for the images.
        backward: Seconds of each run, for the loss and the gradients.
        start_bytes: Memory of the process before the first array; 0 if the system doesn't tell.
        peak_bytes: Most memory that the process had, likewise.
        device_bytes: Most memory of the GPU that was in use after an image or a gradient, above
            that before the first array; 0 on a CPU.
    """

    faces: int
    fragments: int
    forward: list[float]
    backward: list[float]
    start_bytes: int
    peak_bytes: int
    device_bytes: int = 0

    @property
    def both(self) -> list[float]:
        """Seconds of each run, forward and backward."""
        return [f + b for f, b in zip(self.forward, self.backward)]

    @property
    def memory_bytes(self) -> int:
        """Memory above that of Python and Taichi themselves: of the GPU, if it runs there."""
        return self.device_bytes or self.peak_bytes - self.start_bytes


def measure(request: Request) -> Measurement:
    """Measure in this process, which must not have had more memory before.

    Raises:
        RuntimeError: If Taichi runs already.
        ValueError: If a setting is out of range.
    """
    init(request.arch)
    case = request.case
    start_bytes = peak_memory()
    device_memory = [_device_memory()]
    corners, colors = (from_numpy(array, needs_grad=True) for array in case.face_arrays())
    settings = case.settings()
    loss = ti.ndarray(ti.f32, 1, needs_grad=True)
    target_shape = (1, case.size, case.size, *(() if case.silhouette else (4,)))
    target = from_numpy(np.zeros(target_shape, dtype=np.float32))
    compare = silhouette_loss if case.silhouette else image_loss

    def step() -> tuple[float, float]:
        start = time.perf_counter()
        with ti.ad.Tape(loss=loss):
            image = draw(corners, colors, settings, silhouette=case.silhouette)
            ti.sync()
            drawn = time.perf_counter()
            device_memory.append(_device_memory())
            resumed = time.perf_counter()
            add_to_loss(loss, compare(image, target))
        ti.sync()
        done = time.perf_counter()
        device_memory.append(_device_memory())
        return drawn - start, done - resumed

    seconds = [step() for _ in range(WARM_UPS + request.runs)][WARM_UPS:]
    peak_bytes = peak_memory()
    return Measurement(
        faces=corners.shape[1],
        fragments=count_fragments(corners, settings),
        forward=[forward for forward, _ in seconds],
        backward=[backward for _, backward in seconds],
        start_bytes=start_bytes,
        peak_bytes=peak_bytes,
        device_bytes=max(device_memory) - device_memory[0],
    )


def measure_alone(request: Request) -> Measurement:
    """Measure in a process of its own.

    Raises:
        RuntimeError: If it fails, by lack of memory for one.
    """
    program = f"from {main.__module__} import main; main()"
    command = [sys.executable, "-c", program, json.dumps(dataclasses.asdict(request))]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        reason = (done.stderr.strip().splitlines() or [f"exit status {done.returncode}"])[-1]
        raise RuntimeError(f"measuring {request.case} failed: {reason}")
    return Measurement(**json.loads(done.stdout.splitlines()[-1]))


def draw(corners: Array, colors: Array, settings: RasterizerSettings, *, silhouette: bool) -> Array:
    """Draw colours or silhouettes."""
    if silhouette:
        return rasterize_silhouette(corners, settings)
    return rasterize(corners, colors, settings)


def _device_memory() -> int:
    return memory_in_use() if on_gpu() else 0


def peak_memory() -> int:
    """Bytes that this process has had in memory at most; 0 where the system doesn't tell."""
    status = Path("/proc/self/status")
    if status.exists():  # getrusage would count the process that started this one in
        for line in status.read_text().splitlines():
            if line.startswith("VmHWM:"):
                return int(line.split()[1]) * 1024
    try:
        import resource
    except ImportError:
        return 0
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak * (1 if sys.platform == "darwin" else 1024)


def interleave(
    runs: int, *steps: Callable[[int], tuple[float, float]]
) -> list[list[tuple[float, float]]]:
    """Time several things in turn, so that what else the machine does befalls all of them.

    Args:
        runs: How often, after warming up.
        steps: Each does its part of a run, given its number, and returns seconds forward and
            backward.

    Returns:
        What each returned, run by run.
    """
    for i in range(WARM_UPS):
        for step in steps:
            step(i)
    seconds: list[list[tuple[float, float]]] = [[] for _ in steps]
    for i in range(runs):
        for step, column in zip(steps, seconds):
            column.append(step(i))
    return seconds


def main() -> None:
    """Measure what the first argument asks for, and print what was found."""
    fields = json.loads(sys.argv[1])
    request = Request(**{**fields, "case": Case(**fields["case"])})
    sys.stdout.write(json.dumps(dataclasses.asdict(measure(request))) + "\n")
