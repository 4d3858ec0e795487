"""The discrete choices that pick a compiled kernel. Numbers are kernel arguments instead."""

from dataclasses import dataclass, replace
from typing import Any

from taichi_softras.lights.kernels.packing import LightKinds
from taichi_softras.rasterizer.families import ALPHAS, COVERAGES, Alpha, Coverage
from taichi_softras.rasterizer.kernels.blocks import CPU_BLOCK

TEXTURES = ("vertex", "surface", "uv")
"""Where colours come from: a face's corners, a grid of texels for each face, or image maps."""


@dataclass(frozen=True, kw_only=True)
class Variant:
    """What the rasterizer's kernels are specialised on.

    Attributes:
        dtype: ``ti.f32`` or ``ti.f64``.
        channels: Colour channels drawn in one pass; 0 draws silhouettes alone.
        perspective_correct: Whether colours are interpolated with 1/depth.
        orthographic: Whether rays are parallel, so that depths are interpolated without 1/depth.
        interpolation: Of which point of a face a pixel outside it sees depth and colour: one of
            `families.INTERPOLATIONS`.
        coverage: How faces cover pixels.
        alpha: How coverages add up.
        color: How colours are chosen among faces: one of `families.COLORS`.
        texture: Where colours come from: one of `TEXTURES`.
        mipmaps: Whether image maps are looked up in pyramids.
        lights: Kinds of the lights on fragments, and None if there are none.
        block: Rows and columns of the pixels that a thread works on at a time: see `blocks`.
    """

    dtype: Any
    channels: int
    perspective_correct: bool
    orthographic: bool
    interpolation: str
    coverage: Coverage
    alpha: Alpha
    color: str
    texture: str = "vertex"
    mipmaps: bool = False
    lights: LightKinds | None = None
    block: tuple[int, int] = CPU_BLOCK

    @property
    def geometry(self) -> "Variant":
        """What is left of the variant for kernels that know nothing of colours."""
        return replace(
            self,
            channels=min(self.channels, 1),
            perspective_correct=True,
            interpolation="nearest",
            color="softmax",
            texture="vertex",
            mipmaps=False,
            lights=None,
        )

    @property
    def appearance(self) -> "Variant":
        """What is left of the variant for kernels that know nothing of faces."""
        coverage, alpha = COVERAGES["euclidean"], ALPHAS["prod"]
        return replace(
            self,
            perspective_correct=True,
            orthographic=False,
            interpolation="nearest",
            coverage=coverage,
            alpha=alpha,
            texture="vertex",
            mipmaps=False,
            lights=None,
        )
