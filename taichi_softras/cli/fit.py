"""``softras fit``: a sphere becomes a mesh, from silhouettes alone, by gradients."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Protocol

import numpy as np
import taichi as ti
import tyro
from rich.progress import Progress

from taichi_softras.arrays.options import check_integer, check_number
from taichi_softras.arrays.taichi_bridge import from_numpy
from taichi_softras.cameras.camera import Camera, LookAtCamera
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
from taichi_softras.files.mesh_files import read_mesh, write_mesh
from taichi_softras.files.paths import whole_file
from taichi_softras.files.pictures import composite, write_picture
from taichi_softras.fitting.optimizers import Adam
from taichi_softras.fitting.schedules import GeometricDecay, anneal
from taichi_softras.losses import (
    add_to_loss,
    flattening_loss,
    laplacian_loss,
    mesh_topology,
    silhouette_loss,
)
from taichi_softras.meshes.mesh import Mesh
from taichi_softras.meshes.primitives import icosphere
from taichi_softras.meshes.subdivision import subdivide
from taichi_softras.rasterizer.settings import RasterizerSettings
from taichi_softras.renderer import render_silhouette

WHITE = (1.0, 1.0, 1.0)
ELEVATIONS = (0.0, 30.0, -30.0)
"""Of the cameras, in degrees."""

DECAYS = 0.5, 0.95
"""Of Adam: short memories, as gradients change from step to step."""

FINEST_FROM = 0.4
"""Share of the steps after which the mesh is as fine as it gets."""


@dataclass(frozen=True, kw_only=True)
class FitOptions:
    """How a sphere is fitted to silhouettes.

    Attributes:
        views: Cameras round the mesh, at three elevations.
        size: Height and width of the silhouettes, in pixels.
        batch: How many silhouettes are compared at a step, in turn; by default all.
        steps: Steps of the optimiser.
        subdivisions: Of the icosphere to start from: 3 gives 642 vertices.
        refinements: How often each face is cut in four along the way, from coarse to fine.
        learning_rate: Length of the first step; it falls evenly to a tenth.
        sigma: Softness of edges.
        final_sigma: Softness of edges at the end, if it is to change on the way.
        laplacian: Weight of the Laplacian loss, which keeps vertices evenly spread.
        flattening: Weight of the flattening loss, which keeps faces from folding.
    """

    views: int = 24
    size: int = 64
    batch: int | None = None
    steps: int = 250
    subdivisions: int = 3
    refinements: int = 0
    learning_rate: float = 0.01
    sigma: float = 1e-4
    final_sigma: float | None = None
    laplacian: float = 0.03
    flattening: float = 3e-4

    def __post_init__(self) -> None:
        for name in ("views", "size", "steps"):
            check_integer(name, getattr(self, name), at_least=1)
        if self.batch is not None:
            check_integer("batch", self.batch, at_least=1)
        check_integer("refinements", self.refinements, at_least=0)
        for name in ("laplacian", "flattening"):
            check_number(name, getattr(self, name))
            if getattr(self, name) < 0:
                raise ValueError(f"{name} must be at least 0, got {getattr(self, name)}")


@dataclass(frozen=True, kw_only=True)
class Fit:
    """Fit a sphere to the silhouettes of a mesh.

    Writes fitted.obj, fit.png (before, target, after) and loss.png into a folder.

    Attributes:
        mesh: File whose silhouettes are fitted: OBJ, PLY, OFF, STL, GLB or AC3D.
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


class Descent(Protocol):
    """Gradient descent of a mesh's vertices towards silhouettes, in one framework."""

    @property
    def vertices(self) -> np.ndarray:
        """Where the vertices are, (V, 3)."""

    def step(
        self,
        camera: Camera,
        settings: RasterizerSettings,
        wanted: np.ndarray,
        learning_rate: float,
    ) -> float:
        """Go down one step.

        Args:
            camera: As many cameras as there are silhouettes.
            settings: How the mesh is drawn.
            wanted: The silhouettes, (B, H, W), 0 to 1.
            learning_rate: Length of the step.

        Returns:
            The loss before it.
        """


class TaichiDescent:
    """A `Descent` in Taichi alone: its tape records drawing and losses.

    Args:
        mesh: Where to start.
        options: Of which the weights of the losses count.
    """

    def __init__(self, mesh: Mesh, options: FitOptions) -> None:
        self._options = options
        self._vertices, self._faces, _ = mesh.to_taichi(needs_grad=True)
        self._topology = mesh_topology(mesh.faces, self._vertices)
        mean_decay, square_decay = DECAYS
        self._optimizer = Adam(
            [self._vertices],
            options.learning_rate,
            mean_decay=mean_decay,
            square_decay=square_decay,
        )
        self._loss = ti.ndarray(ti.f32, 1, needs_grad=True)

    @property
    def vertices(self) -> np.ndarray:
        """See `Descent.vertices`."""
        numbers: np.ndarray = self._vertices.to_numpy()[0]
        return numbers

    def step(
        self,
        camera: Camera,
        settings: RasterizerSettings,
        wanted: np.ndarray,
        learning_rate: float,
    ) -> float:
        """See `Descent.step`."""
        vertices, loss = self._vertices, self._loss
        target = from_numpy(wanted)
        self._optimizer.learning_rate = learning_rate
        self._optimizer.zero_grad()
        with ti.ad.Tape(loss=loss):
            alpha = render_silhouette(vertices, self._faces, camera, settings)
            add_to_loss(loss, silhouette_loss(alpha, target))
            add_to_loss(loss, laplacian_loss(vertices, self._topology), self._options.laplacian)
            add_to_loss(loss, flattening_loss(vertices, self._topology), self._options.flattening)
        self._optimizer.step()
        return float(loss[0])


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
    vertices, faces, _ = target.to_taichi()
    wanted = render_silhouette(vertices, faces, scene.camera(), scene.settings).to_numpy()
    return follow_silhouettes(wanted, scene, start, options, on_step=lambda _: on_step())


def follow_silhouettes(
    wanted: np.ndarray,
    scene: Scene,
    start: Mesh,
    options: FitOptions,
    *,
    make_descent: Callable[[Mesh, FitOptions], Descent] = TaichiDescent,
    on_step: Callable[[Mesh], None] = lambda _: None,
) -> tuple[Mesh, list[float]]:
    """Move a mesh's vertices, finer and finer, until its silhouettes are those wanted.

    Args:
        wanted: The silhouettes, (B, H, W), 0 to 1.
        scene: Where they are seen from.
        start: The mesh to move.
        options: How.
        make_descent: Gives what goes down, in the framework wanted, from a mesh.
        on_step: Called after each step, with the mesh as it then is.

    Returns:
        The moved mesh, and the loss before each step.
    """
    sigma = GeometricDecay(options.sigma, options.final_sigma or options.sigma, options.steps)
    batches = view_batches(len(wanted), options.batch)
    mesh, descent = start, make_descent(start, options)
    losses = []
    for step in range(options.steps):
        if step in refinement_steps(options):
            mesh = subdivide(mesh)
            descent = make_descent(mesh, options)
        chosen = next(batches)
        # Shorter and shorter steps: with long ones to the end the surface stays rough.
        learning_rate = options.learning_rate * (1 - 0.9 * step / options.steps)
        camera = LookAtCamera(scene.eyes[chosen], fov_degrees=scene.fov)
        settings = anneal(scene.settings, step, sigma=sigma)
        losses.append(descent.step(camera, settings, wanted[chosen], learning_rate))
        mesh = mesh.with_vertices(descent.vertices)
        on_step(mesh)
    return mesh, losses


def refinement_steps(options: FitOptions) -> list[int]:
    """Spread the refinements evenly over the first part of the steps."""
    last = FINEST_FROM * options.steps
    return [round(last * (k + 1) / options.refinements) for k in range(options.refinements)]


def view_batches(num_views: int, batch: int | None, seed: int = 0) -> Iterator[np.ndarray]:
    """Choose views for step after step: all, or so many, in turns whose order is random.

    Yields:
        Their numbers, ascending.
    """
    if batch is None or batch >= num_views:
        while True:
            yield np.arange(num_views)
    rng = np.random.default_rng(seed)
    left = rng.permutation(num_views)
    while True:
        if len(left) < batch:
            left = np.concatenate([left, rng.permutation(num_views)])
        yield np.sort(left[:batch])
        left = left[batch:]


def silhouette_scene(
    target: Mesh,
    options: FitOptions,
    elevations: Sequence[float] = ELEVATIONS,
    azimuth: float = 0.0,
) -> Scene:
    """Put cameras round a mesh at several elevations, each turned a little against the last.

    Args:
        target: The mesh; normalised.
        options: How many cameras, and how the mesh is drawn.
        elevations: In degrees.
        azimuth: Of the first camera, in degrees.
    """
    softness = SoftnessOptions(sigma=options.sigma)
    size = options.size, options.size
    scenes = [
        make_scene(
            target,
            ViewOptions(elevation=elevation, azimuth=azimuth),
            softness,
            size,
            np.arange(first, options.views, len(elevations)) * 360 / options.views,
        )
        for first, elevation in enumerate(elevations)
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
