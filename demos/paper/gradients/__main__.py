"""Show where a soft rasterizer's gradients come from, and that they are right, in one figure.

Writes gradients.png and results.json, and prints tables:

a   A triangle hidden behind another. Soft, a loss of colours moves it; hard, its gradient is zero.
b   A pixel that a triangle does not reach. Soft, its alpha pulls the triangle; hard, it does not.
c   The loss of a cube's picture as the cube turns, from hard to very soft; and for what share of
    starts, over random poses and axes, descent leads to the target.
d   What is missing where colours and depths of fragments are taken for constants when x and y of
    vertices are differentiated, as SoftRas's code does: compared, as the exact gradient is, with
    central differences.

In PyTorch, float64. ``--quick`` takes small pictures and few angles: seconds.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from torch import Tensor

from demos.paper.gradients.figure import draw_figure
from demos.paper.gradients.measures import (
    FOUND_DEGREES,
    HIDDEN_SOFTNESS,
    SIGMAS,
    angles,
    measure_curve,
    measure_hidden,
    measure_landscapes,
    measure_missing,
    measure_reach,
    measure_slopes,
)
from demos.paper.gradients.problems import HIDDEN_SHIFT, Softness, TurningCube, missing_problems
from demos.paper.shared.command_line import check_options, make_parser
from demos.paper.shared.reporting import make_progress, print_table, write_json

GAMMAS = (1e-3, 1e-2, 1e-1, 1.0)
CURVES: tuple[Softness, ...] = (None, (1e-5, 1e-3), (1e-3, 1e-2), (1e-1, 1.0))
MISSING_SOFTNESS = ((1e-4, 1e-2), (1e-3, 1e-1), (1e-2, 1e-1))
GRID: tuple[Softness, ...] = (None, *((sigma, gamma) for sigma in SIGMAS for gamma in GAMMAS))


@dataclass(frozen=True)
class Sizes:
    """How much is measured.

    Attributes:
        image: Side of the triangles' pictures, and of those of part d, in pixels.
        cube: Side of the turning cube's pictures, in pixels, where curves are drawn.
        small: The same, where starts are counted.
        curve: Angles of each curve that is drawn; even.
        landscapes: Random poses and axes.
        starts: Angles of each of those; even.
        slopes: Angles at which slopes are compared in part d; even.
        steps: Of descent, of the hidden triangle.
        grid: Softnesses of the landscapes.
        missing: Softnesses of the cubes and of the sphere in part d.
    """

    image: int = 48
    cube: int = 48
    small: int = 32
    curve: int = 360
    landscapes: int = 6
    starts: int = 72
    slopes: int = 36
    steps: int = 150
    grid: tuple[Softness, ...] = GRID
    missing: tuple[Softness, ...] = MISSING_SOFTNESS


QUICK = Sizes(
    image=16,
    cube=16,
    small=16,
    curve=24,
    landscapes=2,
    starts=24,
    slopes=2,
    steps=60,
    grid=CURVES,
    missing=MISSING_SOFTNESS[1:2],
)


def measure(sizes: Sizes, seed: int) -> dict[str, Any]:
    """Measure everything that the tables and the figure show."""
    rng = np.random.default_rng(seed)
    turns = [TurningCube.random(rng) for _ in range(sizes.landscapes)]
    degrees, fine = angles(sizes.starts), angles(sizes.curve)
    problems = missing_problems(sizes.image)
    with make_progress() as progress:
        tasks: dict[str, list[Callable[[], Any]]] = {
            "hidden": [lambda: measure_hidden(sizes.image, sizes.steps)],
            "reach": [lambda: measure_reach(sizes.curve)],
            "curves": [partial(measure_curve, turns[0], sizes.cube, fine, s) for s in CURVES],
            "landscapes": [
                partial(measure_landscapes, turns, sizes.small, degrees, s) for s in sizes.grid
            ],
            "missing": [
                partial(measure_missing, problem, softness)
                for problem in problems
                for softness in ([HIDDEN_SOFTNESS] if problem.fitted else sizes.missing)
            ],
            "slopes": [
                partial(measure_slopes, sizes.image, sizes.slopes, softness, at_corners)
                for at_corners in (False, True)
                for softness in sizes.missing
            ],
        }
        bar = progress.add_task("measuring", total=sum(map(len, tasks.values())), loss="")
        results: dict[str, Any] = {}
        for name, parts in tasks.items():
            results[name] = []
            for part in parts:
                progress.update(bar, description=name)
                results[name].append(part())
                progress.advance(bar)
    return results


def softness_name(softness: Softness) -> tuple[str, str]:
    """Sigma and gamma, as tables show them."""
    return ("hard", "hard") if softness is None else (f"{softness[0]:.0e}", f"{softness[1]:.0e}")


LANDSCAPE_COLUMNS = ("head", "end there", "lowest")


def landscape_texts(found: dict[str, Any]) -> tuple[str, str, str]:
    """What `summarize_landscapes` found, as the table shows it."""
    head, end = ("{:.0%} [{:.0%}, {:.0%}]".format(*found[key]) for key in ("heading", "found"))
    return head, end, f"{found['lowest']:.1f}°"


def print_tables(results: dict[str, Any]) -> None:
    """Print what soft and hard gradients do."""
    hidden = results["hidden"][0]
    print_table(
        f"A hidden triangle, {HIDDEN_SHIFT} from where it is to be",
        ("rasterizer", "|gradient|", "distance after descent", "loss before", "loss after"),
        [
            (
                name,
                f"{np.linalg.norm(found['gradient']):.2g}",
                f"{found['error after']:.3f}",
                f"{found['loss']:.4f}",
                f"{found['loss after']:.4f}",
            )
            for name, found in ((name, hidden[name]) for name in ("soft", "hard"))
        ],
    )
    print_table(
        f"A turning cube: starts that head for the target, and that end within {FOUND_DEGREES:g}°"
        " of it [95 %]; where the loss is lowest. Target as soft, or a photo",
        ("sigma", "gamma", *(f"{t}: {c}" for t in ("soft", "photo") for c in LANDSCAPE_COLUMNS)),
        [
            (
                *softness_name(row["softness"]),
                *(text for name in ("same", "photo") for text in landscape_texts(row[name])),
            )
            for row in results["landscapes"]
        ],
    )


def print_errors(results: dict[str, Any]) -> None:
    """Print how wrong the incomplete gradient is, and the exact one."""
    print_table(
        "Gradients by x and y against central differences",
        ("scene", "sigma", "gamma", "exact: error", "without: error", "without: cosine"),
        [
            (
                row["scene"],
                *softness_name(row["softness"]),
                f"{row['exact'][0]:.1e}",
                f"{row['held'][0]:.1%}",
                f"{row['held'][1]:.4f}",
            )
            for row in results["missing"]
        ],
    )
    print_table(
        "Slopes by a cube's angle without that part, and starts that head for the target, a photo",
        ("scene", "sigma", "gamma", "median error", "wrong sign", "exact: head", "without: head"),
        [
            (
                row["scene"],
                *softness_name(row["softness"]),
                f"{row['median error']:.1%}",
                f"{row['wrong sign']:.0%}",
                f"{row['exact heading']:.0%}",
                f"{row['held heading']:.0%}",
            )
            for row in results["slopes"]
        ],
    )


def without_pictures(results: Any) -> Any:
    """Results without what only the figure needs."""
    if isinstance(results, list):
        return [without_pictures(part) for part in results]
    if not isinstance(results, dict):
        return results.numpy() if isinstance(results, Tensor) else results
    left_out = {"picture", "image", "target", "after", "zoom"}
    return {str(k): without_pictures(v) for k, v in results.items() if k not in left_out}


def main(arguments: Sequence[str] | None = None) -> None:
    """Measure, print the tables, and write the figure."""
    parser = make_parser("gradients", __doc__)
    parser.add_argument("--output", type=Path, default=Path("gradients"), help="folder to write")
    parser.add_argument("--seed", type=int, default=0, help="of the cubes' poses and axes")
    parser.add_argument("--quick", action="store_true", help="small pictures, few angles: seconds")
    options = parser.parse_args(arguments)
    check_options(parser, options, seed=0)
    options.output.mkdir(parents=True, exist_ok=True)
    results = measure(QUICK if options.quick else Sizes(), options.seed)
    print_tables(results)
    print_errors(results)
    draw_figure(results, options.output / "gradients.png")
    write_json(options.output / "results.json", without_pictures(results))
    print(f"wrote {options.output / 'gradients.png'} and results.json")


if __name__ == "__main__":
    main()
