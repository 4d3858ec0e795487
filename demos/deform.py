"""Shape from silhouettes: a sphere becomes an object, seen from cameras all round.

    python demos/deform.py --output deform bunny.obj armadillo.off
    python demos/deform.py --output deform --furniture rabbit antiqueChair --views 120 --size 128

The meshes are files, or models of Debian's package ``sweethome3d-furniture`` by name (the folder
of their OBJ file, as in "rabbit" or "scopia/rabbit"; the environment variable SOFTRAS_FURNITURE
names the folder of the archives); a teapot and a torus where none is given. ``--framework`` chooses
what the losses go down in: "taichi" (a ``ti.ad.Tape``; PyTorch is not imported), "torch" (autograd
and PyTorch's Adam), or "both", one after the other, from the same start and by the same steps.

The targets are masks: silhouettes without softness. The fit sees those of cameras at elevations of
0, 30 and -30 degrees, and is measured on others, between, above and below: by the intersection over
union (IoU) of silhouettes; by the distance from points of either surface to the nearest of the
other, summed both ways (chamfer), beside its value for two samples of the target itself (floor);
and by the IoU of solid voxels, 32 on a side, beside that of the visual hull, the largest shape with
the same masks. Silhouettes don't show hollows, and a sphere gets no holes: topology stays.

Stanford's armadillo is in a package of Debian's:

    apt-get download libcgal-demo && dpkg -x libcgal-demo_*.deb cgal
    tar -xzf cgal/usr/share/doc/libcgal-dev/data.tar.gz data/meshes/armadillo.off

Writes deform.json, deform.png (targets above fits), deform.gif (masks above growing spheres), and
the fitted meshes.
"""

import argparse
import importlib.util
import itertools
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import matplotlib
import numpy as np
from reporting import CONSOLE, make_progress, print_table, write_json
from rich.progress import track
from shapes import furniture_file

import taichi_softras as sr
from taichi_softras.bench.machine import describe_machine
from taichi_softras.files.paths import whole_file
from taichi_softras.files.pictures import composite, write_animation
from taichi_softras.previews import PreviewStyle, draw_previews

matplotlib.use("Agg")  # needs no display
from matplotlib import pyplot

WHITE = (1.0, 1.0, 1.0)
HELD_OUT_VIEWS, HELD_OUT_SIZE = 24, 128
HELD_OUT_ELEVATIONS = (15.0, -15.0, 55.0, -55.0)
VOXELS = 32
HULL_SAMPLES = 3
"""Points of the visual hull along a side of a voxel, less one."""
CHAMFER_POINTS = 20_000
SUPERSAMPLING = 4
"""Rows and columns of samples in a pixel of the masks that are fitted."""
FIT = {"batch": 8, "learning_rate": 0.01, "sigma": 1e-4, "final_sigma": 1e-5}
"""See `SilhouetteFitOptions`."""
TINTS = (
    (0.80, 0.33, 0.24),
    (0.90, 0.62, 0.24),
    (0.47, 0.62, 0.32),
    (0.26, 0.56, 0.60),
    (0.30, 0.42, 0.70),
    (0.56, 0.40, 0.66),
)


FRAMEWORKS = ("taichi", "torch")


# --- What is fitted -----------------------------------------------------------------------------


def read_targets(files: Sequence[Path], furniture: Sequence[str]) -> dict[str, sr.Mesh]:
    """Read the meshes wanted, normalised, by name.

    Raises:
        OSError: If a file can't be read.
        ValueError: If it holds no mesh with faces, or two have one name.
    """
    named = [(path.stem, sr.read_mesh(path)) for path in files]
    for name in furniture:
        with furniture_file(name) as path:
            named.append((path.stem, sr.read_mesh(path)))
    if not named:
        named = [("teapot", sr.teapot()), ("torus", sr.torus())]
    targets: dict[str, sr.Mesh] = {}
    for name, mesh in named:
        if name in targets:
            raise ValueError(f"meshes must have different names, got {name} twice")
        if mesh.num_faces == 0:
            raise ValueError(f"meshes must have faces, got none in {name}")
        targets[name] = mesh.normalized()
    return targets


def draw_masks(mesh: sr.Mesh, camera: sr.LookAtCamera, size: int, supersampling: int) -> np.ndarray:
    """Draw hard silhouettes, (B, size, size), a camera at a time."""
    vertices, faces, _ = mesh.to_taichi()
    near, far = sr.depth_range(vertices, camera)
    settings = sr.RasterizerSettings(
        height=size,
        width=size,
        near=near,
        far=far,
        coverage="hard",
        supersampling=supersampling,
    )
    masks = [
        sr.render_silhouette(vertices, faces, sr.select_cameras(camera, i), settings).to_numpy()
        for i in range(len(camera.eye))
    ]
    return np.concatenate(masks)


# --- How good a fit is --------------------------------------------------------------------------


def mask_iou(masks: np.ndarray, others: np.ndarray) -> float:
    """Measure how well masks (B, H, W) agree: the mean over images of their IoU."""
    both = np.minimum(masks, others).sum(axis=(1, 2))
    either = np.maximum(masks, others).sum(axis=(1, 2))
    return float(np.mean(np.where(either > 0, both / np.maximum(either, 1e-9), 1.0)))


def voxelize(mesh: sr.Mesh) -> np.ndarray:
    """Find the voxels in the unit box, (1, R, R, R), that a mesh touches or encloses.

    What reaches out of the box is pressed flat on it: cut off, it would leave the mesh open, and
    what it encloses would not count.
    """
    return sr.voxelize(np.clip(mesh.vertices, -0.5, 0.5)[None], mesh.faces, VOXELS)


def carve_hull(masks: np.ndarray, camera: sr.LookAtCamera) -> np.ndarray:
    """Find the voxels (1, R, R, R) that have a point which is inside of all masks.

    Args:
        masks: (B, H, W).
        camera: Where they are seen from.
    """
    steps = np.linspace(-0.5, 0.5, HULL_SAMPLES * VOXELS + 1, dtype=np.float32)
    points = np.stack(np.meshgrid(steps, steps, steps, indexing="ij"), axis=-1).reshape(1, -1, 3)
    is_inside = np.ones(points.shape[1], dtype=bool)
    height, width = masks.shape[1:]
    for i, mask in enumerate(masks):
        left = sr.from_numpy(points[:, is_inside])
        x, y, _ = sr.project(left, sr.select_cameras(camera, i), width / height).to_numpy()[0].T
        cols = np.clip(np.floor((x + 1) * width / 2).astype(int), 0, width - 1)
        rows = np.clip(np.floor((1 - y) * height / 2).astype(int), 0, height - 1)
        is_inside[is_inside] = mask[rows, cols] > 0
    fine = is_inside.reshape(1, *(len(steps),) * 3)
    voxels = np.zeros((1, *(VOXELS,) * 3), dtype=bool)
    # A voxel has its border's points too.
    for shift in np.ndindex(*(HULL_SAMPLES + 1,) * 3):
        chosen = tuple(slice(k, k + HULL_SAMPLES * VOXELS, HULL_SAMPLES) for k in shift)
        voxels |= fine[(slice(None), *chosen)]
    return voxels


class Judge:
    """What fits of one target are measured against.

    Args:
        target: The target.
        start: What all of them start from.
    """

    def __init__(self, target: sr.Mesh, start: sr.Mesh) -> None:
        self._camera = sr.surround_mesh(
            target,
            HELD_OUT_VIEWS,
            elevations_degrees=HELD_OUT_ELEVATIONS,
            azimuth_degrees=4.0,
        )
        self._masks = draw_masks(target, self._camera, HELD_OUT_SIZE, 1)
        self._arrays = target.to_taichi()[:2]
        self._voxels = voxelize(target)
        samples = [sr.sample_surface(*self._arrays, CHAMFER_POINTS, seed=seed) for seed in (0, 1)]
        self.floor = float(sr.chamfer_distance(*samples, squared=False).to_numpy()[0])
        self.at_start = self.measure(start)

    def measure(self, fitted: sr.Mesh) -> dict[str, float]:
        """Measure a fit."""
        arrays = fitted.to_taichi()[:2]
        chamfer = sr.mesh_chamfer_distance(*arrays, *self._arrays, CHAMFER_POINTS, squared=False)
        return {
            "held_out_iou": mask_iou(
                draw_masks(fitted, self._camera, HELD_OUT_SIZE, 1), self._masks
            ),
            "chamfer": float(chamfer.to_numpy()[0]),
            "voxel_iou": self.voxel_iou(voxelize(fitted)),
        }

    def voxel_iou(self, voxels: np.ndarray) -> float:
        """Compare voxels (1, R, R, R) with the target's."""
        return float(sr.voxel_iou(voxels, self._voxels)[0])


# --- Fitting ------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Run:
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
    run: Run, target: sr.Mesh, judge: Judge, frames: int, on_step: Callable[[], None]
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
    runs: Sequence[Run], targets: dict[str, sr.Mesh], frames: int, output: Path
) -> tuple[list[dict[str, Any]], dict[str, list[sr.Mesh]]]:
    """Carry out all runs with a progress bar, and write the meshes.

    Returns:
        The results of each, and each target's first fit on its way.
    """
    results, recordings = [], {}
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


# --- What is shown ------------------------------------------------------------------------------


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


def print_results(results: Sequence[dict[str, Any]]) -> None:
    """Print a row per fit, and of the sphere that each target's fits started from."""
    header = (
        *("mesh", "by", "views", "pixels", "IoU seen", "IoU held out"),
        *("chamfer", "floor", "voxel IoU", "hull", "seconds", "relative"),
    )
    rows = []
    previous = None
    for result in results:
        if result["mesh"] != previous:
            previous, start = result["mesh"], result["start"]
            measures = f"{start['held_out_iou']:.3f}", f"{start['chamfer']:.4f}"
            rows.append(
                (
                    previous,
                    "start",
                    "",
                    "",
                    "",
                    *measures,
                    "",
                    f"{start['voxel_iou']:.3f}",
                    *3 * ("",),
                )
            )
        rows.append(
            (
                *(result[key] for key in ("mesh", "framework", "views", "size")),
                *(f"{result[key]:.3f}" for key in ("seen_iou", "held_out_iou")),
                *(f"{result[key]:.4f}" for key in ("chamfer", "chamfer_floor")),
                *(f"{result[key]:.3f}" for key in ("voxel_iou", "hull_voxel_iou")),
                f"{result['seconds']:.1f}",
                f"{result['seconds'] / results[0]['seconds']:.2f}",
            )
        )
    print_table("Shape from silhouettes", header, rows)


def parse(arguments: Sequence[str] | None) -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(
        description=__doc__.partition("\n")[0],
        epilog=__doc__.partition("\n\n")[2],
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("meshes", nargs="*", type=Path, help="mesh files")
    parser.add_argument("--furniture", nargs="+", default=[], metavar="NAME", help="models by name")
    parser.add_argument("--output", type=Path, default=Path("deform"), help="folder to write into")
    parser.add_argument("--framework", choices=(*FRAMEWORKS, "both"), default="taichi")
    parser.add_argument("--views", nargs="+", type=int, default=[24], help="silhouettes; several")
    parser.add_argument("--size", nargs="+", type=int, default=[64], help="pixels; several")
    parser.add_argument("--steps", type=int, default=200, help="steps of the optimiser")
    parser.add_argument("--quick", action="store_true", help="small and few, in seconds")
    options = parser.parse_args(arguments)
    if options.framework != "taichi" and importlib.util.find_spec("torch") is None:
        parser.error(f"--framework {options.framework} needs PyTorch, which is not installed")
    options.refuse = parser.error
    return options


def plan(options: argparse.Namespace, names: Sequence[str]) -> list[Run]:
    """List the fits wanted: each mesh with each number of views, of each size, in each framework.

    Raises:
        ValueError: If a number is out of range.
    """
    frameworks = FRAMEWORKS if options.framework == "both" else (options.framework,)
    if options.quick:
        options.views, options.size, options.steps = [6], [32], 40
    return [
        Run(
            name,
            framework,
            views,
            size,
            1 if options.quick else 2,
            sr.SilhouetteFitOptions(steps=options.steps, refinements=1, **FIT),
        )
        for name, views, size, framework in itertools.product(
            names, options.views, options.size, frameworks
        )
    ]


def main(arguments: Sequence[str] | None = None) -> None:
    """Fit, print the table, and write results and pictures."""
    options = parse(arguments)
    try:
        targets = read_targets(options.meshes, options.furniture)
        runs = plan(options, tuple(targets))
        options.output.mkdir(parents=True, exist_ok=True)
    except (OSError, ValueError) as error:
        options.refuse(str(error))
    frames, size = (4, 48) if options.quick else (30, 104)
    results, recordings = fit_all(runs, targets, frames, options.output)
    print_results(results)
    machine = describe_machine()
    print(f"{machine['machine']}; {machine['cores']}")
    write_json(options.output / "deform.json", {"machine": machine, "fits": results})
    ious: dict[str, float] = {}
    for result in results:
        ious.setdefault(result["mesh"], result["held_out_iou"])
    write_comparison(options.output / "deform.png", targets, recordings, ious, 2 * size)
    animation = draw_animation(targets, recordings, size, frames + frames // 3)
    write_animation(options.output / "deform.gif", animation, 12.0)
    for name in ("deform.json", "deform.png", "deform.gif"):
        print(f"wrote {options.output / name}")


if __name__ == "__main__":
    main()
