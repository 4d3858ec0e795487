"""The discrete choices that pick a compiled kernel. Numbers are kernel arguments instead."""

from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, kw_only=True)
class Variant:
    """What the rasterizer's kernels are specialised on.

    Attributes:
        dtype: ``ti.f32`` or ``ti.f64``.
        channels: Colour channels drawn in one pass; 0 draws silhouettes alone.
        perspective_correct: Whether colours are interpolated with 1/depth.
    """

    dtype: Any
    channels: int
    perspective_correct: bool
