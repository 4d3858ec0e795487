"""The whole way from photographs to a textured mesh, stage by stage."""

from __future__ import annotations

import itertools
import time
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass, replace
from os import PathLike
from pathlib import Path
from typing import Any

import numpy as np

from taichi_softras.arrays.options import check_positive
from taichi_softras.captures.captures import Captures
from taichi_softras.fitting.silhouettes import FIRST_ROUNDS, LATER_ROUNDS, view_batches
from taichi_softras.meshes.intersections import untangle
from taichi_softras.meshes.mesh import Mesh
from taichi_softras.meshes.remeshing import remesh
from taichi_softras.reconstruction.baking import bake_texture
from taichi_softras.reconstruction.checkpoints import Checkpoint, load_checkpoint, save_checkpoint
from taichi_softras.reconstruction.descent import FitState, PhotoDescent, start_state
from taichi_softras.reconstruction.hull import visual_hull
from taichi_softras.reconstruction.options import ReconstructionOptions, Stage, plan_stages
from taichi_softras.reconstruction.sampling import PhotoSampler, color_vertices

HULL_ROWS = 480
"""Rows, or columns if fewer, of the masks that the hull is carved by."""

FIT_SHARE = 0.85
"""Share of the time that the stages may take, where it is bounded; the rest is for the texture."""


SAVE_SECONDS = 15.0
"""How often a stage writes down how far it has come."""


@dataclass(frozen=True)
class Progress:
    """How far a reconstruction has come.

    Attributes:
        stage: What is being done.
        number: Which of the stages that is, from 0.
        stages: How many there are.
        step: How many steps of it are done.
        steps: How many it has.
        loss: The last loss; None before the first.
        mesh: Makes the mesh as it is now, in world units.
    """

    stage: str
    number: int
    stages: int
    step: int
    steps: int
    loss: float | None
    mesh: Callable[[], Mesh]


OnStep = Callable[[Progress], None]


def reconstruct(
    captures: Captures,
    options: ReconstructionOptions | None = None,
    *,
    start: Mesh | None = None,
    minutes: float | None = None,
    checkpoint: str | PathLike[str] | None = None,
    on_step: OnStep | None = None,
) -> Mesh:
    """Make a textured mesh of photographs, in Taichi.

    The visual hull of the masks is remeshed and fitted, coarse to fine, to silhouettes and
    colours; each photograph has an exposure of its own. In the end an image map is filled from
    all photographs. The same call gives the same bits, unless ``minutes`` is given.

    Args:
        captures: Photographs with masks: at least 2.
        options: How; the defaults if None.
        start: A mesh to start from in place of the visual hull, in world units.
        minutes: Wall time to be done in, about: stages end early. Above 0.
        checkpoint: A file that keeps what each stage has found, and, every quarter of a minute,
            how far the stage has come. If it is there, of the same photographs and options, the
            fit goes on from it, to the same bits.
        on_step: Called before the first step of each stage, and after each step.

    Returns:
        The mesh in world units, with an image map.

    Raises:
        RuntimeError: If a package of the extra ``photos`` is not installed.
        TypeError: If an argument is of the wrong type.
        ValueError: If photographs have no masks, or empty ones, or nothing is left of space by
            them; or the checkpoint is of others.
    """
    options = ReconstructionOptions() if options is None else options
    check_captures(captures)
    ends = None if minutes is None else time.monotonic() + 60 * check_positive("minutes", minutes)
    stages = plan_stages(options, from_hull=start is None)
    path = None if checkpoint is None else Path(checkpoint)
    origin = _origin(captures, options, start)
    done = None if path is None else load_checkpoint(path, origin)
    if done is None:
        done = _begin(captures, options, start, origin)
        _save(path, done)
    center, scale = done.center, done.scale
    placed = captures.placed(center, scale)
    reporter = _Reporter(stages, done, on_step)
    for number in range(done.stages_done, len(stages)):
        time_left = None if ends is None else FIT_SHARE * (ends - time.monotonic())
        share = _share(stages, number, time_left, captures)
        state = _run_stage(done, placed, options, share, reporter, path)
        done = Checkpoint(origin, number + 1, state, center, scale)
        _save(path, done)
    return _finish(done, captures, options)


def check_captures(captures: Captures) -> None:
    """Refuse photographs of which no mesh can be made.

    Raises:
        ValueError: If there are less than two, they have no masks, or some of these are empty.
    """
    if len(captures) < 2:
        raise ValueError(f"there must be at least 2 photographs, got {len(captures)}")
    if captures.masks is None:
        raise ValueError(
            "photographs must have masks: alpha, files in masks/, or a plain ground, "
            "which --mask dark, bright or green takes away"
        )
    inside = (captures.masks > 127) & captures.known
    empty = [name for name, mask in zip(captures.names, inside) if not mask.any()]
    if empty:
        raise ValueError(f"masks must show something, got empty ones of {', '.join(empty):.200}")


def _origin(
    captures: Captures, options: ReconstructionOptions, start: Mesh | None
) -> dict[str, Any]:
    """What a checkpoint must have been made of, to go on from it."""
    return {
        "options": {k: v for k, v in asdict(options).items() if k != "texture"},
        "names": list(captures.names),
        "size": list(captures.known.shape[1:]),
        "start": None if start is None else [start.num_vertices, start.num_faces],
    }


def _begin(
    captures: Captures,
    options: ReconstructionOptions,
    start: Mesh | None,
    origin: dict[str, Any],
) -> Checkpoint:
    """Find the mesh to start from, and the frame in which it has size 2 round the origin."""
    # Remeshed as it is, a spike would become a tube.
    start = hull_of(captures, options) if start is None else untangle(start)
    if not start.num_faces:
        raise ValueError("the mesh to start from must have faces, got none")
    points = start.vertices.astype(np.float64)
    low, high = points.min(axis=0), points.max(axis=0)
    center, scale = (low + high) / 2, 2 / float((high - low).max())
    mesh = Mesh(((points - center) * scale).astype(np.float32), start.faces)
    state = start_state(mesh, captures)
    return Checkpoint(origin, 0, state, center, scale)


def hull_of(captures: Captures, options: ReconstructionOptions) -> Mesh:
    """Carve the visual hull of photographs' masks."""
    _, height, width = captures.known.shape
    smaller = captures.reduced(max(1, round(min(height, width) / HULL_ROWS)))
    assert smaller.masks is not None, "check_captures has looked"
    return visual_hull(
        smaller.masks,
        smaller.camera,
        known=smaller.known,
        resolution=options.resolution,
        wrong=options.wrong_masks,
    )


def _run_stage(
    done: Checkpoint,
    captures: Captures,
    options: ReconstructionOptions,
    seconds: float | None,
    reporter: _Reporter,
    path: Path | None,
) -> FitState:
    """Remesh, and fit; smooth what goes through itself, before and after.

    Of an unfinished stage the mesh is made once more, which gives the same, and the rest recalled.
    """
    number, state = done.stages_done, done.state
    stage = reporter.stages[number]
    smaller = captures.reduced(stage.factor(*captures.known.shape[1:]))
    rounds = FIRST_ROUNDS if number == 0 else LATER_ROUNDS
    mesh = untangle(remesh(state.mesh, stage.length, rounds=rounds))
    if stage.kind == "colors" and (number == 0 or reporter.stages[number - 1].kind != "colors"):
        mesh = color_vertices(mesh, PhotoSampler(mesh, smaller, state.gains))
    descent = PhotoDescent(replace(state, mesh=mesh), smaller, stage, options)
    batches = view_batches(len(captures), options.views, seed=options.seed + number)
    if done.steps_done:
        descent.recall(done.memory)
        batches = itertools.islice(batches, done.steps_done, None)
    reporter.report(number, done.steps_done, None, descent)
    saved = time.monotonic()
    for step, over in _steps(stage.steps, seconds, done.steps_done):
        views = next(batches)
        loss = descent.step(np.arange(len(captures)) if views is None else views, over)
        if path is not None and time.monotonic() - saved >= SAVE_SECONDS:
            _save(path, replace(done, steps_done=step + 1, memory=descent.memory()))
            saved = time.monotonic()
        reporter.report(number, step + 1, loss, descent)
    fitted = descent.state
    return replace(fitted, mesh=untangle(fitted.mesh))


def _steps(count: int, seconds: float | None, first: int) -> Iterator[tuple[int, float]]:
    """Number steps from some on, and say how much is over, of them or of the time."""
    began = time.monotonic()
    for step in range(first, count):
        over = step / count
        if seconds is not None:
            spent = (time.monotonic() - began) / max(seconds, 1e-9)
            if spent >= 1:
                return
            over = max(over, spent)
        yield step, over


def _share(
    stages: tuple[Stage, ...], number: int, seconds: float | None, captures: Captures
) -> float | None:
    """Divide time over the stages left, by their steps and pixels."""
    if seconds is None:
        return None
    _, height, width = captures.known.shape
    costs = [s.steps / s.factor(height, width) ** 2 / s.length for s in stages[number:]]
    return max(seconds, 0.0) * costs[0] / sum(costs)


def _finish(done: Checkpoint, captures: Captures, options: ReconstructionOptions) -> Mesh:
    mesh = done.world_mesh()
    if not options.texture:
        return mesh.with_colors(np.clip(mesh.colors, 0, 1))
    return bake_texture(mesh, captures, size=options.texture, gains=done.state.gains)


def _save(path: Path | None, checkpoint: Checkpoint) -> None:
    if path is not None:
        save_checkpoint(path, checkpoint)


class _Reporter:
    """Tells how far a fit has come."""

    def __init__(self, stages: tuple[Stage, ...], done: Checkpoint, on_step: OnStep | None) -> None:
        self.stages, self._done, self._on_step = stages, done, on_step

    def report(self, number: int, step: int, loss: float | None, descent: PhotoDescent) -> None:
        """Say that so many steps of a stage are done."""
        if self._on_step is not None:
            stage = self.stages[number]
            self._on_step(
                Progress(
                    stage.title,
                    number,
                    len(self.stages),
                    step,
                    stage.steps,
                    loss,
                    lambda: replace(self._done, state=descent.state).world_mesh(),
                )
            )
