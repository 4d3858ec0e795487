"""The fits that are wanted, one after the other."""

import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

import taichi_softras as sr
from demos.paper.deform.measures import Judge, carve_hull, mask_iou
from demos.paper.deform.targets import draw_masks
from demos.paper.shared.reporting import make_progress

SUPERSAMPLING = 4
"""Rows and columns of samples in a pixel of the masks that are fitted."""
FIT: dict[str, Any] = {"batch": 8, "learning_rate": 0.01, "sigma": 1e-4, "final_sigma": 1e-5}
"""See `SilhouetteFitOptions`."""
FRAMEWORKS = ("taichi", "torch")


@dataclass(frozen=True)
class PlannedFit:
    """One fit that is wanted."""

    name: str
    framework: str
    views: int
    size: int
    subdivisions: int
    options: sr.SilhouetteFitOptions

    def __post_init__(self) -> None:
        for name in ("views", "size"):
            if getattr(self, name) < 1:
                raise ValueError(f"{name} must be at least 1, got {getattr(self, name)}")

    @property
    def label(self) -> str:
        """Names its files."""
        return f"{self.name}-{self.framework}-{self.views}-{self.size}"


def recorded_steps(steps: int, frames: int) -> set[int]:
    """Choose steps to be shown: close together at first, when most happens."""
    return {round((steps - 1) * (k / max(frames - 1, 1)) ** 2) for k in range(frames)}


def in_framework(masks: np.ndarray, framework: str) -> Any:
    """Give masks to the framework that is to fit to them: `fit_silhouettes` asks their type."""
    if framework == "taichi":
        return masks
    import torch  # here, so that programs in Taichi alone run without

    return torch.from_numpy(masks)


def carry_out(
    run: PlannedFit, target: sr.Mesh, judge: Judge, frames: int, on_step: Callable[[], None]
) -> tuple[dict[str, Any], list[sr.Mesh]]:
    """Fit once, and measure.

    Returns:
        The results, and the mesh on its way: the start, ``frames`` of the steps, the last included.
    """
    camera = sr.surround_mesh(target, run.views)
    masks = draw_masks(target, camera, run.size, SUPERSAMPLING)
    start = sr.icosphere(run.subdivisions)
    shown, recorded = recorded_steps(run.options.steps, frames), [start]
    step = 0

    def record(mesh: sr.Mesh) -> None:
        nonlocal step
        if step in shown:
            recorded.append(mesh)
        step += 1
        on_step()

    began = time.perf_counter()
    fitted, losses = sr.fit_silhouettes(
        start, in_framework(masks, run.framework), camera, run.options, on_step=record
    )
    seconds = time.perf_counter() - began
    results = {
        "mesh": run.name,
        "framework": run.framework,
        "views": run.views,
        "size": run.size,
        "seconds": seconds,
        "seen_iou": mask_iou(draw_masks(fitted, camera, run.size, SUPERSAMPLING), masks),
        **judge.measure(fitted),
        "hull_voxel_iou": judge.voxel_iou(carve_hull(masks, camera)),
        "chamfer_floor": judge.floor,
        "start": judge.at_start,
        "losses": losses,
    }
    return results, recorded


def warm_up(frameworks: Iterable[str]) -> None:
    """Compile the kernels, so that no fit's time has that in it."""
    cube, options = sr.cube(), sr.SilhouetteFitOptions(steps=1)
    camera = sr.surround_mesh(cube, 1)
    masks = draw_masks(cube, camera, 8, 1)
    for framework in frameworks:
        sr.fit_silhouettes(cube, in_framework(masks, framework), camera, options)


def fit_all(
    runs: Sequence[PlannedFit], targets: dict[str, sr.Mesh], frames: int, output: Path
) -> tuple[list[dict[str, Any]], dict[str, list[sr.Mesh]]]:
    """Carry out all runs with a progress bar, and write the meshes.

    Returns:
        The results of each, and each target's first fit on its way.
    """
    results: list[dict[str, Any]] = []
    recordings: dict[str, list[sr.Mesh]] = {}
    judges: dict[str, Judge] = {}
    warm_up({run.framework for run in runs})
    with make_progress() as progress:
        total = sum(run.options.steps for run in runs)
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
            recordings.setdefault(run.name, recorded)
            sr.write_mesh(recorded[-1], output / f"{run.label}.ply")
    return results, recordings
