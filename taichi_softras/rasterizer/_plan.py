"""Which kernels draw an image, in which passes over its channels, and with which numbers."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from taichi_softras.arrays.runtime import on_gpu
from taichi_softras.lights.kernels.packing import LightKinds
from taichi_softras.rasterizer._inputs import Inputs, Pass, channel_passes
from taichi_softras.rasterizer.families import ALPHAS, COVERAGES
from taichi_softras.rasterizer.kernels import aggregation, coverage  # noqa: F401  # they register
from taichi_softras.rasterizer.kernels.blocks import CPU_BLOCK, GPU_BLOCK, LARGEST_EXPONENT
from taichi_softras.rasterizer.kernels.variant import Variant
from taichi_softras.rasterizer.settings import RasterizerSettings


@dataclass(frozen=True)
class RasterizePlan:
    """What an operator of the rasterizer is made of: by that its kernels are chosen.

    Attributes:
        settings: Size of the image, and how faces become pixels; its sigma, gamma and eps are
            not used.
        dtype: ``ti.f32`` or ``ti.f64``.
        channels: C, or 0 for silhouettes.
        num_items: B.
        texture: One of `variant.TEXTURES`: what the colours are.
        mipmaps: Whether the colours are pyramids of image maps.
        attribute_channels: A.
        lights: Kinds of the lights on fragments, if there are any.
        packed: Whether each face is of one item, that of ``face_items``.
        autodiff: Whether Taichi differentiates the surrogate of the image, as the tests' oracle,
            instead of the kernels that do so by hand, faster. It always does where there are lights
            on fragments, or a family's member has no derivatives by hand.
        given: Names of the inputs that it is given, the faces' first. The others are not needed.
    """

    settings: RasterizerSettings
    dtype: Any
    channels: int
    num_items: int
    texture: str = "vertex"
    mipmaps: bool = False
    attribute_channels: int = 0
    lights: LightKinds | None = None
    packed: bool = False
    autodiff: bool = False
    given: tuple[str, ...] = Inputs._fields

    @property
    def _border(self) -> str:
        return COVERAGES[self.settings.coverage].border

    @property
    def _has_varyings(self) -> bool:
        return self.texture != "vertex" or self.lights is not None

    @property
    def _autodiff(self) -> bool:
        by_hand = (
            self.lights is None
            and COVERAGES[self.settings.coverage].rates is not None
            and ALPHAS[self.settings.alpha].rate is not None
        )
        return self.autodiff or not by_hand

    def _passes(self) -> Iterator[Pass]:
        """Split the image's channels into passes; a silhouette is one pass of none."""
        if self.lights is not None:  # colour channels depend on each other
            yield Pass(0, 0, self.channels, attributes=False)
        elif self.channels or not self.attribute_channels:
            for first, channels in channel_passes(self.channels):
                yield Pass(first, first, channels, attributes=False)
        if self.attribute_channels:
            for first, channels in channel_passes(self.attribute_channels):
                yield Pass(self.channels + first, first, channels, attributes=True)

    def _source(self, p: Pass, x: Inputs) -> dict[str, Any]:
        """Say what a pass has its colours from."""
        return {
            "colors": x.attributes if p.attributes else x.colors,
            "first_source": p.first_source,
            "varyings": x.varyings,
            "face_sources": x.face_sources,
            "face_maps": x.face_maps,
            "maps": x.maps,
        }

    def _variant(self, p: Pass) -> Variant:
        settings = self.settings
        return Variant(
            dtype=self.dtype,
            channels=p.channels,
            perspective_correct=settings.perspective_correct,
            orthographic=settings.orthographic,
            interpolation=settings.interpolation,
            coverage=COVERAGES[settings.coverage],
            alpha=ALPHAS[settings.alpha],
            color=settings.color if p.channels else "softmax",
            texture="vertex" if p.attributes else self.texture,
            mipmaps=self.mipmaps and not p.attributes,
            lights=None if p.attributes else self.lights,
            block=GPU_BLOCK if on_gpu() else CPU_BLOCK,
        )

    def _numbers(self) -> dict[str, float | int]:
        settings = self.settings
        return {
            "near": settings.near,
            "far": settings.far,
            "cutoff": min(settings.cutoff, LARGEST_EXPONENT[self.dtype]),
            "height": settings.height,
            "width": settings.width,
        }
