"""The background's part of the gradient by hand: the adjoint of `surrogate.background_surrogate`.

Many pixels show one number of the background, of gamma and of eps. They are added up row by row,
and then the rows in order: the same bits whatever the threads do.
"""

import functools
from types import SimpleNamespace

from taichi_softras.arrays.kernels.arithmetic import item_of
from taichi_softras.arrays.launcher import func, kernel
from taichi_softras.backend import ti
from taichi_softras.rasterizer.kernels.colors import background_at
from taichi_softras.rasterizer.kernels.softmax import (
    NO_FACE,
    background_depth,
    depth_rate,
    depth_weight,
)
from taichi_softras.rasterizer.kernels.variant import Variant

EPS_COLUMN = 0
GAMMA_COLUMN = 1
SOFTNESS_COLUMNS = 2
"""Columns of a row's sums: eps and the logarithm of gamma. The background's channels follow."""


@func
def first_of(cell, cells, size):
    """First of ``size`` pixels that are in one of ``cells`` parts of them; see `background_at`."""
    return (cell * size + cells - 1) // cells


@functools.cache
def background_kernels(variant: Variant) -> SimpleNamespace:
    """Build the kernels that add up the background's gradients, for one variant."""
    dtype = variant.dtype
    channels = variant.channels
    is_hard = variant.color == "hard"
    array1 = ti.types.ndarray(dtype=dtype, ndim=1, needs_grad=False)
    array3 = ti.types.ndarray(dtype=dtype, ndim=3, needs_grad=False)
    array4 = ti.types.ndarray(dtype=dtype, ndim=4, needs_grad=False)

    @func
    def share_at(
        nearest_depth: ti.template(),
        weight_sum: ti.template(),
        winners: ti.template(),
        depth,
        rate,
        b,
        row,
        col,
    ):
        """How much of a pixel's colour is the background's, which stands at ``depth``."""
        if ti.static(is_hard):
            return ti.cast(winners[b, row, col] == NO_FACE, dtype)
        else:
            weight = depth_weight(depth, nearest_depth[b, row, col], rate)
            return weight / weight_sum[b, row, col]

    @kernel
    def sum_rows(
        background: array4,  # (B or 1, h, w, C), in
        gamma: array1,  # (B or 1,), in
        eps: array1,  # (B or 1,), in
        near: dtype,
        far: dtype,
        first_channel: ti.i32,
        image: array4,  # as `draw.forward` drew it, in
        nearest_depth: array3,  # likewise
        weight_sum: array3,  # likewise
        winners: ti.types.ndarray(dtype=ti.i32, ndim=3),  # likewise
        grad_image: array4,  # the gradient of the loss with respect to the image, in
        sums: array3,  # (B, H, SOFTNESS_COLUMNS + channels), out
    ):
        """Add up the gradients of every row of pixels."""
        for b, row in ti.ndrange(image.shape[0], image.shape[1]):
            rate = depth_rate(item_of(gamma, b), near, far, dtype)
            depth = background_depth(item_of(eps, b), near, far)
            by_eps = dtype(0.0)
            by_log_gamma = dtype(0.0)
            by_color = ti.Vector([dtype(0.0)] * channels)
            for col in range(image.shape[2]):
                share = share_at(nearest_depth, weight_sum, winners, depth, rate, b, row, col)
                gain = dtype(0.0)
                for c in ti.static(range(channels)):
                    channel = first_channel + c
                    grad = grad_image[b, row, col, channel] * share
                    by_color[c] += grad
                    color = background_at(
                        background, b, row, col, image.shape[1], image.shape[2], channel
                    )
                    gain += grad * (color - image[b, row, col, channel])
                if ti.static(not is_hard):
                    by_eps += gain * rate * (far - near)
                    by_log_gamma += gain * (depth - nearest_depth[b, row, col]) * rate
            sums[b, row, EPS_COLUMN] = by_eps
            sums[b, row, GAMMA_COLUMN] = by_log_gamma
            for c in ti.static(range(channels)):
                sums[b, row, SOFTNESS_COLUMNS + c] = by_color[c]

    @kernel
    def add_to_background(
        gamma: array1,  # (B or 1,), in
        eps: array1,  # (B or 1,), in
        near: dtype,
        far: dtype,
        first_channel: ti.i32,
        nearest_depth: array3,  # as `draw.forward` drew it, in
        weight_sum: array3,  # likewise
        winners: ti.types.ndarray(dtype=ti.i32, ndim=3),  # likewise
        grad_image: array4,  # the gradient of the loss with respect to the image, in
        sums: array3,  # (B, H, SOFTNESS_COLUMNS + channels), in
        grad: array4,  # (B or 1, h, w, C), accumulated
    ):
        """Add up, in order, the pixels that show each number of the background."""
        for i, y, x in ti.ndrange(grad.shape[0], grad.shape[1], grad.shape[2]):
            height = grad_image.shape[1]
            width = grad_image.shape[2]
            first_item = ti.select(grad.shape[0] == 1, 0, i)
            last_item = ti.select(grad.shape[0] == 1, grad_image.shape[0], i + 1)
            first_row = first_of(y, grad.shape[1], height)
            last_row = first_of(y + 1, grad.shape[1], height)
            first_col = first_of(x, grad.shape[2], width)
            last_col = first_of(x + 1, grad.shape[2], width)
            by_color = ti.Vector([dtype(0.0)] * channels)
            for b in range(first_item, last_item):
                rate = depth_rate(item_of(gamma, b), near, far, dtype)
                depth = background_depth(item_of(eps, b), near, far)
                for row in range(first_row, last_row):
                    if grad.shape[2] == 1:
                        for c in ti.static(range(channels)):
                            by_color[c] += sums[b, row, SOFTNESS_COLUMNS + c]
                    else:
                        for col in range(first_col, last_col):
                            share = share_at(
                                nearest_depth, weight_sum, winners, depth, rate, b, row, col
                            )
                            for c in ti.static(range(channels)):
                                by_color[c] += grad_image[b, row, col, first_channel + c] * share
            for c in ti.static(range(channels)):
                grad[i, y, x, first_channel + c] += by_color[c]

    @kernel
    def add_to_eps(
        sums: array3,  # (B, H, SOFTNESS_COLUMNS + channels), in
        grad: array1,  # (B or 1,), accumulated
    ):
        """Add the rows of each item up, in order; of all items where they share the value."""
        for i in range(grad.shape[0]):
            total = dtype(0.0)
            for b, row in ti.ndrange(sums.shape[0], sums.shape[1]):
                if grad.shape[0] == 1 or b == i:
                    total += sums[b, row, EPS_COLUMN]
            grad[i] += total

    @kernel
    def add_to_gamma(
        gamma: array1,  # (B or 1,), in
        sums: array3,  # (B, H, SOFTNESS_COLUMNS + channels), in
        grad: array1,  # (B or 1,), accumulated
    ):
        """Add the rows of each item up, in order; of all items where they share the value."""
        for i in range(grad.shape[0]):
            total = dtype(0.0)
            for b, row in ti.ndrange(sums.shape[0], sums.shape[1]):
                if grad.shape[0] == 1 or b == i:
                    total += sums[b, row, GAMMA_COLUMN]
            grad[i] += total / gamma[i]

    return SimpleNamespace(
        sum_rows=sum_rows,
        add_to_background=add_to_background,
        add_to_eps=add_to_eps,
        add_to_gamma=add_to_gamma,
    )
