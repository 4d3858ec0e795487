"""How a mesh is made of photographs."""

from __future__ import annotations

from dataclasses import dataclass, replace

from taichi_softras.arrays.options import (
    check_flag,
    check_integer,
    check_number,
    check_positive,
    keep_checked,
)
from taichi_softras.reconstruction.kernels.hull import MOST_WRONG

SMALLEST_TEXTURE = 4
"""Texels along a side of an image map."""

FIRST_LENGTH = 0.08
"""Of edges, for which the lengths of first steps are given."""

FINER = (1.0, 0.6875, 0.4375)
"""Lengths of edges in the first stages, as shares of the coarsest."""

COARSE_ROWS, FINE_ROWS = 240, 480
"""Rows, or columns if they are fewer, of the pictures that are fitted to at first, and in the
end."""


@dataclass(frozen=True, kw_only=True)
class ReconstructionOptions:
    """How a mesh is fitted to photographs. Lengths are those of an object of size 2.

    Attributes:
        resolution: Voxels along the longest side of the visual hull. At least 8.
        wrong_masks: How many masks may be wrong at a point of the hull, 0 to 8.
        one_color: Whether the object has one colour, so that all shading is light: relief is then
            found by light first, second-order spherical harmonics, which is cleaner.
        coarsest: Length of edges at first. Above 0. Smaller ones keep thin parts that the hull has.
        finest: Length of edges in the end. Above 0.
        exposures: Whether each photograph has an exposure of its own, the gain that fits best.
        views: Photographs compared at a step. At least 1.
        color_weight: How much colours count beside silhouettes. At least 0.
        laplacian: Weight of the Laplacian loss, which keeps the surface smooth. At least 0.
        gamma: Softness of occlusion. Above 0.
        pace: Factor of all numbers of steps: 1 is what a good result takes. Above 0.
        texture: Height and width of the image map, at least 4; 0 for colours of vertices alone.
        seed: Of the order of photographs.

    Raises:
        TypeError: If a value is of the wrong type.
        ValueError: If a value is outside the range given for it.
    """

    resolution: int = 96
    wrong_masks: int = 0
    one_color: bool = False
    coarsest: float = 0.08
    finest: float = 0.025
    exposures: bool = True
    views: int = 4
    color_weight: float = 1.0
    laplacian: float = 0.1
    gamma: float = 5e-4
    pace: float = 1.0
    texture: int = 1024
    seed: int = 0

    def __post_init__(self) -> None:
        keep_checked(self, ("resolution",), check_integer, at_least=8)
        keep_checked(self, ("views",), check_integer, at_least=1)
        keep_checked(self, ("wrong_masks", "seed", "texture"), check_integer, at_least=0)
        keep_checked(self, ("one_color", "exposures"), check_flag)
        keep_checked(self, ("coarsest", "finest", "gamma", "pace"), check_positive)
        keep_checked(self, ("color_weight", "laplacian"), check_number)
        if 0 < self.texture < SMALLEST_TEXTURE:
            raise ValueError(
                f"texture must be 0 or at least {SMALLEST_TEXTURE}, got {self.texture}"
            )
        if self.wrong_masks > MOST_WRONG:
            raise ValueError(f"wrong_masks must be at most {MOST_WRONG}, got {self.wrong_masks}")
        for name in ("color_weight", "laplacian"):
            if getattr(self, name) < 0:
                raise ValueError(f"{name} must be at least 0, got {getattr(self, name)}")


@dataclass(frozen=True, kw_only=True)
class Stage:
    """A part of the fit, with a mesh of its own.

    Attributes:
        title: What it is called.
        length: Of edges.
        steps: Of the optimiser.
        rows: Rows, or columns if fewer, that pictures have at least, where they are scaled down.
        rate: Length of the first step.
        decay: What the last step's length is of the first's.
        kind: What is fitted beside vertices: nothing, the light on one colour, or colours.
    """

    title: str
    length: float
    steps: int
    rows: int
    rate: float
    decay: float = 0.3
    kind: str = "colors"

    def factor(self, height: int, width: int) -> int:
        """How much smaller pictures are made, in whole numbers."""
        return max(1, round(min(height, width) / self.rows))


def plan_stages(options: ReconstructionOptions, *, from_hull: bool) -> tuple[Stage, ...]:
    """List the stages of a fit, coarse to fine.

    Args:
        options: How.
        from_hull: Whether the mesh to start from has the photographs' silhouettes already.
    """
    coarse = COARSE_ROWS
    lengths = [max(options.coarsest * share, options.finest) for share in FINER]
    pull = options.coarsest / FIRST_LENGTH
    stages = []
    if not from_hull:
        stages += [
            Stage(title="silhouettes", length=x, steps=n, rows=coarse, rate=r, kind="silhouettes")
            for x, n, r in zip((0.16, 0.1, lengths[0]), (150, 100, 100), (0.02, 0.01, 5e-3))
        ]
    kind = "light" if options.one_color else "colors"
    rates = (5e-2, 3e-2, 2e-2) if options.one_color else (4e-3 * pull, 3e-3 * pull, 1.5e-3 * pull)
    steps = (80, 80, 80) if options.one_color else (100, 100, 100)
    stages += [
        Stage(title=kind, length=x, steps=n, rows=coarse, rate=r, kind=kind)
        for x, n, r in zip(lengths, steps, rates)
    ]
    finest = Stage(title="detail", length=lengths[-1], steps=80, rows=coarse, rate=2e-3, decay=0.4)
    if options.one_color:
        stages.append(Stage(title="colors", length=lengths[-1], steps=60, rows=coarse, rate=1e-3))
    stages.append(finest)
    stages.append(
        Stage(title="finest", length=options.finest, steps=50, rows=FINE_ROWS, rate=1e-3, decay=0.2)
    )
    return tuple(
        replace(stage, steps=max(1, round(stage.steps * options.pace))) for stage in stages
    )
