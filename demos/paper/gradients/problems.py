"""What is fitted: triangles, a cube, a sphere; and how they are drawn."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from scipy.spatial.transform import Rotation
from torch import Tensor

import taichi_softras as sr
from taichi_softras import reference

Softness = tuple[float, float] | None
"""Sigma and gamma; None is a hard rasterizer."""

HIDDEN_SHIFT = 0.4
"""How far to the right the hidden triangle is to move."""
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
    options |= {"perspective_correct": False, "interpolation": "clipped"}
    return sr.RasterizerSettings(height=size, width=size, near=2.0, far=6.0, **options)


def draw(corners: Tensor, colors: Tensor, settings: sr.RasterizerSettings) -> Tensor:
    """Draw faces over white, (B, H, W, 3)."""
    return sr.rasterize(corners, colors, settings, background=1.0)[..., :3]


def draw_photo(corners: Tensor, colors: Tensor, size: int) -> Tensor:
    """Draw faces as a camera would: hard, the mean of 4 x 4 samples. A target."""
    return draw(corners, colors, make_settings(size, None, supersampling=4)).detach()


def draw_held(corners: Tensor, colors: Tensor, settings: sr.RasterizerSettings) -> Tensor:
    """Draw as `draw`, without the gradient by x and y that goes through colours and depths."""
    image = reference.rasterize(
        corners, colors, settings, background=1.0, interpolation_gradient=False
    )
    return image[..., :3]


@dataclass(frozen=True)
class FittingProblem:
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


def two_triangles(
    name: str, size: int, tilt: float = 0.0, corner_colors: np.ndarray | None = None
) -> FittingProblem:
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
    return FittingProblem(
        name, vertices, faces, colors, draw_photo(moved[:, faces], colors, size), fitted=3
    )


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
class TurningCube:
    """A cube that turns about an axis, away from the pose it has in the target.

    Attributes:
        pose: (3, 3), the rotation in the target.
        axis: (3,), of length 1.
    """

    pose: Tensor
    axis: Tensor

    @classmethod
    def random(cls, rng: np.random.Generator) -> "TurningCube":
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

    def problem(
        self, name: str, degrees: float, size: int, at_corners: bool = False
    ) -> FittingProblem:
        """The cube turned so far, whose target is the cube not turned."""
        faces = torch.tensor(sr.cube().faces)
        colors = cube_colors(at_corners)
        start, end = self.vertices(torch.tensor([degrees, 0.0], dtype=torch.float64)).split(1)
        return FittingProblem(name, start, faces, colors, draw_photo(end[:, faces], colors, size))


def missing_problems(size: int) -> list[FittingProblem]:
    """Problems whose gradients by x and y need more and more of the interpolation."""
    corner_colors = PALETTE[[3, 0, 2]]
    turn = TurningCube.random(np.random.default_rng(1))
    sphere = sr.icosphere(1)
    points = torch.tensor(sphere.vertices, dtype=torch.float64)
    faces = torch.tensor(sphere.faces)
    colors = (points + 0.5)[faces][None]
    start, end = (sr.project(scale * points[None], CAMERA, 1.0) for scale in (0.9, 1.2))
    return [
        two_triangles("two triangles, parallel, one colour each", size),
        two_triangles("two triangles, one tilted", size, 1.0),
        two_triangles("two triangles, one tilted, colours at corners", size, 1.0, corner_colors),
        turn.problem("cube, one colour a side", 25.0, size),
        turn.problem("cube, colours at corners", 25.0, size, at_corners=True),
        FittingProblem(
            "sphere, colours at corners",
            start,
            faces,
            colors,
            draw_photo(end[:, faces], colors, size),
        ),
    ]
