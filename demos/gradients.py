"""Show where a soft rasterizer's gradients come from, and that they are right, in one figure.

    python demos/gradients.py --output gradients

writes gradients.png and results.json, and prints tables:

a   A triangle hidden behind another. Soft, a loss of colours moves it; hard, its gradient is zero.
b   A pixel that a triangle does not reach. Soft, its alpha pulls the triangle; hard, it does not.
c   The loss of a cube's picture as the cube turns, from hard to very soft; and for what share of
    starts, over random poses and axes, descent leads to the target.
d   What is missing where colours and depths of fragments are taken for constants when x and y of
    vertices are differentiated, as SoftRas's code does: compared, as the exact gradient is, with
    central differences.

In PyTorch, float64. ``--quick`` takes small pictures and few angles: seconds.
"""

import argparse
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
from gradients_figure import draw_figure
from reporting import make_progress, mean_interval, print_table, write_json
from scipy.spatial.transform import Rotation
from torch import Tensor

import taichi_softras as sr

Softness = tuple[float, float] | None
"""Sigma and gamma; None is a hard rasterizer."""

SIGMAS = (1e-5, 1e-4, 1e-3, 1e-2, 1e-1)
GAMMAS = (1e-3, 1e-2, 1e-1, 1.0)
CURVES: tuple[Softness, ...] = (None, (1e-5, 1e-3), (1e-3, 1e-2), (1e-1, 1.0))
HIDDEN_SHIFT = 0.4
"""How far to the right the hidden triangle is to move."""
HIDDEN_SOFTNESS = (3e-3, 2e-1)
FOUND_DEGREES = 5.0
"""How near to the target descent must end to count."""
ZOOM_AT, ZOOM_WIDTH = 45.0, 2.0
"""A piece of the landscape, in degrees, that is looked at closely."""
FLAT = 1e-12
"""A slope of the loss under this is none: a sum of zeros, but for rounding."""
NO_CUTOFF = 1e-40
"""A coverage cut-off for finite differences, which a fragment that vanishes would spoil."""
CAMERA = sr.LookAtCamera(eye=(0.0, 0.0, 4.0))
PALETTE = np.array(
    [
        [0.90, 0.25, 0.20],
        [0.95, 0.75, 0.15],
        [0.25, 0.70, 0.35],
        [0.20, 0.40, 0.85],
        [0.65, 0.30, 0.75],
        [0.15, 0.75, 0.80],
    ]
)
BLUE, ORANGE = PALETTE[3], PALETTE[1]
Draw = Callable[[Tensor, Tensor, sr.RasterizerSettings], Tensor]


def make_settings(size: int, softness: Softness, **options: Any) -> sr.RasterizerSettings:
    """Settings of a square image, with colours interpolated as SoftRas does."""
    if softness is None:
        options |= {"coverage": "hard", "alpha": "hard", "color": "hard"}
    else:
        options |= {"sigma": softness[0], "gamma": softness[1]}
    return sr.RasterizerSettings(
        height=size, width=size, near=2.0, far=6.0, perspective_correct=False, **options
    )


def draw(corners: Tensor, colors: Tensor, settings: sr.RasterizerSettings) -> Tensor:
    """Draw faces over white, (B, H, W, 3)."""
    return sr.rasterize(corners, colors, settings, background=1.0)[..., :3]


def draw_photo(corners: Tensor, colors: Tensor, size: int) -> Tensor:
    """Draw faces as a camera would: hard, the mean of 4 x 4 samples. A target."""
    return draw(corners, colors, make_settings(size, None, supersampling=4)).detach()


def draw_held(corners: Tensor, colors: Tensor, settings: sr.RasterizerSettings) -> Tensor:
    """Draw as `draw`, with colours and depths of fragments held constant in the backward pass.

    Every pixel becomes an image of its own, in which each face has one colour and one depth, what
    it has at that pixel. The image is the same; of the gradient that of coverage alone is left.

    Args:
        corners: (1, F, 3, 3), x and y in NDC, and depth.
        colors: (1, F, 3, 3).
        settings: Of a square image, with ``perspective_correct=False``.
    """
    size, num_faces = settings.height, corners.shape[1]
    places = (2 * torch.arange(size, dtype=torch.float64) + 1) / size - 1
    centers = torch.cartesian_prod(-places, places).flip(-1)[:, None, None]  # (P, 1, 1, 2)
    one_pixel = replace(settings, height=1, width=1)
    offsets = corners[..., :2] - centers  # (P, F, 3, 2): the pixel is at 0
    depths = corners[..., 2:].detach().expand(len(centers), -1, -1, -1)
    alone = torch.cat([offsets.detach(), depths], dim=-1).flatten(0, 1)[:, None]
    seen = sr.rasterize(
        alone,
        colors.expand(len(centers), -1, -1, -1).flatten(0, 1)[:, None],
        one_pixel,
        attributes=1 / alone[..., 2:].contiguous(),  # depth is the inverse of their mean
        eps=alone.new_tensor([-1e3]),  # nothing of the background
    )
    seen = seen.reshape(len(centers), num_faces, 1, -1).expand(-1, -1, 3, -1)
    held = torch.cat([offsets, 1 / seen[..., 3:4]], dim=-1)
    return draw(held, seen[..., :3].contiguous(), one_pixel).reshape(1, size, size, 3)


@dataclass(frozen=True)
class Scene:
    """Faces that share vertices, and the picture that they are to become.

    Attributes:
        name: What it is.
        vertices: (1, V, 3), x and y in NDC, and depth.
        faces: (F, 3).
        colors: (1, F, 3, 3), of the faces' corners.
        target: (1, H, W, 3).
        fitted: The first of the vertices that are to move; those before it stay.
    """

    name: str
    vertices: Tensor
    faces: Tensor
    colors: Tensor
    target: Tensor
    fitted: int = 0

    def loss(self, vertices: Tensor, settings: sr.RasterizerSettings, by: Draw = draw) -> Tensor:
        """How far the picture of these vertices is from the target, (1,)."""
        image = by(vertices[:, self.faces], self.colors, settings)
        return sr.image_loss(image, self.target)

    def gradient(self, settings: sr.RasterizerSettings, by: Draw = draw) -> Tensor:
        """Of the loss by the vertices that are to move, (1, N, 3)."""
        vertices = self.vertices.clone().requires_grad_()
        self.loss(vertices, settings, by).backward()
        assert vertices.grad is not None
        return vertices.grad[:, self.fitted :]


# The triangles


def two_triangles(
    name: str, size: int, tilt: float = 0.0, corner_colors: np.ndarray | None = None
) -> Scene:
    """A triangle hidden behind another, that is to come out on the right.

    Args:
        name: What it is.
        size: Of the image, in pixels.
        tilt: How much deeper the hidden triangle's corners are, to the right.
        corner_colors: (3, 3), of the hidden triangle; None is one colour.
    """
    front = [[-0.75, -0.7, 3.0], [0.45, -0.75, 3.0], [-0.05, 0.8, 3.0]]
    hidden = np.array([[-0.1, -0.5, 4.0], [0.35, -0.5, 4.0], [0.15, 0.0, 4.0]])
    hidden[:, 2] += tilt * hidden[:, 0]
    vertices = torch.tensor(np.concatenate([front, hidden]))[None]
    faces = torch.arange(6).reshape(2, 3)
    behind = np.tile(BLUE, (3, 1)) if corner_colors is None else corner_colors
    colors = torch.tensor(np.stack([np.tile(ORANGE, (3, 1)), behind]))[None]
    moved = vertices.clone()
    moved[:, 3:, 0] += HIDDEN_SHIFT
    return Scene(name, vertices, faces, colors, draw_photo(moved[:, faces], colors, size), fitted=3)


def descend(scene: Scene, settings: sr.RasterizerSettings, steps: int) -> Tensor:
    """Move the vertices that are to move in x and y, by Adam, to lower the loss; return all."""
    shift = torch.zeros_like(scene.vertices[:, scene.fitted :, :2]).requires_grad_()
    optimizer = torch.optim.Adam([shift], lr=0.01)

    def moved() -> Tensor:
        return scene.vertices + torch.nn.functional.pad(shift, (0, 1, scene.fitted, 0))

    for _ in range(steps):
        optimizer.zero_grad()
        scene.loss(moved(), settings).backward()
        optimizer.step()
    return moved().detach()


def measure_hidden(size: int, steps: int) -> dict[str, Any]:
    """Gradients of the hidden triangle, soft and hard, and where they take it."""
    scene = two_triangles("a triangle behind another", size)
    start = scene.vertices[0, scene.fitted :]
    goal = start + start.new_tensor([HIDDEN_SHIFT, 0.0, 0.0])
    found: dict[str, Any] = {"target": scene.target[0].numpy(), "corners": start, "goal": goal}
    for name, softness in (("soft", HIDDEN_SOFTNESS), ("hard", None)):
        settings = make_settings(size, softness)
        moved = descend(scene, settings, steps)
        found[name] = {
            "image": draw(scene.vertices[:, scene.faces], scene.colors, settings)[0].numpy(),
            "gradient": scene.gradient(settings)[0].numpy(),
            "corners after": moved[0, scene.fitted :],
            "after": draw(moved[:, scene.faces], scene.colors, settings)[0].numpy(),
            "error after": (moved[0, scene.fitted :] - goal).norm(dim=-1).mean().item(),
            "loss": scene.loss(scene.vertices, settings).item(),
            "loss after": scene.loss(moved, settings).item(),
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


# The cube


def cube_colors(at_corners: bool) -> Tensor:
    """Colours of the corners of a cube's faces, (1, 12, 3, 3): one a side, or one a vertex."""
    cube = sr.cube()
    corners = cube.vertices[cube.faces]
    if at_corners:
        return torch.tensor(corners + 0.5, dtype=torch.float64)[None]
    axis = np.ptp(corners, axis=1).argmin(axis=1)
    side = 2 * axis + (corners[np.arange(12), 0, axis] > 0)
    return torch.tensor(PALETTE[side])[None, :, None].repeat(1, 1, 3, 1)


@dataclass(frozen=True)
class Turn:
    """A cube that turns about an axis, away from the pose it has in the target.

    Attributes:
        pose: (3, 3), the rotation in the target.
        axis: (3,), of length 1.
    """

    pose: Tensor
    axis: Tensor

    @classmethod
    def random(cls, rng: np.random.Generator) -> "Turn":
        """Draw a pose and an axis, uniformly."""
        axis = rng.normal(size=3)
        pose = Rotation.random(random_state=rng).as_matrix()
        return cls(torch.tensor(pose), torch.tensor(axis / np.linalg.norm(axis)))

    def vertices(self, degrees: Tensor) -> Tensor:
        """The cube's vertices, (B, 8, 3), x and y in NDC, and depth; degrees (B,)."""
        x, y, z = self.axis
        zero = torch.zeros_like(x)
        spin = torch.stack([zero, -z, y, z, zero, -x, -y, x, zero]).reshape(3, 3)
        rotation = torch.linalg.matrix_exp(torch.deg2rad(degrees)[:, None, None] * spin)
        cube = torch.tensor(sr.cube().vertices, dtype=torch.float64)
        return sr.project(cube @ (rotation @ self.pose).mT, CAMERA, 1.0)

    def scene(self, name: str, degrees: float, size: int, at_corners: bool = False) -> Scene:
        """The cube turned so far, whose target is the cube not turned."""
        faces = torch.tensor(sr.cube().faces)
        colors = cube_colors(at_corners)
        start, end = self.vertices(torch.tensor([degrees, 0.0], dtype=torch.float64)).split(1)
        return Scene(name, start, faces, colors, draw_photo(end[:, faces], colors, size))


def angles(count: int) -> np.ndarray:
    """Angles round the circle, in degrees, none of which is 0: (count,), count even."""
    return (np.arange(count) + 0.5) * 360 / count - 180


class Landscape(NamedTuple):
    """A loss, and its slope per degree, at each of some angles."""

    losses: np.ndarray
    slopes: np.ndarray


def measure_landscape(
    turn: Turn, size: int, degrees: np.ndarray, softness: Softness
) -> dict[str, Landscape]:
    """Turn a cube away from its target, be that as soft as the cube's picture, or a photo."""
    scene = turn.scene("cube", 0.0, size)
    settings = make_settings(size, softness)
    soft = draw(scene.vertices[:, scene.faces], scene.colors, settings)
    targets = {"same": soft, "photo": scene.target}
    pieces: dict[str, list[tuple[Tensor, Tensor]]] = {name: [] for name in targets}
    for some in torch.tensor(degrees).split(60):
        some.requires_grad_()
        image = draw(turn.vertices(some)[:, scene.faces], scene.colors, settings)
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


def measure_curve(turn: Turn, size: int, degrees: np.ndarray, softness: Softness) -> dict[str, Any]:
    """One landscape, to be drawn."""
    found = measure_landscape(turn, size, degrees, softness)
    near = ZOOM_AT + np.linspace(-0.5, 0.5, 201) * ZOOM_WIDTH
    scene = turn.scene("cube", 0.0, size)
    image = draw(scene.vertices[:, scene.faces], scene.colors, make_settings(size, softness))
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
    turns: Sequence[Turn], size: int, degrees: np.ndarray, softness: Softness
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


# The part that is missing


def finite_differences(scene: Scene, settings: sr.RasterizerSettings) -> np.ndarray:
    """Derivatives of a scene's loss by x and y of its fitted vertices, (N, 2), by differences."""
    fitted = range(scene.fitted, scene.vertices.shape[1])

    def central(v: int, axis: int, step: float) -> float:
        losses = []
        for sign in (1, -1):
            vertices = scene.vertices.clone()
            vertices[0, v, axis] += sign * step
            losses.append(scene.loss(vertices, settings).item())
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


def missing_scenes(size: int) -> list[Scene]:
    """Scenes whose gradients by x and y need more and more of the interpolation."""
    corner_colors = PALETTE[[3, 0, 2]]
    turn = Turn.random(np.random.default_rng(1))
    sphere = sr.icosphere(1)
    points = torch.tensor(sphere.vertices, dtype=torch.float64)
    faces = torch.tensor(sphere.faces)
    colors = (points + 0.5)[faces][None]
    start, end = (sr.project(scale * points[None], CAMERA, 1.0) for scale in (0.9, 1.2))
    return [
        two_triangles("two triangles, parallel, one colour each", size),
        two_triangles("two triangles, one tilted", size, 1.0),
        two_triangles("two triangles, one tilted, colours at corners", size, 1.0, corner_colors),
        turn.scene("cube, one colour a side", 25.0, size),
        turn.scene("cube, colours at corners", 25.0, size, at_corners=True),
        Scene(
            "sphere, colours at corners",
            start,
            faces,
            colors,
            draw_photo(end[:, faces], colors, size),
        ),
    ]


def measure_missing(scene: Scene, softness: Softness) -> dict[str, Any]:
    """Errors of the gradient by x and y, exact and with colours and depths held constant."""
    settings = make_settings(scene.target.shape[1], softness, coverage_cutoff=NO_CUTOFF)
    expected = finite_differences(scene, settings)
    exact = scene.gradient(settings)[0, :, :2].numpy()
    held = scene.gradient(settings, draw_held)[0, :, :2].numpy()
    images = [f(scene.vertices[:, scene.faces], scene.colors, settings) for f in (draw, draw_held)]
    return {
        "scene": scene.name,
        "softness": softness,
        "exact": compare(exact, expected),
        "held": compare(held, expected),
        "images differ by": (images[0] - images[1]).abs().max().item(),
        "picture": {
            "image": images[0][0].numpy(),
            "corners": scene.vertices[0, scene.fitted :].numpy(),
            "exact": exact,
            "held": held,
        },
    }


def held_slope(turn: Turn, degrees: float, softness: Softness, scene: Scene) -> tuple[float, float]:
    """Slopes of the loss by the angle: exact, and with what SoftRas's code leaves out."""
    settings = make_settings(scene.target.shape[1], softness)
    angle = torch.tensor([degrees], dtype=torch.float64, requires_grad=True)
    vertices = turn.vertices(angle)
    at = replace(scene, vertices=vertices.detach())
    exact = at.gradient(settings)
    # The gradient by depth is complete in SoftRas's code.
    held = torch.cat([at.gradient(settings, draw_held)[..., :2], exact[..., 2:]], dim=-1)
    slopes = [torch.autograd.grad(vertices, angle, g, retain_graph=True)[0] for g in (exact, held)]
    return slopes[0].item(), slopes[1].item()


def measure_slopes(size: int, count: int, softness: Softness, at_corners: bool) -> dict[str, Any]:
    """How far a cube's slope by its angle is off, without the missing part, at ``count`` angles."""
    turn = Turn.random(np.random.default_rng(1))
    scene = turn.scene("cube", 0.0, size, at_corners)
    degrees = angles(count)
    exact, held = np.array([held_slope(turn, d, softness, scene) for d in degrees]).T
    return {
        "scene": "cube, colours at corners" if at_corners else "cube, one colour a side",
        "softness": softness,
        "median error": float(np.median(np.abs(held - exact) / np.abs(exact))),
        "wrong sign": float((exact * held < 0).mean()),
        "exact heading": float((headings(degrees, exact) > 0).mean()),
        "held heading": float((headings(degrees, held) > 0).mean()),
    }


# All of it


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
    turns = [Turn.random(rng) for _ in range(sizes.landscapes)]
    degrees, fine = angles(sizes.starts), angles(sizes.curve)
    scenes = missing_scenes(sizes.image)
    with make_progress() as progress:
        tasks: dict[str, list[Callable[[], Any]]] = {
            "hidden": [lambda: measure_hidden(sizes.image, sizes.steps)],
            "reach": [lambda: measure_reach(sizes.curve)],
            "curves": [partial(measure_curve, turns[0], sizes.cube, fine, s) for s in CURVES],
            "landscapes": [
                partial(measure_landscapes, turns, sizes.small, degrees, s) for s in sizes.grid
            ],
            "missing": [
                partial(measure_missing, scene, softness)
                for scene in scenes
                for softness in ([HIDDEN_SOFTNESS] if scene.fitted else sizes.missing)
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
    """Print what was measured."""
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
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--output", type=Path, default=Path("gradients"), help="folder to write")
    parser.add_argument("--seed", type=int, default=0, help="of the cubes' poses and axes")
    parser.add_argument("--quick", action="store_true", help="small pictures, few angles: seconds")
    options = parser.parse_args(arguments)
    if options.seed < 0:
        parser.error(f"seed must be at least 0, got {options.seed}")
    try:
        options.output.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        parser.error(f"output must be a folder that can be made: {error}")
    results = measure(QUICK if options.quick else Sizes(), options.seed)
    print_tables(results)
    draw_figure(results, options.output / "gradients.png")
    write_json(options.output / "results.json", without_pictures(results))
    print(f"wrote {options.output / 'gradients.png'} and results.json")


if __name__ == "__main__":
    main()
