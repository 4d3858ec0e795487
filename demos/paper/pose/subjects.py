"""What is turned: two cubes and a dog house; and how they are drawn."""

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

import taichi_softras as sr
from demos.paper.shared.models import furniture_model
from taichi_softras import reference

CAMERA = sr.LookAtCamera(eye=(0.0, 0.0, 4.0))


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

    @property
    def is_small(self) -> bool:
        """Whether every face can be looked at in every pixel, as `reference` does."""
        return isinstance(self.colors, Tensor) and len(self.faces) < 100


SUBJECTS = ("cube", "smooth cube", "dog house")


def make_subject(name: str) -> Subject | None:
    """Make one of `SUBJECTS`; None, and a word of it, if there is no data for it."""
    if name != "dog house":
        return colored_cube(by_face=name == "cube")
    house = dog_house()
    if house is None:
        print("without the dog house: sweethome3d-furniture is not found (see SOFTRAS_FURNITURE)")
    return house


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


def make_settings(size: int) -> sr.RasterizerSettings:
    """Settings of a square picture of a subject; `descents` says how soft they are.

    Outside faces depth and colour are SoftRas's, as its gradient is one of those compared.
    """
    return sr.RasterizerSettings(
        height=size, width=size, near=2.0, far=6.0, interpolation="clipped"
    )


def draw(
    subject: Subject, rotations: Tensor, settings: sr.RasterizerSettings, *, exact: bool = True
) -> Tensor:
    """Draw a subject turned in several ways, over black, (B, H, W, 3).

    Args:
        subject: What is drawn.
        rotations: (B, 3, 3).
        settings: Size of the picture, and how soft it is.
        exact: Whether the gradient is exact, or SoftRas's.
    """
    vertices = subject.vertices @ rotations.mT
    if exact:
        image = sr.render(vertices, subject.faces, subject.colors, CAMERA, settings, clip=False)
    else:
        points = sr.project(vertices, CAMERA, settings.aspect)
        corners, colors = (sr.gather(x, subject.faces) for x in (points, subject.colors))
        image = reference.rasterize(corners, colors, settings, interpolation_gradient=False)
    pictures: Tensor = image[..., :3] * image[..., 3:]
    return pictures
