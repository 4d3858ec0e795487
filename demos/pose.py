"""Find how an object is turned from one picture of it, from a hundred random guesses.

    python demos/pose.py --output pose

The paper's coloured cube, the same cube with colours that run from corner to corner, and a dog
house with image maps (from Debian's ``sweethome3d-furniture``, in the folder that the environment
variable SOFTRAS_FURNITURE names; left out where there is none). The picture is sharp and
antialiased. Guesses are uniform over all rotations, and descend on the squared difference of the
picture from a soft image: with little blur, with much, with blur that is annealed, and with
SoftRas's gradient, which leaves out what is interpolated inside faces. All guesses are one batch.
Prints the errors with 95 % intervals; writes pose.json, pose.png and pose.gif, in which guesses
converge. ``--quick`` takes seconds.
"""

import argparse
import math
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import torch
from dense import dense_render
from pose_figure import draw_figure
from reporting import check_options, make_progress, mean_interval, print_table, write_json
from rotations import angles_between, exp_rotation
from scipy.spatial.transform import Rotation
from shapes import furniture_model
from torch import Tensor

import taichi_softras as sr
from taichi_softras import Schedule
from taichi_softras.files.pictures import write_animation

CAMERA = sr.LookAtCamera(eye=(0.0, 0.0, 4.0))
SHARP = {"sigma": 1e-6, "gamma": 1e-4, "supersampling": 4}
SMALL, LARGE = {"sigma": 1e-4, "gamma": 1e-2}, {"sigma": 2e-2, "gamma": 2e-1}
CHUNK = 10
"""Guesses that are drawn at a time in PyTorch, where memory grows with fragments."""


@dataclass(frozen=True)
class Subject:
    """What is turned.

    Attributes:
        vertices: (1, V, 3), about the origin.
        faces: (F, 3).
        colors: (1, V, 3) of vertices, or image maps.
    """

    vertices: Tensor
    faces: Tensor
    colors: Tensor | sr.UVTexture


@dataclass(frozen=True)
class Method:
    """How a guess descends.

    Attributes:
        sigma: Softness of edges by step.
        gamma: Softness of occlusion by step.
        exact: Whether the gradient is exact, or SoftRas's.
    """

    sigma: Schedule
    gamma: Schedule
    exact: bool = True


@dataclass(frozen=True)
class Descent:
    """Where guesses went.

    Attributes:
        rotations: (steps + 1, B, 3, 3), the first one the guesses.
        losses: (B,), of the last, drawn as sharply as the picture.
    """

    rotations: np.ndarray
    losses: np.ndarray


# --- What is turned ---------------------------------------------------------------------------


def colored_cube(by_face: bool) -> Subject:
    """A cube whose opposite faces, or corners, have complementary colours."""
    box = sr.cube()
    corners = box.vertices[box.faces]  # (12, 3, 3)
    middles = corners.mean(1, keepdims=True)
    # The axis that a face looks along: a face's middle is farther out along no other.
    towards = np.where(np.abs(middles) > 0.4, np.sign(middles), 0.0)
    shown = np.broadcast_to(towards, corners.shape) if by_face else 2 * corners
    # +x is red and -x cyan, +y green and -y magenta, +z blue and -z yellow.
    colors = np.where(shown == 0, -shown.sum(-1, keepdims=True), shown) * 0.4 + 0.5
    return Subject(
        torch.tensor(corners.reshape(1, -1, 3)),
        torch.arange(36, dtype=torch.int32).reshape(-1, 3),
        torch.tensor(colors.reshape(1, -1, 3).astype(np.float32)),
    )


def dog_house() -> Subject | None:
    """A dog house by Scopia, CC BY 3.0, or None where the furniture is not installed."""
    mesh = furniture_model("scopia/dog-house")
    if mesh is None:
        return None
    mesh = mesh.normalized()
    vertices, faces, _ = mesh.to_torch()
    return Subject(vertices, faces, sr.UVTexture.from_maps(mesh.texture_maps(), vertices))


# --- Drawing ----------------------------------------------------------------------------------


def draw(
    subject: Subject, rotations: Tensor, settings: sr.RasterizerSettings, *, exact: bool = True
) -> Tensor:
    """Draw a subject turned in several ways, over black, (B, H, W, 3)."""
    vertices = subject.vertices @ rotations.mT
    if exact:
        image = sr.render(vertices, subject.faces, subject.colors, CAMERA, settings, clip=False)
    else:
        points = sr.project(vertices, CAMERA, settings.aspect)
        corners, colors = (sr.gather(x, subject.faces) for x in (points, subject.colors))
        image = dense_render(corners, colors, settings, interpolation_gradient=False)
    return image[..., :3] * image[..., 3:]


# --- Descending -------------------------------------------------------------------------------


def descend(
    subject: Subject,
    picture: Tensor,
    guesses: Tensor,
    method: Method,
    settings: sr.RasterizerSettings,
    *,
    steps: int,
    advance: Callable[[float], None] = lambda loss: None,
) -> Descent:
    """Turn guesses down the gradient, by small rotations from where they are."""
    rotations, history = guesses, [guesses.numpy()]
    turns = torch.zeros(len(guesses), 3, requires_grad=True)
    optimizer = torch.optim.Adam([turns], betas=(0.8, 0.95))
    learning_rate = sr.GeometricDecay(0.1, 0.005, steps)  # radians
    for step in range(steps):
        optimizer.param_groups[0]["lr"] = learning_rate(step)
        optimizer.zero_grad()
        softened = sr.anneal(settings, step, sigma=method.sigma, gamma=method.gamma)
        total = 0.0
        for part in torch.arange(len(guesses)).split(len(guesses) if method.exact else CHUNK):
            turned = exp_rotation(turns[part]) @ rotations[part]
            images = draw(subject, turned, softened, exact=method.exact)
            # A sum: a guess's gradient is its own, however many there are.
            loss = sr.image_loss(images, picture, reduction="none").sum()
            loss.backward()
            total += loss.item()
        optimizer.step()
        with torch.no_grad():
            rotations = exp_rotation(turns) @ rotations
            turns.zero_()
        history.append(rotations.numpy())
        advance(total / len(guesses))
    last = draw(subject, rotations, replace(settings, **SHARP))
    losses = sr.image_loss(last, picture, reduction="none")
    return Descent(np.stack(history), losses.numpy())


def make_methods(steps: int) -> dict[str, Method]:
    """Name the ways to descend; blur is annealed for two thirds of the steps."""
    constant = {
        name: {key: sr.GeometricDecay(value, value, 1) for key, value in blur.items()}
        for name, blur in (("little blur", SMALL), ("much blur", LARGE))
    }
    annealed = {
        key: sr.GeometricDecay(LARGE[key], SMALL[key], max(2 * steps // 3, 1)) for key in SMALL
    }
    methods = {name: Method(**blur) for name, blur in constant.items()}
    methods["annealed"] = Method(**annealed)
    methods["annealed, SoftRas's gradient"] = Method(**annealed, exact=False)
    return methods


# --- Errors -----------------------------------------------------------------------------------


def best_of(values: np.ndarray, losses: np.ndarray, count: int) -> float:
    """Expect the value of the guess of least loss among ``count``, drawn without putting back."""
    ordered = values[np.argsort(losses, kind="stable")]
    ways = [math.comb(len(values) - 1 - k, count - 1) for k in range(len(values))]
    return float(np.dot(ordered, np.array(ways, dtype=float)) / math.comb(len(values), count))


def summarize(errors: np.ndarray, losses: np.ndarray) -> dict[str, object]:
    """Describe the errors of guesses."""
    found = (errors < 5).astype(float)
    return {
        "mean_error": mean_interval(errors),
        "median_error": float(np.median(errors)),
        "share_below_5": mean_interval(found),
        "share_below_5_best_of": {
            str(k): best_of(found, losses, k) for k in (1, 5, 10, 20) if k <= len(errors)
        },
    }


def compare(errors: dict[str, np.ndarray]) -> dict[str, dict[str, object]]:
    """Compare other methods with annealing, guess by guess: theirs minus its."""
    ours = errors["annealed"]
    return {
        name: {
            "mean_error": mean_interval(theirs - ours),
            "share_below_5": mean_interval((theirs < 5).astype(float) - (ours < 5)),
        }
        for name, theirs in errors.items()
        if name != "annealed"
    }


def estimate(
    name: str, subject: Subject, options: argparse.Namespace
) -> tuple[dict[str, object], dict[str, Descent], np.ndarray]:
    """Find a subject's rotation by every method; return results, descents and the truth."""
    rng = np.random.default_rng(options.seed)
    truth, *guesses = Rotation.random(options.starts + 1, rng=rng).as_matrix().astype(np.float32)
    settings = sr.RasterizerSettings(height=options.size, width=options.size, near=2.0, far=6.0)
    picture = draw(subject, torch.tensor(truth[None]), replace(settings, **SHARP))
    methods = make_methods(options.steps)
    if not isinstance(subject.colors, Tensor):
        methods = {key: method for key, method in methods.items() if method.exact}
    descents = {}
    with make_progress() as progress:
        for key, method in methods.items():
            task = progress.add_task(f"{name}, {key}", total=options.steps, loss="")
            descents[key] = descend(
                *(subject, picture, torch.tensor(np.stack(guesses)), method, settings),
                steps=options.steps,
                advance=lambda loss, task=task: progress.update(
                    task, advance=1, loss=f"{loss:.4f}"
                ),
            )
    errors = {key: angles_between(x.rotations[-1], truth) for key, x in descents.items()}
    results = {
        "start_angles": angles_between(np.stack(guesses), truth),
        "methods": {
            key: {**summarize(errors[key], x.losses), "errors": errors[key]}
            for key, x in descents.items()
        },
        "minus_annealed": compare(errors),
    }
    return results, descents, truth


# --- Pictures ---------------------------------------------------------------------------------


def draw_softly(subject: Subject, truth: np.ndarray, size: int) -> list[tuple[str, np.ndarray]]:
    """Draw a subject as the picture has it, and as it is at either end of annealing."""
    settings = sr.RasterizerSettings(height=size, width=size, near=2.0, far=6.0)
    rotation = torch.tensor(truth[None])
    return [
        (title, draw(subject, rotation, replace(settings, **blur))[0].numpy())
        for title, blur in (("picture", SHARP), ("much blur", LARGE), ("little blur", SMALL))
    ]


def draw_descent(subject: Subject, truth: np.ndarray, descent: Descent, size: int) -> np.ndarray:
    """Draw the picture, up to three guesses that arrive and others that don't, step by step.

    Returns:
        (frames, height, width, 3), the picture to the left.
    """
    errors = angles_between(descent.rotations[-1], truth)
    arrived, others = np.flatnonzero(errors < 5)[:3], np.flatnonzero(errors >= 5)
    shown = [*arrived, *others[: 5 - len(arrived)]]
    side = 4 * size
    settings = sr.RasterizerSettings(height=side, width=side, near=2.0, far=6.0, **SHARP)
    picture = draw(subject, torch.tensor(truth[None]), settings).numpy()
    rotations = descent.rotations[::2, shown]
    images = draw(
        subject, torch.tensor(rotations.reshape(-1, 3, 3)), replace(settings, supersampling=2)
    )
    images = images.numpy().reshape(*rotations.shape[:2], side, side, 3)
    line = np.ones((len(images), side, 4, 3), dtype=np.float32)  # beside the picture
    beside = [picture.repeat(len(images), axis=0), line, *images.swapaxes(0, 1)]
    return np.concatenate(beside, axis=2)


# --- Program ----------------------------------------------------------------------------------


def interval(numbers: tuple[float, float, float], digits: int, scale: float = 1.0) -> str:
    """Write a mean and its interval."""
    mean, low, high = (f"{scale * x:.{digits}f}" for x in numbers)
    return f"{mean} [{low}, {high}]"


def percent(share: float | None) -> str:
    """Write a share, or that there is none."""
    return "-" if share is None else f"{100 * share:.0f}"


def print_results(results: dict[str, dict[str, object]]) -> None:
    """Print two tables: errors, and how they compare with annealing."""
    print_table(
        "Rotation errors, with 95 % intervals",
        ("object, method", "mean, degrees", "median", "below 5°, %", "best of 5, %", "of 20, %"),
        [
            (
                f"{name}, {key}",
                interval(row["mean_error"], 1),
                f"{row['median_error']:.1f}",
                interval(row["share_below_5"], 0, 100),
                *(percent(row["share_below_5_best_of"].get(k)) for k in ("5", "20")),
            )
            for name, result in results.items()
            for key, row in result["methods"].items()
        ],
    )
    print_table(
        "Minus annealed, guess by guess",
        ("object, method", "mean, degrees", "below 5°, points"),
        [
            (
                f"{name}, {key}",
                interval(row["mean_error"], 1),
                interval(row["share_below_5"], 0, 100),
            )
            for name, result in results.items()
            for key, row in result["minus_annealed"].items()
        ],
    )


def write_all(
    options: argparse.Namespace,
    results: dict[str, dict[str, object]],
    pictures: dict[str, list[tuple[str, np.ndarray]]],
    rows: list[np.ndarray],
) -> None:
    """Write results, figure and animation."""
    shown = {"size": options.size, "steps": options.steps, "seed": options.seed}
    write_json(options.output / "pose.json", {"options": shown, "results": results})
    draw_figure(options.output / "pose.png", pictures, results)
    frames = np.concatenate(rows, axis=1)
    write_animation(options.output / "pose.gif", [*frames, *frames[-1:].repeat(10, axis=0)], 10)


def make_subjects(quick: bool) -> dict[str, Subject]:
    """Make what is turned, as far as there is data for it."""
    subjects = {"cube": colored_cube(by_face=True)}
    if quick:
        return subjects
    subjects["smooth cube"] = colored_cube(by_face=False)
    house = dog_house()
    if house is None:
        print("without the dog house: sweethome3d-furniture is not found (see SOFTRAS_FURNITURE)")
        return subjects
    return {**subjects, "dog house": house}


def parse(arguments: list[str] | None) -> argparse.Namespace:
    """Read the command line; refuse what can't be done."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--output", type=Path, default=Path("pose"), help="folder to write")
    parser.add_argument("--size", type=int, default=24, help="side of the picture, in pixels")
    parser.add_argument("--steps", type=int, default=50, help="steps of the optimiser")
    parser.add_argument("--starts", type=int, default=100, help="random guesses")
    parser.add_argument("--seed", type=int, default=0, help="of the truth and the guesses")
    parser.add_argument("--quick", action="store_true", help="few, small and short")
    options = parser.parse_args(arguments)
    if options.quick:
        options.size, options.steps, options.starts = 16, 20, 8
    check_options(parser, options, size=1, steps=1, starts=1, seed=0)
    return options


def main(arguments: list[str] | None = None) -> None:
    """Find rotations; print, plot and write what came of it."""
    options = parse(arguments)
    options.output.mkdir(parents=True, exist_ok=True)
    results, pictures, rows = {}, {}, []
    for name, subject in make_subjects(options.quick).items():
        results[name], descents, truth = estimate(name, subject, options)
        pictures[name] = draw_softly(subject, truth, options.size)
        rows.append(draw_descent(subject, truth, descents["annealed"], options.size))
        write_all(options, results, pictures, rows)  # what there is, should the rest be stopped
    print_results(results)
    for suffix in ("json", "png", "gif"):
        print(f"wrote {options.output / 'pose'}.{suffix}")


if __name__ == "__main__":
    main()
