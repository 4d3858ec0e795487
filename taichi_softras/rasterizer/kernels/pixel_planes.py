"""What all faces need of a pixel for their gradients, worked out once a pixel."""

import functools
from typing import Any

from taichi_softras.arrays.kernels.arithmetic import inverse
from taichi_softras.arrays.launcher import func, kernel
from taichi_softras.backend import ti
from taichi_softras.rasterizer.kernels.blocks import num_parts, part_at
from taichi_softras.rasterizer.kernels.colors import alpha_at
from taichi_softras.rasterizer.kernels.pixel_output import image_type
from taichi_softras.rasterizer.kernels.variant import Variant

ALPHA_PLANE, NEAREST_PLANE, MEAN_PLANE = range(3)
"""Planes of what faces need of a pixel. The first is the derivative of the loss with respect to
the sum that alpha is a function of. The others: the nearest depth, if colours are weighed by it;
and g times the colour, where g is the derivative of the loss with respect to the colour, divided by
the sum of the weights. Then come planes of g, one a channel."""


def first_color_plane(variant: Variant) -> int:
    """The first plane of derivatives with respect to colours."""
    return 1 if variant.color == "hard" else 3


def num_planes(variant: Variant) -> int:
    """How many planes there are."""
    return first_color_plane(variant) + variant.channels if variant.channels else 1


def planes_type(variant: Variant) -> Any:
    """Make the type of a pixel's planes."""
    return ti.types.vector(num_planes(variant), variant.dtype)


@functools.cache
def pixel_kernel(variant: Variant, *, whole_pixels: bool = False) -> Any:
    """Build the kernel that works planes out, for one variant.

    Args:
        variant: What it is specialised on.
        whole_pixels: As `draw.drawing_kernel` has it.
    """
    dtype = variant.dtype
    channels = variant.channels
    opacity = variant.alpha
    is_hard = variant.color == "hard"
    color_plane = first_color_plane(variant)
    num_pixel_planes = num_planes(variant)
    array3 = ti.types.ndarray(dtype=dtype, ndim=3, needs_grad=False)
    pixels = image_type(variant, whole_pixels=whole_pixels, needs_grad=False)
    integers = ti.types.ndarray(dtype=ti.i32, ndim=1)

    @func
    def load_pixel(image: ti.template(), b, row, col, first_channel):
        """Read a pixel's channels, from the given one on, and its alpha."""
        color = ti.Vector([dtype(0.0)] * max(channels, 1))
        alpha = dtype(0.0)
        if ti.static(whole_pixels):
            pixel = image[b, row, col]
            for c in ti.static(range(channels)):
                color[c] = pixel[c]
            alpha = pixel[channels]
        else:
            for c in ti.static(range(channels)):
                color[c] = image[b, row, col, first_channel + c]
            alpha = alpha_at(image, b, row, col)
        return color, alpha

    @kernel
    def weigh_pixels(
        num_faces: integers,  # (B,) faces of each item, in
        tile_size: ti.i32,
        starts: integers,  # (B * tile_rows * tile_cols + 1,), where tiles' lists start, in
        first_channel: ti.i32,  # of the image
        with_alpha: ti.i32,  # whether to add the part that comes by way of alpha
        image: pixels,  # as `draw.forward` drew it, in
        nearest_depth: array3,  # likewise
        weight_sum: array3,  # likewise
        grad_image: pixels,  # the gradient of the loss with respect to the image, in
        planes: ti.types.ndarray(dtype=planes_type(variant), ndim=3, needs_grad=False),  # out
    ):
        """Work out what all faces need of a pixel, of those in tiles that any face touches.

        The planes are (B, H + lanes - 1, W), more rows than the image: the last block of a face may
        go beyond it.
        """
        height = grad_image.shape[1]
        width = grad_image.shape[2]
        for i in range(num_parts(num_faces.shape[0], height, width, tile_size, variant.block)):
            tile, b, top, left, rows, cols = part_at(i, height, width, tile_size, variant.block)
            if starts[tile] < starts[tile + 1]:
                for row in range(top, ti.min(top + rows, height)):
                    for col in range(left, ti.min(left + cols, width)):
                        drawn, alpha = load_pixel(image, b, row, col, first_channel)
                        by_color, by_alpha = load_pixel(grad_image, b, row, col, first_channel)
                        pixel = ti.Vector([dtype(0.0)] * num_pixel_planes)
                        if with_alpha != 0:
                            slope = opacity.slope(alpha, ti.cast(num_faces[b], dtype))
                            pixel[ALPHA_PLANE] = by_alpha * slope
                        if ti.static(channels > 0):
                            share = dtype(1.0)
                            if ti.static(not is_hard):
                                share = inverse(weight_sum[b, row, col], dtype)
                                pixel[NEAREST_PLANE] = nearest_depth[b, row, col]
                            for c in ti.static(range(channels)):
                                grad = share * by_color[c]
                                pixel[color_plane + c] = grad
                                if ti.static(not is_hard):
                                    pixel[MEAN_PLANE] += grad * drawn[c]
                        planes[b, row, col] = pixel

    return weigh_pixels
