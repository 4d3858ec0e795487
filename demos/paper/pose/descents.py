"""Ways to descend from guesses to the rotation in a picture, and where they lead."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import torch
from torch import Tensor

import taichi_softras as sr
from demos.paper.pose.subjects import Subject, draw
from demos.paper.shared.rotations import exp_rotation

SHARP: dict[str, Any] = {"sigma": 1e-6, "gamma": 1e-4, "supersampling": 4}
"""Settings of the picture: as a camera takes it."""

SMALL = {"sigma": 1e-4, "gamma": 1e-2}
"""Little blur."""

LARGE = {"sigma": 2e-2, "gamma": 2e-1}
"""Much blur."""


@dataclass(frozen=True)
class DescentMethod:
    """How a guess descends.

    Attributes:
        sigma: Softness of edges by step.
        gamma: Softness of occlusion by step.
        exact: Whether the gradient is exact, or SoftRas's.
    """

    sigma: sr.Schedule
    gamma: sr.Schedule
    exact: bool = True


def make_methods(steps: int) -> dict[str, DescentMethod]:
    """Name the ways to descend; blur is annealed for two thirds of the steps."""
    duration = max(2 * steps // 3, 1)

    def between(start: dict[str, float], end: dict[str, float]) -> tuple[sr.Schedule, sr.Schedule]:
        sigma, gamma = (sr.GeometricDecay(start[k], end[k], duration) for k in ("sigma", "gamma"))
        return sigma, gamma

    return {
        "little blur": DescentMethod(*between(SMALL, SMALL)),
        "much blur": DescentMethod(*between(LARGE, LARGE)),
        "annealed": DescentMethod(*between(LARGE, SMALL)),
        "annealed, SoftRas's gradient": DescentMethod(*between(LARGE, SMALL), exact=False),
    }


@dataclass(frozen=True)
class Trajectories:
    """Where guesses went.

    Attributes:
        rotations: (steps + 1, B, 3, 3), the first one the guesses.
        losses: (B,), of the last, drawn as sharply as the picture.
    """

    rotations: np.ndarray
    losses: np.ndarray


def descend(
    subject: Subject,
    picture: Tensor,
    guesses: Tensor,
    method: DescentMethod,
    settings: sr.RasterizerSettings,
    *,
    steps: int,
    advance: Callable[[float], None] = lambda loss: None,
) -> Trajectories:
    """Turn guesses down the gradient, by small rotations from where they are.

    Args:
        subject: What is turned.
        picture: (1, H, W, 3), of it as it is to be found.
        guesses: (B, 3, 3), rotations to start from.
        method: How to descend.
        settings: Size of the picture.
        steps: Of the optimiser.
        advance: Called after each step with the mean loss.
    """
    rotations, history = guesses, [guesses.numpy()]
    turns = torch.zeros(len(guesses), 3, requires_grad=True)
    optimizer = torch.optim.Adam([turns], betas=(0.8, 0.95))
    learning_rate = sr.GeometricDecay(0.1, 0.005, steps)  # radians
    for step in range(steps):
        optimizer.param_groups[0]["lr"] = learning_rate(step)
        optimizer.zero_grad()
        softened = sr.anneal(settings, step, sigma=method.sigma, gamma=method.gamma)
        images = draw(subject, exp_rotation(turns) @ rotations, softened, exact=method.exact)
        # A sum: a guess's gradient is its own, however many there are.
        loss = sr.image_loss(images, picture, reduction="none").sum()
        loss.backward()
        optimizer.step()
        with torch.no_grad():
            rotations = exp_rotation(turns) @ rotations
            turns.zero_()
        history.append(rotations.numpy())
        advance(loss.item() / len(guesses))
    last = draw(subject, rotations, replace(settings, **SHARP))
    losses = sr.image_loss(last, picture, reduction="none")
    return Trajectories(np.stack(history), losses.numpy())
