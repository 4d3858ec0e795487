"""Pictures of targets, and of spheres that become them."""

import itertools
from collections.abc import Sequence
from pathlib import Path

import matplotlib
import numpy as np
from rich.progress import track

import taichi_softras as sr
from demos.paper.shared.reporting import CONSOLE
from taichi_softras.files.paths import whole_file
from taichi_softras.files.pictures import composite
from taichi_softras.previews import PreviewStyle, draw_previews

matplotlib.use("Agg")  # needs no display
from matplotlib import pyplot

WHITE = (1.0, 1.0, 1.0)
TINTS = (
    (0.80, 0.33, 0.24),
    (0.90, 0.62, 0.24),
    (0.47, 0.62, 0.32),
    (0.26, 0.56, 0.60),
    (0.30, 0.42, 0.70),
    (0.56, 0.40, 0.66),
)


def draw(
    mesh: sr.Mesh, target: sr.Mesh, size: int, azimuth: float, tint: Sequence[float] | None
) -> np.ndarray:
    """Draw a mesh at the scale of its target over white, (size, size, 3): lit, or black.

    Args:
        mesh: What to draw.
        target: To which the camera's distance is fitted.
        size: Height and width, in pixels.
        azimuth: Of the camera, in degrees.
        tint: Red, green and blue; black if None, without light.
    """
    camera = sr.frame_mesh(target, elevation_degrees=18.0, azimuth_degrees=azimuth)
    settings = sr.RasterizerSettings(height=size, width=size, sigma=1e-6, supersampling=2)
    if tint is None:
        alpha = next(draw_previews(mesh, camera, settings, PreviewStyle(show="silhouette")))
        return np.repeat(1 - alpha[..., None], 3, axis=2)
    colored = sr.Mesh(mesh.vertices, mesh.faces, np.tile(tint, (mesh.num_vertices, 1)))
    return composite(
        next(draw_previews(colored, camera, settings, PreviewStyle(shading="face"))), WHITE
    )


def draw_animation(
    targets: dict[str, sr.Mesh], recordings: dict[str, list[sr.Mesh]], size: int, frames: int
) -> list[np.ndarray]:
    """Draw masks above growing spheres, the camera going round: (2 size, N size, 3) each."""
    pictures = []
    for k in track(range(frames), "Drawing", console=CONSOLE, transient=True):
        columns = []
        for i, (name, recorded) in enumerate(recordings.items()):
            azimuth = 30.0 + 360.0 * k / frames
            grown = recorded[min(k, len(recorded) - 1)]
            black = draw(targets[name], targets[name], size, azimuth, None)
            lit = draw(grown, targets[name], size, azimuth, TINTS[i % len(TINTS)])
            columns.append(np.concatenate([black, lit]))
        pictures.append(np.concatenate(columns, axis=1))
    return pictures


def write_comparison(
    path: Path,
    targets: dict[str, sr.Mesh],
    recordings: dict[str, list[sr.Mesh]],
    ious: dict[str, float],
    size: int,
) -> None:
    """Write a picture of targets and fits from two sides, with how well they agree."""
    figure, grid = pyplot.subplots(
        4, len(targets), figsize=(1.5 * len(targets), 6.4), layout="constrained", squeeze=False
    )
    for i, (name, target) in enumerate(targets.items()):
        pair = target, recordings[name][-1]
        tint = TINTS[i % len(TINTS)]
        for axes, (mesh, azimuth) in zip(grid[:, i], itertools.product(pair, (30.0, 210.0))):
            axes.imshow(draw(mesh, target, size, azimuth, tint))
            axes.set(xticks=[], yticks=[])
            axes.spines[:].set_visible(False)
        grid[0, i].set_title(name, fontsize=9)
        grid[-1, i].set_xlabel(f"IoU {ious[name]:.3f}", fontsize=9)
    for axes, label in zip(grid[:, 0], ("target", "from behind", "fit", "from behind")):
        axes.set_ylabel(label, fontsize=9)
    with whole_file(path) as unfinished:
        figure.savefig(unfinished, dpi=110)
    pyplot.close(figure)
