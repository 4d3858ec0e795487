"""Find how an object is turned from one picture of it, from many random guesses.

The paper's coloured cube, the same cube with colours that run from corner to corner, and a dog
house with image maps (from Debian's ``sweethome3d-furniture``, in the folder that the environment
variable SOFTRAS_FURNITURE names; left out where there is none), each turned in several ways: the
truths. The picture of a truth is sharp and antialiased. Guesses are uniform over all rotations,
anew for each truth, and descend on the squared difference of the picture from a soft image: with
little blur, with much, with blur that is annealed, and with SoftRas's gradient, which leaves out
what is interpolated inside faces.

Prints the errors; writes pose.json, pose.png and pose.gif, in which guesses converge. 95 %
intervals are by the bootstrap over truths, and over the guesses of each: with one truth (--truths
1) they say nothing about another. ``--quick`` takes seconds.
"""

import argparse
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from scipy.spatial.transform import Rotation

from demos.paper.pose.descents import SHARP, DescentMethod, Trajectories, descend, make_methods
from demos.paper.pose.errors import FOUND_DEGREES, compare, summarize
from demos.paper.pose.figure import draw_figure
from demos.paper.pose.pictures import draw_softly, draw_trajectories
from demos.paper.pose.subjects import SUBJECTS, Subject, draw, make_settings, make_subject
from demos.paper.shared.command_line import check_options, make_parser
from demos.paper.shared.intervals import Interval
from demos.paper.shared.reporting import make_progress, print_table, write_json
from demos.paper.shared.rotations import angles_between
from taichi_softras.files.pictures import write_animation


@dataclass(frozen=True)
class Estimate:
    """What was found about one subject.

    Attributes:
        truths: (K, 3, 3), its rotations.
        start_angles: (K, N), how far off the guesses are, in degrees.
        errors: (K, N), how far off they end, by method.
        losses: (K, N), of the last, drawn as sharply as the picture; by method.
        shown: Where the guesses of the first truth went, annealed.
    """

    truths: np.ndarray
    start_angles: np.ndarray
    errors: dict[str, np.ndarray]
    losses: dict[str, np.ndarray]
    shown: Trajectories

    def results(self) -> dict[str, Any]:
        """Describe it, for tables, the figure and pose.json."""
        return {
            "start_angles": self.start_angles,
            "methods": {
                key: {**summarize(errors, self.losses[key]), "errors": errors}
                for key, errors in self.errors.items()
            },
            "minus_annealed": compare(self.errors),
        }


def follow_guesses(
    subject: Subject,
    rotations: np.ndarray,
    methods: Mapping[str, DescentMethod],
    options: argparse.Namespace,
    advance: Callable[[float], None],
) -> dict[str, Trajectories]:
    """Descend by every method to the first of some rotations, (1 + N, 3, 3), from the others."""
    settings = make_settings(options.size)
    truth, guesses = torch.tensor(rotations[:1]), torch.tensor(rotations[1:])
    picture = draw(subject, truth, replace(settings, **SHARP))
    return {
        name: descend(
            *(subject, picture, guesses, method, settings), steps=options.steps, advance=advance
        )
        for name, method in methods.items()
    }


def estimate(name: str, subject: Subject, options: argparse.Namespace) -> Estimate:
    """Find a subject's rotation by every method, for every truth."""
    methods = {
        key: method
        for key, method in make_methods(options.steps).items()
        if method.exact or subject.is_small
    }
    rotations = np.stack(
        [
            Rotation.random(1 + options.starts, rng=rng).as_matrix().astype(np.float32)
            for rng in np.random.default_rng(options.seed).spawn(options.truths)
        ]
    )
    total = options.truths * len(methods) * options.steps
    with make_progress() as progress:
        task = progress.add_task(name, total=total, loss="")

        def advance(loss: float) -> None:
            progress.update(task, advance=1, loss=f"{loss:.4f}")

        found = [follow_guesses(subject, rows, methods, options, advance) for rows in rotations]
    truths = rotations[:, 0]
    return Estimate(
        truths,
        np.stack([angles_between(rows[1:], rows[0]) for rows in rotations]),
        {
            key: np.stack([angles_between(x[key].rotations[-1], t) for x, t in zip(found, truths)])
            for key in methods
        },
        {key: np.stack([x[key].losses for x in found]) for key in methods},
        found[0]["annealed"],
    )


def interval(numbers: Interval, digits: int, scale: float = 1.0) -> str:
    """Write a mean and its interval."""
    mean, low, high = (f"{scale * x:.{digits}f}" for x in numbers)
    return f"{mean} [{low}, {high}]"


def percent(share: float | None) -> str:
    """Write a share, or that there is none."""
    return "-" if share is None else f"{100 * share:.0f}"


def print_results(results: dict[str, dict[str, Any]], options: argparse.Namespace) -> None:
    """Print two tables: errors, and how they compare with annealing."""
    below = f"below {FOUND_DEGREES:g}°"
    print_table(
        f"Rotation errors of {options.starts} guesses for each of {options.truths} truths, with"
        " 95 % intervals over truths and guesses",
        (
            *("object, method", "mean, degrees", "median", f"{below}, %"),
            *("lowest to highest truth, %", "best of 5, %", "of 20, %"),
        ),
        [
            (
                f"{name}, {key}",
                interval(row["mean_error"], 1),
                f"{row['median_error']:.1f}",
                interval(row["share_found"], 0, 100),
                " to ".join(percent(f(row["share_found_by_truth"])) for f in (np.min, np.max)),
                *(percent(row["share_found_best_of"].get(k)) for k in ("5", "20")),
            )
            for name, result in results.items()
            for key, row in result["methods"].items()
        ],
    )
    print_table(
        "Minus annealed, guess by guess",
        ("object, method", "mean, degrees", f"{below}, points"),
        [
            (
                f"{name}, {key}",
                interval(row["mean_error"], 1),
                interval(row["share_found"], 0, 100),
            )
            for name, result in results.items()
            for key, row in result["minus_annealed"].items()
        ],
    )


def write_all(
    options: argparse.Namespace,
    results: dict[str, dict[str, Any]],
    pictures: dict[str, list[tuple[str, np.ndarray]]],
    rows: list[np.ndarray],
) -> None:
    """Write results, figure and animation."""
    shown = {key: getattr(options, key) for key in ("size", "steps", "truths", "starts", "seed")}
    write_json(options.output / "pose.json", {"options": shown, "results": results})
    draw_figure(options.output / "pose.png", pictures, results)
    frames = np.concatenate(rows, axis=1)
    write_animation(options.output / "pose.gif", [*frames, *frames[-1:].repeat(10, axis=0)], 10)


def parse(arguments: list[str] | None) -> argparse.Namespace:
    """Read the command line; refuse what can't be done."""
    parser = make_parser("pose", __doc__)
    parser.add_argument("--output", type=Path, default=Path("pose"), help="folder to write")
    parser.add_argument(
        "--subjects", nargs="+", choices=SUBJECTS, default=SUBJECTS, help="what is turned"
    )
    parser.add_argument("--size", type=int, default=24, help="side of the picture, in pixels")
    parser.add_argument("--steps", type=int, default=50, help="steps of the optimiser")
    parser.add_argument("--truths", type=int, default=30, help="random rotations to be found")
    parser.add_argument("--starts", type=int, default=50, help="random guesses for each")
    parser.add_argument("--seed", type=int, default=0, help="of the truths and the guesses")
    parser.add_argument("--quick", action="store_true", help="few, small and short")
    options = parser.parse_args(arguments)
    if options.quick:
        options.size, options.steps, options.truths, options.starts = 16, 20, 2, 6
        options.subjects = SUBJECTS[:1]
    check_options(parser, options, size=1, steps=1, truths=1, starts=1, seed=0)
    return options


def main(arguments: list[str] | None = None) -> None:
    """Find rotations; print, plot and write what came of it."""
    options = parse(arguments)
    options.output.mkdir(parents=True, exist_ok=True)
    results: dict[str, dict[str, Any]] = {}
    pictures: dict[str, list[tuple[str, np.ndarray]]] = {}
    rows: list[np.ndarray] = []
    for name in options.subjects:
        subject = make_subject(name)
        if subject is None:
            continue
        found = estimate(name, subject, options)
        results[name] = found.results()
        pictures[name] = draw_softly(subject, found.truths[0], options.size)
        rows.append(draw_trajectories(subject, found.truths[0], found.shown, options.size))
        write_all(options, results, pictures, rows)  # what there is, should the rest be stopped
    print_results(results, options)
    for suffix in ("json", "png", "gif"):
        print(f"wrote {options.output / 'pose'}.{suffix}")


if __name__ == "__main__":
    main()
