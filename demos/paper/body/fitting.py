"""What is fitted, in what ways, and how."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch

import taichi_softras as sr
from demos.paper.body.model import BEHIND, NEUTRAL, PROPORTIONS, Body, Parameters, pose
from taichi_softras.fitting.schedules import GeometricDecay, Schedule, anneal

COLOR_WEIGHT = 20.0
"""Of the colours' squared error beside the silhouette's loss: most pixels are background."""
PRIOR_WEIGHT = 0.3
LEARNING_RATE = 0.03
POSE_NOISE_DEGREES = 5.0
SCENARIOS = ("hide", "reveal")


@dataclass(frozen=True)
class Variant:
    """A way to draw while fitting.

    Attributes:
        name: For tables and pictures.
        settings: What stays the same.
        sigma: Softness of edges by step.
        gamma: Softness of occlusion by step.
    """

    name: str
    settings: sr.RasterizerSettings
    sigma: Schedule
    gamma: Schedule

    def at(self, step: int) -> sr.RasterizerSettings:
        """Give the settings of a step."""
        return anneal(self.settings, step, sigma=self.sigma, gamma=self.gamma)


def make_variants(height: int, steps: int) -> list[Variant]:
    """List the ways to draw."""
    common: dict[str, Any] = {"height": height, "width": height * 3 // 4, "near": 3, "far": 5}
    soft = sr.RasterizerSettings(**common)
    hard = sr.RasterizerSettings(**common, coverage="hard", color="hard")
    sigma = GeometricDecay(2e-3, 3e-5, steps)
    return [
        Variant("hard", hard, sigma, GeometricDecay(1e-4, 1e-4, steps)),
        Variant("soft, small gamma", soft, sigma, GeometricDecay(1e-4, 1e-4, steps)),
        Variant("soft", soft, sigma, GeometricDecay(3e-2, 1e-3, steps)),
    ]


def make_problem(scenario: str, targets: int, seed: int) -> tuple[Parameters, Parameters]:
    """Choose where fits start, and random poses and shapes of the bodies in the pictures."""
    rng = torch.Generator().manual_seed(seed)
    first, last = (NEUTRAL, BEHIND) if scenario == "hide" else (BEHIND, NEUTRAL)
    start = pose(first).repeat(targets, 1, 1)
    noise = np.deg2rad(POSE_NOISE_DEGREES) * torch.randn(start.shape, generator=rng)
    shares = 0.25 + 0.5 * torch.rand(targets, len(PROPORTIONS), generator=rng)
    return Parameters(start, torch.zeros_like(shares)), Parameters(
        pose(last) + noise, shares.logit()
    )


def picture_losses(image: torch.Tensor, target: torch.Tensor) -> torch.Tensor:
    """Compare silhouettes and shaded colours, (B,)."""
    image, target = (
        torch.cat([x[..., :3] * x[..., 3:], x[..., 3:]], dim=3) for x in (image, target)
    )
    shape = sr.silhouette_loss(image[..., 3], target[..., 3], reduction="none")
    color = sr.image_loss(image[..., :3], target[..., :3], reduction="none")
    return shape + COLOR_WEIGHT * color


def fit(
    body: Body,
    start: Parameters,
    target: torch.Tensor,
    variant: Variant,
    steps: int,
    on_step: Callable[[float], None] = lambda loss: None,
) -> tuple[torch.Tensor, list[torch.Tensor]]:
    """Fit bodies to pictures, all at once; they don't influence each other.

    Returns:
        Their vertices (B, V, 3) where the loss was lowest, and those of the first body (1, V, 3)
        before every step.
    """
    rotations = start.rotations.clone().requires_grad_()
    logits = start.logits.clone().requires_grad_()
    found = Parameters(rotations, logits)
    optimizer = torch.optim.Adam([rotations, logits], lr=LEARNING_RATE)
    track: list[torch.Tensor] = []
    with torch.no_grad():
        best = body.vertices(start)
    lowest = torch.full((len(best),), torch.inf)
    for step in range(steps):
        optimizer.zero_grad()
        vertices = body.vertices(found)
        losses = picture_losses(body.draw(vertices, variant.at(step)), target)
        prior = (rotations - start.rotations).square().mean() + logits.square().mean()
        (losses.mean() + PRIOR_WEIGHT * prior).backward()
        optimizer.step()
        track.append(vertices[:1].detach())
        better = losses.detach() < lowest
        best[better], lowest[better] = vertices.detach()[better], losses.detach()[better]
        on_step(losses.mean().item())
    return best, track
