"""Fit pose and shape of a human body to one picture, with an arm hidden behind the trunk.

Needs anny: ``pip install 'taichi_softras[body]'``.

A parametric body (anny's, with its reduced mesh: 1,229 vertices) is fitted to one picture
of it, by gradients through the rasterizer: 18 joints and 5 proportions are sought. In "hide" the
right forearm starts beside the trunk and is behind it in the picture; in "reveal" it starts behind
the trunk, almost out of sight, and is beside it in the picture. Each is done three times: with soft
coverage and occlusion, sigma and gamma falling; the same with gamma small from the start, so that
hidden faces weigh almost nothing; and with hard coverage and occlusion, where only the colours of
what is seen have gradients.

Pictures are silhouettes and colours under Lambert's light, drawn hard, of random poses and shapes;
camera, light and the colours of skin and clothes are known to the fit. The only prior is a weak one
against leaving the start. Of all steps the one with the lowest loss counts.

Writes results.json, body.png and body.gif. ``--quick`` takes seconds. The first run takes minutes
more: anny unpacks its data, 0.8 GB, into a cache (``ANNY_CACHE_DIR``, or ~/.cache/anny).
"""

import argparse
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import torch
from rich.progress import Progress, TaskID

from demos.paper.body.fitting import SCENARIOS, fit, make_problem, make_variants
from demos.paper.body.measures import measure, probe, visible_share
from demos.paper.body.model import Body, sharp
from demos.paper.body.pictures import write_fits, write_sheet
from demos.paper.shared.command_line import check_options, make_parser
from demos.paper.shared.intervals import mean_interval
from demos.paper.shared.reporting import CONSOLE, make_progress, print_table, write_json


def make_tick(progress: Progress, task: TaskID) -> Callable[[float], None]:
    """Make what a fit calls after each step."""
    return lambda loss: progress.update(task, advance=1, loss=f"loss {loss:.3f}")


def run(
    body: Body, scenario: str, options: argparse.Namespace, progress: Progress
) -> tuple[list[dict[str, Any]], dict[str, Any]]:
    """Fit in one scenario, in every variant.

    Returns:
        A dict of results for the start and each variant, and what pictures need: the first body as
        it is in the picture, at the start and after each fit, and all along the last fit.
    """
    start, end = make_problem(scenario, options.targets, options.seed)
    with torch.no_grad():
        before, truth = body.vertices(start), body.vertices(end)
        target = body.draw(truth, sharp(options.size))
    visible = {
        "visible at the start": visible_share(body, before, options.size),
        "visible in the picture": visible_share(body, truth, options.size),
    }
    errors = measure(body, before, truth, target)
    results = [{"scenario": scenario, "variant": "start", **visible, "errors": errors}]
    meshes = {"picture": truth[:1], "start": before[:1]}
    track: list[torch.Tensor] = []
    for variant in make_variants(options.size, options.steps):
        name = f"{scenario}, {variant.name}"
        tick = make_tick(progress, progress.add_task(name, total=options.steps, loss=""))
        vertices, track = fit(body, start, target, variant, options.steps, tick)
        gradient = probe(body, start, end, target, variant)
        errors = measure(body, vertices, truth, target)
        results.append(
            {"scenario": scenario, "variant": variant.name, **gradient, "errors": errors}
        )
        meshes[variant.name] = vertices[:1]
    return results, {"meshes": meshes, "track": [*track, meshes["soft"]]}


def table_rows(results: Sequence[dict[str, Any]]) -> list[list[str]]:
    """Write errors as means with their 95 % intervals."""
    rows = []
    for result in results:
        cells = []
        for name, errors in result["errors"].items():
            digits = 2 if name == "loss" else 1
            mean, low, high = (f"{number:.{digits}f}" for number in mean_interval(errors))
            cells.append(f"{mean} ({low}-{high})")
        shares = [f"{result[k]:.0%}" if k in result else "" for k in ("reached", "downhill")]
        rows.append([result["scenario"], result["variant"], *shares, *cells])
    return rows


def parse(arguments: Sequence[str] | None) -> argparse.Namespace:
    """Read the command line."""
    parser = make_parser("body", __doc__)
    parser.add_argument("--output", type=Path, default=Path("body"), help="folder to write")
    parser.add_argument("--steps", type=int, default=70, help="steps of the optimiser")
    parser.add_argument("--size", type=int, default=80, help="height of pictures, in pixels")
    parser.add_argument("--targets", type=int, default=8, help="random bodies in each scenario")
    parser.add_argument("--seed", type=int, default=2, help="of the random bodies")
    parser.add_argument("--quick", action="store_true", help="few, small and short, in seconds")
    options = parser.parse_args(arguments)
    check_options(parser, options, steps=1, size=8, targets=1, seed=0)
    if options.quick:
        options.steps, options.size, options.targets = 20, 48, 2
    return options


def main(arguments: Sequence[str] | None = None) -> None:
    """Fit, print a table, and write results and pictures."""
    options = parse(arguments)
    options.output.mkdir(parents=True, exist_ok=True)
    CONSOLE.print("loading the body (its first time takes minutes)")
    body = Body()
    results: list[dict[str, Any]] = []
    shown: dict[str, Any] = {}
    with make_progress() as progress:
        for scenario in SCENARIOS:
            more, shown[scenario] = run(body, scenario, options, progress)
            results += more
    header = ["scenario", "drawn", "arm reached", "downhill", *results[0]["errors"]]
    print_table("Error of vertices, mean and 95 % interval", header, table_rows(results))
    for result in results:
        if "visible in the picture" in result:
            shares = (result["visible at the start"], result["visible in the picture"])
            print(
                "{}: {:.0%} of the arm visible at the start, {:.0%} in the picture".format(
                    result["scenario"], *shares
                )
            )
    height = 64 if options.quick else 240
    write_json(options.output / "results.json", results)
    write_sheet(options.output / "body.png", body, shown, height)
    write_fits(options.output / "body.gif", body, shown, height, 6 if options.quick else 30)
    print(f"wrote results.json, body.png and body.gif into {options.output}")


if __name__ == "__main__":
    main()
