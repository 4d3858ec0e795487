"""Pictures of subjects, and of guesses that turn."""

from dataclasses import replace
from typing import Any

import numpy as np
import torch

from demos.paper.pose.descents import LARGE, SHARP, SMALL, Trajectories
from demos.paper.pose.errors import FOUND_DEGREES
from demos.paper.pose.subjects import Subject, draw, make_settings
from demos.paper.shared.rotations import angles_between


def draw_softly(subject: Subject, truth: np.ndarray, size: int) -> list[tuple[str, np.ndarray]]:
    """Draw a subject as the picture has it, and as it is at either end of annealing."""
    rotation = torch.tensor(truth[None])
    blurs: dict[str, dict[str, Any]]
    blurs = {"picture": SHARP, "much blur": LARGE, "little blur": SMALL}
    return [
        (title, draw(subject, rotation, replace(make_settings(size), **blur))[0].numpy())
        for title, blur in blurs.items()
    ]


def draw_trajectories(
    subject: Subject, truth: np.ndarray, found: Trajectories, size: int
) -> np.ndarray:
    """Draw the picture, up to three guesses that arrive and others that don't, step by step.

    Returns:
        (frames, height, width, 3), the picture to the left.
    """
    errors = angles_between(found.rotations[-1], truth)
    arrived = np.flatnonzero(errors < FOUND_DEGREES)[:3]
    others = np.flatnonzero(errors >= FOUND_DEGREES)
    shown = [*arrived, *others[: 5 - len(arrived)]]
    side = 4 * size
    settings = replace(make_settings(side), **SHARP)
    picture = draw(subject, torch.tensor(truth[None]), settings).numpy()
    rotations = found.rotations[::2, shown]
    images = draw(
        subject, torch.tensor(rotations.reshape(-1, 3, 3)), replace(settings, supersampling=2)
    )
    turning = images.numpy().reshape(*rotations.shape[:2], side, side, 3)
    line = np.ones((len(turning), side, 4, 3), dtype=np.float32)  # beside the picture
    beside = [picture.repeat(len(turning), axis=0), line, *turning.swapaxes(0, 1)]
    return np.concatenate(beside, axis=2)
