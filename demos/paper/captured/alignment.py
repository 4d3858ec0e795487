"""How well cameras that were found agree with those that are true, in whatever world."""

import numpy as np
from numpy.typing import NDArray

Similarity = tuple[float, NDArray[np.float64], NDArray[np.float64]]
"""Scale s, rotation R and translation t: x becomes s R x + t."""


def align_points(points: NDArray[np.float64], wanted: NDArray[np.float64]) -> Similarity:
    """Find the similarity that brings points (N, 3) nearest to others, by least squares.

    Source:
        Umeyama, Least-Squares Estimation of Transformation Parameters Between Two Point Patterns,
        PAMI 1991.
    """
    middle, wanted_middle = points.mean(axis=0), wanted.mean(axis=0)
    here, there = points - middle, wanted - wanted_middle
    left, sizes, right = np.linalg.svd(there.T @ here)
    signs = np.array([1.0, 1.0, np.sign(np.linalg.det(left @ right))])
    rotation = left * signs @ right
    scale = float((sizes * signs).sum() / np.square(here).sum())
    return scale, rotation, wanted_middle - scale * rotation @ middle


def camera_errors(
    found: tuple[NDArray[np.float64], NDArray[np.float64]],
    true: tuple[NDArray[np.float64], NDArray[np.float64]],
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Measure how far cameras are turned and moved, after their places are aligned.

    Args:
        found: Rotations from the world to the cameras (N, 3, 3), and where the cameras are (N, 3).
        true: The same, in another world.

    Returns:
        Angles in degrees (N,); distances as shares of the mean distance of cameras from their
        middle (N,).
    """
    (rotations, eyes), (true_rotations, true_eyes) = found, true
    scale, turn, move = align_points(eyes, true_eyes)
    between = np.einsum("nij,kj,nlk->nil", rotations, turn, true_rotations)
    # Of small angles their sine says more than the cosine.
    skew = between - between.swapaxes(1, 2)
    sines = np.linalg.norm(skew, axis=(1, 2)) / np.sqrt(8)
    cosines = (np.trace(between, axis1=1, axis2=2) - 1) / 2
    away = np.linalg.norm(scale * eyes @ turn.T + move - true_eyes, axis=1)
    size = np.linalg.norm(true_eyes - true_eyes.mean(axis=0), axis=1).mean()
    return np.degrees(np.arctan2(sines, cosines)), away / size
