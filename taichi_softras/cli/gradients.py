"""``softras gradients``: gradients against finite differences, in a table."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

import numpy as np
from rich.console import Console
from rich.table import Table

from taichi_softras.arrays.options import check_integer
from taichi_softras.arrays.taichi_bridge import from_numpy
from taichi_softras.backend import ti
from taichi_softras.cameras.camera import LookAtCamera
from taichi_softras.lights.kinds import Light
from taichi_softras.losses import add_to_loss, image_loss
from taichi_softras.rasterizer.settings import RasterizerSettings
from taichi_softras.renderer import render

SceneArrays = dict[str, np.ndarray]
"""What a random scene's loss depends on, by name."""

INPUTS = {
    "vertices, x": ("vertices", 0),
    "vertices, y": ("vertices", 1),
    "vertices, z": ("vertices", 2),
    "vertex colours": ("colors", None),
    "background": ("background", None),
    "sigma": ("sigma", None),
    "gamma": ("gamma", None),
    "eps": ("eps", None),
    "camera: eye": ("eye", None),
    "camera: at": ("at", None),
    "camera: up": ("up", None),
    "camera: field of view": ("fov_degrees", None),
    "light: ambient": ("ambient", None),
    "light: diffuse": ("diffuse", None),
    "light: direction": ("direction", None),
}
"""Rows of the table: an array, and which component of its last dimension varies; None for all."""


@dataclass(frozen=True, kw_only=True)
class Gradients:
    """Compare every gradient with central differences, in float64, on random scenes.

    Attributes:
        scenes: How many scenes. At least 1.
        seed: Seed of the random scenes.
        interpolation: Where on a face a pixel beside it takes depth and colour from: the nearest
            point, or clipped barycentric coordinates.
    """

    scenes: int = 20
    seed: int = 0
    interpolation: Literal["nearest", "clipped"] = "nearest"

    def run(self) -> None:
        """Compare, and print a table."""
        check_integer("scenes", self.scenes, at_least=1)
        check_integer("seed", self.seed, at_least=0)
        rng = np.random.default_rng(self.seed)
        errors = compare_gradients(self.scenes, rng, interpolation=self.interpolation)
        table = Table(title=f"Gradients against central differences, {self.scenes} scenes, float64")
        for column in ("input", "median relative error", "worst"):
            table.add_column(column, justify="left" if column == "input" else "right")
        for name, row in errors.items():
            table.add_row(name, f"{np.median(row):.1e}", f"{max(row):.1e}")
        Console().print(table)


def compare_gradients(
    scenes: int, rng: np.random.Generator, *, interpolation: str = "nearest"
) -> dict[str, list[float]]:
    """Compare derivatives along random directions of each input with central differences.

    Args:
        scenes: How many.
        rng: Makes them, and the directions.
        interpolation: As in `RasterizerSettings`.

    Returns:
        Relative errors, one per scene, of each row of `INPUTS`.
    """
    errors: dict[str, list[float]] = {name: [] for name in INPUTS}
    for _ in range(scenes):
        inputs, loss = random_scene(rng, interpolation)
        _, gradients = loss(inputs)
        for name, (key, component) in INPUTS.items():
            direction = _direction(inputs[key], component, rng)
            while (expected := _derivative(inputs, key, direction, loss)) is None:
                direction = _direction(inputs[key], component, rng)
            found = float((gradients[key] * direction).sum())
            errors[name].append(abs(found - expected) / abs(expected))
    return errors


def _direction(value: np.ndarray, component: int | None, rng: np.random.Generator) -> np.ndarray:
    """Draw a direction of the size of an input, along one component if one is given."""
    direction = rng.standard_normal(value.shape) * np.abs(value).max()
    chosen = True if component is None else np.arange(value.shape[-1]) == component
    return np.asarray(direction * chosen)


def random_scene(
    rng: np.random.Generator, interpolation: str
) -> tuple[SceneArrays, Callable[[SceneArrays], tuple[float, SceneArrays]]]:
    """Make a soup of triangles that overlap, tilt and leave the image, and a loss of its image.

    Returns:
        What the loss depends on; and the loss, which returns its value and its gradients.
    """
    num_faces, height, width = 12, int(rng.integers(8, 24)), int(rng.integers(8, 24))
    centers = rng.uniform(-0.7, 0.7, (num_faces, 1, 3))
    corners = centers + rng.normal(0, 0.35, (num_faces, 3, 3))
    faces = np.arange(3 * num_faces, dtype=np.int32).reshape(-1, 3)
    inputs = {
        "vertices": corners.reshape(1, -1, 3),
        "colors": rng.random((1, 3 * num_faces, 3)),
        "background": rng.random((1, 1, 1, 3)),
        "sigma": 10 ** rng.uniform(-3, -1.5, 1),
        "gamma": 10 ** rng.uniform(-2, -0.5, 1),
        "eps": rng.uniform(0.1, 0.5, 1),
        "eye": rng.uniform(-1, 1, (1, 3)) + np.array([0, 0, 4.0]),
        "at": rng.uniform(-0.2, 0.2, (1, 3)),
        "up": rng.uniform(-0.2, 0.2, (1, 3)) + np.array([0, 1.0, 0]),
        "fov_degrees": rng.uniform(25, 40, 1),
        "ambient": rng.random((1, 3)),
        "diffuse": rng.random((1, 3)),
        "direction": rng.normal(0, 1, (1, 3)),
    }
    # A tiny cut-off: the image jumps where a step carries a fragment across it, and in colours the
    # jump is as many times larger as the fragment is in front of the others.
    settings = RasterizerSettings(
        height=height,
        width=width,
        near=0.5,
        far=10.0,
        coverage_cutoff=1e-40,
        interpolation=interpolation,
    )
    target = from_numpy(rng.random((1, height, width, 4)))
    face_array = from_numpy(faces)

    def loss(values: SceneArrays) -> tuple[float, SceneArrays]:
        arrays = {key: from_numpy(value, needs_grad=True) for key, value in values.items()}
        result = ti.ndarray(ti.f64, 1, needs_grad=True)
        with ti.ad.Tape(loss=result):
            image = render(
                *(arrays["vertices"], face_array, arrays["colors"]),
                LookAtCamera(*(arrays[key] for key in ("eye", "at", "up", "fov_degrees"))),
                settings,
                light=Light(*(arrays[key] for key in ("ambient", "diffuse", "direction"))),
                **{key: arrays[key] for key in ("background", "sigma", "gamma", "eps")},
            )
            add_to_loss(result, image_loss(image, target))
        gradients = {key: array.grad.to_numpy() for key, array in arrays.items()}
        return float(result[0]), gradients

    return inputs, loss


def _derivative(
    inputs: SceneArrays,
    key: str,
    direction: np.ndarray,
    loss: Callable[[SceneArrays], tuple[float, SceneArrays]],
) -> float | None:
    """Differentiate along a direction: central differences, extrapolated to a step of zero.

    Returns:
        The derivative; None where two steps disagree, because a kink of the loss lies between:
        a pixel as far from one edge as from another, say.
    """

    def central(step: float) -> float:
        above, below = (
            loss({**inputs, key: inputs[key] + sign * step * direction})[0] for sign in (1, -1)
        )
        return (above - below) / (2 * step)

    fine, coarse = central(1e-5), central(2e-5)
    return (4 * fine - coarse) / 3 if abs(fine - coarse) < 1e-5 * abs(fine) else None
