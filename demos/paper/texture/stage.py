"""A shape under light, cameras round it, and its pictures."""

import math
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import torch

import taichi_softras as sr
from taichi_softras.fitting.framing import framing_distance

FOV = 30.0
GOLDEN_ANGLE = 180 * (3 - math.sqrt(5))
"""Degrees between neighbours on a spiral that covers a sphere evenly."""
HIGHEST = 0.85
"""Sine of the highest elevation of a camera: 58 degrees, above and below."""


@dataclass(frozen=True)
class PosedPictures:
    """Cameras and their pictures: eyes (N, 3), images (N, H, W, 4)."""

    eyes: np.ndarray
    images: torch.Tensor


class Stage:
    """A shape under light, and how it is drawn: in pictures, and while fitting."""

    def __init__(self, mesh: sr.Mesh, size: int) -> None:
        self.vertices, self.faces, _ = mesh.to_torch()
        self.distance = framing_distance(mesh, FOV)
        radius = self.distance * math.sin(math.radians(FOV / 2))
        self.fitting = sr.RasterizerSettings(
            height=size,
            width=size,
            near=self.distance - radius,
            far=self.distance + radius,
            sigma=1e-6,
        )
        self.showing = replace(self.fitting, sigma=1e-7, supersampling=3)
        # At fragments, so that colours are lit alike however they are held.
        self.light = sr.Lighting(lights=sr.Light().lighting.lights, shading="fragment")

    def draw(self, colors: Any, eyes: np.ndarray, settings: sr.RasterizerSettings) -> torch.Tensor:
        """Draw colours, as seen from eyes (N, 3): (N, H, W, 4)."""
        camera = sr.LookAtCamera(eyes, fov_degrees=FOV)
        return sr.render(self.vertices, self.faces, colors, camera, settings, light=self.light)

    def show(self, colors: Any, eyes: np.ndarray, size: int | None = None) -> torch.Tensor:
        """Draw pictures to look at and to compare, (N, H, W, 4)."""
        size = size or self.showing.height
        settings = replace(self.showing, height=size, width=size)
        with torch.no_grad():  # one by one, for samples take memory
            return torch.cat([self.draw(colors, eye[None], settings) for eye in eyes])

    def take(self, colors: Any, count: int, turn: float = 0.0) -> PosedPictures:
        """Take pictures from all around."""
        eyes = spread_eyes(count, self.distance, turn)
        return PosedPictures(eyes, self.show(colors, eyes))

    def weigh(self, texture: sr.UVTexture, eyes: np.ndarray) -> np.ndarray:
        """Add up what each texel counts for while fitting, in pixels under full light: (T,)."""
        texels = torch.zeros(texture.texels.shape, requires_grad=True)
        for eye in eyes:
            image = self.draw(replace(texture, texels=texels), eye[None], self.fitting)
            image[..., :3].mean(dim=-1).sum().backward()
        assert texels.grad is not None
        return texels.grad.sum(dim=-1).reshape(-1).numpy()


def spread_eyes(count: int, distance: float, turn: float = 0.0) -> np.ndarray:
    """Spread cameras evenly over a sphere but for its poles, on a golden spiral: (count, 3)."""
    k = np.arange(count)
    elevations = np.degrees(np.arcsin(HIGHEST * (1 - (2 * k + 1) / count)))
    eyes: np.ndarray = sr.orbit_eyes(distance, elevations, turn + GOLDEN_ANGLE * k)
    return eyes


def nearest_angles(eyes: np.ndarray, others: np.ndarray) -> np.ndarray:
    """Angle in degrees from each eye to the nearest of others, seen from the origin: (N,)."""
    units = [x / np.linalg.norm(x, axis=1, keepdims=True) for x in (eyes, others)]
    cosines = (units[0] @ units[1].T).max(axis=1)
    return np.degrees(np.arccos(np.clip(cosines, -1, 1)))
