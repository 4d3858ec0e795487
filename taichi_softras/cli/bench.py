"""``softras bench``: how long a step of optimisation takes, and how much memory."""

import gc
import statistics
import time
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import taichi as ti
from rich.console import Console
from rich.table import Table

from taichi_softras.bridges.taichi_bridge import from_numpy
from taichi_softras.cameras import LookAtCamera, orbit_eyes, project
from taichi_softras.cli.info import describe_machine
from taichi_softras.losses import add_to_loss, image_loss, silhouette_loss
from taichi_softras.meshes import Mesh
from taichi_softras.primitives import icosphere, torus
from taichi_softras.rasterizer import rasterize, rasterize_silhouette
from taichi_softras.renderer import gather
from taichi_softras.settings import RasterizerSettings, check_integer


@dataclass(frozen=True, kw_only=True)
class Case:
    """One row of the table.

    Attributes:
        name: What it is.
        make_mesh: Makes the mesh.
        size: Height and width of the images, in pixels.
        views: Images drawn at once.
        sigma: Softness of edges.
        silhouette: Whether colours are left out.
    """

    name: str
    make_mesh: Callable[[], Mesh]
    size: int
    views: int
    sigma: float
    silhouette: bool = False


def _torus(faces_around: int, faces_along: int) -> Callable[[], Mesh]:
    return lambda: torus(major_segments=faces_around, minor_segments=faces_along)


CASES = (
    Case(
        name="64², 32 views, 5,856 faces", make_mesh=_torus(61, 48), size=64, views=32, sigma=1e-4
    ),
    Case(
        name="64², 64 views, 1,280 faces, silhouettes",
        make_mesh=lambda: icosphere(3),
        size=64,
        views=64,
        sigma=1e-4,
        silhouette=True,
    ),
    Case(name="256², 5,856 faces", make_mesh=_torus(61, 48), size=256, views=1, sigma=1e-4),
    Case(name="1024², 5,856 faces", make_mesh=_torus(61, 48), size=1024, views=1, sigma=1e-5),
    Case(name="512², 501,264 faces", make_mesh=_torus(708, 354), size=512, views=1, sigma=1e-5),
)


@dataclass(frozen=True, kw_only=True)
class Bench:
    """Time the rasterizer, forward, and forward with loss and backward.

    Attributes:
        runs: Timed runs of each case, after one that compiles. At least 1.
    """

    runs: int = 10

    def run(self) -> None:
        """Time every case, and print a table."""
        check_integer("runs", self.runs, at_least=1)
        console = Console()
        for name, value in describe_machine().items():
            console.print(f"{name}: {value}", highlight=False)
        table = Table(title="Milliseconds: median (minimum)")
        for column in ("case", "forward", "forward + backward", "peak memory, MiB"):
            table.add_column(column, justify="left" if column == "case" else "right")
        for case in CASES:
            forward, both = time_case(case, self.runs)
            peak = f"{peak_memory() / 2**20:.0f}" if peak_memory() else "unknown"
            table.add_row(case.name, _summary(forward), _summary(both), peak)
            gc.collect()
        console.print(table)
        console.print("Peak memory is the whole process's, so far: Python and Taichi included.")


def time_case(case: Case, runs: int) -> tuple[list[float], list[float]]:
    """Time a case in seconds: forward alone, then forward, loss and backward."""
    mesh = case.make_mesh()
    vertices, faces, _ = mesh.to_taichi()
    colors = np.random.default_rng(0).random((1, mesh.num_vertices, 3), dtype=np.float32)
    camera = LookAtCamera(orbit_eyes(2.0, 30.0, list(np.arange(case.views) * 360 / case.views)))
    corners = gather(project(vertices, camera, 1.0), faces).to_numpy()
    face_vertices = from_numpy(corners, needs_grad=True)
    face_colors = from_numpy(gather(from_numpy(colors), faces).to_numpy(), needs_grad=True)
    settings = RasterizerSettings(height=case.size, width=case.size, sigma=case.sigma)
    loss = ti.ndarray(ti.f32, 1, needs_grad=True)

    def draw() -> ti.Ndarray:
        if case.silhouette:
            return rasterize_silhouette(face_vertices, settings)
        return rasterize(face_vertices, face_colors, settings)

    measure = silhouette_loss if case.silhouette else image_loss
    target = from_numpy(np.zeros(draw().shape, dtype=np.float32))

    def step() -> None:
        with ti.ad.Tape(loss=loss):
            add_to_loss(loss, measure(draw(), target))

    return _time(draw, runs), _time(step, runs)


def peak_memory() -> int:
    """Bytes that this process has had in memory at most; 0 where the system doesn't tell."""
    try:
        import resource
    except ImportError:
        return 0
    kibibytes: int = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return kibibytes * 1024


def _time(run: Callable[[], object], runs: int) -> list[float]:
    seconds = []
    for _ in range(runs + 1):
        start = time.perf_counter()
        run()
        ti.sync()
        seconds.append(time.perf_counter() - start)
    return seconds[1:]  # the first compiled


def _summary(seconds: list[float]) -> str:
    return f"{statistics.median(seconds) * 1e3:.1f} ({min(seconds) * 1e3:.1f})"
