"""What is photographed, and from where."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

import taichi_softras as sr

RINGS = ((10.0, 2.6), (38.0, 2.4))
"""Elevations in degrees, and distances, of the circles on which photographs are taken."""

UNSTEADY = 0.06
"""How far from its place a camera is, as of one that is held by hand, in units of the world."""

FIELD_OF_VIEW = 42.0
"""Vertical, in degrees."""

GROUND = 3.0
"""Half of the ground's width: the object is 1 wide, deep or high."""


@dataclass(frozen=True, eq=False)
class Photographers:
    """Where photographs are taken from.

    Attributes:
        eyes: (N, 3).
        targets: What is in the middle of the picture, (N, 3).
    """

    eyes: NDArray[np.float64]
    targets: NDArray[np.float64]

    @property
    def camera(self) -> sr.LookAtCamera:
        """The same, as cameras of the package."""
        return sr.LookAtCamera(self.eyes, self.targets, fov_degrees=FIELD_OF_VIEW)


def photographers_around(count: int, seed: int = 0) -> Photographers:
    """Walk round the object in circles, one above the other, not quite steadily."""
    rng = np.random.default_rng(seed)
    eyes = []
    for ring, (elevation, distance) in enumerate(RINGS):
        of_ring = len(range(ring, count, len(RINGS)))
        turns = (np.arange(of_ring) + ring / len(RINGS)) * 360 / of_ring
        eyes.append(np.asarray(sr.orbit_eyes(distance, elevation, turns)))
    places = np.concatenate(eyes)
    return Photographers(
        places + rng.normal(0, UNSTEADY, places.shape), rng.normal(0, UNSTEADY, places.shape)
    )


def ground_image(size: int = 1024, seed: int = 0) -> NDArray[np.float32]:
    """Paint a ground on which no place is like another, (size, size, 3), 0 to 1.

    Noise of all sizes, between the colours of sand and of stone.
    """
    rng = np.random.default_rng(seed)
    height = np.zeros((size, size))
    cells = 8
    while cells <= size:
        noise = rng.normal(size=(cells, cells)).repeat(size // cells, 0).repeat(size // cells, 1)
        height += noise * cells**-0.35
        cells *= 2
    share = 1 / (1 + np.exp(-2 * (height - height.mean()) / height.std()))
    sand, stone = np.array([0.85, 0.75, 0.55]), np.array([0.25, 0.27, 0.3])
    return (stone + share[..., None] * (sand - stone)).astype(np.float32)
