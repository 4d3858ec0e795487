"""Rotations that can be descended on: small ones about vectors, and angles between them."""

import math

import numpy as np
import torch
from torch import Tensor


def exp_rotation(turns: Tensor) -> Tensor:
    """Rotate about vectors (..., 3) by their lengths, in radians, (..., 3, 3)."""
    x, y, z = turns.unbind(-1)
    zero = torch.zeros_like(x)
    rows = torch.stack([zero, -z, y, z, zero, -x, -y, x, zero], dim=-1)
    return torch.linalg.matrix_exp(rows.unflatten(-1, (3, 3)))


def angles_between(rotations: np.ndarray, truth: np.ndarray) -> np.ndarray:
    """Measure the angles of the rotations from one to the other, (...), in degrees."""
    # By the chord: an arc cosine loses half of the digits near 0.
    chords = np.linalg.norm(rotations - truth, axis=(-2, -1)) / math.sqrt(8)
    return np.degrees(2 * np.arcsin(np.clip(chords, 0, 1)))
