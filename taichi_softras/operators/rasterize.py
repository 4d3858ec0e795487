"""The rasterizer as an operator: boxes, tile lists, image; and the surrogate's gradient."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import taichi as ti

from taichi_softras.kernels.binning import LARGEST_TILE, RECORD_SIZE, box_kernel, tile_kernels
from taichi_softras.kernels.face_gradient import (
    GAMMA_COLUMN,
    SIGMA_COLUMN,
    chunk_kernels,
    gradient_kernels,
    num_columns,
)
from taichi_softras.kernels.rasterize import rasterizer_kernels
from taichi_softras.kernels.scan import NUM_CHUNKS, exclusive_scan
from taichi_softras.kernels.variant import Variant
from taichi_softras.operators import Allocate, Array
from taichi_softras.settings import RasterizerSettings

MAX_CHANNELS_PER_PASS = 4
"""More channels are drawn in several passes, so that no kernel takes long to compile."""

LARGEST_LOGIT = {ti.f32: 80.0, ti.f64: 700.0}
"""Logit of the smallest coverage that a type can work with: its exponential must not overflow."""

LARGEST_INT32 = 2**31 - 1


@dataclass(frozen=True)
class RasterizeOperator:
    """Images of faces.

    The inputs are face_vertices (B, F, 3, 3), face_colors (B or 1, F, 3, C), background (B or 1,
    H or 1, W or 1, C), and sigma, gamma and eps (B or 1,). The output is (B, H, W, C + 1), or
    (B, H, W) for silhouettes, which ignore the colours and the background.

    Attributes:
        settings: Size of the image, and how faces become pixels; its sigma, gamma and eps are
            not used.
        dtype: ``ti.f32`` or ``ti.f64``.
        channels: C, or 0 for silhouettes.
        autodiff: Whether Taichi differentiates the surrogate of the image, as the tests' oracle,
            instead of the kernels that do so by hand, faster.
    """

    settings: RasterizerSettings
    dtype: Any
    channels: int
    autodiff: bool = False

    def forward(
        self, inputs: Sequence[Array], allocate: Allocate
    ) -> tuple[tuple[Array, ...], tuple[Array, ...]]:
        """Draw."""
        face_vertices, face_colors, _, sigma, _, _ = inputs
        num_items, num_faces = face_vertices.shape[:2]
        height, width = self.settings.height, self.settings.width
        tile_size = choose_tile_size(height, width)
        boxes = allocate((num_items, num_faces, 4), ti.i32)
        records = allocate((num_items, num_faces, RECORD_SIZE), self.dtype)
        box_kernel(self._variant(self.channels))(
            *(face_vertices, face_colors, sigma),
            *self._numbers(),
            int(self.settings.cull_backfaces),
            *(boxes, records),
        )
        starts, entries = list_tile_faces(boxes, height, width, tile_size, allocate)

        pixels = (num_items, height, width)
        image = allocate((*pixels, self.channels + 1) if self.channels else pixels, self.dtype)
        # A silhouette has no softmax: its kernels never look at these two.
        nearest_depth = allocate(pixels if self.channels else (1, 1, 1), self.dtype)
        weight_sum = allocate(pixels if self.channels else (1, 1, 1), self.dtype)
        for first_channel, channels in channel_passes(self.channels):
            rasterizer_kernels(self._variant(channels)).forward(
                *(records, *inputs[1:]),
                *self._numbers(),
                *(tile_size, starts, entries, first_channel),
                *(image, nearest_depth, weight_sum),
            )
        return (image,), (boxes, nearest_depth, weight_sum)

    def backward(
        self,
        inputs: Sequence[Array],
        outputs: Sequence[Array],
        saved: Sequence[Array],
        allocate: Allocate,
    ) -> None:
        """Differentiate by the faces' side of the image, and by the background's."""
        face_vertices, face_colors, background, sigma, gamma, eps = inputs
        (image,) = outputs
        boxes, nearest_depth, weight_sum = saved
        drawn = (image, nearest_depth, weight_sum, image.grad)
        if any(has_grad(x) for x in (face_vertices, face_colors, sigma, gamma)):
            differentiate = self._differentiate_surrogate if self.autodiff else self._add_by_face
            differentiate((face_vertices, face_colors, sigma, gamma), boxes, drawn, allocate)
        if self.channels and any(has_grad(x) for x in (background, gamma, eps)):
            result = allocate((1,), self.dtype, grad=1.0)
            for first_channel, channels in channel_passes(self.channels):
                rasterizer_kernels(self._variant(channels)).background_surrogate.grad(
                    *(background, gamma, eps),
                    *(self.settings.near, self.settings.far),
                    *(first_channel, *drawn, result),
                )

    def _differentiate_surrogate(
        self,
        inputs: Sequence[Array],
        boxes: Array,
        drawn: Sequence[Array],
        allocate: Allocate,
    ) -> None:
        """Let Taichi differentiate the surrogate of the image."""
        result = allocate((1,), self.dtype, grad=1.0)
        for first_channel, channels in channel_passes(self.channels):
            rasterizer_kernels(self._variant(channels)).surrogate.grad(
                *inputs,
                *self._numbers(),
                *(boxes, first_channel, int(first_channel == 0), *drawn, result),
            )

    def _add_by_face(
        self,
        inputs: Sequence[Array],
        boxes: Array,
        drawn: Sequence[Array],
        allocate: Allocate,
    ) -> None:
        """Add gradients up face by face, by the kernels made by hand."""
        face_vertices, face_colors, sigma, gamma = inputs
        starts, chunk_faces = list_chunks(boxes, allocate)
        for first_channel, channels in channel_passes(self.channels):
            kernels = gradient_kernels(self._variant(channels))
            sums = allocate((chunk_faces.shape[0], num_columns(channels)), self.dtype)
            kernels.sum_chunks(
                *inputs,
                *self._numbers(),
                *(boxes, starts, chunk_faces, first_channel, int(first_channel == 0), *drawn),
                sums,
            )
            if has_grad(face_vertices):
                kernels.add_to_vertices(starts, sums, face_vertices.grad)
            if channels and has_grad(face_colors):
                kernels.add_to_colors(starts, sums, first_channel, face_colors.grad)
            for array, column in ((sigma, SIGMA_COLUMN), (gamma, GAMMA_COLUMN)):
                if has_grad(array):
                    kernels.add_to_softness(starts, column, sums, array.grad)

    def _variant(self, channels: int) -> Variant:
        return Variant(
            dtype=self.dtype,
            channels=channels,
            perspective_correct=self.settings.perspective_correct,
        )

    def _numbers(self) -> tuple[float | int, ...]:
        settings = self.settings
        return (
            settings.near,
            settings.far,
            min(settings.cutoff_logit, LARGEST_LOGIT[self.dtype]),
            settings.height,
            settings.width,
        )


def has_grad(array: Array) -> bool:
    """Tell whether an array handed to an operator's backward wants a gradient."""
    return array.grad is not None


def channel_passes(channels: int) -> Iterator[tuple[int, int]]:
    """Split channels into passes of about equal size: the first channel of each, and how many."""
    num_passes = max(1, -(-channels // MAX_CHANNELS_PER_PASS))
    for i in range(num_passes):
        first, end = channels * i // num_passes, channels * (i + 1) // num_passes
        yield first, end - first


def choose_tile_size(height: int, width: int) -> int:
    """Choose the side of a tile, in pixels: small ones fit faces closely, but cost memory."""
    pixels = height * width
    return 4 if pixels <= 512**2 else 8 if pixels <= 2048**2 else LARGEST_TILE


def list_chunks(boxes: Array, allocate: Allocate) -> tuple[Array, Array]:
    """Cut the pixels of each face into chunks, and list them, face by face.

    Args:
        boxes: (B, F, 4) int32, the pixels that each face can reach.
        allocate: Makes arrays.

    Returns:
        Where each face's chunks start, (B * F + 1,) int32, and the face of each chunk.
    """
    kernels = chunk_kernels()
    num_faces = boxes.shape[0] * boxes.shape[1]
    counts = allocate((num_faces,), ti.i32)
    kernels.count_chunks(boxes, counts)
    starts, total = prefix_sum(counts, allocate)
    chunk_faces = allocate((max(total, 1),), ti.i32)
    kernels.list_chunks(starts, chunk_faces)
    return starts, chunk_faces


def prefix_sum(counts: Array, allocate: Allocate) -> tuple[Array, int]:
    """Sum counts (N,) up to each.

    Returns:
        The sums before each count, and that of all, (N + 1,); and that of all as a number, which
        may be more than the array's 32 bits hold.
    """
    starts = allocate((counts.shape[0] + 1,), ti.i32)
    return starts, exclusive_scan(counts, allocate((NUM_CHUNKS,), ti.i64), starts)


def list_tile_faces(
    boxes: Array, height: int, width: int, tile_size: int, allocate: Allocate
) -> tuple[Array, Array]:
    """List the faces that touch each tile of pixels.

    Args:
        boxes: (B, F, 4) int32, the pixels that each face can reach.
        height: Rows of the image.
        width: Columns of the image.
        tile_size: Side of a tile, in pixels.
        allocate: Makes arrays.

    Returns:
        Where each tile's list starts, (B * tile_rows * tile_cols + 1,) int32, and the lists,
        int64, sorted by face: see `kernels.binning.pack_entry`.

    Raises:
        ValueError: If the lists have more than 2^31 - 1 entries.
    """
    tile_rows, tile_cols = -(-height // tile_size), -(-width // tile_size)
    num_tiles = boxes.shape[0] * tile_rows * tile_cols
    kernels = tile_kernels()
    counts = allocate((num_tiles,), ti.i32)
    kernels.count(boxes, tile_size, tile_rows, tile_cols, counts)
    starts, total = prefix_sum(counts, allocate)
    if total > LARGEST_INT32:
        raise ValueError(
            f"faces must touch at most {LARGEST_INT32} tiles of {tile_size} x {tile_size} "
            f"pixels in all, got {total}: draw fewer images at once, or lower sigma"
        )
    entries = allocate((max(total, 1),), ti.i64)
    kernels.fill(boxes, tile_size, tile_rows, tile_cols, starts, counts, entries)
    kernels.sort(starts, entries)
    return starts, entries
