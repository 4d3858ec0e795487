"""The gradient of the soft rasterizer by hand, face by face: the fast way.

A face's gradient belongs to it alone. So each walks the pixels that it can reach, adds up in
registers, and writes once: no lists of faces per tile, no atomics, and the same bits whatever
the threads do. It is the adjoint of the sum that `surrogate.surrogate` adds up, term by term;
``docs/gradient.md`` derives it. `surrogate.surrogate` under Taichi's autodiff is its oracle in the
tests.

Large faces are cut into chunks, see `chunks`; `corner_sums` adds those of a face up, in order.
"""

import functools
from typing import Any

import taichi as ti

from taichi_softras.arrays.kernels.arithmetic import greater, inverse, item_of
from taichi_softras.arrays.launcher import kernel
from taichi_softras.rasterizer.kernels.adjoints import (
    interpolation_adjoint,
    through_barycentric,
    through_bilinear,
    through_clip,
    through_nearest,
    through_smallest,
)
from taichi_softras.rasterizer.kernels.blocks import exp
from taichi_softras.rasterizer.kernels.boxes import BOX_TYPE
from taichi_softras.rasterizer.kernels.chunks import first_row_of, last_row_of, pixel_of
from taichi_softras.rasterizer.kernels.corner_sums import (
    GAMMA_COLUMN,
    GEOMETRY_COLUMNS,
    SIGMA_COLUMN,
    corner_columns,
    sums_type,
)
from taichi_softras.rasterizer.kernels.face_record import SHOWN, SOLID, load_face, record_type
from taichi_softras.rasterizer.kernels.fragment import fragment_funcs
from taichi_softras.rasterizer.kernels.pixel_planes import (
    ALPHA_PLANE,
    MEAN_PLANE,
    NEAREST_PLANE,
    first_color_plane,
    planes_type,
)
from taichi_softras.rasterizer.kernels.plane_geometry import isotropic_scale, pixel_center
from taichi_softras.rasterizer.kernels.softmax import HIDDEN_LOGIT, depth_logit, depth_rate
from taichi_softras.rasterizer.kernels.textures import map_of, taps_at
from taichi_softras.rasterizer.kernels.variant import Variant


@functools.cache
def chunk_sum_kernel(variant: Variant) -> Any:
    """Build the kernel that adds gradients up over chunks of pixels, for one variant."""
    dtype = variant.dtype
    channels = variant.channels
    coverage = variant.coverage
    opacity = variant.alpha
    is_hard = variant.color == "hard"
    texture = variant.texture
    columns = corner_columns(variant)
    num_taps = {"vertex": 3, "surface": 1, "uv": 4}[texture]
    color_plane = first_color_plane(variant)
    lanes = variant.block[0] * variant.block[1]
    cover = coverage.cover_plainly or coverage.cover
    fragment = fragment_funcs(variant)
    through_interpolation = interpolation_adjoint(variant)
    array1 = ti.types.ndarray(dtype=dtype, ndim=1, needs_grad=False)
    array4 = ti.types.ndarray(dtype=dtype, ndim=4, needs_grad=False)
    integers = ti.types.ndarray(dtype=ti.i32, ndim=1)
    integers2 = ti.types.ndarray(dtype=ti.i32, ndim=2)
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
    def start_sums():
        """Start what is summed over a chunk's pixels; the names say what it is a derivative by."""
        return ti.Struct(
            by_corners=ti.Matrix([[dtype(0.0)] * 2] * 3),  # but for what goes by way of by_w
            by_depths=ti.Vector([dtype(0.0)] * 3),
            by_w=ti.Vector([dtype(0.0)] * 2),  # by the second and third barycentric coordinate
            by_w_start=ti.Matrix([[dtype(0.0)] * 2] * 2),  # those, times the pixel's position
            by_log_area=dtype(0.0),
            by_log_sigma=dtype(0.0),
            by_log_gamma=dtype(0.0),
            by_numbers=ti.Matrix([[dtype(0.0)] * max(columns, 1)] * 3),
        )

    @ti.func
    def alpha_is_settled(planes: ti.template(), chunk: ti.template(), block):
        """Tell whether alpha has no derivative in a block: faces cover it, or no loss looks."""
        needed = 0
        for lane in range(lanes):
            row, col = pixel_of(chunk, block * lanes + lane)
            needed |= ti.cast(planes[chunk.b, row, col][ALPHA_PLANE] != 0, ti.i32)
        return needed == 0

    @ti.func
    def weigh_block(
        taps: ti.template(),
        planes: ti.template(),
        winners: ti.template(),
        face: ti.template(),
        chunk: ti.template(),
        block,
    ):
        """Weigh the face's colour and its corners in each pixel of a block."""
        for lane in range(lanes):
            i = block * lanes + lane
            row, col = pixel_of(chunk, i)
            point = pixel_center(row, col, chunk.height, chunk.width, dtype)
            here = fragment.locate(face, point)
            view = fragment.look(face, here, chunk.near, chunk.far)
            x = here.s * chunk.inverse_sigma
            seen = (
                view.in_range
                & ((face.flags & SHOWN) != 0)
                & (x > -chunk.cutoff)
                & (i < chunk.num_pixels)
            )
            weight = dtype(1.0)
            if ti.static(is_hard):
                seen &= winners[chunk.b, ti.min(row, chunk.height - 1), col] == chunk.f
            else:
                nearest = planes[chunk.b, row, col][NEAREST_PLANE]
                seen &= (view.depth - nearest) * chunk.rate < ti.static(HIDDEN_LOGIT[dtype])
                covered, _uncovered = cover(greater(x, -chunk.cutoff), dtype)
                weight = covered * exp(depth_logit(view.depth, nearest, chunk.rate), dtype)
            taps.shares[lane] = ti.select(seen, weight, dtype(0.0))
            weights = fragment.weights_of(view.place, face.depth_terms, view.depth)
            for k in ti.static(range(3)):
                taps.weights[ti.i32(k), lane] = weights[k]

    @ti.func
    def look_up_block(
        taps: ti.template(),
        sums: ti.template(),
        numbers: ti.template(),
        colors: ti.template(),
        varyings: ti.template(),
        face_sources: ti.template(),
        face_maps: ti.template(),
        maps: ti.template(),
        planes: ti.template(),
        grad_texels: ti.template(),
        with_texels,
        first_source,
        chunk: ti.template(),
        block,
    ):
        """Look up the texels of each pixel of a block, and add to their gradients."""
        for lane in range(lanes):
            by_weights = ti.Vector([dtype(0.0)] * 3)
            tapped = dtype(0.0)
            if taps.shares[lane] != 0:
                row, col = pixel_of(chunk, block * lanes + lane)
                pixel = planes[chunk.b, row, col]
                weights = ti.Vector([taps.weights[ti.i32(k), lane] for k in range(3)])
                tap_rows, tap_cols, tap_weights = taps_at(
                    texture,
                    *(colors, varyings, face_sources, face_maps, maps),
                    *(chunk.b, chunk.f, weights, dtype),
                )
                by_taps = ti.Vector([dtype(0.0)] * num_taps)
                b_color = ti.min(chunk.b, colors.shape[0] - 1)
                for c in ti.static(range(channels)):
                    source = first_source + c
                    grad = taps.shares[lane] * pixel[color_plane + c]
                    for t in ti.static(range(num_taps)):
                        texel = colors[b_color, tap_rows[t], tap_cols[t], source]
                        by_taps[t] += grad * texel
                        if with_texels:
                            grad_texels[b_color, tap_rows[t], tap_cols[t], source] += (
                                grad * tap_weights[t]
                            )
                tapped = tap_weights.dot(by_taps)
                if ti.static(texture == "uv"):
                    m = map_of(face_sources, face_maps, chunk.b, chunk.f)
                    right = tap_weights[1] + tap_weights[3]
                    down = tap_weights[2] + tap_weights[3]
                    by_uv = through_bilinear(
                        by_taps, ti.Vector([right, down]), maps[m, 1], maps[m, 2]
                    )
                    by_weights = numbers @ by_uv
                    sums.by_numbers += weights.outer_product(by_uv)
            for k in ti.static(range(3)):
                taps.by_weights[ti.i32(k), lane] = by_weights[k]
            taps.tapped[lane] = tapped

    @ti.func
    def through_colors(
        sums: ti.template(),
        taps: ti.template(),
        numbers: ti.template(),
        pixel: ti.template(),
        weights: ti.template(),
        weight: ti.template(),
        seen: ti.template(),
        lane,
    ):
        """Add derivatives with respect to the corners' colours.

        Returns:
            Derivatives with respect to the corners' weights in the colour; and the colour times its
            derivative.
        """
        by_weights = ti.Vector([dtype(0.0)] * 3)
        tapped = dtype(0.0)
        if ti.static(texture == "vertex"):
            for c in ti.static(range(channels)):
                grad = weight * ti.select(seen, pixel[color_plane + c], dtype(0.0))
                for k in ti.static(range(3)):
                    by_weights[k] += grad * numbers[k, c]
                    sums.by_numbers[k, c] += grad * weights[k]
            tapped = weights.dot(by_weights)
        else:
            for k in ti.static(range(3)):
                by_weights[k] = taps.by_weights[ti.i32(k), lane]
            tapped = taps.tapped[lane]
        return by_weights, tapped

    @ti.func
    def add_block(
        sums: ti.template(),
        taps: ti.template(),
        numbers: ti.template(),
        planes: ti.template(),
        winners: ti.template(),
        face: ti.template(),
        chunk: ti.template(),
        block,
    ):
        """Add up the adjoint of a fragment in each pixel of a block."""
        for lane in range(lanes):
            i = block * lanes + lane
            row, col = pixel_of(chunk, i)
            pixel = planes[chunk.b, row, col]
            point = pixel_center(row, col, chunk.height, chunk.width, dtype)
            here = fragment.locate(face, point)
            view = fragment.look(face, here, chunk.near, chunk.far)
            x = here.s * chunk.inverse_sigma
            alive = view.in_range & (x > -chunk.cutoff) & (i < chunk.num_pixels)
            if ti.static(lanes == 1):
                if not alive:
                    continue
            x = greater(x, -chunk.cutoff)
            covered, uncovered = cover(x, dtype)
            cover_rate, uncover_rate = coverage.rates(covered, uncovered)
            by_alpha = ti.select(alive, pixel[ALPHA_PLANE], dtype(0.0))
            by_x = by_alpha * opacity.rate(covered, cover_rate, uncover_rate)
            by_w = ti.Vector([dtype(0.0)] * 2)
            if ti.static(channels > 0):
                seen = alive & ((face.flags & SHOWN) != 0)
                weight = dtype(1.0)
                nearest = dtype(0.0)
                if ti.static(is_hard):
                    seen &= winners[chunk.b, ti.min(row, chunk.height - 1), col] == chunk.f
                else:
                    nearest = ti.select(seen, pixel[NEAREST_PLANE], view.depth)
                    weight = covered * exp(depth_logit(view.depth, nearest, chunk.rate), dtype)
                weights = fragment.weights_of(view.place, face.depth_terms, view.depth)
                by_weights, tapped = through_colors(
                    sums, taps, numbers, pixel, weights, weight, seen, lane
                )
                by_depth = dtype(0.0)
                if ti.static(not is_hard):
                    mean = ti.select(seen, pixel[MEAN_PLANE], dtype(0.0))
                    gain = tapped - weight * mean
                    by_x += gain * cover_rate
                    sums.by_log_gamma += gain * (view.depth - nearest) * chunk.rate
                    by_depth = -gain * chunk.rate
                by_depths, by_place = through_interpolation(
                    by_weights, by_depth, view.place, face.depth_terms, view.depth
                )
                sums.by_depths += by_depths
                if ti.static(variant.interpolation == "nearest"):
                    by_pixel, by_corners = through_nearest(
                        by_place, view.place, here.inside, here.border.offset, face
                    )
                    by_w += by_pixel
                    sums.by_corners += by_corners
                else:
                    by_w += through_clip(by_place, view.place, view.scale, here.w)
            sums.by_log_sigma -= by_x * x
            if ti.static(coverage.border == "edge"):
                # The nearest point's own sliding along its edge changes the distance by nothing.
                outward = ti.select(here.inside, chunk.inverse_sigma, -chunk.inverse_sigma)
                sums.by_corners += here.border.weights.outer_product(
                    (-2) * by_x * outward * here.border.offset
                )
            elif ti.static(coverage.border == "weight"):
                by_w += through_smallest(2 * by_x * chunk.inverse_sigma, here.w)
            if ti.static(channels > 0 or coverage.border == "weight"):
                sums.by_w += by_w
                sums.by_w_start += by_w.outer_product(here.start)
                sums.by_log_area -= by_w[0] * here.w[1] + by_w[1] * here.w[2]

    @ti.func
    def row_of(sums: ti.template(), face: ti.template(), chunk: ti.template(), inverse_gamma):
        """Turn sums over pixels into the face's derivatives: a row of `corner_sums`."""
        scale = isotropic_scale(chunk.height, chunk.width, dtype)
        by_w_corners = through_barycentric(
            *(sums.by_w, sums.by_w_start, sums.by_log_area),
            *(face, (face.flags & SOLID) != 0, dtype),
        )
        row = ti.Vector([dtype(0.0)] * (GEOMETRY_COLUMNS + 3 * columns))
        for k, c in ti.static(ti.ndrange(3, 2)):
            row[3 * k + c] = (sums.by_corners[k, c] + by_w_corners[k, c]) * scale[c]
        for k in ti.static(range(3)):
            row[3 * k + 2] = sums.by_depths[k]
        row[SIGMA_COLUMN] = sums.by_log_sigma * chunk.inverse_sigma
        row[GAMMA_COLUMN] = sums.by_log_gamma * inverse_gamma
        for k, c in ti.static(ti.ndrange(3, columns)):
            row[GEOMETRY_COLUMNS + columns * k + c] = sums.by_numbers[k, c]
        return row

    @kernel
    def sum_chunks(
        records: ti.types.ndarray(dtype=record_type(dtype), ndim=2, needs_grad=False),  # (B, F), in
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
        boxes: ti.types.ndarray(dtype=BOX_TYPE, ndim=2),  # (B or 1, F), in
        starts: integers,  # (B * F + 1,), in
        chunk_faces: integers,  # (starts[-1],), in
        first_source: ti.i32,  # of the colours
        with_texels: ti.i32,  # whether to add to `grad_texels`
        planes: ti.types.ndarray(dtype=planes_type(variant), ndim=3, needs_grad=False),  # in
        winners: integers3,  # as `draw.forward` drew them, in
        grad_texels: array4,  # of the colours' shape, accumulated; unless they are the vertices'
        sums: ti.types.ndarray(dtype=sums_type(dtype, columns), ndim=1, needs_grad=False),  # out
    ):
        """Add up the gradients of every chunk of pixels of every face: (starts[-1],) rows."""
        for index in range(starts[starts.shape[0] - 1]):
            number = chunk_faces[index]
            b_face = number // boxes.shape[1]
            f = number % boxes.shape[1]
            b = boxes[b_face, f][4]
            first_row = first_row_of(boxes, b_face, f, index - starts[number])
            num_cols = boxes[b_face, f][3]
            chunk = ti.Struct(
                b=b,
                f=f,
                first_row=first_row,
                first_col=boxes[b_face, f][1],
                num_cols=num_cols,
                num_pixels=(last_row_of(boxes, b_face, f, first_row) - first_row) * num_cols,
                height=height,
                width=width,
                near=near,
                far=far,
                cutoff=cutoff,
                inverse_sigma=inverse(item_of(sigma, b), dtype),
                rate=depth_rate(item_of(gamma, b), near, far, dtype),
            )
            face = load_face(records, b_face, f)
            numbers = ti.Matrix([[dtype(0.0)] * max(columns, 1)] * 3)
            if ti.static(texture == "vertex" and channels > 0):
                numbers = load_corner_numbers(colors, b, f, first_source)
            if ti.static(texture == "uv"):
                numbers = load_corner_numbers(varyings, b, f, 0)
            totals = start_sums()
            # Of each pixel of a block, for textures: the weight of the face's colour, those of its
            # corners and derivatives with respect to them, and the colour times its derivative.
            taps = ti.Struct(
                shares=ti.Vector([dtype(0.0)] * lanes),
                weights=ti.Matrix([[dtype(0.0)] * lanes] * 3),
                by_weights=ti.Matrix([[dtype(0.0)] * lanes] * 3),
                tapped=ti.Vector([dtype(0.0)] * lanes),
            )
            for block in range((chunk.num_pixels + lanes - 1) // lanes):
                if ti.static(channels == 0):
                    if alpha_is_settled(planes, chunk, block):
                        continue
                # A loop that reads texels is no vector loop: it is apart, and does only that.
                if ti.static(texture != "vertex"):
                    weigh_block(taps, planes, winners, face, chunk, block)
                    look_up_block(
                        *(taps, totals, numbers, colors, varyings, face_sources, face_maps, maps),
                        *(planes, grad_texels, with_texels, first_source, chunk, block),
                    )
                add_block(totals, taps, numbers, planes, winners, face, chunk, block)
            sums[index] = row_of(totals, face, chunk, inverse(item_of(gamma, b), dtype))

    return sum_chunks
