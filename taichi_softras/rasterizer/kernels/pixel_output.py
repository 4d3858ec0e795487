"""Pixels as drawing writes them: colour and alpha, and what gradients need of them."""

import functools
from types import SimpleNamespace
from typing import Any

from taichi_softras.arrays.launcher import func
from taichi_softras.backend import ti
from taichi_softras.rasterizer.kernels.colors import background_at
from taichi_softras.rasterizer.kernels.softmax import NO_FACE
from taichi_softras.rasterizer.kernels.variant import Variant


def image_type(variant: Variant, *, whole_pixels: bool, needs_grad: bool | None = None) -> Any:
    """Make the type of an image: of numbers, or of vectors of all channels and alpha."""
    if whole_pixels:
        pixel = ti.types.vector(variant.channels + 1, variant.dtype)
        return ti.types.ndarray(dtype=pixel, ndim=3, needs_grad=needs_grad)
    dimensions = 4 if variant.channels else 3
    return ti.types.ndarray(dtype=variant.dtype, ndim=dimensions, needs_grad=needs_grad)


@functools.cache
def output_funcs(variant: Variant, *, whole_pixels: bool) -> SimpleNamespace:
    """Build the functions that write pixels, for one variant and one of `image_type`."""
    dtype = variant.dtype
    channels = variant.channels
    opacity = variant.alpha
    is_hard = variant.color == "hard"

    @func
    def write_pixel(
        image: ti.template(),
        nearest_depth: ti.template(),
        weight_sum: ti.template(),
        winners: ti.template(),
        b,
        row,
        col,
        first_channel,
        color: ti.template(),
        alpha,
        nearest,
        total,
        winner,
    ):
        """Write a pixel's channels from the given one on, its alpha, and what decided on them."""
        if ti.static(whole_pixels):
            pixel = ti.Vector([alpha] * (channels + 1))
            for c in ti.static(range(channels)):
                pixel[c] = color[c]
            image[b, row, col] = pixel
        elif ti.static(channels > 0):
            for c in ti.static(range(channels)):
                image[b, row, col, first_channel + c] = color[c]
            image[b, row, col, image.shape[3] - 1] = alpha
        else:
            image[b, row, col] = alpha
        if ti.static(channels > 0):
            if ti.static(is_hard):
                winners[b, row, col] = winner
            else:
                nearest_depth[b, row, col] = nearest
                weight_sum[b, row, col] = total

    @func
    def background_colors(background: ti.template(), b, row, col, height, width, first_channel):
        """The background's channels at a pixel, from the given one on."""
        return ti.Vector(
            [
                background_at(background, b, row, col, height, width, first_channel + c)
                for c in range(max(channels, 1))
            ]
        )

    @func
    def write_background(
        image: ti.template(),
        nearest_depth: ti.template(),
        weight_sum: ti.template(),
        winners: ti.template(),
        background: ti.template(),
        num_faces,
        depth,
        b,
        top,
        left,
        rows,
        cols,
        height,
        width,
        first_channel,
    ):
        """Write pixels that no face reaches, as far as the image goes: the background's."""
        alpha = opacity.finish(ti.cast(opacity.start, dtype), ti.cast(num_faces, dtype))
        color = ti.Vector([dtype(0.0)] * max(channels, 1))
        if ti.static(channels > 0):
            color = background_colors(background, b, top, left, height, width, first_channel)
        for row in range(top, ti.min(top + rows, height)):
            for col in range(left, ti.min(left + cols, width)):
                if ti.static(channels > 0):
                    if background.shape[1] * background.shape[2] > 1:
                        color = background_colors(
                            background, b, row, col, height, width, first_channel
                        )
                write_pixel(
                    *(image, nearest_depth, weight_sum, winners, b, row, col),
                    *(first_channel, color, alpha, depth, dtype(1.0), NO_FACE),
                )

    return SimpleNamespace(write_pixel=write_pixel, write_background=write_background)
