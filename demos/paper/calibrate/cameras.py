"""Cameras that are sought: several problems, several views each, one lens to a problem."""

import math
from collections.abc import Sequence
from dataclasses import dataclass, fields

import numpy as np
import torch
from torch import Tensor

import taichi_softras as sr
from demos.paper.shared.rotations import angles_between, exp_rotation


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


def join(problems: Sequence[Cameras]) -> Cameras:
    """Put problems into one."""
    return Cameras(
        *(torch.cat([getattr(x, part.name) for x in problems]) for part in fields(Cameras))
    )


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
