"""``softras demo``: what the package does, on the Utah teapot, in under a minute."""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated

import numpy as np
import tyro
from rich.progress import track

from taichi_softras.cli.fit import SphereFitArguments, SphereFitOptions, fit_and_write
from taichi_softras.cli.options import PROGRESS_CONSOLE, CameraOptions, SoftnessOptions
from taichi_softras.files.pictures import WHITE, composite, write_animation, write_picture
from taichi_softras.fitting.framing import frame_mesh
from taichi_softras.meshes.mesh import Mesh
from taichi_softras.meshes.primitives import teapot
from taichi_softras.previews import draw_previews

SOFTNESSES = ((1e-5, 1e-4), (1e-4, 1e-3), (1e-3, 1e-2), (1e-2, 1e-1))
"""Pairs of sigma and gamma."""


@dataclass(frozen=True, kw_only=True)
class Demo:
    """Draw the Utah teapot, softer and softer, and fit a sphere to its silhouettes.

    Writes softness.png, teapot.gif, and what ``softras fit`` writes, into a folder.

    Attributes:
        output: Folder to write into; made if need be.
        picture_size: Height and width of the pictures, in pixels.
        frames: How many pictures the turntable has.
        options: How the sphere is fitted.
    """

    output: Annotated[Path, tyro.conf.arg(aliases=["-o"])] = Path("softras-demo")
    picture_size: int = 256
    frames: int = 36
    options: SphereFitArguments = field(default_factory=SphereFitOptions)

    def run(self) -> None:
        """Draw and fit, and write the files."""
        self.output.mkdir(parents=True, exist_ok=True)
        mesh = teapot()
        write_picture(self.output / "softness.png", draw_softness(mesh, self.picture_size))
        pairs = ", ".join(f"{sigma:g} and {gamma:g}" for sigma, gamma in SOFTNESSES)
        print(f"wrote {self.output / 'softness.png'}: sigma and gamma {pairs}")
        turns = np.arange(self.frames) * 360 / self.frames
        settings = SoftnessOptions().settings(self.picture_size, self.picture_size)
        frames = track(
            draw_previews(mesh, CameraOptions().cameras(mesh, 1.0, turns), settings),
            description="Drawing",
            total=self.frames,
            console=PROGRESS_CONSOLE,
            transient=True,
        )
        write_animation(
            self.output / "teapot.gif", [composite(frame, WHITE) for frame in frames], 12.0
        )
        print(f"wrote {self.output / 'teapot.gif'}")
        fit_and_write(mesh, self.output, self.options, CameraOptions())


def draw_softness(mesh: Mesh, size: int) -> np.ndarray:
    """Draw a mesh softer and softer, colours above silhouettes: (2 size, 4 size, 3)."""
    columns = []
    for sigma, gamma in SOFTNESSES:
        settings = SoftnessOptions(sigma=sigma, gamma=gamma).settings(size, size)
        image = next(draw_previews(mesh, frame_mesh(mesh), settings))
        alpha = np.repeat(image[..., 3:], 3, axis=2)
        columns.append(np.concatenate([composite(image, WHITE), alpha]))
    return np.concatenate(columns, axis=1)
