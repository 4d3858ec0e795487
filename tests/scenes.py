"""Scenes that tests draw: faces in NDC, made at random, of kinds that each try something."""

import numpy as np
import torch
from torch import Tensor

import taichi_softras as sr
from taichi_softras.backend import ti

KINDS = (
    "overlapping",
    "tilted",
    "stacked",
    "offscreen",
    "slivers",
    "tiny",
    "covering",
    "clipped",
)


def random_faces(kind: str, rng: torch.Generator, num_items: int = 1, num_faces: int = 6) -> Tensor:
    """Faces (B, F, 3, 3) of float64: x and y in NDC, depths mostly between 2 and 9."""

    def uniform(low: float, high: float, *shape: int) -> Tensor:
        numbers = torch.rand(num_items, num_faces, *shape, generator=rng, dtype=torch.float64)
        return low + (high - low) * numbers

    centers = uniform(-0.6, 0.6, 1, 2)
    corners = centers + uniform(-0.6, 0.6, 3, 2)
    depths = uniform(3, 8, 1, 1) + uniform(-0.3, 0.3, 3, 1)
    if kind == "tilted":
        depths = uniform(1.5, 9.5, 3, 1)
    elif kind == "stacked":
        corners = corners[:, :1] + uniform(-0.05, 0.05, 3, 2)
    elif kind == "offscreen":
        corners = 2.2 * centers + uniform(-0.8, 0.8, 3, 2)
    elif kind == "slivers":
        along = corners[..., 1:2, :] - corners[..., :1, :]
        third = corners[..., :1, :] + uniform(0.3, 0.7, 1, 1) * along + uniform(-2e-3, 2e-3, 1, 2)
        corners = torch.cat([corners[..., :2, :], third], dim=-2)
    elif kind == "tiny":
        corners = centers + uniform(-0.01, 0.01, 3, 2)
    elif kind == "covering":
        around = torch.tensor([[-4.0, -3.0], [5.0, -3.0], [0.0, 6.0]], dtype=torch.float64)
        corners = around + uniform(-0.5, 0.5, 3, 2)
    elif kind == "clipped":  # through the near and the far plane, and the camera
        depths = uniform(-1, 14, 1, 1) + uniform(-1.5, 1.5, 3, 1)
    return torch.cat([corners, depths], dim=-1)


def random_colors(
    num_faces: int, channels: int, rng: torch.Generator, num_items: int = 1
) -> Tensor:
    shape = (num_items, num_faces, 3, channels)
    return torch.rand(shape, generator=rng, dtype=torch.float64)


def random_like(array: Tensor, rng: torch.Generator) -> Tensor:
    """Normally distributed numbers of the shape and type of an array."""
    return torch.randn(array.shape, generator=rng, dtype=array.dtype)


def octahedron() -> tuple[Tensor, Tensor]:
    """Vertices (1, 6, 3) of float64 and faces (8, 3), counter-clockwise seen from outside."""
    corners = [[1, 0, 0], [-1, 0, 0], [0, 1, 0], [0, -1, 0], [0, 0, 1], [0, 0, -1]]
    faces = [
        [0, 2, 4], [2, 1, 4], [1, 3, 4], [3, 0, 4],
        [2, 0, 5], [1, 2, 5], [3, 1, 5], [0, 3, 5],
    ]  # fmt: skip
    return torch.tensor([corners], dtype=torch.float64), torch.tensor(faces, dtype=torch.int32)


def bumpy_octahedron(rng: torch.Generator, num_items: int = 1) -> tuple[Tensor, Tensor]:
    """An octahedron, knocked out of shape, so that nothing lines up by chance."""
    vertices, faces = octahedron()
    vertices = vertices.repeat(num_items, 1, 1)
    return vertices + 0.1 * random_like(vertices, rng), faces


def open_mesh(rng: torch.Generator, num_items: int = 1) -> tuple[Tensor, Tensor]:
    """A bumpy octahedron with one face bent out to a vertex of its own: degrees 2, 4 and 5."""
    vertices, faces = bumpy_octahedron(rng, num_items)
    corner = torch.tensor([1.5, -1.4, 0.3], dtype=torch.float64).expand(num_items, 1, 3)
    faces[7, 2] = 6
    return torch.cat([vertices, corner], dim=1), faces


def to_taichi(tensor: Tensor, *, needs_grad: bool = False) -> ti.Ndarray:
    return sr.from_numpy(tensor.detach().numpy(), needs_grad=needs_grad)


def to_numpy(array) -> np.ndarray:
    return array.to_numpy() if isinstance(array, ti.Ndarray) else array.detach().numpy()


def uniform(rng: torch.Generator, *shape: int, low: float = 0.0, high: float = 1.0) -> Tensor:
    """Uniformly distributed numbers of float64."""
    return low + (high - low) * torch.rand(*shape, generator=rng, dtype=torch.float64)


def random_image(rng: torch.Generator, channels: int = 3) -> sr.UVTexture:
    """Two images of 4 x 5 texels, on six faces, that are also seen beyond their borders."""
    uvs = uniform(rng, 1, 6, 3, 2, low=-0.5, high=1.5)
    return sr.UVTexture(uvs, uniform(rng, 2, 4, 5, channels))
