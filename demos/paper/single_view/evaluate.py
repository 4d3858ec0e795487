"""Measure reconstructions by voxels, beside a mean shape and the nearest training silhouette.

    python -m demos.paper.single_view.evaluate --data data/objects --run runs/objects

reconstructs every test object from each of its 24 views, and compares voxels with the truth:
intersection over union, by class and on average over classes, with intervals of 95 % by the
bootstrap over objects. Two baselines know the class: the voxels that most training objects of it
have (at the threshold best for the training objects), and those of the training object with the
most similar silhouette seen from the same side. ``--split val`` looks at the validation objects,
and ``--split train`` at how well what was seen is learned.
"""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch

import taichi_softras as sr
from demos.paper.shared.command_line import make_parser
from demos.paper.shared.intervals import mean_interval
from demos.paper.shared.reporting import make_progress, print_table, write_json
from demos.paper.single_view.dataset import NUM_VIEWS, RESOLUTION, SPLITS, Objects, load
from demos.paper.single_view.model import SPHERE, Reconstructor


@torch.no_grad()
def reconstruct(model: Reconstructor, images: np.ndarray, chunk: int = 64) -> np.ndarray:
    """Reconstruct meshes from pictures.

    Args:
        model: Trained. It is put into evaluation mode, and back as it was.
        images: (N, 4, 64, 64) bytes.
        chunk: Pictures at a time.

    Returns:
        (N, 642, 3), vertices.
    """
    was_training = model.training
    model.eval()
    like = next(model.parameters())
    parts = [
        model(torch.from_numpy(part).to(like) / 255).cpu().numpy()
        for part in np.array_split(images, max(1, -(-len(images) // chunk)))
    ]
    model.train(was_training)
    return np.concatenate(parts)


def reconstruction_ious(model: Reconstructor, objects: Objects, views: Sequence[int]) -> np.ndarray:
    """Compare reconstructions from some views with the truth, (N, number of views)."""
    ious = np.empty((len(objects), len(views)))
    with make_progress() as progress:
        task = progress.add_task("Reconstructing", total=len(views), loss="")
        for column, view in zip(ious.T, views):
            vertices = reconstruct(model, objects.images[:, view])
            column[:] = sr.voxel_iou(
                sr.voxelize(vertices, SPHERE.faces, RESOLUTION), objects.voxels
            )
            progress.advance(task)
    return ious


def class_mean_ious(train: Objects, objects: Objects) -> np.ndarray:
    """Compare the mean shape of each object's class with the truth, (N,)."""
    ious = np.empty(len(objects))
    for label in np.unique(objects.labels):
        shapes = train.voxels[train.labels == label]
        share = shapes.mean(axis=0)
        thresholds = np.linspace(0.05, 0.95, 19)
        scores = [sr.voxel_iou(share[None] > t, shapes).mean() for t in thresholds]
        mean_shape = share[None] > thresholds[int(np.argmax(scores))]
        members = objects.labels == label
        ious[members] = sr.voxel_iou(mean_shape, objects.voxels[members])
    return ious


def retrieval_ious(train: Objects, objects: Objects, views: Sequence[int]) -> np.ndarray:
    """Compare the training object of the most similar silhouette with the truth, (N, views).

    Only training objects of the same class, seen from the same side, are looked at.
    """
    ious = np.empty((len(objects), len(views)))
    for label in np.unique(objects.labels):
        known = np.flatnonzero(train.labels == label)
        members = np.flatnonzero(objects.labels == label)
        for column, view in enumerate(views):
            seen = train.images[known, view, 3] > 127
            for member in members:
                wanted = objects.images[member, view, 3][None] > 127
                common, either = (seen & wanted).sum((1, 2)), (seen | wanted).sum((1, 2))
                nearest = known[int(np.argmax(common / np.maximum(either, 1)))]
                truth = objects.voxels[member][None]
                ious[member, column] = sr.voxel_iou(train.voxels[nearest][None], truth)[0]
    return ious


def summarize(
    objects: Objects, scores: dict[str, np.ndarray]
) -> dict[str, dict[str, tuple[float, float, float]]]:
    """Average scores (N,) of objects, by class, and the classes' means, with intervals.

    The interval of the average over classes is that of a bootstrap within each class.
    """
    summary = {}
    for method, values in scores.items():
        by_class = [values[objects.labels == k] for k in range(len(objects.class_names))]
        rows = {name: mean_interval(found) for name, found in zip(objects.class_names, by_class)}
        rng = np.random.default_rng(0)
        means = np.mean(
            [rng.choice(found, (2000, len(found))).mean(axis=1) for found in by_class], axis=0
        )
        low, high = np.quantile(means, (0.025, 0.975))
        rows["mean of classes"] = (
            float(np.mean([found.mean() for found in by_class])),
            float(low),
            float(high),
        )
        summary[method] = rows
    return summary


def main(arguments: Sequence[str] | None = None) -> None:
    """Evaluate, print a table, and write it beside the checkpoint."""
    parser = make_parser("single_view.evaluate", __doc__)
    parser.add_argument("--data", type=Path, default=Path("data/objects"), help="the data set")
    parser.add_argument("--run", type=Path, default=Path("runs/objects"), help="folder of training")
    parser.add_argument("--split", choices=SPLITS, default="test")
    parser.add_argument("--quick", action="store_true", help="from two views only")
    options = parser.parse_args(arguments)
    try:
        model = load_model(options.run)
        train, objects = load(options.data, "train"), load(options.data, options.split)
    except (OSError, ValueError) as error:
        parser.exit(1, f"{parser.prog}: {error}\n")
    views = range(0, NUM_VIEWS, 12 if options.quick else 1)
    scores = {
        "class mean": class_mean_ious(train, objects),
        "retrieval": retrieval_ious(train, objects, views).mean(axis=1),
        "network": reconstruction_ious(model, objects, views).mean(axis=1),
    }
    # Object by object, which an interval of each alone doesn't tell.
    for baseline in ("class mean", "retrieval"):
        scores[f"network - {baseline}"] = scores["network"] - scores[baseline]
    summary = summarize(objects, scores)
    rows = [
        (name, *("{:.3f} ({:.3f} to {:.3f})".format(*summary[m][name]) for m in scores))
        for name in next(iter(summary.values()))
    ]
    title = f"Voxel IoU of {len(objects)} objects from {len(views)} views each"
    print_table(title, ("class", *scores), rows)
    output = options.run / f"evaluation_{options.split}.json"
    write_json(output, summary)
    print(f"wrote {output}")


def load_model(run: Path) -> Reconstructor:
    """Load the network that did best on validation objects.

    Raises:
        FileNotFoundError: If the folder has none.
    """
    model = Reconstructor()
    weights = torch.load(run / "best.pt", map_location="cpu", weights_only=True)
    model.load_state_dict(weights)
    return model.eval()


if __name__ == "__main__":
    main()
