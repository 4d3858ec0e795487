"""What is measured: gradients, where they lead, and what is missing without interpolation."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor

import taichi_softras as sr
from demos.paper.gradients.problems import (
    HIDDEN_SHIFT,
    FittingProblem,
    Softness,
    TurningCube,
    draw,
    draw_held,
    make_settings,
    two_triangles,
)
from demos.paper.shared.intervals import mean_interval

SIGMAS = (1e-5, 1e-4, 1e-3, 1e-2, 1e-1)
HIDDEN_SOFTNESS = (3e-3, 2e-1)
FOUND_DEGREES = 5.0
"""How near to the target descent must end to count."""
ZOOM_AT, ZOOM_WIDTH = 45.0, 2.0
"""A piece of the landscape, in degrees, that is looked at closely."""
FLAT = 1e-12
"""A slope of the loss under this is none: a sum of zeros, but for rounding."""
NO_CUTOFF = 1e-40
"""A coverage cut-off for finite differences, which a fragment that vanishes would spoil."""


def descend(problem: FittingProblem, settings: sr.RasterizerSettings, steps: int) -> Tensor:
    """Move the vertices that are to move in x and y, by Adam, to lower the loss; return all."""
    shift = torch.zeros_like(problem.vertices[:, problem.fitted :, :2]).requires_grad_()
    optimizer = torch.optim.Adam([shift], lr=0.01)

    def moved() -> Tensor:
        return problem.vertices + torch.nn.functional.pad(shift, (0, 1, problem.fitted, 0))

    for _ in range(steps):
        optimizer.zero_grad()
        problem.loss(moved(), settings).backward()
        optimizer.step()
    return moved().detach()


def measure_hidden(size: int, steps: int) -> dict[str, Any]:
    """Gradients of the hidden triangle, soft and hard, and where they take it."""
    problem = two_triangles("a triangle behind another", size)
    start = problem.vertices[0, problem.fitted :]
    goal = start + start.new_tensor([HIDDEN_SHIFT, 0.0, 0.0])
    found: dict[str, Any] = {"target": problem.target[0].numpy(), "corners": start, "goal": goal}
    for name, softness in (("soft", HIDDEN_SOFTNESS), ("hard", None)):
        settings = make_settings(size, softness)
        moved = descend(problem, settings, steps)
        found[name] = {
            "image": draw(problem.vertices[:, problem.faces], problem.colors, settings)[0].numpy(),
            "gradient": problem.gradient(settings)[0].numpy(),
            "corners after": moved[0, problem.fitted :],
            "after": draw(moved[:, problem.faces], problem.colors, settings)[0].numpy(),
            "error after": (moved[0, problem.fitted :] - goal).norm(dim=-1).mean().item(),
            "loss": problem.loss(problem.vertices, settings).item(),
            "loss after": problem.loss(moved, settings).item(),
        }
    return found


def triangles_beside(distances: np.ndarray) -> Tensor:
    """Triangles whose right edge is so far to the left of the image's centre, (B, 1, 3, 3)."""
    corners = torch.tensor([[0.0, -0.35, 3.0], [0.0, 0.45, 3.0], [-0.55, -0.1, 3.0]])
    shifts = torch.nn.functional.pad(-torch.tensor(distances)[:, None], (0, 2))
    return (corners.double() + shifts[:, None])[:, None]


def pulls(distances: np.ndarray, settings: sr.RasterizerSettings) -> np.ndarray:
    """Gradients of the central pixel's alpha by such triangles' corners, (B, 3, 3)."""
    corners = triangles_beside(distances).requires_grad_()
    alpha = sr.rasterize_silhouette(corners, settings)
    alpha[:, settings.height // 2, settings.width // 2].sum().backward()
    assert corners.grad is not None
    return corners.grad[:, 0].numpy()


def measure_reach(count: int) -> dict[str, Any]:
    """How strongly a pixel's alpha pulls at a triangle, by distance; negative is inside."""
    distances = np.linspace(-0.25, 0.75, count)
    softnesses: dict[str, Softness] = {f"{sigma:g}": (sigma, 1.0) for sigma in SIGMAS[1:]}
    strengths = {
        name: np.linalg.norm(pulls(distances, make_settings(1, softness)), axis=(1, 2))
        for name, softness in (softnesses | {"hard": None}).items()
    }
    return {"distances": distances, "pulls": strengths, "picture": draw_reach()}


def draw_reach(sigma: float = 1e-2, distance: float = 0.2, size: int = 65) -> dict[str, Any]:
    """A triangle's coverage, and the gradient of the central pixel's alpha by its corners."""
    settings, distances = make_settings(size, (sigma, 1.0)), np.array([distance])
    corners = triangles_beside(distances)
    return {
        "sigma": sigma,
        "coverage": sr.face_coverage(corners, 0, settings)[0].numpy(),
        "corners": corners[0, 0].numpy(),
        "gradient": pulls(distances, settings)[0],
    }


def angles(count: int) -> np.ndarray:
    """Angles round the circle, in degrees, none of which is 0: (count,), count even."""
    return (np.arange(count) + 0.5) * 360 / count - 180


class Landscape(NamedTuple):
    """A loss, and its slope per degree, at each of some angles."""

    losses: np.ndarray
    slopes: np.ndarray


def measure_landscape(
    turn: TurningCube, size: int, degrees: np.ndarray, softness: Softness
) -> dict[str, Landscape]:
    """Turn a cube away from its target, be that as soft as the cube's picture, or a photo."""
    problem = turn.problem("cube", 0.0, size)
    settings = make_settings(size, softness)
    soft = draw(problem.vertices[:, problem.faces], problem.colors, settings)
    targets = {"same": soft, "photo": problem.target}
    pieces: dict[str, list[tuple[Tensor, Tensor]]] = {name: [] for name in targets}
    for some in torch.tensor(degrees).split(60):
        some.requires_grad_()
        image = draw(turn.vertices(some)[:, problem.faces], problem.colors, settings)
        for name, target in targets.items():
            loss = sr.image_loss(image, target, reduction="none")
            (slope,) = torch.autograd.grad(loss.sum(), some, retain_graph=True)
            pieces[name].append((loss.detach(), slope))
    return {
        name: Landscape(*(torch.cat(parts).numpy() for parts in zip(*found)))
        for name, found in pieces.items()
    }


def headings(degrees: np.ndarray, slopes: np.ndarray) -> np.ndarray:
    """Where descent goes from each angle: 1 towards 0 the shorter way, -1 away, 0 nowhere."""
    return np.where(np.abs(slopes) > FLAT, np.sign(slopes * degrees), 0.0)


def landings(degrees: np.ndarray, slopes: np.ndarray) -> np.ndarray:
    """Where descent from each angle ends, followed round the circle from sample to sample.

    Args:
        degrees: Evenly spaced, all round the circle.
        slopes: Of the loss, there.

    Returns:
        Of every start the angle between the two samples where the slope changes its sign, or the
        start itself if it has no slope.
    """
    steps = np.where(np.abs(slopes) > FLAT, -np.sign(slopes), 0.0).astype(int)
    places, ends = np.arange(len(degrees)), degrees.copy()
    moving = steps != 0
    for _ in range(len(degrees)):
        ahead = (places + steps[places]) % len(degrees)
        turned = moving & (steps[ahead] != steps[places])
        half = (degrees[1] - degrees[0]) / 2 * steps[places]
        ends[turned] = (degrees[places] + half)[turned]
        moving &= ~turned
        places = np.where(moving, ahead, places)
    return (ends + 180) % 360 - 180


def measure_curve(
    turn: TurningCube, size: int, degrees: np.ndarray, softness: Softness
) -> dict[str, Any]:
    """One landscape, to be drawn."""
    found = measure_landscape(turn, size, degrees, softness)
    near = ZOOM_AT + np.linspace(-0.5, 0.5, 201) * ZOOM_WIDTH
    problem = turn.problem("cube", 0.0, size)
    image = draw(problem.vertices[:, problem.faces], problem.colors, make_settings(size, softness))
    return {
        "softness": softness,
        "degrees": degrees,
        "losses": found["same"].losses,
        "photo": found["photo"].losses,
        "headings": headings(degrees, found["same"].slopes),
        "image": image[0].numpy(),
        "zoom": (near, measure_landscape(turn, size, near, softness)["same"].losses),
    }


def measure_landscapes(
    turns: Sequence[TurningCube], size: int, degrees: np.ndarray, softness: Softness
) -> dict[str, Any]:
    """How often descent heads for the target, and gets there, over several landscapes."""
    found = [measure_landscape(turn, size, degrees, softness) for turn in turns]
    return {
        "softness": softness,
        **{
            name: summarize_landscapes(degrees, [landscapes[name] for landscapes in found])
            for name in ("same", "photo")
        },
    }


def summarize_landscapes(degrees: np.ndarray, landscapes: Sequence[Landscape]) -> dict[str, Any]:
    """Shares of starts from which descent heads for the target, and gets there; and the bias."""
    heading = [(headings(degrees, found.slopes) > 0).mean() for found in landscapes]
    ends = [np.abs(landings(degrees, found.slopes)) for found in landscapes]
    lowest = [abs(degrees[found.losses.argmin()]) for found in landscapes]
    return {
        "heading": mean_interval(heading),
        "found": mean_interval([(end <= FOUND_DEGREES).mean() for end in ends]),
        "lowest": float(np.median(lowest)),
    }


def finite_differences(problem: FittingProblem, settings: sr.RasterizerSettings) -> np.ndarray:
    """Derivatives of a problem's loss by x and y of its fitted vertices, (N, 2), by differences."""
    fitted = range(problem.fitted, problem.vertices.shape[1])

    def central(v: int, axis: int, step: float) -> float:
        losses = []
        for sign in (1, -1):
            vertices = problem.vertices.clone()
            vertices[0, v, axis] += sign * step
            losses.append(problem.loss(vertices, settings).item())
        return (losses[0] - losses[1]) / (2 * step)

    # Extrapolated to a step of 0. Small steps: there is a kink of the loss where a pixel is as far
    # from one edge as from another, and few pixels are so near to one.
    return np.array(
        [
            [(4 * central(v, axis, 2e-7) - central(v, axis, 4e-7)) / 3 for axis in (0, 1)]
            for v in fitted
        ]
    )


def compare(found: np.ndarray, expected: np.ndarray) -> tuple[float, float]:
    """The length of the difference relative to what is expected; and the cosine between them."""
    error = np.linalg.norm(found - expected) / np.linalg.norm(expected)
    cosine = (found * expected).sum() / (np.linalg.norm(found) * np.linalg.norm(expected))
    return float(error), float(cosine)


def measure_missing(problem: FittingProblem, softness: Softness) -> dict[str, Any]:
    """Errors of the gradient by x and y, exact and with colours and depths held constant."""
    settings = make_settings(problem.target.shape[1], softness, coverage_cutoff=NO_CUTOFF)
    expected = finite_differences(problem, settings)
    exact = problem.gradient(settings)[0, :, :2].numpy()
    held = problem.gradient(settings, draw_held)[0, :, :2].numpy()
    images = [
        f(problem.vertices[:, problem.faces], problem.colors, settings) for f in (draw, draw_held)
    ]
    return {
        "scene": problem.name,
        "softness": softness,
        "exact": compare(exact, expected),
        "held": compare(held, expected),
        "images differ by": (images[0] - images[1]).abs().max().item(),
        "picture": {
            "image": images[0][0].numpy(),
            "corners": problem.vertices[0, problem.fitted :].numpy(),
            "exact": exact,
            "held": held,
        },
    }


def held_slope(
    turn: TurningCube, degrees: float, softness: Softness, problem: FittingProblem
) -> tuple[float, float]:
    """Slopes of the loss by the angle: exact, and with what SoftRas's code leaves out."""
    settings = make_settings(problem.target.shape[1], softness)
    angle = torch.tensor([degrees], dtype=torch.float64, requires_grad=True)
    vertices = turn.vertices(angle)
    at = replace(problem, vertices=vertices.detach())
    gradients = at.gradient(settings), at.gradient(settings, draw_held)
    slopes = [torch.autograd.grad(vertices, angle, g, retain_graph=True)[0] for g in gradients]
    return slopes[0].item(), slopes[1].item()


def measure_slopes(size: int, count: int, softness: Softness, at_corners: bool) -> dict[str, Any]:
    """How far a cube's slope by its angle is off, without the missing part, at ``count`` angles."""
    turn = TurningCube.random(np.random.default_rng(1))
    problem = turn.problem("cube", 0.0, size, at_corners)
    degrees = angles(count)
    exact, held = np.array([held_slope(turn, d, softness, problem) for d in degrees]).T
    return {
        "scene": "cube, colours at corners" if at_corners else "cube, one colour a side",
        "softness": softness,
        "median error": float(np.median(np.abs(held - exact) / np.abs(exact))),
        "wrong sign": float((exact * held < 0).mean()),
        "exact heading": float((headings(degrees, exact) > 0).mean()),
        "held heading": float((headings(degrees, held) > 0).mean()),
    }
