"""The gradient of the soft rasterizer by hand, face by face: the fast way.

A face's gradient belongs to it alone. So each walks the pixels that it can reach, adds up in
registers, and writes once: no lists of faces per tile, no atomics, and the same bits whatever
the threads do. It is the adjoint of the sum that `rasterize.surrogate` adds up, term by term;
``docs/gradient.md`` derives it. `rasterize.surrogate` under Taichi's autodiff is its oracle in the
tests.

Large faces are cut into chunks of about `CHUNK_PIXELS` pixels, in whole rows, so that no thread
gets much more than that at a time. The chunks of a face are summed in order.
"""

import functools
from types import SimpleNamespace

import taichi as ti

from taichi_softras.kernels.coverage import coverage
from taichi_softras.kernels.geometry import (
    barycentric,
    clip_barycentric,
    corner_of,
    divisible_area,
    inverse,
    inverse_lengths_sq,
    is_solid,
    isotropic_scale,
    item_of,
    load_corners,
    nearest_on_edge,
    pixel_center,
    weight_slopes,
)
from taichi_softras.kernels.rasterize import (
    HIDDEN_LOGIT,
    alpha_at,
    depth_rate,
    depth_weight,
    fragment_depth,
    interpolation_weights,
)
from taichi_softras.kernels.variant import Variant

CHUNK_PIXELS = 1024
"""Pixels that one thread looks at before it takes the next chunk; or one row, if that is longer."""

SIGMA_COLUMN = 9
GAMMA_COLUMN = 10
GEOMETRY_COLUMNS = 11
"""Columns of a chunk's sums: x, y, z of three corners, sigma and gamma. Colours follow."""


def num_columns(channels: int) -> int:
    """How many sums a chunk has."""
    return GEOMETRY_COLUMNS + 3 * channels


@ti.func
def rows_per_chunk(boxes: ti.template(), b, f):
    """How many rows of a face's box make a chunk."""
    return ti.max(CHUNK_PIXELS // ti.max(boxes[b, f, 3], 1), 1)


@ti.func
def num_chunks(boxes: ti.template(), b, f):
    """How many chunks, of whole rows, the pixels of a face's box make."""
    rows = rows_per_chunk(boxes, b, f)
    return (boxes[b, f, 2] + rows - 1) // rows


@functools.cache
def chunk_kernels() -> SimpleNamespace:
    """Build the kernels that cut faces into chunks."""
    integers = ti.types.ndarray(dtype=ti.i32, ndim=1)

    @ti.kernel
    def count_chunks(
        boxes: ti.types.ndarray(dtype=ti.i32, ndim=3),  # (B, F, 4) row, col, rows, cols, in
        counts: integers,  # (B * F,), out
    ):
        """Count each face's chunks."""
        for b, f in ti.ndrange(boxes.shape[0], boxes.shape[1]):
            counts[b * boxes.shape[1] + f] = num_chunks(boxes, b, f)

    @ti.kernel
    def list_chunks(
        starts: integers,  # (B * F + 1,), in
        chunk_faces: integers,  # (starts[-1],) index of the face among all, out
    ):
        """Write which face each chunk is of."""
        for face in range(starts.shape[0] - 1):
            for chunk in range(starts[face], starts[face + 1]):
                chunk_faces[chunk] = face

    return SimpleNamespace(count_chunks=count_chunks, list_chunks=list_chunks)


@ti.func
def nearest_edge(point, corners, inverse_lengths):
    """Find the point of a face's border nearest to ``point``.

    Returns:
        ``point`` relative to it; and its weights of the three corners, one of which is 0.
    """
    a = corner_of(corners, 0)
    b = corner_of(corners, 1)
    c = corner_of(corners, 2)
    t_ab = nearest_on_edge(point - a, b - a, inverse_lengths[0])
    t_bc = nearest_on_edge(point - b, c - b, inverse_lengths[1])
    t_ca = nearest_on_edge(point - c, a - c, inverse_lengths[2])
    to_ab = point - a - t_ab * (b - a)
    to_bc = point - b - t_bc * (c - b)
    to_ca = point - c - t_ca * (a - c)
    zero = 0 * t_ab
    offset = to_ab
    weights = ti.Vector([1 - t_ab, t_ab, zero])
    # Selected, not branched: which edge is nearest is hard to predict.
    nearer = to_bc.norm_sqr() < offset.norm_sqr()
    offset = ti.select(nearer, to_bc, offset)
    weights = ti.select(nearer, ti.Vector([zero, 1 - t_bc, t_bc]), weights)
    nearer = to_ca.norm_sqr() < offset.norm_sqr()
    offset = ti.select(nearer, to_ca, offset)
    weights = ti.select(nearer, ti.Vector([t_ca, zero, 1 - t_ca]), weights)
    return offset, weights


@ti.func
def through_clip(by_clipped, clipped, w):
    """Derivatives by the second and third barycentric coordinate, the first being what they leave.

    Args:
        by_clipped: Derivatives by the clipped, renormalised coordinates.
        clipped: Those coordinates.
        w: The coordinates before clipping.
    """
    total = ti.min(ti.max(w, 0), 1).sum()
    by_w = (by_clipped - by_clipped.dot(clipped)) / total
    for k in ti.static(range(3)):
        if w[k] < 0 or w[k] > 1:
            by_w[k] = 0
    return ti.Vector([by_w[1] - by_w[0], by_w[2] - by_w[0]])


@functools.cache
def gradient_kernels(variant: Variant) -> SimpleNamespace:
    """Build the kernels that add up gradients, for one variant."""
    dtype = variant.dtype
    channels = variant.channels
    image_ndim = 4 if channels else 3
    array1 = ti.types.ndarray(dtype=dtype, ndim=1, needs_grad=False)
    array2 = ti.types.ndarray(dtype=dtype, ndim=2, needs_grad=False)
    array3 = ti.types.ndarray(dtype=dtype, ndim=3, needs_grad=False)
    array4 = ti.types.ndarray(dtype=dtype, ndim=4, needs_grad=False)
    image_type = ti.types.ndarray(dtype=dtype, ndim=image_ndim, needs_grad=False)
    integers = ti.types.ndarray(dtype=ti.i32, ndim=1)

    @ti.func
    def load_colors(face_colors: ti.template(), b, f, first_channel):
        """Load the colours of a face's corners, one corner a row."""
        b_color = ti.min(b, face_colors.shape[0] - 1)
        colors = ti.Matrix([[dtype(0.0)] * max(channels, 1)] * 3)
        for k, c in ti.static(ti.ndrange(3, channels)):
            colors[k, c] = face_colors[b_color, f, k, first_channel + c]
        return colors

    @ti.func
    def through_interpolation(by_weights, by_depth, clipped, inverse_depths, depth):
        """Derivatives by the corners' depths, and by the clipped barycentric coordinates.

        Args:
            by_weights: Derivatives by the corners' weights in the colour.
            by_depth: Derivative by the fragment's depth, other than through those weights.
            clipped: The coordinates.
            inverse_depths: One over the corners' depths.
            depth: The fragment's depth, ``1 / (clipped * inverse_depths).sum()``.
        """
        by_depths = ti.Vector([dtype(0.0)] * 3)
        by_clipped = by_weights
        if ti.static(variant.perspective_correct):
            # weights = clipped * inverse_depths * depth
            by_own_weight = by_weights * clipped * inverse_depths
            by_depth += by_own_weight.sum()
            by_clipped = by_weights * inverse_depths * depth
            by_depths -= by_own_weight * inverse_depths * depth
        by_mean = by_depth * depth * depth * inverse_depths
        return by_depths + by_mean * clipped * inverse_depths, by_clipped - by_mean

    @ti.kernel
    def sum_chunks(
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
        starts: integers,  # (B * F + 1,), in
        chunk_faces: integers,  # (starts[-1],), in
        first_channel: ti.i32,
        with_alpha: ti.i32,  # whether to add the part that comes by way of alpha
        image: image_type,  # as `rasterize.forward` drew it, in
        nearest_depth: array3,  # likewise
        weight_sum: array3,  # likewise
        grad_image: image_type,  # derivative of the loss by the image, in
        sums: array2,  # (starts[-1], GEOMETRY_COLUMNS + 3 * channels), out
    ):
        """Add up the gradients of every chunk of pixels of every face."""
        for chunk in range(starts[starts.shape[0] - 1]):
            face = chunk_faces[chunk]
            b = face // face_vertices.shape[1]
            f = face % face_vertices.shape[1]
            scale = isotropic_scale(height, width, dtype)
            corners, depths = load_corners(face_vertices, b, f, scale)
            inverse_depths = inverse(depths, dtype)
            slopes = weight_slopes(corners, dtype)
            lengths = inverse_lengths_sq(corners, dtype)
            solid = is_solid(corners, dtype)
            colors = load_colors(face_colors, b, f, first_channel)
            inverse_sigma = inverse(item_of(sigma, b), dtype)
            rate = depth_rate(item_of(gamma, b), near, far, dtype)
            # Sums over pixels; the names say what they are derivatives by.
            by_nearest = ti.Matrix([[dtype(0.0)] * 2] * 3)  # by the border's nearest point
            by_depths = ti.Vector([dtype(0.0)] * 3)
            by_w = ti.Vector([dtype(0.0)] * 2)  # by the second and third barycentric coordinate
            by_w_start = ti.Matrix([[dtype(0.0)] * 2] * 2)  # those, times the pixel's position
            by_log_area = dtype(0.0)
            by_log_sigma = dtype(0.0)
            by_log_gamma = dtype(0.0)
            by_colors = ti.Matrix([[dtype(0.0)] * max(channels, 1)] * 3)
            rows = rows_per_chunk(boxes, b, f)
            first_row = boxes[b, f, 0] + (chunk - starts[face]) * rows
            last_row = ti.min(first_row + rows, boxes[b, f, 0] + boxes[b, f, 2])
            for row in range(first_row, last_row):
                for col in range(boxes[b, f, 1], boxes[b, f, 1] + boxes[b, f, 3]):
                    by_alpha = dtype(0.0)
                    if with_alpha:
                        opacity = alpha_at(image, b, row, col)
                        by_alpha = alpha_at(grad_image, b, row, col) * (1 - opacity)
                    seen = False
                    if ti.static(channels > 0):
                        closest = depths.min() - nearest_depth[b, row, col]
                        seen = closest * rate < ti.static(HIDDEN_LOGIT[dtype])
                    if by_alpha == 0 and not seen:
                        continue
                    point = pixel_center(row, col, height, width, dtype)
                    start = point - corner_of(corners, 0)
                    w = barycentric(start, slopes)
                    offset, foot = nearest_edge(point, corners, lengths)
                    outward = ti.select(solid and w.min() > 0, inverse_sigma, -inverse_sigma)
                    x = outward * offset.norm_sqr()
                    if x <= -cutoff_logit:
                        continue
                    clipped = clip_barycentric(w)
                    depth = fragment_depth(clipped, inverse_depths, dtype)
                    if depth < near or depth > far:
                        continue
                    cover = coverage(x, dtype)
                    by_x = by_alpha * cover
                    if ti.static(channels > 0):
                        if seen:
                            nearest = nearest_depth[b, row, col]
                            weight = cover * depth_weight(depth, nearest, rate)
                            weight /= weight_sum[b, row, col]
                            weights = interpolation_weights(
                                clipped, inverse_depths, depth, variant.perspective_correct
                            )
                            by_weights = ti.Vector([dtype(0.0)] * 3)
                            gain = dtype(0.0)
                            for c in ti.static(range(channels)):
                                channel = first_channel + c
                                grad = grad_image[b, row, col, channel] * weight
                                for k in ti.static(range(3)):
                                    by_weights[k] += grad * colors[k, c]
                                    by_colors[k, c] += grad * weights[k]
                                gain -= grad * image[b, row, col, channel]
                            gain += weights.dot(by_weights)
                            by_x += gain * (1 - cover)
                            by_log_gamma += gain * (depth - nearest) * rate
                            add_depths, by_clipped = through_interpolation(
                                by_weights, -gain * rate, clipped, inverse_depths, depth
                            )
                            by_depths += add_depths
                            u = through_clip(by_clipped, clipped, w)
                            by_w += u
                            by_w_start += u.outer_product(start)
                            by_log_area -= u[0] * w[1] + u[1] * w[2]
                    by_log_sigma -= by_x * x
                    # The nearest point's own sliding along its edge changes the distance by
                    # nothing.
                    by_nearest += foot.outer_product((-2) * by_x * outward * offset)
            inverse_area = inverse(divisible_area(corners, dtype), dtype)
            slope1 = ti.Vector([slopes[0, 0], slopes[0, 1]])
            slope2 = ti.Vector([slopes[1, 0], slopes[1, 1]])
            by_start = by_w[0] * slope1 + by_w[1] * slope2
            by_ab = ti.Vector([by_w_start[1, 1], -by_w_start[1, 0]]) * inverse_area
            by_ac = ti.Vector([-by_w_start[0, 1], by_w_start[0, 0]]) * inverse_area
            if solid:
                by_ab += by_log_area * slope1
                by_ac += by_log_area * slope2
            for c in ti.static(range(2)):
                by_a = -(by_start[c] + by_ab[c] + by_ac[c])
                sums[chunk, 0 + c] = (by_nearest[0, c] + by_a) * scale[c]
                sums[chunk, 3 + c] = (by_nearest[1, c] + by_ab[c]) * scale[c]
                sums[chunk, 6 + c] = (by_nearest[2, c] + by_ac[c]) * scale[c]
            for k in ti.static(range(3)):
                sums[chunk, 3 * k + 2] = by_depths[k]
            sums[chunk, SIGMA_COLUMN] = by_log_sigma * inverse_sigma
            sums[chunk, GAMMA_COLUMN] = by_log_gamma / item_of(gamma, b)
            if ti.static(channels > 0):
                for k, c in ti.static(ti.ndrange(3, channels)):
                    sums[chunk, GEOMETRY_COLUMNS + channels * k + c] = by_colors[k, c]

    @ti.kernel
    def add_to_vertices(
        starts: integers,  # (B * F + 1,), in
        sums: array2,  # (starts[-1], GEOMETRY_COLUMNS + 3 * channels), in
        grad_face_vertices: array4,  # (B, F, 3, 3), accumulated
    ):
        """Add the chunks of each face up, in order."""
        for b, f in ti.ndrange(grad_face_vertices.shape[0], grad_face_vertices.shape[1]):
            face = b * grad_face_vertices.shape[1] + f
            for chunk in range(starts[face], starts[face + 1]):
                for k, c in ti.static(ti.ndrange(3, 3)):
                    grad_face_vertices[b, f, k, c] += sums[chunk, 3 * k + c]

    @ti.kernel
    def add_to_colors(
        starts: integers,  # (B * F + 1,), in
        sums: array2,  # (starts[-1], GEOMETRY_COLUMNS + 3 * channels), in
        first_channel: ti.i32,
        grad_face_colors: array4,  # (B or 1, F, 3, C), accumulated
    ):
        """Add the chunks of each face up, in order; those of all items where they share colours."""
        for f in range(grad_face_colors.shape[1]):
            num_faces = grad_face_colors.shape[1]
            for b in range((starts.shape[0] - 1) // num_faces):
                face = b * num_faces + f
                b_color = ti.min(b, grad_face_colors.shape[0] - 1)
                for chunk in range(starts[face], starts[face + 1]):
                    for k, c in ti.static(ti.ndrange(3, max(channels, 1))):
                        column = GEOMETRY_COLUMNS + channels * k + c
                        grad_face_colors[b_color, f, k, first_channel + c] += sums[chunk, column]

    @ti.kernel
    def add_to_softness(
        starts: integers,  # (B * F + 1,), in
        column: ti.i32,  # `SIGMA_COLUMN` or `GAMMA_COLUMN`
        sums: array2,  # (starts[-1], GEOMETRY_COLUMNS + 3 * channels), in
        grad: array1,  # (B or 1,), accumulated
    ):
        """Add all chunks of each item up, in order; of all items where they share the value."""
        for i in range(grad.shape[0]):
            faces = (starts.shape[0] - 1) // grad.shape[0]
            total = dtype(0.0)
            for chunk in range(starts[i * faces], starts[(i + 1) * faces]):
                total += sums[chunk, column]
            grad[i] += total

    return SimpleNamespace(
        sum_chunks=sum_chunks,
        add_to_vertices=add_to_vertices,
        add_to_colors=add_to_colors,
        add_to_softness=add_to_softness,
    )
