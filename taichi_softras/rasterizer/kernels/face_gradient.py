"""The gradient of the soft rasterizer by hand, face by face: the fast way.

A face's gradient belongs to it alone. So each walks the pixels that it can reach, adds up in
registers, and writes once: no lists of faces per tile, no atomics, and the same bits whatever
the threads do. It is the adjoint of the sum that `rasterize.surrogate` adds up, term by term;
``docs/gradient.md`` derives it. `rasterize.surrogate` under Taichi's autodiff is its oracle in the
tests.

Large faces are cut into chunks, see `chunks`; those of a face are summed in order.
"""

import functools
from types import SimpleNamespace

import taichi as ti

from taichi_softras.arrays.kernels.arithmetic import greater, inverse, item_of, lesser
from taichi_softras.rasterizer.kernels.blocks import block_at, exp, num_blocks
from taichi_softras.rasterizer.kernels.boxes import (
    BOX_TYPE,
    SHOWN,
    SOLID,
    WITHIN,
    load_record,
    record_type,
)
from taichi_softras.rasterizer.kernels.chunks import first_row_of, last_row_of
from taichi_softras.rasterizer.kernels.draw import (
    HIDDEN_LOGIT,
    alpha_at,
    depth_logit,
    depth_rate,
    fragment_depth,
    fragment_funcs,
)
from taichi_softras.rasterizer.kernels.plane_geometry import (
    barycentric,
    clip_barycentric,
    corner_of,
    divisible_area,
    is_positive,
    isotropic_scale,
    nearest_on_edge,
    pixel_center,
)
from taichi_softras.rasterizer.kernels.textures import map_of, taps_at
from taichi_softras.rasterizer.kernels.variant import Variant

SIGMA_COLUMN = 9
GAMMA_COLUMN = 10
GEOMETRY_COLUMNS = 11
"""Columns of a chunk's sums: x, y, z of three corners, sigma and gamma. Those of what the corners
have follow: colours, or texture coordinates."""


def corner_columns(variant: Variant) -> int:
    """How many sums a chunk has for each corner, besides its position."""
    return {"vertex": variant.channels, "surface": 0, "uv": 2}[variant.texture]


def num_columns(variant: Variant) -> int:
    """How many sums a chunk has."""
    return GEOMETRY_COLUMNS + 3 * corner_columns(variant)


ALPHA_PLANE, NEAREST_PLANE, MEAN_PLANE = range(3)
"""Planes of what faces need of a pixel. The first is the derivative of the loss by the sum that
alpha is a function of. The others: the nearest depth, if colours are weighed by it; and with g the
derivative of the loss by the colour, over the sum of the weights, g times the colour. Then come
planes of g, one a channel."""


def first_color_plane(variant: Variant) -> int:
    """The first plane of derivatives by colours."""
    return 1 if variant.color == "hard" else 3


def num_planes(variant: Variant) -> int:
    """How many planes there are."""
    return first_color_plane(variant) + variant.channels if variant.channels else 1


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
def through_clip(by_clipped, clipped, scale, w):
    """Derivatives by the second and third barycentric coordinate, the first being what they leave.

    Args:
        by_clipped: Derivatives by the clipped, renormalised coordinates.
        clipped: Those coordinates.
        scale: By what they were multiplied after they were clipped.
        w: The coordinates before clipping.
    """
    by_w = (by_clipped - by_clipped.dot(clipped)) * scale
    for k in ti.static(range(3)):
        if w[k] < 0 or w[k] > 1:
            by_w[k] = 0
    return ti.Vector([by_w[1] - by_w[0], by_w[2] - by_w[0]])


@ti.func
def through_smallest(slope, w):
    """Derivatives by the second and third barycentric coordinate of ``slope w_k |w_k| / 2``.

    ``w_k`` is the smallest of the coordinates.
    """
    by_w = ti.Vector([0 * slope, 0 * slope, 0 * slope])
    smallest = lesser(w[0], lesser(w[1], w[2]))
    left = slope * ti.abs(smallest)
    for k in ti.static(range(3)):
        by_w[k] = ti.select(w[k] == smallest, left, 0 * slope)
        left = ti.select(w[k] == smallest, 0 * slope, left)  # only the first of two that are equal
    return ti.Vector([by_w[1] - by_w[0], by_w[2] - by_w[0]])


@ti.func
def through_bilinear(by_taps, t, height, width):
    """Derivatives by the texture coordinates u and v, from those by `bilinear_weights`."""
    by_x = (by_taps[1] - by_taps[0]) * (1 - t[1]) + (by_taps[3] - by_taps[2]) * t[1]
    by_y = (by_taps[2] - by_taps[0]) * (1 - t[0]) + (by_taps[3] - by_taps[1]) * t[0]
    return ti.Vector([by_x * width, -by_y * height])


@ti.func
def pixel_of(i, first_row, first_col, num_cols):
    """Locate one of a box's pixels, counted row by row: its row and column."""
    # In float32, as there is no division of vectors of integers; exact for the pixels of a chunk.
    whole_rows = ti.cast(
        (ti.cast(i, ti.f32) + ti.cast(0.5, ti.f32)) / ti.cast(num_cols, ti.f32), ti.i32
    )
    return first_row + whole_rows, first_col + i - whole_rows * num_cols


@functools.cache
def gradient_kernels(variant: Variant) -> SimpleNamespace:
    """Build the kernels that add up gradients, for one variant."""
    dtype = variant.dtype
    channels = variant.channels
    coverage = variant.coverage
    opacity = variant.alpha
    is_hard = variant.color == "hard"
    texture = variant.texture
    columns = corner_columns(variant)
    num_taps = {"vertex": 3, "surface": 1, "uv": 4}[texture]
    affine = variant.orthographic or not variant.perspective_correct
    num_sums = num_columns(variant)
    color_plane = first_color_plane(variant)
    num_pixel_planes = num_planes(variant)
    block_rows, block_cols = variant.block
    lanes = block_rows * block_cols
    cover = coverage.cover_plainly or coverage.cover
    fragment = fragment_funcs(variant)
    image_ndim = 4 if channels else 3
    records_type = ti.types.ndarray(dtype=record_type(dtype), ndim=2, needs_grad=False)
    array1 = ti.types.ndarray(dtype=dtype, ndim=1, needs_grad=False)
    array3 = ti.types.ndarray(dtype=dtype, ndim=3, needs_grad=False)
    array4 = ti.types.ndarray(dtype=dtype, ndim=4, needs_grad=False)
    image_type = ti.types.ndarray(dtype=dtype, ndim=image_ndim, needs_grad=False)
    sums_type = ti.types.ndarray(dtype=ti.types.vector(num_sums, dtype), ndim=1, needs_grad=False)
    planes_type = ti.types.ndarray(
        dtype=ti.types.vector(num_pixel_planes, dtype), ndim=3, needs_grad=False
    )
    integers = ti.types.ndarray(dtype=ti.i32, ndim=1)
    integers2 = ti.types.ndarray(dtype=ti.i32, ndim=2)
    boxes_type = ti.types.ndarray(dtype=BOX_TYPE, ndim=2)
    integers3 = ti.types.ndarray(dtype=ti.i32, ndim=3)

    @ti.func
    def load_corner_numbers(values: ti.template(), b, f, first):
        """Load the numbers at a face's corners that may want gradients, one corner a row."""
        b_ = ti.min(b, values.shape[0] - 1)
        f_ = ti.min(f, values.shape[1] - 1)
        numbers = ti.Matrix([[dtype(0.0)] * max(columns, 1)] * 3)
        for k, c in ti.static(ti.ndrange(3, columns)):
            numbers[k, c] = values[b_, f_, k, first + c]
        return numbers

    @ti.func
    def through_interpolation(by_weights, by_depth, clipped, depth_terms, depth):
        """Derivatives by the corners' depths, and by the clipped barycentric coordinates.

        Args:
            by_weights: Derivatives by the corners' weights in the colour.
            by_depth: Derivative by the fragment's depth, other than through those weights.
            clipped: The coordinates.
            depth_terms: One over the corners' depths; or those depths, where rays are parallel.
            depth: The fragment's depth.
        """
        by_depths = ti.Vector([dtype(0.0)] * 3)
        by_clipped = by_weights
        if ti.static(variant.orthographic):
            by_depths = by_depth * clipped
            by_clipped = by_weights + by_depth * depth_terms
        else:
            if ti.static(not affine):
                # weights = clipped * depth_terms * depth
                by_own_weight = by_weights * clipped * depth_terms
                by_depth += by_own_weight.sum()
                by_clipped = by_weights * depth_terms * depth
                by_depths -= by_own_weight * depth_terms * depth
            by_mean = by_depth * depth * depth * depth_terms
            by_depths += by_mean * clipped * depth_terms
            by_clipped -= by_mean
        return by_depths, by_clipped

    @ti.func
    def look_at(point, corners, depth_terms, slopes, lengths, flags, inverse_sigma, near, far):
        """Look at a face from a point, in isotropic NDC.

        Returns:
            The point relative to the first corner; barycentric coordinates; the derivative of x by
            the squared distance, if there is one; `nearest_edge`; x, how far inside the face it is
            relative to sigma; whether the depth is in range; `clip_barycentric`; and the depth.
        """
        start = point - corner_of(corners, 0)
        w = barycentric(start, slopes)
        inside = ((flags & SOLID) != 0) & is_positive(w)
        outward = ti.select(inside, inverse_sigma, -inverse_sigma)
        offset = ti.Vector([dtype(0.0)] * 2)
        foot = ti.Vector([dtype(0.0)] * 3)
        x = dtype(0.0)
        if ti.static(coverage.border == "edge"):
            offset, foot = nearest_edge(point, corners, lengths)
            x = outward * offset.norm_sqr()
        else:
            x = inverse_sigma * coverage.signed_distance(point, w, corners, lengths, inside)
        clipped, clip_scale = clip_barycentric(w, dtype)
        depth = fragment_depth(clipped, depth_terms, variant.orthographic, dtype)
        drawn = ((flags & WITHIN) != 0) | ((depth >= near) & (depth <= far))
        return start, w, outward, offset, foot, x, drawn, clipped, clip_scale, depth

    @ti.kernel
    def weigh_pixels(
        num_faces: integers,  # (B,) faces of each item, in
        tile_size: ti.i32,
        starts: integers,  # (B * tile_rows * tile_cols + 1,), where tiles' lists start, in
        first_channel: ti.i32,  # of the image
        with_alpha: ti.i32,  # whether to add the part that comes by way of alpha
        image: image_type,  # as `rasterize.forward` drew it, in
        nearest_depth: array3,  # likewise
        weight_sum: array3,  # likewise
        grad_image: image_type,  # derivative of the loss by the image, in
        planes: planes_type,  # (B, H + lanes - 1, W), out
    ):
        """Work out what all faces need of a pixel, of those in tiles that any face touches.

        The planes have more rows than the image: the last block of a face may go beyond it.
        """
        height = grad_image.shape[1]
        width = grad_image.shape[2]
        for i in range(num_blocks(num_faces.shape[0], height, width, tile_size, variant.block)):
            tile, b, top, left = block_at(i, height, width, tile_size, variant.block)
            if starts[tile] == starts[tile + 1]:
                continue
            for lane in range(lanes):
                row = top + lane // block_cols
                col = left + lane % block_cols
                if row >= height or col >= width:
                    continue
                pixel = ti.Vector([dtype(0.0)] * num_pixel_planes)
                if with_alpha:
                    pixel[ALPHA_PLANE] = alpha_at(grad_image, b, row, col) * opacity.slope(
                        alpha_at(image, b, row, col), ti.cast(num_faces[b], dtype)
                    )
                if ti.static(channels > 0):
                    share = dtype(1.0)
                    if ti.static(not is_hard):
                        share = inverse(weight_sum[b, row, col], dtype)
                        pixel[NEAREST_PLANE] = nearest_depth[b, row, col]
                    for c in ti.static(range(channels)):
                        grad = share * grad_image[b, row, col, first_channel + c]
                        pixel[color_plane + c] = grad
                        if ti.static(not is_hard):
                            pixel[MEAN_PLANE] += grad * image[b, row, col, first_channel + c]
                planes[b, row, col] = pixel

    @ti.kernel
    def sum_chunks(
        records: records_type,  # (B or 1, F), as `binning` made them, in
        colors: array4,  # (B or 1, F, 3, C), or texels: see `textures`, in
        varyings: array4,  # (B or 1, F or 1, 3, K), in
        sigma: array1,  # (B or 1,), in
        gamma: array1,  # (B or 1,), in
        face_sources: integers2,  # (B or 1, F) or (1, 1), in
        face_maps: integers,  # (F or 1,), in
        maps: integers2,  # (M, 4), in
        near: dtype,
        far: dtype,
        cutoff: dtype,
        height: ti.i32,
        width: ti.i32,
        boxes: boxes_type,  # (B or 1, F), in
        starts: integers,  # (B * F + 1,), in
        chunk_faces: integers,  # (starts[-1],), in
        first_source: ti.i32,  # of the colours
        with_texels: ti.i32,  # whether to add to `grad_texels`
        planes: planes_type,  # as `weigh_pixels` made them, in
        winners: integers3,  # as `rasterize.forward` drew them, in
        grad_texels: array4,  # of the colours' shape, accumulated; unless they are the vertices'
        sums: sums_type,  # (starts[-1],), out
    ):
        """Add up the gradients of every chunk of pixels of every face."""
        for chunk in range(starts[starts.shape[0] - 1]):
            face = chunk_faces[chunk]
            b_face = face // boxes.shape[1]
            f = face % boxes.shape[1]
            b = boxes[b_face, f][4]
            corners, depth_terms, slopes, lengths, flags = load_record(records, b_face, f)
            shown = (flags & SHOWN) != 0
            inverse_sigma = inverse(item_of(sigma, b), dtype)
            rate = depth_rate(item_of(gamma, b), near, far, dtype)
            numbers = ti.Matrix([[dtype(0.0)] * max(columns, 1)] * 3)
            map_height = 1
            map_width = 1
            if ti.static(texture == "vertex" and channels > 0):
                numbers = load_corner_numbers(colors, b, f, first_source)
            if ti.static(texture == "uv"):
                numbers = load_corner_numbers(varyings, b, f, 0)
                m = map_of(face_sources, face_maps, b, f)
                map_height = maps[m, 1]
                map_width = maps[m, 2]
            # Sums over pixels; the names say what they are derivatives by.
            by_nearest = ti.Matrix([[dtype(0.0)] * 2] * 3)  # by the border's nearest point
            by_depths = ti.Vector([dtype(0.0)] * 3)
            by_w = ti.Vector([dtype(0.0)] * 2)  # by the second and third barycentric coordinate
            by_w_start = ti.Matrix([[dtype(0.0)] * 2] * 2)  # those, times the pixel's position
            by_log_area = dtype(0.0)
            by_log_sigma = dtype(0.0)
            by_log_gamma = dtype(0.0)
            by_numbers = ti.Matrix([[dtype(0.0)] * max(columns, 1)] * 3)
            # Of each pixel of a block, for textures: the weight of the face's colour, those of its
            # corners and the derivatives by them, and the colour times its derivative.
            shares = ti.Vector([dtype(0.0)] * lanes)
            corner_weights = ti.Matrix([[dtype(0.0)] * lanes] * 3)
            by_corner_weights = ti.Matrix([[dtype(0.0)] * lanes] * 3)
            tapped_sums = ti.Vector([dtype(0.0)] * lanes)
            first_row = first_row_of(boxes, b_face, f, chunk - starts[face])
            last_row = last_row_of(boxes, b_face, f, first_row)
            first_col = boxes[b_face, f][1]
            num_cols = boxes[b_face, f][3]
            num_pixels = (last_row - first_row) * num_cols
            for block in range((num_pixels + lanes - 1) // lanes):
                # Where faces cover a pixel for good, or no loss looks, alpha has no derivative.
                if ti.static(channels == 0):
                    needed = 0
                    for lane in range(lanes):
                        row, col = pixel_of(block * lanes + lane, first_row, first_col, num_cols)
                        needed |= ti.cast(planes[b, row, col][ALPHA_PLANE] != 0, ti.i32)
                    if needed == 0:
                        continue
                # A loop that reads texels is no vector loop: it is apart, and does only that.
                if ti.static(texture != "vertex"):
                    for lane in range(lanes):
                        i = block * lanes + lane
                        row, col = pixel_of(i, first_row, first_col, num_cols)
                        point = pixel_center(row, col, height, width, dtype)
                        _start, _w, _o, _offset, _foot, x, drawn, clipped, _scale, depth = look_at(
                            *(point, corners, depth_terms, slopes, lengths, flags),
                            *(inverse_sigma, near, far),
                        )
                        seen = drawn & shown & (x > -cutoff) & (i < num_pixels)
                        weight = dtype(1.0)
                        if ti.static(is_hard):
                            seen &= winners[b, ti.min(row, height - 1), col] == f
                        else:
                            nearest = planes[b, row, col][NEAREST_PLANE]
                            seen &= (depth - nearest) * rate < ti.static(HIDDEN_LOGIT[dtype])
                            covered, _uncovered = cover(greater(x, -cutoff), dtype)
                            weight = covered * exp(depth_logit(depth, nearest, rate), dtype)
                        shares[lane] = ti.select(seen, weight, dtype(0.0))
                        weights = fragment.weights_of(clipped, depth_terms, depth)
                        for k in ti.static(range(3)):
                            corner_weights[k, lane] = weights[k]
                    for lane in range(lanes):
                        by_weights = ti.Vector([dtype(0.0)] * 3)
                        tapped = dtype(0.0)
                        if shares[lane] != 0:
                            row, col = pixel_of(
                                block * lanes + lane, first_row, first_col, num_cols
                            )
                            pixel = planes[b, row, col]
                            weights = ti.Vector([corner_weights[k, lane] for k in range(3)])
                            tap_rows, tap_cols, tap_weights = taps_at(
                                texture,
                                *(colors, varyings, face_sources, face_maps, maps),
                                *(b, f, weights, dtype),
                            )
                            by_taps = ti.Vector([dtype(0.0)] * num_taps)
                            b_color = ti.min(b, colors.shape[0] - 1)
                            for c in ti.static(range(channels)):
                                source = first_source + c
                                grad = shares[lane] * pixel[color_plane + c]
                                for t in ti.static(range(num_taps)):
                                    texel = colors[b_color, tap_rows[t], tap_cols[t], source]
                                    by_taps[t] += grad * texel
                                    if with_texels:
                                        grad_texels[b_color, tap_rows[t], tap_cols[t], source] += (
                                            grad * tap_weights[t]
                                        )
                            tapped = tap_weights.dot(by_taps)
                            if ti.static(texture == "uv"):
                                right = tap_weights[1] + tap_weights[3]
                                down = tap_weights[2] + tap_weights[3]
                                by_uv = through_bilinear(
                                    by_taps, ti.Vector([right, down]), map_height, map_width
                                )
                                by_weights = numbers @ by_uv
                                by_numbers += weights.outer_product(by_uv)
                        for k in ti.static(range(3)):
                            by_corner_weights[k, lane] = by_weights[k]
                        tapped_sums[lane] = tapped
                for lane in range(lanes):
                    i = block * lanes + lane
                    row, col = pixel_of(i, first_row, first_col, num_cols)
                    pixel = planes[b, row, col]
                    point = pixel_center(row, col, height, width, dtype)
                    start, w, outward, offset, foot, x, drawn, clipped, clip_scale, depth = look_at(
                        *(point, corners, depth_terms, slopes, lengths, flags),
                        *(inverse_sigma, near, far),
                    )
                    alive = drawn & (x > -cutoff) & (i < num_pixels)
                    if ti.static(lanes == 1):
                        if not alive:
                            continue
                    x = greater(x, -cutoff)
                    covered, uncovered = cover(x, dtype)
                    cover_rate, uncover_rate = coverage.rates(covered, uncovered)
                    by_alpha = ti.select(alive, pixel[ALPHA_PLANE], dtype(0.0))
                    by_x = by_alpha * opacity.rate(covered, cover_rate, uncover_rate)
                    u = ti.Vector([dtype(0.0)] * 2)
                    if ti.static(channels > 0):
                        seen = alive & shown
                        weight = dtype(1.0)
                        nearest = dtype(0.0)
                        if ti.static(is_hard):
                            seen &= winners[b, ti.min(row, height - 1), col] == f
                        else:
                            nearest = ti.select(seen, pixel[NEAREST_PLANE], depth)
                            weight = covered * exp(depth_logit(depth, nearest, rate), dtype)
                        by_weights = ti.Vector([dtype(0.0)] * 3)
                        tapped = dtype(0.0)
                        if ti.static(texture == "vertex"):
                            weights = fragment.weights_of(clipped, depth_terms, depth)
                            for c in ti.static(range(channels)):
                                grad = weight * ti.select(seen, pixel[color_plane + c], dtype(0.0))
                                for k in ti.static(range(3)):
                                    by_weights[k] += grad * numbers[k, c]
                                    by_numbers[k, c] += grad * weights[k]
                            tapped = weights.dot(by_weights)
                        else:
                            for k in ti.static(range(3)):
                                by_weights[k] = by_corner_weights[k, lane]
                            tapped = tapped_sums[lane]
                        by_depth = dtype(0.0)
                        if ti.static(not is_hard):
                            mean = ti.select(seen, pixel[MEAN_PLANE], dtype(0.0))
                            gain = tapped - weight * mean
                            by_x += gain * cover_rate
                            by_log_gamma += gain * (depth - nearest) * rate
                            by_depth = -gain * rate
                        add_depths, by_clipped = through_interpolation(
                            by_weights, by_depth, clipped, depth_terms, depth
                        )
                        by_depths += add_depths
                        u += through_clip(by_clipped, clipped, clip_scale, w)
                    by_log_sigma -= by_x * x
                    if ti.static(coverage.border == "edge"):
                        # The nearest point's own sliding along its edge changes the distance by
                        # nothing.
                        by_nearest += foot.outer_product((-2) * by_x * outward * offset)
                    elif ti.static(coverage.border == "weight"):
                        u += through_smallest(2 * by_x * inverse_sigma, w)
                    if ti.static(channels > 0 or coverage.border == "weight"):
                        by_w += u
                        by_w_start += u.outer_product(start)
                        by_log_area -= u[0] * w[1] + u[1] * w[2]
            scale = isotropic_scale(height, width, dtype)
            inverse_area = inverse(divisible_area(corners, dtype), dtype)
            slope1 = ti.Vector([slopes[0, 0], slopes[0, 1]])
            slope2 = ti.Vector([slopes[1, 0], slopes[1, 1]])
            by_start = by_w[0] * slope1 + by_w[1] * slope2
            by_ab = ti.Vector([by_w_start[1, 1], -by_w_start[1, 0]]) * inverse_area
            by_ac = ti.Vector([-by_w_start[0, 1], by_w_start[0, 0]]) * inverse_area
            if (flags & SOLID) != 0:
                by_ab += by_log_area * slope1
                by_ac += by_log_area * slope2
            row_of_sums = ti.Vector([dtype(0.0)] * num_sums)
            for c in ti.static(range(2)):
                by_a = -(by_start[c] + by_ab[c] + by_ac[c])
                row_of_sums[0 + c] = (by_nearest[0, c] + by_a) * scale[c]
                row_of_sums[3 + c] = (by_nearest[1, c] + by_ab[c]) * scale[c]
                row_of_sums[6 + c] = (by_nearest[2, c] + by_ac[c]) * scale[c]
            for k in ti.static(range(3)):
                row_of_sums[3 * k + 2] = by_depths[k]
            row_of_sums[SIGMA_COLUMN] = by_log_sigma * inverse_sigma
            row_of_sums[GAMMA_COLUMN] = by_log_gamma * inverse(item_of(gamma, b), dtype)
            for k, c in ti.static(ti.ndrange(3, columns)):
                row_of_sums[GEOMETRY_COLUMNS + columns * k + c] = by_numbers[k, c]
            sums[chunk] = row_of_sums

    return SimpleNamespace(weigh_pixels=weigh_pixels, sum_chunks=sum_chunks)


@functools.cache
def sum_kernels(dtype, columns: int) -> SimpleNamespace:
    """Build the kernels that add chunks up, of `corner_columns`, for arrays of one type."""
    sums_type = ti.types.ndarray(
        dtype=ti.types.vector(GEOMETRY_COLUMNS + 3 * columns, dtype), ndim=1, needs_grad=False
    )
    array1 = ti.types.ndarray(dtype=dtype, ndim=1, needs_grad=False)
    array4 = ti.types.ndarray(dtype=dtype, ndim=4, needs_grad=False)
    integers = ti.types.ndarray(dtype=ti.i32, ndim=1)

    @ti.kernel
    def add_to_vertices(
        starts: integers,  # (B * F + 1,), in
        sums: sums_type,  # (starts[-1],), in
        grad_face_vertices: array4,  # (B, F, 3, 3), accumulated
    ):
        """Add the chunks of each face up, in order."""
        for b, f in ti.ndrange(grad_face_vertices.shape[0], grad_face_vertices.shape[1]):
            face = b * grad_face_vertices.shape[1] + f
            total = ti.Vector([dtype(0.0)] * 9)
            for chunk in range(starts[face], starts[face + 1]):
                row_of_sums = sums[chunk]
                for k in ti.static(range(9)):
                    total[k] += row_of_sums[k]
            for k, c in ti.static(ti.ndrange(3, 3)):
                grad_face_vertices[b, f, k, c] += total[3 * k + c]

    @ti.kernel
    def add_to_corners(
        starts: integers,  # (B * F + 1,), in
        sums: sums_type,  # (starts[-1],), in
        first: ti.i32,
        grad: array4,  # (B or 1, F, 3, K), accumulated from the column ``first`` on
    ):
        """Add the chunks of each face up, in order; of all items where they share the numbers."""
        faces = grad.shape[1]
        for b_grad, f in ti.ndrange(grad.shape[0], faces):
            items = (starts.shape[0] - 1) // faces
            first_item = ti.select(grad.shape[0] == items, b_grad, 0)
            last_item = ti.select(grad.shape[0] == items, b_grad + 1, items)
            total = ti.Vector([dtype(0.0)] * (3 * columns))
            for b in range(first_item, last_item):
                for chunk in range(starts[b * faces + f], starts[b * faces + f + 1]):
                    row_of_sums = sums[chunk]
                    for k in ti.static(range(3 * columns)):
                        total[k] += row_of_sums[GEOMETRY_COLUMNS + k]
            for k, c in ti.static(ti.ndrange(3, columns)):
                grad[b_grad, f, k, first + c] += total[columns * k + c]

    @ti.kernel
    def add_to_softness(
        starts: integers,  # (B * F + 1,), in
        column: ti.i32,  # `SIGMA_COLUMN` or `GAMMA_COLUMN`
        boxes: ti.types.ndarray(dtype=BOX_TYPE, ndim=2),  # (B or 1, F), in
        sums: sums_type,  # (starts[-1],), in
        grad: array1,  # (B or 1,), accumulated
    ):
        """Add all chunks of each item up, in order; of all items where they share the value."""
        for i in range(grad.shape[0]):
            total = dtype(0.0)
            for b, f in ti.ndrange(boxes.shape[0], boxes.shape[1]):
                if grad.shape[0] == 1 or boxes[b, f][4] == i:
                    face = b * boxes.shape[1] + f
                    for chunk in range(starts[face], starts[face + 1]):
                        total += sums[chunk][column]
            grad[i] += total

    return SimpleNamespace(
        add_to_vertices=add_to_vertices,
        add_to_corners=add_to_corners,
        add_to_softness=add_to_softness,
    )
