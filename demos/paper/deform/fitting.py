"""The fits that are wanted, one after the other."""

import functools
import itertools
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

import taichi_softras as sr
from demos.paper.deform.measures import Judge, carve_hull, mask_iou
from demos.paper.deform.targets import draw_masks
from demos.paper.shared.reporting import make_progress, write_json
from taichi_softras.bench.machine import describe_machine

SUPERSAMPLING = 4
"""Rows and columns of samples in a pixel of the masks that are fitted."""
FRAMEWORKS = ("taichi", "torch")

CUT: dict[str, Any] = {"batch": 8, "learning_rate": 0.01, "sigma": 1e-4, "final_sigma": 1e-5}
"""Of fits whose faces are cut in four on the way. See `SilhouetteFitOptions`."""
STEPPED: dict[str, Any] = {"batch": 6, "learning_rate": 0.1, "smoothness": 5.0}
"""Of fits by large steps."""
UNSTEPPED: dict[str, Any] = {"batch": 6, "learning_rate": 2e-3, "laplacian": 0.03}
"""Of fits that are remeshed, but move each vertex by itself."""
PIXEL = 1.25
"""Side of a picture, in units of the box that a target fills."""
FINEST, COARSEST = 2.5, 5.0
"""Length of edges in the end and at first, in pixels."""
FIRST_BLUR, LAST_BLUR = 0.5, 0.27
"""Root of sigma at first and in the end, in pixels."""
FAR_COARSEST, FAR_SIGMA = 0.08, 1e-4
"""Length of edges at first, and sigma, of fits that start far from their target."""
REMESHINGS = 3
METHODS = {
    "cut": "a sphere, its faces cut in four once, each vertex moved by itself",
    "sphere": "a sphere, remeshed on the way, moved by large steps",
    "hull": "the visual hull, remeshed on the way, moved by large steps",
    "hull-vertices": "the same, each vertex moved by itself",
    "hull-once": "the hull, remeshed once, moved by large steps",
}
"""Ways to fit, and what each starts from and does."""


@dataclass(frozen=True)
class PlannedFit:
    """One fit that is wanted."""

    name: str
    framework: str
    views: int
    size: int
    method: str
    subdivisions: int
    steps: int

    def __post_init__(self) -> None:
        for name in ("views", "size", "steps"):
            if getattr(self, name) < 1:
                raise ValueError(f"{name} must be at least 1, got {getattr(self, name)}")

    @property
    def label(self) -> str:
        """Names its files."""
        return f"{self.name}-{self.method}-{self.framework}-{self.views}-{self.size}"

    @property
    def options(self) -> sr.SilhouetteFitOptions:
        """How it is done."""
        if self.method == "cut":
            return sr.SilhouetteFitOptions(steps=self.steps, refinements=1, **CUT)
        length, width = PIXEL / self.size, 2 / self.size
        sigma, coarsest = (FIRST_BLUR * width) ** 2, COARSEST * length
        remeshings = REMESHINGS
        if self.method == "sphere":
            sigma, coarsest = max(sigma, FAR_SIGMA), max(coarsest, FAR_COARSEST)
        if self.method == "hull-once":
            remeshings, coarsest = 1, FINEST * length
        weights = {"laplacian": 0.0, "flattening": 0.0}
        moved = UNSTEPPED if self.method == "hull-vertices" else STEPPED
        return sr.SilhouetteFitOptions(
            steps=self.steps,
            sigma=sigma,
            final_sigma=(LAST_BLUR * width) ** 2,
            remeshings=remeshings,
            coarsest=coarsest,
            finest=FINEST * length,
            **{**weights, **moved},
        )

    def start(self, masks: np.ndarray, camera: sr.LookAtCamera) -> sr.Mesh:
        """What it starts from: a sphere, or the hull of all pixels that masks touch."""
        if self.method.startswith("hull"):
            return sr.visual_hull(masks > 0, camera, resolution=max(self.size // 2, 16))
        return sr.icosphere(self.subdivisions)


def recorded_steps(steps: int, frames: int) -> set[int]:
    """Choose steps to be shown: close together at first, when most happens."""
    return {round((steps - 1) * (k / max(frames - 1, 1)) ** 2) for k in range(frames)}


def in_framework(masks: np.ndarray, framework: str) -> Any:
    """Give masks to the framework that is to fit to them: `fit_silhouettes` asks their type."""
    if framework == "taichi":
        return masks
    import torch  # here, so that programs in Taichi alone run without

    return torch.from_numpy(masks)


@functools.lru_cache(maxsize=1)
def seen_masks(target: sr.Mesh, views: int, size: int) -> tuple[sr.LookAtCamera, np.ndarray]:
    """Draw what fits see of a target; kept for the next fit to it."""
    camera = sr.surround_mesh(target, views)
    return camera, draw_masks(target, camera, size, SUPERSAMPLING)


def carry_out(
    run: PlannedFit, target: sr.Mesh, judge: Judge, frames: int, on_step: Callable[[], None]
) -> tuple[dict[str, Any], list[sr.Mesh]]:
    """Fit once, and measure.

    Returns:
        The results, and the mesh on its way: the start, ``frames`` of the steps, the last included.
    """
    camera, masks = seen_masks(target, run.views, run.size)
    shown, recorded = recorded_steps(run.steps, frames), []
    step = 0

    def record(mesh: sr.Mesh) -> None:
        nonlocal step
        if step in shown:
            recorded.append(mesh)
        step += 1
        on_step()

    began = time.perf_counter()
    start = run.start(masks, camera)
    recorded.append(start)
    fitted, losses = sr.fit_silhouettes(
        start, in_framework(masks, run.framework), camera, run.options, on_step=record
    )
    seconds = time.perf_counter() - began
    results = {
        "mesh": run.name,
        "method": run.method,
        "framework": run.framework,
        "views": run.views,
        "size": run.size,
        "seconds": seconds,
        "seen_iou": mask_iou(draw_masks(fitted, camera, run.size, SUPERSAMPLING), masks),
        **judge.measure(fitted),
        "faces": fitted.num_faces,
        "crossing": len(sr.self_intersections(fitted)),
        "hull_voxel_iou": judge.voxel_iou(carve_hull(masks, camera)),
        "chamfer_floor": judge.floor,
        "start": judge.at_start,
        "losses": losses,
    }
    return results, recorded


def warm_up(frameworks: Iterable[str]) -> None:
    """Compile the kernels, so that no fit's time has that in it."""
    cube = sr.cube()
    camera = sr.surround_mesh(cube, 1)
    masks = draw_masks(cube, camera, 8, 1)
    for framework, smoothness in itertools.product(frameworks, (0.0, 5.0)):
        options = sr.SilhouetteFitOptions(steps=1, smoothness=smoothness)
        sr.fit_silhouettes(cube, in_framework(masks, framework), camera, options)


def fit_all(
    runs: Sequence[PlannedFit], targets: dict[str, sr.Mesh], frames: int, output: Path
) -> tuple[list[dict[str, Any]], dict[str, list[sr.Mesh]]]:
    """Carry out all runs with a progress bar, and write the meshes and, after each, deform.json.

    Returns:
        The results of each, and each target's first fit on its way.
    """
    results: list[dict[str, Any]] = []
    recordings: dict[str, list[sr.Mesh]] = {}
    judges: dict[str, Judge] = {}
    warm_up({run.framework for run in runs})
    with make_progress() as progress:
        total = sum(run.steps for run in runs)
        task = progress.add_task("Fitting", total=total, loss="")
        for run in runs:
            if run.name not in judges:
                start = sr.icosphere(run.subdivisions)
                judges[run.name] = Judge(targets[run.name], start)
            result, recorded = carry_out(
                run, targets[run.name], judges[run.name], frames, lambda: progress.advance(task)
            )
            progress.update(task, loss=f"{run.name}: IoU {result['held_out_iou']:.3f}")
            results.append(result)
            write_json(output / "deform.json", {"machine": describe_machine(), "fits": results})
            recordings.setdefault(run.name, recorded)
            sr.write_mesh(recorded[-1], output / f"{run.label}.ply")
    return results, recordings
