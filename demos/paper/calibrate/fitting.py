"""Fits of cameras to silhouettes: from afar by Adam, to the last digits by L-BFGS."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import Tensor

import taichi_softras as sr
from demos.paper.calibrate.cameras import Cameras, extrapolate
from demos.paper.shared.rotations import exp_rotation

COARSE, MEDIUM, FINE = 1e-3, 1e-4, 4e-5
"""Sigma: where Adam starts, where it ends, and where L-BFGS does (and at a quarter of that).

Less would leave most edges between two samples of 48 x 48 pixels, where they have no gradient.
"""


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

    def draw(self, cameras: Cameras, **blur: Any) -> Tensor:
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
