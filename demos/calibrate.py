"""Calibrate cameras: where each was and their focal length, from silhouettes of a known object.

    python demos/calibrate.py --output calibrate

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
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, fields, replace
from pathlib import Path

import numpy as np
import torch
from reporting import check_options, make_progress, print_table, write_json
from rotations import angles_between, exp_rotation
from torch import Tensor

import taichi_softras as sr
from taichi_softras.files.pictures import write_picture

COARSE, MEDIUM, FINE = 1e-3, 1e-4, 4e-5
"""Sigma: where Adam starts, where it ends, and where L-BFGS does (and at a quarter of that).

Less would leave most edges between two samples of 48 x 48 pixels, where they have no gradient.
"""


@dataclass(frozen=True)
class Cameras:
    """Cameras of P problems, N views each, with one lens to a problem; all in float64.

    What is seen depends on these numbers one by one: how large an object is, say, on a depth and
    the focal length together, and so badly on each of them.

    Attributes:
        rotations: (P, N, 3, 3), from the world to OpenCV's frame of the camera.
        places: (P, N, 2), where the world's origin is in the image, in halves of its height.
        log_sizes: (P, N), logarithms of the focal length over the origin's depth.
        log_focals: (P,), logarithms of the focal lengths, in halves of the image's height.
    """

    rotations: Tensor
    places: Tensor
    log_sizes: Tensor
    log_focals: Tensor

    def __getitem__(self, rows: slice) -> "Cameras":
        """Take some of the problems."""
        return Cameras(*(getattr(self, part.name)[rows].detach() for part in fields(self)))

    def translations(self) -> Tensor:
        """Where the origin is in the cameras' frames, (P, N, 3)."""
        depths = (self.log_focals[:, None] - self.log_sizes).exp()[..., None]
        return torch.cat([self.places * (-self.log_sizes).exp()[..., None], depths], dim=-1)

    def as_posed(self, size: int) -> sr.PosedCamera:
        """Make the cameras of all views, for square images."""
        num_views = self.places.shape[1]
        focal = self.log_focals.exp() * size / 2  # in pixels
        zero, one = torch.zeros_like(focal), torch.ones_like(focal)
        middle = one * (size - 1) / 2
        rows = torch.stack([focal, zero, middle, zero, focal, middle, zero, zero, one], dim=-1)
        matrices = rows.unflatten(-1, (3, 3)).repeat_interleave(num_views, dim=0)
        pose = sr.Extrinsics(self.rotations.flatten(0, 1), self.translations().flatten(0, 1))
        return sr.PosedCamera(pose, sr.Intrinsics(matrices, size, size))


def make_problems(count: int, num_views: int, rng: np.random.Generator) -> tuple[Cameras, Cameras]:
    """Draw true cameras, and where to start from."""
    shape = (count, num_views)
    azimuths = np.arange(num_views) * 360 / num_views + rng.uniform(0, 360, (count, 1))
    distances, elevations = rng.uniform(1.5, 1.9, shape), rng.uniform(-30, 60, shape)
    eyes = sr.orbit_eyes(distances.ravel(), elevations.ravel(), azimuths.ravel())
    views = sr.LookAt(eyes).view_matrix(torch.zeros(1, dtype=torch.float64))
    down = torch.diag(torch.tensor([1.0, -1.0, 1.0], dtype=torch.float64))  # OpenCV's y
    log_focals = np.log(1 / np.tan(np.radians(rng.uniform(40, 50, count)) / 2))
    truth = Cameras(
        (down @ views[:, :3, :3]).unflatten(0, shape),
        torch.tensor(rng.uniform(-0.05, 0.05, (*shape, 2))),
        torch.tensor(log_focals[:, None]) - views[:, 2, 3].log().unflatten(0, shape),
        torch.tensor(log_focals),
    )
    axes = rng.normal(size=(*shape, 3))
    turns = np.radians(15) * axes / np.linalg.norm(axes, axis=-1, keepdims=True)
    start = Cameras(
        exp_rotation(torch.tensor(turns)) @ truth.rotations,
        truth.places + torch.tensor(rng.normal(0, 0.05, (*shape, 2))),
        truth.log_sizes + torch.tensor(rng.normal(0, 0.05, shape)),
        truth.log_focals + torch.tensor(rng.choice([-1, 1], count) * math.log(1.1)),
    )
    return truth, start


@dataclass(frozen=True)
class Fitter:
    """Fits cameras to silhouettes.

    Attributes:
        vertices: (1, V, 3).
        faces: (F, 3).
        settings: Those of all pictures, but for their blur.
    """

    vertices: Tensor
    faces: Tensor
    settings: sr.RasterizerSettings

    def draw(self, cameras: Cameras, **blur: float) -> Tensor:
        """Draw silhouettes, (P * N, H, W)."""
        settings = replace(self.settings, **blur)
        camera = cameras.as_posed(settings.height)
        return sr.render_silhouette(self.vertices, self.faces, camera, settings, clip=False)

    def anneal(
        self, start: Cameras, target: Tensor, steps: int, advance: Callable[[], None]
    ) -> Cameras:
        """Descend from afar, with Adam and less and less blur."""
        numbers, cameras_at = free_numbers(start)
        optimizer = torch.optim.Adam(numbers)
        learning_rate = sr.GeometricDecay(0.03, 0.003, steps)
        sigma = sr.GeometricDecay(COARSE, MEDIUM, steps)
        for step in range(steps):
            optimizer.param_groups[0]["lr"] = learning_rate(step)
            optimizer.zero_grad()
            alpha = self.draw(cameras_at(), sigma=sigma(step))
            sr.image_loss(alpha[..., None], target[..., None], reduction="none").sum().backward()
            optimizer.step()
            advance()
        return cameras_at()[:]

    def polish(self, start: Cameras, target: Tensor, evaluations: int, **blur: float) -> Cameras:
        """Go to the minimum by L-BFGS, which learns how parameters hang together."""
        numbers, cameras_at = free_numbers(start)
        optimizer = torch.optim.LBFGS(
            *(numbers, 1, evaluations, evaluations),
            tolerance_grad=1e-9,
            tolerance_change=1e-12,
            history_size=30,
            line_search_fn="strong_wolfe",
        )

        def loss() -> Tensor:
            optimizer.zero_grad()
            error = (self.draw(cameras_at(), **blur) - target).square().sum()
            error.backward()
            return error

        optimizer.step(loss)
        return cameras_at()[:]


def free_numbers(start: Cameras) -> tuple[list[Tensor], Callable[[], Cameras]]:
    """Give numbers to optimise, and the function that makes cameras of them.

    Rotations are changed by small turns about the axes of the camera, so that all numbers are
    angles and ratios, of one scale.
    """
    turns = torch.zeros(*start.places.shape[:2], 3, dtype=torch.float64)
    others = [x.clone() for x in (start.places, start.log_sizes, start.log_focals)]
    numbers = [x.requires_grad_() for x in (turns, *others)]
    return numbers, lambda: Cameras(exp_rotation(turns) @ start.rotations, *numbers[1:])


def extrapolate(wide: Cameras, narrow: Cameras) -> Cameras:
    """Go on from one fit to one with half of its blur's width, to no width at all."""
    step = narrow.rotations @ wide.rotations.mT
    others = [
        2 * getattr(narrow, name) - getattr(wide, name)
        for name in ("places", "log_sizes", "log_focals")
    ]
    return Cameras(step @ narrow.rotations, *others)


def errors_of(cameras: Cameras, truth: Cameras) -> dict[str, np.ndarray]:
    """Compare cameras with the truth, one number a problem: the means over its views."""
    translations, true = cameras.translations(), truth.translations()
    distances = true.norm(dim=-1)
    return {
        "rotation_degrees": angles_between(cameras.rotations.numpy(), truth.rotations.numpy()).mean(
            1
        ),
        "focal_percent": 100 * ((cameras.log_focals - truth.log_focals).exp() - 1).abs().numpy(),
        "translation_percent": 100
        * ((translations - true).norm(dim=-1) / distances).mean(1).numpy(),
    }


def join(problems: Sequence[Cameras]) -> Cameras:
    """Put problems into one."""
    return Cameras(
        *(torch.cat([getattr(x, part.name) for x in problems]) for part in fields(Cameras))
    )


def fit_same_blur(
    fitter: Fitter, start: Cameras, views: Tensor, evaluations: int
) -> dict[str, Cameras]:
    """Fit the silhouettes of one problem with the blur that they have."""
    return {"same blur, L-BFGS": fitter.polish(start, views, evaluations, sigma=MEDIUM)}


def fit_sharp(
    fitter: Fitter, start: Cameras, views: Tensor, evaluations: int
) -> dict[str, Cameras]:
    """Fit sharp silhouettes of one problem with less and less blur."""
    near = fitter.polish(start, views, evaluations, sigma=MEDIUM)
    wide = fitter.polish(near, views, evaluations, sigma=FINE, supersampling=4)
    narrow = fitter.polish(wide, views, evaluations, sigma=FINE / 4, supersampling=4)
    return {
        f"sharp, L-BFGS, sigma {FINE:.0e}": wide,
        f"sharp, L-BFGS, sigma {FINE / 4:.0e}": narrow,
        "sharp, extrapolated": extrapolate(wide, narrow),
    }


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


# --- Program ----------------------------------------------------------------------------------


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
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
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
