"""What a reconstruction keeps, to go on from later."""

from __future__ import annotations

import json
import zipfile
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from taichi_softras.files.paths import whole_file
from taichi_softras.meshes.mesh import Mesh
from taichi_softras.reconstruction.descent import FitState

REMEMBERED = "descent "
"""What names of arrays of an unfinished stage begin with."""


@dataclass(frozen=True, eq=False)
class Checkpoint:
    """What a fit has found after some of its stages, and some steps of the next.

    Attributes:
        origin: What it was made of, as JSON has it: a fit goes on from its own only.
        stages_done: How many stages are done.
        state: What they found, in a frame in which the object has size 2 round the origin.
        center: Where that frame's origin is in the world, (3,).
        scale: How many of its units are one of the world's.
        steps_done: How many steps of the next stage are done.
        memory: What its `PhotoDescent` had changed by then; empty before the first.
    """

    origin: dict[str, Any]
    stages_done: int
    state: FitState
    center: NDArray[np.float64]
    scale: float
    steps_done: int = 0
    memory: Mapping[str, NDArray[Any]] = field(default_factory=dict)

    def world_mesh(self) -> Mesh:
        """The mesh in world units, in float32 if it fits."""
        mesh = self.state.mesh
        return mesh.with_vertices(
            (mesh.vertices / self.scale + self.center).astype(np.float32)
        ).with_colors(np.clip(mesh.colors, 0, 1))


def save_checkpoint(path: Path, checkpoint: Checkpoint) -> None:
    """Write a checkpoint, whole or not at all."""
    state = checkpoint.state
    memory: dict[str, Any] = {REMEMBERED + name: x for name, x in checkpoint.memory.items()}
    with whole_file(path) as temporary, temporary.open("wb") as file:
        np.savez(
            file,
            origin=json.dumps(checkpoint.origin),
            stages_done=checkpoint.stages_done,
            vertices=state.mesh.vertices,
            faces=state.mesh.faces,
            colors=state.mesh.colors,
            gains=state.gains,
            light=state.light,
            center=checkpoint.center,
            scale=checkpoint.scale,
            steps_done=checkpoint.steps_done,
            **memory,
        )


def load_checkpoint(path: Path, origin: dict[str, Any]) -> Checkpoint | None:
    """Read a checkpoint; None if there is none.

    Raises:
        ValueError: If it is damaged, or was made of something else than ``origin``.
    """
    if not path.exists():
        return None
    try:
        with path.open("rb") as file, np.load(file) as arrays:
            found = {name: arrays[name] for name in arrays.files}
        made_of = json.loads(str(found["origin"]))
        mesh = Mesh(found["vertices"], found["faces"], found["colors"])
        checkpoint = Checkpoint(
            made_of,
            int(found["stages_done"]),
            FitState(mesh, found["gains"], found["light"]),
            found["center"],
            float(found["scale"]),
            int(found["steps_done"]),
            {k.removeprefix(REMEMBERED): x for k, x in found.items() if k.startswith(REMEMBERED)},
        )
    except (OSError, KeyError, ValueError, EOFError, zipfile.BadZipFile):
        raise ValueError(f"{str(path)!r} must be a checkpoint, and is damaged") from None
    if made_of != json.loads(json.dumps(origin)):
        changed = [key for key in origin if made_of.get(key) != json.loads(json.dumps(origin[key]))]
        raise ValueError(
            f"the checkpoint {str(path)!r} must be of the same photographs and options, got other "
            f"{', '.join(changed)}"
        )
    return checkpoint
