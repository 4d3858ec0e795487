"""The rasterizer as an operator: boxes, tile lists, image; and the surrogate's gradient."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import taichi as ti

from taichi_softras.arrays.operator import Allocate, Array
from taichi_softras.arrays.runtime import on_gpu
from taichi_softras.arrays.scan import LARGEST_INT32
from taichi_softras.lights.kernels.packing import LightKinds
from taichi_softras.rasterizer._inputs import Inputs, Pass
from taichi_softras.rasterizer._lists import choose_tile_size, list_chunks, list_tile_faces
from taichi_softras.rasterizer.families import ALPHAS, COVERAGES
from taichi_softras.rasterizer.kernels import aggregation, coverage  # noqa: F401  # they register
from taichi_softras.rasterizer.kernels.background_gradient import (
    SOFTNESS_COLUMNS,
    background_kernels,
)
from taichi_softras.rasterizer.kernels.blocks import CPU_BLOCK, GPU_BLOCK, LARGEST_EXPONENT
from taichi_softras.rasterizer.kernels.boxes import BOX_TYPE, box_kernel, record_type
from taichi_softras.rasterizer.kernels.draw import rasterizer_kernels
from taichi_softras.rasterizer.kernels.face_gradient import (
    GAMMA_COLUMN,
    SIGMA_COLUMN,
    corner_columns,
    gradient_kernels,
    num_columns,
    num_planes,
    sum_kernels,
)
from taichi_softras.rasterizer.kernels.variant import Variant
from taichi_softras.rasterizer.settings import RasterizerSettings

CPU_CHANNELS = 4

GPU_CHANNELS = 3
"""More channels are drawn in several passes: no kernel takes long to compile, or, on a GPU, more
than 128 registers a thread."""


CULL = {"none": 0, "back": 1, "front": -1}


@dataclass(frozen=True)
class RasterizeOperator:
    """Images of faces.

    The output is (B, H, W, C + A + 1), or (B, H, W) for silhouettes, which ignore colours,
    attributes and the background. See `Inputs`.

    Attributes:
        settings: Size of the image, and how faces become pixels; its sigma, gamma and eps are
            not used.
        dtype: ``ti.f32`` or ``ti.f64``.
        channels: C, or 0 for silhouettes.
        num_items: B.
        texture: One of `variant.TEXTURES`: what the colours are.
        attribute_channels: A.
        lights: Kinds of the lights on fragments, if there are any.
        packed: Whether each face is of one item, that of ``face_items``.
        autodiff: Whether Taichi differentiates the surrogate of the image, as the tests' oracle,
            instead of the kernels that do so by hand, faster. It always does where there are lights
            on fragments, or a family's member has no derivatives by hand.
    """

    settings: RasterizerSettings
    dtype: Any
    channels: int
    num_items: int
    texture: str = "vertex"
    attribute_channels: int = 0
    lights: LightKinds | None = None
    packed: bool = False
    autodiff: bool = False

    def forward(
        self, inputs: Sequence[Array], allocate: Allocate
    ) -> tuple[tuple[Array, ...], tuple[Array, ...]]:
        """Draw.

        Raises:
            ValueError: If there are more pixels, or entries of tiles, than 32 bits can count.
        """
        x = Inputs(*inputs)
        settings = self.settings
        passes = list(self._passes())
        channels = self.channels + self.attribute_channels
        # Taichi's indices have 32 bits: those of the image, and of what `weigh_pixels` writes.
        numbers = max(channels + 1, *(num_planes(self._variant(p)) for p in passes))
        rows = self.num_items * (settings.height + CPU_BLOCK[0] * CPU_BLOCK[1])
        if numbers * rows * settings.width > LARGEST_INT32:
            size = (self.num_items, settings.height, settings.width)
            raise ValueError(
                f"images must have at most about {LARGEST_INT32 // numbers} pixels in all, "
                f"got {' x '.join(map(str, size))}: draw fewer or smaller ones at once"
            )
        num_rows, num_faces = x.face_vertices.shape[:2]
        boxes = allocate((num_rows, num_faces), BOX_TYPE, clear=False)
        records = allocate((num_rows, num_faces), record_type(self.dtype), clear=False)
        faces_of_items = allocate((self.num_items,), ti.i32)
        box_kernel(self._variant(passes[0]).geometry)(
            x.face_vertices,
            *(x.colors, self.channels if self.texture == "vertex" else 0),
            *(x.varyings, x.varyings.shape[3] if self._has_varyings else 0),
            *(x.attributes, self.attribute_channels),
            x.sigma,
            *self._numbers(),
            *(CULL[settings.cull], int(settings.cull_alpha)),
            *(x.face_items, int(self.packed), self.num_items),
            *(boxes, records, faces_of_items),
        )
        shape = (self.num_items, settings.height, settings.width)
        image = allocate((*shape, channels + 1) if channels else shape, self.dtype, clear=False)
        # Kernels look at these only as far as they have a softmax, or a nearest face.
        is_hard = settings.color == "hard"
        softmax_shape = shape if channels and not is_hard else (1, 1, 1)
        nearest_depth = allocate(softmax_shape, self.dtype, clear=False)
        weight_sum = allocate(softmax_shape, self.dtype, clear=False)
        winners = allocate(shape if channels and is_hard else (1, 1, 1), ti.i32, clear=False)
        drawn = (image, nearest_depth, weight_sum, winners)
        starts = self._draw_tiles(x, (boxes, records, faces_of_items), drawn, allocate)
        return (image,), (boxes, records, faces_of_items, starts, *drawn[1:])

    def _draw_tiles(
        self, x: Inputs, faces: Sequence[Array], drawn: Sequence[Array], allocate: Allocate
    ) -> Array:
        """Draw tile by tile: each pixel looks at the faces that touch its tile.

        Returns:
            Where each tile's list of faces starts.
        """
        boxes, records, faces_of_items = faces
        height, width = self.settings.height, self.settings.width
        tile_size = choose_tile_size(height, width)
        starts, entries = list_tile_faces(boxes, self.num_items, height, width, tile_size, allocate)
        for p in self._passes():
            rasterizer_kernels(self._variant(p)).forward(
                *(records, self._source(p, x), x.varyings, x.background, x.lighting),
                *(x.sigma, x.gamma, x.eps, x.face_sources, x.face_maps, x.maps, faces_of_items),
                *self._numbers(),
                *(tile_size, starts, entries, p.first_channel, p.first_source),
                *drawn,
            )
        return starts

    def backward(
        self,
        inputs: Sequence[Array],
        outputs: Sequence[Array],
        saved: Sequence[Array],
        allocate: Allocate,
    ) -> None:
        """Differentiate by the faces' side of the image, and by the background's."""
        x = Inputs(*inputs)
        passes = list(self._passes())
        (image,) = outputs
        drawn = (image, *saved[4:], image.grad)
        by_faces = (x.face_vertices, x.colors, x.varyings, x.attributes, x.lighting)
        if any(has_grad(array) for array in (*by_faces, x.sigma, x.gamma)):
            differentiate = self._differentiate_surrogate if self._autodiff else self._add_by_face
            differentiate(x, saved[:4], drawn, allocate)
        if passes[0].channels and any(has_grad(array) for array in (x.background, x.gamma, x.eps)):
            if self.autodiff:
                self._differentiate_background(x, drawn, allocate)
            else:
                self._add_by_background(x, drawn, allocate)

    def _differentiate_background(
        self, x: Inputs, drawn: Sequence[Array], allocate: Allocate
    ) -> None:
        """Let Taichi differentiate the background's part of the surrogate."""
        result = allocate((1,), self.dtype, grad=1.0)
        for p in self._passes():
            rasterizer_kernels(self._variant(p)).background_surrogate.grad(
                *(x.background, x.gamma, x.eps),
                *(self.settings.near, self.settings.far),
                *(p.first_channel, *drawn, result),
            )

    def _add_by_background(self, x: Inputs, drawn: Sequence[Array], allocate: Allocate) -> None:
        """Add up the background's part, by the kernels made by hand."""
        near, far = self.settings.near, self.settings.far
        for p in self._passes():
            kernels = background_kernels(self._variant(p).appearance)
            columns = SOFTNESS_COLUMNS + p.channels
            sums = allocate((*drawn[0].shape[:2], columns), self.dtype)
            inputs = (x.gamma, x.eps, near, far, p.first_channel)
            kernels.sum_rows(x.background, *inputs, *drawn, sums)
            if has_grad(x.background):
                kernels.add_to_background(*inputs, *drawn[1:], sums, x.background.grad)
            if has_grad(x.eps):
                kernels.add_to_eps(sums, x.eps.grad)
            if has_grad(x.gamma):
                kernels.add_to_gamma(x.gamma, sums, x.gamma.grad)

    def _differentiate_surrogate(
        self, x: Inputs, faces: Sequence[Array], drawn: Sequence[Array], allocate: Allocate
    ) -> None:
        """Let Taichi differentiate the surrogate of the image."""
        boxes, _, faces_of_items, _ = faces
        result = allocate((1,), self.dtype, grad=1.0)
        for p in self._passes():
            rasterizer_kernels(self._variant(p)).surrogate.grad(
                *(x.face_vertices, self._source(p, x), x.varyings, x.lighting),
                *(x.sigma, x.gamma, x.face_sources, x.face_maps, x.maps, faces_of_items),
                *self._numbers(),
                *(CULL[self.settings.cull], boxes, p.first_channel, p.first_source),
                *(int(p.first_channel == 0), *drawn, result),
            )

    def _add_by_face(
        self, x: Inputs, faces: Sequence[Array], drawn: Sequence[Array], allocate: Allocate
    ) -> None:
        """Add gradients up face by face, by the kernels made by hand."""
        boxes, records, faces_of_items, tile_starts = faces
        starts, chunk_faces = list_chunks(boxes, allocate)
        image, nearest_depth, weight_sum, winners, grad_image = drawn
        for p in self._passes():
            variant = self._variant(p)
            source = self._source(p, x)
            by_texel = variant.texture != "vertex" and has_grad(source)
            columns = corner_columns(variant)
            add = sum_kernels(self.dtype, columns)
            row_of_sums = ti.types.vector(num_columns(variant), self.dtype)
            sums = allocate((chunk_faces.shape[0],), row_of_sums, clear=False)
            kernels = gradient_kernels(variant)
            rows, cols = variant.block
            num_items, height, width = grad_image.shape[:3]
            planes = allocate(
                (num_items, height + rows * cols - 1, width),
                ti.types.vector(num_planes(variant), self.dtype),
                clear=False,
            )
            kernels.weigh_pixels(
                *(faces_of_items, choose_tile_size(height, width), tile_starts),
                *(p.first_channel, int(p.first_channel == 0)),
                *(image, nearest_depth, weight_sum, grad_image, planes),
            )
            kernels.sum_chunks(
                *(records, source, x.varyings),
                *(x.sigma, x.gamma, x.face_sources, x.face_maps, x.maps),
                *self._numbers(),
                *(boxes, starts, chunk_faces, p.first_source, int(by_texel)),
                *(planes, winners),
                source.grad if by_texel else allocate((1, 1, 1, 1), self.dtype),
                sums,
            )
            if has_grad(x.face_vertices):
                add.add_to_vertices(starts, sums, x.face_vertices.grad)
            corners = source if variant.texture == "vertex" else x.varyings
            if columns and has_grad(corners):
                first = p.first_source if variant.texture == "vertex" else 0
                add.add_to_corners(starts, sums, first, corners.grad)
            for array, column in ((x.sigma, SIGMA_COLUMN), (x.gamma, GAMMA_COLUMN)):
                if has_grad(array):
                    add.add_to_softness(starts, column, boxes, sums, array.grad)

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

    def _source(self, p: Pass, x: Inputs) -> Array:
        return x.attributes if p.attributes else x.colors

    def _variant(self, p: Pass) -> Variant:
        settings = self.settings
        return Variant(
            dtype=self.dtype,
            channels=p.channels,
            perspective_correct=settings.perspective_correct,
            orthographic=settings.orthographic,
            coverage=COVERAGES[settings.coverage],
            alpha=ALPHAS[settings.alpha],
            color=settings.color if p.channels else "softmax",
            texture="vertex" if p.attributes else self.texture,
            lights=None if p.attributes else self.lights,
            block=GPU_BLOCK if on_gpu() else CPU_BLOCK,
        )

    def _numbers(self) -> tuple[float | int, ...]:
        settings = self.settings
        return (
            settings.near,
            settings.far,
            min(settings.cutoff, LARGEST_EXPONENT[self.dtype]),
            settings.height,
            settings.width,
        )


def has_grad(array: Array) -> bool:
    """Tell whether an array handed to an operator's backward wants a gradient."""
    return array.grad is not None


def channel_passes(channels: int) -> Iterator[tuple[int, int]]:
    """Split channels into passes of about equal size: the first channel of each, and how many."""
    num_passes = max(1, -(-channels // (GPU_CHANNELS if on_gpu() else CPU_CHANNELS)))
    for i in range(num_passes):
        first, end = channels * i // num_passes, channels * (i + 1) // num_passes
        yield first, end - first
