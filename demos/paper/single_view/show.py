"""Draw what training came to: reconstructions of test objects, and the course of it.

    python -m demos.paper.single_view.show --data data/objects --run runs/objects

writes ``reconstructions.png`` into the folder of training: for each class the test object whose
voxel IoU is the median of its class (not the best), from the view in which it is its own median:
the picture, the reconstruction from there and from two other sides, and the truth from these. And
``curve.png``: losses, and voxel IoU of validation objects, step by step.
"""

from collections.abc import Sequence
from pathlib import Path

import matplotlib as mpl
import numpy as np
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

import taichi_softras as sr
from demos.paper.shared.command_line import make_parser
from demos.paper.single_view.dataset import (
    FOV,
    IMAGE_SIZE,
    NUM_VIEWS,
    Objects,
    camera_eyes,
    load,
    settings,
)
from demos.paper.single_view.evaluate import load_model, reconstruct, reconstruction_ious
from demos.paper.single_view.model import SPHERE, Reconstructor
from taichi_softras.files.paths import whole_file
from taichi_softras.files.pictures import composite, write_picture

mpl.use("Agg")
from matplotlib import pyplot

WHITE = (1.0, 1.0, 1.0)
SCALE = 2
"""Pixels of the picture for each of the data set's."""
OTHER_SIDES = (8, 16)
"""Views that are shown beside that of the picture, counted from it."""


def draw_reconstructions(model: Reconstructor, objects: Objects) -> np.ndarray:
    """Draw a row for each class: picture, reconstruction from three sides, truth from two."""
    ious = reconstruction_ious(model, objects, range(NUM_VIEWS))
    rows = []
    for label in range(len(objects.class_names)):
        members = np.flatnonzero(objects.labels == label)
        item = members[median_of(ious[members].mean(axis=1))]
        rows.append(draw_row(model, objects.images[item], median_of(ious[item])))
    return np.concatenate(rows)


def median_of(values: np.ndarray) -> int:
    """Find the value in the middle, the lower of two."""
    return int(np.argsort(values, kind="stable")[(len(values) - 1) // 2])


def draw_row(model: Reconstructor, images: np.ndarray, view: int) -> np.ndarray:
    """Draw an object's picture, its reconstruction from three sides, and the truth from two.

    Args:
        model: Trained.
        images: (24, 4, 64, 64) bytes, of the object.
        view: The one that is reconstructed.
    """
    sides = [view, *((view + k) % NUM_VIEWS for k in OTHER_SIDES)]
    mesh = sr.Mesh(reconstruct(model, images[view][None])[0], SPHERE.faces)
    vertices, faces, colors = mesh.to_taichi()
    camera = sr.LookAtCamera(camera_eyes()[sides], fov_degrees=FOV)
    drawn = settings(1e-6, size=SCALE * IMAGE_SIZE)
    meshes = sr.render(vertices, faces, colors, camera, drawn, light=sr.Light()).to_numpy()
    seen = [over_white(images[side]).repeat(SCALE, axis=0).repeat(SCALE, axis=1) for side in sides]
    return np.concatenate([seen[0], *composite(meshes, WHITE), *seen[1:]], axis=1)


def over_white(image: np.ndarray) -> np.ndarray:
    """Lay a picture of the data set, (4, H, W) bytes over black, over white: (H, W, 3)."""
    values = image.transpose(1, 2, 0) / 255
    return np.asarray(values[..., :3] + 1 - values[..., 3:])


def read_course(run: Path) -> dict[str, np.ndarray]:
    """Read what training noted for TensorBoard: (N, 2), steps and values, of each name.

    A step that was taken again after a stop counts as the last time.
    """
    courses: dict[str, dict[int, float]] = {}
    for path in sorted(run.glob("events.out.tfevents.*"), key=lambda path: path.stat().st_mtime):
        events = EventAccumulator(str(path), size_guidance={"scalars": 0}).Reload()
        for name in events.Tags()["scalars"]:
            for event in events.Scalars(name):
                courses.setdefault(name, {})[event.step] = event.value
    if not courses:
        raise FileNotFoundError(f"run must be a folder of training, got {run}")
    return {name: np.array(sorted(course.items())) for name, course in courses.items()}


def plot_course(path: Path, courses: dict[str, np.ndarray]) -> None:
    """Plot the loss of silhouettes, smoothed, and the voxel IoU of validation objects."""
    figure, axes = pyplot.subplots(figsize=(6, 3.5), layout="constrained")
    steps, losses = courses["silhouette"].T
    width = max(1, len(losses) // 60)
    smooth = np.convolve(losses, np.ones(width) / width, mode="valid")
    axes.plot(steps[width - 1 :], smooth, color="tab:blue")
    axes.set(xlabel="step", ylim=(0, None))
    axes.set_ylabel("loss of silhouettes (training)", color="tab:blue")
    right = axes.twinx()
    right.plot(*courses["voxel_iou"].T, color="tab:red", marker="o", markersize=3)
    right.set_ylabel("voxel IoU (validation)", color="tab:red")
    with whole_file(path) as unfinished:
        figure.savefig(unfinished, dpi=150)
    pyplot.close(figure)


def main(arguments: Sequence[str] | None = None) -> None:
    """Draw both pictures."""
    parser = make_parser("single_view.show", __doc__)
    parser.add_argument("--data", type=Path, default=Path("data/objects"), help="the data set")
    parser.add_argument("--run", type=Path, default=Path("runs/objects"), help="folder of training")
    options = parser.parse_args(arguments)
    try:
        courses = read_course(options.run)
        picture = draw_reconstructions(load_model(options.run), load(options.data, "test"))
    except (OSError, ValueError) as error:
        parser.exit(1, f"{parser.prog}: {error}\n")
    write_picture(options.run / "reconstructions.png", picture)
    plot_course(options.run / "curve.png", courses)
    for name in ("reconstructions", "curve"):
        print(f"wrote {options.run / name}.png")


if __name__ == "__main__":
    main()
