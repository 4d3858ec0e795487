"""The soft rasterizer: images of faces, and the sum whose gradient is that of the image.

The background stands at the depth ``far - eps * (far - near)``. The softmax over depths is taken
with ``exp(-(z - nearest) / ((far - near) * gamma))``, which is the paper's ``exp(zbar / gamma)``
without the cancellation of ``far - z``: ten times more accurate in float32. ``nearest`` is the
smallest depth of the pixel, so that no term overflows, whatever ``gamma``.

Source:
    Liu et al., "Soft Rasterizer: A Differentiable Renderer for Image-based 3D Reasoning",
    ICCV 2019, sections 3.1 to 3.3.
"""

import functools
from types import SimpleNamespace

import taichi as ti

from taichi_softras.kernels.binning import FACE_SHIFT, is_reached, load_record
from taichi_softras.kernels.coverage import coverage, coverage_and_transparency, log_transparency
from taichi_softras.kernels.geometry import (
    barycentric,
    clip_barycentric,
    corner_of,
    inverse,
    inverse_lengths_sq,
    is_solid,
    isotropic_scale,
    item_of,
    load_corners,
    pixel_center,
    signed_distance_sq,
    weight_slopes,
)
from taichi_softras.kernels.variant import Variant

HIDDEN_LOGIT = {ti.f32: 50.0, ti.f64: 100.0}
"""Logit by which a face is so far behind that its colour has no weight: exp(-50) is 2e-22."""


@ti.func
def depth_rate(gamma, near, far, dtype: ti.template()):
    """Softmax logit by which a face falls behind another, per unit of depth."""
    return inverse((far - near) * gamma, dtype)


@ti.func
def depth_weight(depth, nearest, rate):
    """Weight of a depth in the softmax, relative to that of ``nearest``: at most 1.

    Where ``gamma`` is below the precision of depths, rounding may put a face a little in front
    of ``nearest``; the bound keeps its weight finite.
    """
    return ti.exp(ti.min((nearest - depth) * rate, 1))


@ti.func
def fragment_depth(w, inverse_depths, dtype: ti.template()):
    """Depth of a face at clipped barycentric coordinates ``w`` of the image."""
    return inverse(w.dot(inverse_depths), dtype)


@ti.func
def interpolation_weights(w, inverse_depths, depth, perspective_correct: ti.template()):
    """Weights of a face's corners in the colour seen at clipped coordinates ``w``."""
    weights = w
    if ti.static(perspective_correct):
        weights = w * inverse_depths * depth
    return weights


@ti.func
def color_at(colors: ti.template(), b, f, channel, weights):
    """Interpolate one channel of a face's colours, which may be shared by all items."""
    b_color = ti.min(b, colors.shape[0] - 1)
    return (
        weights[0] * colors[b_color, f, 0, channel]
        + weights[1] * colors[b_color, f, 1, channel]
        + weights[2] * colors[b_color, f, 2, channel]
    )


@ti.func
def background_at(background: ti.template(), b, row, col, channel):
    """Colour of the background, any of whose first three sizes may be 1."""
    return background[
        ti.min(b, background.shape[0] - 1),
        ti.min(row, background.shape[1] - 1),
        ti.min(col, background.shape[2] - 1),
        channel,
    ]


@ti.func
def alpha_at(image: ti.template(), b, row, col):
    """Alpha of a pixel: the last channel of an image, all there is of a silhouette."""
    if ti.static(len(image.shape) == 4):
        return image[b, row, col, image.shape[3] - 1]
    else:
        return image[b, row, col]


@functools.cache
def rasterizer_kernels(variant: Variant) -> SimpleNamespace:
    """Build the kernels that draw, and that give gradients, for one variant."""
    dtype = variant.dtype
    channels = variant.channels
    image_ndim = 4 if channels else 3
    image_type = ti.types.ndarray(dtype=dtype, ndim=image_ndim)
    constant_image = ti.types.ndarray(dtype=dtype, ndim=image_ndim, needs_grad=False)
    constant3 = ti.types.ndarray(dtype=dtype, ndim=3, needs_grad=False)
    array1 = ti.types.ndarray(dtype=dtype, ndim=1)
    array3 = ti.types.ndarray(dtype=dtype, ndim=3)
    array4 = ti.types.ndarray(dtype=dtype, ndim=4)
    integers = ti.types.ndarray(dtype=ti.i32, ndim=1)

    @ti.kernel
    def forward(
        records: array3,  # (B, F, RECORD_SIZE), as `binning` made them, in
        face_colors: array4,  # (B or 1, F, 3, C), in
        background: array4,  # (B or 1, H or 1, W or 1, C), in
        sigma: array1,  # (B or 1,), in
        gamma: array1,  # (B or 1,), in
        eps: array1,  # (B or 1,), in
        near: dtype,
        far: dtype,
        cutoff_logit: dtype,
        height: ti.i32,
        width: ti.i32,
        tile_size: ti.i32,
        starts: integers,  # (B * tile_rows * tile_cols + 1,), in
        entries: ti.types.ndarray(dtype=ti.i64, ndim=1),  # (starts[-1],) faces by tile, in
        first_channel: ti.i32,
        image: image_type,  # (B, H, W, C + 1) or (B, H, W), out
        nearest_depth: array3,  # (B, H, W), out; unless silhouettes
        weight_sum: array3,  # (B, H, W), out; unless silhouettes
    ):
        """Draw ``channels`` colours from ``first_channel`` on, and alpha.

        Not differentiated: it carries sums from face to face. `surrogate` has the gradient.
        """
        num_items = records.shape[0]
        tile_rows = (height + tile_size - 1) // tile_size
        tile_cols = (width + tile_size - 1) // tile_size
        tile_pixels = tile_size * tile_size
        for i in range(num_items * tile_rows * tile_cols * tile_pixels):
            tile = i // tile_pixels
            b = tile // (tile_rows * tile_cols)
            row = tile // tile_cols % tile_rows * tile_size + i % tile_pixels // tile_size
            col = tile % tile_cols * tile_size + i % tile_size
            if row < height and col < width:
                point = pixel_center(row, col, height, width, dtype)
                inverse_sigma = inverse(item_of(sigma, b), dtype)
                rate = depth_rate(item_of(gamma, b), near, far, dtype)
                transparency = dtype(1.0)
                nearest = far - item_of(eps, b) * (far - near)
                total = dtype(1.0)
                color = ti.Vector([dtype(0.0) for _ in range(max(channels, 1))])
                for c in ti.static(range(channels)):
                    color[c] = background_at(background, b, row, col, first_channel + c)
                for k in range(starts[tile], starts[tile + 1]):
                    # Half of the pixels of the tiles that a small face touches are out of reach.
                    if not is_reached(entries[k], i % tile_pixels // tile_size, i % tile_size):
                        continue
                    f = ti.cast(entries[k] >> FACE_SHIFT, ti.i32)
                    corners, inverse_depths, slopes, lengths, solid = load_record(records, b, f)
                    w = barycentric(point - corner_of(corners, 0), slopes)
                    inside = solid and w.min() > 0
                    x = signed_distance_sq(point, corners, lengths, inside) * inverse_sigma
                    if x <= -cutoff_logit:
                        continue
                    clipped = clip_barycentric(w)
                    depth = fragment_depth(clipped, inverse_depths, dtype)
                    if depth < near or depth > far:
                        continue
                    cover, uncovered = coverage_and_transparency(x, dtype)
                    transparency *= uncovered
                    if ti.static(channels > 0):
                        if (depth - nearest) * rate > ti.static(HIDDEN_LOGIT[dtype]):
                            continue
                        if depth < nearest:
                            shrink = depth_weight(nearest, depth, rate)
                            total *= shrink
                            color *= shrink
                            nearest = depth
                        weight = cover * depth_weight(depth, nearest, rate)
                        total += weight
                        weights = interpolation_weights(
                            clipped, inverse_depths, depth, variant.perspective_correct
                        )
                        for c in ti.static(range(channels)):
                            value = color_at(face_colors, b, f, first_channel + c, weights)
                            color[c] += weight * value
                if ti.static(channels > 0):
                    for c in ti.static(range(channels)):
                        image[b, row, col, first_channel + c] = color[c] / total
                    image[b, row, col, image.shape[3] - 1] = 1 - transparency
                    nearest_depth[b, row, col] = nearest
                    weight_sum[b, row, col] = total
                else:
                    image[b, row, col] = 1 - transparency

    @ti.kernel
    def surrogate(
        face_vertices: array4,  # (B, F, 3, 3) NDC x y, depth, in
        face_colors: array4,  # (B or 1, F, 3, C), in
        sigma: array1,  # (B or 1,), in
        gamma: array1,  # (B or 1,), in
        near: dtype,
        far: dtype,
        cutoff_logit: dtype,
        height: ti.i32,
        width: ti.i32,
        boxes: ti.types.ndarray(dtype=ti.i32, ndim=3),  # (B, F, 4) row, col, rows, cols, in
        first_channel: ti.i32,
        with_alpha: ti.i32,  # whether the sum has its alpha part
        image: constant_image,  # as `forward` drew it, in
        nearest_depth: constant3,  # likewise
        weight_sum: constant3,  # likewise
        grad_image: constant_image,  # derivative of the loss by the image, in
        result: array1,  # (1,), accumulated
    ):
        """Add a sum over fragments whose gradient is that of the loss by way of the image.

        With the image, its ``weight_sum`` S and ``nearest_depth``, and the incoming gradient g
        held constant, the derivative of

            sum over pixels i and faces j of
                g_color (C_ij - I_i) D_ij exp(...) / S_i + g_alpha (1 - A_i) softplus(s_ij / sigma)

        by anything that s, D, C and the depths depend on equals that of the loss. No state
        crosses from one term to the next, as Taichi's reverse mode needs; for the same reason
        everything but integers is read inside the inner loop.
        """
        for b, f in ti.ndrange(face_vertices.shape[0], face_vertices.shape[1]):
            for pixel in range(boxes[b, f, 2] * boxes[b, f, 3]):
                row = boxes[b, f, 0] + pixel // boxes[b, f, 3]
                col = boxes[b, f, 1] + pixel % boxes[b, f, 3]
                point = pixel_center(row, col, height, width, dtype)
                scale = isotropic_scale(height, width, dtype)
                corners, depths = load_corners(face_vertices, b, f, scale)
                w = barycentric(point - corner_of(corners, 0), weight_slopes(corners, dtype))
                inside = is_solid(corners, dtype) and w.min() > 0
                inverse_lengths = inverse_lengths_sq(corners, dtype)
                distance_sq = signed_distance_sq(point, corners, inverse_lengths, inside)
                x = distance_sq / item_of(sigma, b)
                if x > -cutoff_logit:
                    clipped = clip_barycentric(w)
                    inverse_depths = inverse(depths, dtype)
                    depth = fragment_depth(clipped, inverse_depths, dtype)
                    if near <= depth and depth <= far:
                        if with_alpha:
                            result[0] += (
                                alpha_at(grad_image, b, row, col)
                                * (1 - alpha_at(image, b, row, col))
                                * log_transparency(x)
                            )
                        if ti.static(channels > 0):
                            rate = depth_rate(item_of(gamma, b), near, far, dtype)
                            nearest = nearest_depth[b, row, col]
                            weight = coverage(x, dtype) * depth_weight(depth, nearest, rate)
                            weights = interpolation_weights(
                                clipped, inverse_depths, depth, variant.perspective_correct
                            )
                            gain = dtype(0.0)
                            for c in ti.static(range(channels)):
                                channel = first_channel + c
                                gain += grad_image[b, row, col, channel] * (
                                    color_at(face_colors, b, f, channel, weights)
                                    - image[b, row, col, channel]
                                )
                            result[0] += gain * weight / weight_sum[b, row, col]

    @ti.kernel
    def background_surrogate(
        background: array4,  # (B or 1, H or 1, W or 1, C), in
        gamma: array1,  # (B or 1,), in
        eps: array1,  # (B or 1,), in
        near: dtype,
        far: dtype,
        first_channel: ti.i32,
        image: constant_image,  # as `forward` drew it, in
        nearest_depth: constant3,  # likewise
        weight_sum: constant3,  # likewise
        grad_image: constant_image,  # derivative of the loss by the image, in
        result: array1,  # (1,), accumulated
    ):
        """Add the background's terms of `surrogate`."""
        for b, row, col in nearest_depth:
            rate = depth_rate(item_of(gamma, b), near, far, dtype)
            depth = far - item_of(eps, b) * (far - near)
            weight = depth_weight(depth, nearest_depth[b, row, col], rate)
            gain = dtype(0.0)
            for c in ti.static(range(channels)):
                channel = first_channel + c
                gain += grad_image[b, row, col, channel] * (
                    background_at(background, b, row, col, channel) - image[b, row, col, channel]
                )
            result[0] += gain * weight / weight_sum[b, row, col]

    return SimpleNamespace(
        forward=forward, surrogate=surrogate, background_surrogate=background_surrogate
    )
