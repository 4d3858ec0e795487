"""Calibrate cameras: where each was and their focal length, from silhouettes of a known object.

Each of several problems has four views of the teapot, taken with one lens from random places, and
starts 15 degrees off in every rotation, 10 % in focal length and 5 % in places and distances. In
float64: Adam with annealed sigma, all problems in one batch, and then L-BFGS, problem by problem.
Silhouettes are of two kinds: drawn with the blur that is fitted with, so that the truth is a
minimum; and sharp ones, antialiased, as an observed mask. Those are larger than soft ones are by
a part of the blur's width, the root of sigma: so two fits, with sigma and a quarter of it, are
extrapolated to a width of 0. Prints errors; writes calibrate.json and calibrate.png. ``--quick``
takes seconds.
"""

import argparse
import functools
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch

import taichi_softras as sr
from demos.paper.calibrate.cameras import Cameras, errors_of, join, make_problems
from demos.paper.calibrate.fitting import MEDIUM, Fitter, fit_same_blur, fit_sharp
from demos.paper.shared.command_line import check_options, make_parser
from demos.paper.shared.reporting import make_progress, print_table, write_json
from taichi_softras.files.pictures import write_picture


def calibrate(
    fitter: Fitter, truth: Cameras, start: Cameras, options: argparse.Namespace
) -> dict[str, Cameras]:
    """Fit all problems to both kinds of silhouettes; return the cameras after each stage."""
    num_problems, num_views = truth.places.shape[:2]
    found = {"start": start}
    for name, fit, blur in (
        ("same blur", fit_same_blur, {"sigma": MEDIUM}),
        ("sharp", fit_sharp, {"sigma": 1e-7, "supersampling": 8}),
    ):
        target = fitter.draw(truth, **blur)
        with make_progress() as progress:
            task = progress.add_task(name, total=options.steps + num_problems, loss="")
            advance = functools.partial(progress.advance, task)
            near = found[f"{name}, Adam"] = fitter.anneal(start, target, options.steps, advance)
            stages = []
            for k, views in enumerate(target.split(num_views)):
                stages.append(fit(fitter, near[k : k + 1], views, options.evaluations))
                advance()
        found |= {key: join([stage[key] for stage in stages]) for key in stages[0]}
    return found


def draw_overlays(fitter: Fitter, truth: Cameras, cameras: Sequence[Cameras]) -> np.ndarray:
    """Lay silhouettes of the first problem over the true ones: what only these have is red."""
    side = 2 * fitter.settings.height
    large = replace(fitter, settings=replace(fitter.settings, height=side, width=side))
    blur = {"sigma": 1e-6, "supersampling": 2}
    true = large.draw(truth[:1], **blur).numpy()
    rows = []
    for found in cameras:
        drawn = large.draw(found[:1], **blur).numpy()
        # White is neither, grey both.
        both, only_true, only_drawn = true * drawn, true * (1 - drawn), drawn * (1 - true)
        image = np.ones((*true.shape, 3)) - 0.35 * both[..., None]
        image -= only_true[..., None] * (0, 0.75, 0.75) + only_drawn[..., None] * (0.8, 0.4, 0)
        rows.append(np.concatenate(image, axis=1))
    return np.concatenate(rows)


def print_results(results: dict[str, dict[str, np.ndarray]]) -> None:
    """Print errors by stage."""
    rows = []
    for stage, errors in results.items():
        rotation, focal, translation = errors.values()
        below = f"{100 * (rotation < 0.1).mean():.0f}"
        columns = (np.median(rotation), rotation.max(), np.median(focal), focal.max())
        rows.append((stage, *(f"{x:.2g}" for x in columns), f"{np.median(translation):.2g}", below))
    header = (
        *("silhouettes, stage", "rotation, degrees", "worst", "focal length, %", "worst"),
        *("translation, %", "problems below 0.1°, %"),
    )
    print_table("Median errors", header, rows)


def parse(arguments: list[str] | None) -> argparse.Namespace:
    """Read the command line; refuse what can't be done."""
    parser = make_parser("calibrate", __doc__)
    parser.add_argument("--output", type=Path, default=Path("calibrate"), help="folder to write")
    parser.add_argument("--size", type=int, default=48, help="side of a silhouette, in pixels")
    parser.add_argument("--problems", type=int, default=4, help="how many to solve")
    parser.add_argument("--views", type=int, default=4, help="views of each problem")
    parser.add_argument("--steps", type=int, default=60, help="steps of Adam")
    parser.add_argument("--evaluations", type=int, default=120, help="of L-BFGS, at most")
    parser.add_argument("--seed", type=int, default=0, help="of truth and starts")
    parser.add_argument("--quick", action="store_true", help="few, small and short")
    options = parser.parse_args(arguments)
    if options.quick:
        options.size, options.problems, options.views = 24, 1, 3
        options.steps, options.evaluations = 40, 30
    check_options(parser, options, size=1, problems=1, views=1, steps=1, evaluations=1, seed=0)
    return options


def main(arguments: list[str] | None = None) -> None:
    """Calibrate; print and write errors and a picture."""
    options = parse(arguments)
    options.output.mkdir(parents=True, exist_ok=True)
    vertices, faces, _ = sr.teapot(2 if options.quick else 3).to_torch(dtype=torch.float64)
    settings = sr.RasterizerSettings(height=options.size, width=options.size, near=0.1, far=10.0)
    fitter = Fitter(vertices, faces, settings)
    rng = np.random.default_rng(options.seed)
    truth, start = make_problems(options.problems, options.views, rng)
    found = calibrate(fitter, truth, start, options)
    results = {stage: errors_of(cameras, truth) for stage, cameras in found.items()}
    print_results(results)
    write_json(options.output / "calibrate.json", results)
    overlays = draw_overlays(fitter, truth, [start, found["sharp, Adam"], list(found.values())[-1]])
    write_picture(options.output / "calibrate.png", overlays)
    for suffix in ("json", "png"):
        print(f"wrote {options.output / 'calibrate'}.{suffix}")


if __name__ == "__main__":
    main()
