"""``softras fit``: a sphere or a hull becomes a mesh, from silhouettes alone, by gradients."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Literal

import numpy as np
import tyro
from rich.progress import Progress

from taichi_softras.arrays.options import check_integer, keep_checked
from taichi_softras.cameras.depths import depth_range
from taichi_softras.cli.options import (
    PROGRESS_CONSOLE,
    CameraArguments,
    CameraOptions,
    MeshArgument,
    SoftnessOptions,
    load_mesh,
)
from taichi_softras.files.mesh_files import write_mesh
from taichi_softras.files.paths import whole_file
from taichi_softras.files.pictures import WHITE, composite, write_picture
from taichi_softras.fitting.framing import mesh_radius, surround_mesh
from taichi_softras.fitting.silhouettes import SilhouetteFitOptions, fit_silhouettes
from taichi_softras.meshes.mesh import Mesh
from taichi_softras.meshes.primitives import icosphere
from taichi_softras.previews import draw_previews
from taichi_softras.rasterizer.settings import RasterizerSettings
from taichi_softras.reconstruction.hull import visual_hull
from taichi_softras.renderer import render_silhouette

LEAST_VOXELS = 16
"""Along a side of the visual hull."""


@dataclass(frozen=True, kw_only=True)
class SphereFitOptions:
    """How a sphere is fitted to silhouettes of a mesh.

    Attributes:
        views: Cameras round the mesh, at three elevations.
        size: Height and width of the silhouettes, in pixels.
        start: What is fitted: a sphere, or the visual hull of the silhouettes, which may have holes
            and goes well with --remeshings 1 --smoothness 5 --learning-rate 0.1.
        subdivisions: How often the icosphere to start from is subdivided: 3 gives 642 vertices.
        descent: How the sphere is fitted.
    """

    views: int = 24
    size: int = 64
    start: Literal["sphere", "hull"] = "sphere"
    subdivisions: int = 3
    descent: Annotated[SilhouetteFitOptions, tyro.conf.OmitArgPrefixes] = field(
        default_factory=SilhouetteFitOptions
    )

    def __post_init__(self) -> None:
        keep_checked(self, ("views", "size"), check_integer, at_least=1)
        keep_checked(self, ("subdivisions",), check_integer, at_least=0)


SphereFitArguments = Annotated[SphereFitOptions, tyro.conf.OmitArgPrefixes]


@dataclass(frozen=True, kw_only=True)
class Fit:
    """Fit a sphere, or the visual hull, to the silhouettes of a mesh.

    Writes fitted.obj, fit.png (before, target, after) and loss.png into a folder.

    Attributes:
        mesh: File whose silhouettes are fitted (OBJ, PLY, OFF, STL, GLB or AC3D), or teapot,
            sphere, torus or cube.
        output: Folder to write into; made if need be.
        options: How the sphere is fitted.
        camera: Where the camera of the picture is.
    """

    mesh: MeshArgument
    output: Annotated[Path, tyro.conf.arg(aliases=["-o"])]
    options: SphereFitArguments = field(default_factory=SphereFitOptions)
    camera: CameraArguments = field(default_factory=CameraOptions)

    def run(self) -> None:
        """Fit, and write the files."""
        fit_and_write(load_mesh(self.mesh), self.output, self.options, self.camera)


def fit_and_write(
    target: Mesh, output: Path, options: SphereFitOptions, camera: CameraOptions
) -> None:
    """Fit a sphere to a mesh, with a progress bar; write the mesh and two pictures.

    Raises:
        ValueError: If the mesh has no faces.
        OSError: If a file can't be written.
    """
    if target.num_faces == 0:
        raise ValueError("the mesh to fit must have faces, got none")
    output.mkdir(parents=True, exist_ok=True)
    steps = options.descent.steps
    with Progress(console=PROGRESS_CONSOLE, transient=True) as progress:
        task = progress.add_task("Fitting", total=steps)
        start, fitted, losses = fit_to_mesh(target, options, lambda: progress.advance(task))
    picture = draw_beside((start, target, fitted), camera)
    write_mesh(fitted, output / "fitted.obj")
    write_picture(output / "fit.png", picture)
    write_loss_plot(output / "loss.png", losses)
    print(f"loss {losses[0]:.4f} -> {losses[-1]:.4f} in {steps} steps")
    for name in ("fitted.obj", "fit.png", "loss.png"):
        print(f"wrote {output / name}")


def fit_to_mesh(
    target: Mesh, options: SphereFitOptions, on_step: Callable[[], None]
) -> tuple[Mesh, Mesh, list[float]]:
    """Draw a mesh's silhouettes from all round, and fit another mesh to them.

    Returns:
        The mesh to start from, the fitted one, and the loss before each step.
    """
    camera = surround_mesh(target, options.views)
    vertices, faces, _ = target.to_taichi()
    near, far = depth_range(vertices, camera)
    settings = RasterizerSettings(
        height=options.size, width=options.size, near=near, far=far, sigma=options.descent.sigma
    )
    masks = render_silhouette(vertices, faces, camera, settings)
    if options.start == "hull":
        # Of all pixels that silhouettes reach: nothing is lost, and the fit takes away the rest.
        resolution = max(options.size // 2, LEAST_VOXELS)
        start = visual_hull(masks.to_numpy() > 0, camera, resolution=resolution)
    else:
        start = icosphere(options.subdivisions)
    fitted, losses = fit_silhouettes(
        start, masks, camera, options.descent, on_step=lambda _: on_step()
    )
    return start, fitted, losses


def draw_beside(meshes: Sequence[Mesh], camera: CameraOptions, size: int = 256) -> np.ndarray:
    """Draw meshes on white beside each other, all at one scale: (size, N size, 3)."""
    largest = max(meshes, key=mesh_radius)
    cameras = camera.cameras(largest, 1.0, np.zeros(1))
    settings = SoftnessOptions().settings(size, size)
    pictures = [composite(next(draw_previews(mesh, cameras, settings)), WHITE) for mesh in meshes]
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
