"""``softras fit``: a sphere becomes a mesh, from silhouettes alone, by gradients."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated

import numpy as np
import taichi as ti
import tyro
from rich.progress import Progress

from taichi_softras.cli.options import (
    PROGRESS_CONSOLE,
    Scene,
    SoftnessOptions,
    View,
    ViewOptions,
    make_scene,
    mesh_radius,
)
from taichi_softras.cli.render import draw_frames
from taichi_softras.files import whole_file
from taichi_softras.losses import (
    add_to_loss,
    flattening_loss,
    laplacian_loss,
    mesh_topology,
    silhouette_loss,
)
from taichi_softras.mesh_files import read_mesh, write_mesh
from taichi_softras.meshes import Mesh
from taichi_softras.optimizers import Adam
from taichi_softras.pictures import composite, write_picture
from taichi_softras.primitives import icosphere
from taichi_softras.renderer import render_silhouette
from taichi_softras.settings import check_integer, check_number

WHITE = (1.0, 1.0, 1.0)


@dataclass(frozen=True, kw_only=True)
class FitOptions:
    """How a sphere is fitted to silhouettes.

    Attributes:
        views: Cameras round the mesh, at three elevations.
        size: Height and width of the silhouettes, in pixels.
        steps: Steps of the optimiser.
        subdivisions: Of the icosphere to start from: 3 gives 642 vertices.
        learning_rate: Length of the first step; it falls evenly to a tenth.
        sigma: Softness of edges.
        laplacian: Weight of the Laplacian loss, which keeps vertices evenly spread.
        flattening: Weight of the flattening loss, which keeps faces from folding.
    """

    views: int = 24
    size: int = 64
    steps: int = 250
    subdivisions: int = 3
    learning_rate: float = 0.01
    sigma: float = 1e-4
    laplacian: float = 0.03
    flattening: float = 3e-4

    def __post_init__(self) -> None:
        for name in ("views", "size", "steps"):
            check_integer(name, getattr(self, name), at_least=1)
        for name in ("laplacian", "flattening"):
            check_number(name, getattr(self, name))
            if getattr(self, name) < 0:
                raise ValueError(f"{name} must be at least 0, got {getattr(self, name)}")


@dataclass(frozen=True, kw_only=True)
class Fit:
    """Fit a sphere to the silhouettes of a mesh.

    Writes fitted.obj, fit.png (before, target, after) and loss.png into a folder.

    Attributes:
        mesh: File whose silhouettes are fitted: OBJ, PLY, OFF, STL or GLB.
        output: Folder to write into; made if need be.
        options: How the sphere is fitted.
        view: Where the camera of the picture is.
    """

    mesh: tyro.conf.Positional[Path]
    output: Annotated[Path, tyro.conf.arg(aliases=["-o"])]
    options: Annotated[FitOptions, tyro.conf.OmitArgPrefixes] = field(default_factory=FitOptions)
    view: View = field(default_factory=ViewOptions)

    def run(self) -> None:
        """Fit, and write the files."""
        fit_and_write(read_mesh(self.mesh).normalized(), self.output, self.options, self.view)


def fit_and_write(target: Mesh, output: Path, options: FitOptions, view: ViewOptions) -> None:
    """Fit a sphere to a mesh, with a progress bar; write the mesh and two pictures.

    Raises:
        ValueError: If the mesh has no faces.
        OSError: If a file can't be written.
    """
    if target.num_faces == 0:
        raise ValueError("the mesh to fit must have faces, got none")
    output.mkdir(parents=True, exist_ok=True)
    start = icosphere(options.subdivisions)
    with Progress(console=PROGRESS_CONSOLE, transient=True) as progress:
        task = progress.add_task("Fitting", total=options.steps)
        fitted, losses = fit_silhouettes(target, start, options, lambda: progress.advance(task))
    picture = draw_beside((start, target, fitted), view)
    write_mesh(fitted, output / "fitted.obj")
    write_picture(output / "fit.png", picture)
    write_loss_plot(output / "loss.png", losses)
    print(f"loss {losses[0]:.4f} -> {losses[-1]:.4f} in {options.steps} steps")
    for name in ("fitted.obj", "fit.png", "loss.png"):
        print(f"wrote {output / name}")


def fit_silhouettes(
    target: Mesh, start: Mesh, options: FitOptions, on_step: Callable[[], None] = lambda: None
) -> tuple[Mesh, list[float]]:
    """Move a mesh's vertices until its silhouettes are those of another.

    Args:
        target: The mesh whose silhouettes are wanted; normalised.
        start: The mesh to move.
        options: How.
        on_step: Called after each step.

    Returns:
        The moved mesh, and the loss before each step.
    """
    scene = silhouette_scene(target, options)
    camera, settings = scene.camera(), scene.settings
    target_vertices, target_faces, _ = target.to_taichi()
    wanted = render_silhouette(target_vertices, target_faces, camera, settings)

    vertices, faces, _ = start.to_taichi(needs_grad=True)
    topology = mesh_topology(start.faces, vertices)
    optimizer = Adam([vertices], options.learning_rate, mean_decay=0.5, square_decay=0.95)
    loss = ti.ndarray(ti.f32, 1, needs_grad=True)
    losses = []
    for step in range(options.steps):
        # Shorter and shorter steps: with long ones to the end the surface stays rough.
        optimizer.learning_rate = options.learning_rate * (1 - 0.9 * step / options.steps)
        optimizer.zero_grad()
        with ti.ad.Tape(loss=loss):
            alpha = render_silhouette(vertices, faces, camera, settings)
            add_to_loss(loss, silhouette_loss(alpha, wanted))
            add_to_loss(loss, laplacian_loss(vertices, topology), options.laplacian)
            add_to_loss(loss, flattening_loss(vertices, topology), options.flattening)
        losses.append(float(loss[0]))
        optimizer.step()
        on_step()
    return Mesh(vertices.to_numpy()[0], start.faces, start.colors), losses


def silhouette_scene(target: Mesh, options: FitOptions) -> Scene:
    """Put cameras round a mesh at three elevations, each turned a little against the last."""
    softness = SoftnessOptions(sigma=options.sigma)
    size = options.size, options.size
    scenes = [
        make_scene(
            target,
            ViewOptions(elevation=elevation, azimuth=0.0),
            softness,
            size,
            np.arange(first, options.views, 3) * 360 / options.views,
        )
        for first, elevation in ((0, 0.0), (1, 30.0), (2, -30.0))
        if first < options.views
    ]
    eyes = np.concatenate([scene.eyes for scene in scenes])
    return Scene(eyes=eyes, fov=scenes[0].fov, settings=scenes[0].settings)


def draw_beside(meshes: Sequence[Mesh], view: ViewOptions, size: int = 256) -> np.ndarray:
    """Draw meshes on white beside each other, all at one scale: (size, N size, 3)."""
    largest = max(meshes, key=mesh_radius)
    scene = make_scene(largest, view, SoftnessOptions(), (size, size), np.zeros(1))
    pictures = [composite(next(draw_frames(mesh, scene)), WHITE) for mesh in meshes]
    return np.concatenate(pictures, axis=1)


def write_loss_plot(path: Path, losses: list[float]) -> None:
    """Plot the loss over the steps."""
    import matplotlib

    matplotlib.use("Agg")  # needs no display
    from matplotlib import pyplot

    figure, axes = pyplot.subplots(figsize=(5, 3), layout="constrained")
    axes.plot(losses)
    axes.set(xlabel="step", ylabel="loss", yscale="log")
    axes.grid(visible=True, which="both", alpha=0.3)
    with whole_file(path) as temporary:
        figure.savefig(temporary, dpi=150)
    pyplot.close(figure)
