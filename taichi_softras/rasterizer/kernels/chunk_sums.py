"""The gradient of the soft rasterizer by hand, face by face: the fast way.

A face's gradient belongs to it alone. So each walks the pixels that it can reach, adds up in
registers, and writes once: no lists of faces per tile, no atomics, and the same bits whatever
the threads do. It is the adjoint of the sum that `surrogate.surrogate` adds up, term by term;
``docs/gradient.md`` derives it. `surrogate.surrogate` under Taichi's autodiff is its oracle in the
tests.

Large faces are cut into chunks, see `chunks`; `corner_sums` adds those of a face up, in order. On a
CPU their pixels are taken in blocks of as many as vectors have lanes. Of a large face only those
within its bounds are looked at, packed into blocks row by row; where a block can see nothing of the
face's colour it is differentiated by alpha alone, and where alpha has no derivative, not at all.
"""

import functools
from typing import Any

from taichi_softras.arrays.kernels.arithmetic import greater, inverse, item_of
from taichi_softras.arrays.launcher import func, kernel
from taichi_softras.backend import ti
from taichi_softras.rasterizer.kernels.boxes import BOX_TYPE
from taichi_softras.rasterizer.kernels.chunks import (
    first_row_of,
    last_row_of,
    pixel_in,
    pixel_of,
)
from taichi_softras.rasterizer.kernels.corner_sums import corner_columns, sums_type
from taichi_softras.rasterizer.kernels.face_record import (
    RELATIVE_ROUNDING,
    SEEN,
    load_face,
    record_type,
)
from taichi_softras.rasterizer.kernels.fragment_sums import fragment_sum_funcs, num_sums
from taichi_softras.rasterizer.kernels.pixel_planes import ALPHA_PLANE, NEAREST_PLANE, planes_type
from taichi_softras.rasterizer.kernels.plane_geometry import isotropic_scale
from taichi_softras.rasterizer.kernels.row_spans import (
    BOUNDLESS,
    LEAST_BOUNDED_PIXELS,
    find_spans,
    weight_bounds,
)
from taichi_softras.rasterizer.kernels.softmax import HIDDEN_LOGIT, depth_rate
from taichi_softras.rasterizer.kernels.texel_sums import texel_sum_funcs
from taichi_softras.rasterizer.kernels.textures import load_corner_numbers
from taichi_softras.rasterizer.kernels.variant import Variant


@functools.cache
def chunk_sum_kernel(variant: Variant) -> Any:
    """Build the kernel that adds gradients up over chunks of pixels, for one variant."""
    dtype = variant.dtype
    channels = variant.channels
    is_hard = variant.color == "hard"
    texture = variant.texture
    columns = corner_columns(variant)
    size = num_sums(variant)
    lanes = variant.block[0] * variant.block[1]
    # To look up texels takes much longer than to look at pixels, and such kernels long to compile.
    has_spans = lanes > 1 and texture == "vertex"
    fragments = fragment_sum_funcs(variant)
    texels = texel_sum_funcs(variant)
    array1 = ti.types.ndarray(dtype=dtype, ndim=1, needs_grad=False)
    array4 = ti.types.ndarray(dtype=dtype, ndim=4, needs_grad=False)
    integers = ti.types.ndarray(dtype=ti.i32, ndim=1)
    integers2 = ti.types.ndarray(dtype=ti.i32, ndim=2)
    integers3 = ti.types.ndarray(dtype=ti.i32, ndim=3)

    @func
    def load_numbers(colors: ti.template(), varyings: ti.template(), first_source, b, f):
        """Load what a face's corners have that may want gradients."""
        numbers = ti.Matrix([[dtype(0.0)] * max(columns, 1)] * 3)
        if ti.static(texture == "vertex" and channels > 0):
            numbers = load_corner_numbers(colors, b, f, first_source, columns, dtype)
        if ti.static(texture == "uv"):
            numbers = load_corner_numbers(varyings, b, f, 0, columns, dtype)
        return numbers

    @func
    def nearest_corner(face: ti.template()):
        """Least depth of a face, and a bit less, as those of its fragments are rounded."""
        depth = dtype(0.0)
        if ti.static(variant.orthographic):
            depth = face.depth_terms.min()
        else:
            depth = inverse(face.depth_terms.max(), dtype)
        return depth * (1 - dtype(ti.static(RELATIVE_ROUNDING[dtype])))

    @func
    def look_ahead(
        planes: ti.template(),
        winners: ti.template(),
        chunk: ti.template(),
        block: ti.template(),
    ):
        """Tell what of a face a block's pixels may want to know.

        Returns:
            Whether alpha has a derivative in any: not where faces cover it, or no loss looks.
            Whether the face's colour may be seen in any.
        """
        varies = 0
        farthest = dtype(0.0)
        won = 0
        for lane in range(lanes):
            row, col = pixel_of(chunk, pixel_in(block, lane))
            is_pixel = pixel_in(block, lane) < chunk.num_pixels
            varies |= ti.cast(is_pixel & (planes[chunk.b, row, col][ALPHA_PLANE] != 0), ti.i32)
            if ti.static(channels > 0):
                if ti.static(is_hard):
                    winner = winners[chunk.b, ti.min(row, chunk.height - 1), col]
                    won |= ti.cast(is_pixel & (winner == chunk.f), ti.i32)
                else:
                    nearest = planes[chunk.b, row, col][NEAREST_PLANE]
                    farthest = greater(farthest, ti.select(is_pixel, nearest, dtype(0.0)))
        seen = won != 0
        if ti.static(channels > 0 and not is_hard):
            behind = (chunk.nearest_corner - farthest) * chunk.rate
            seen = behind < ti.static(HIDDEN_LOGIT[dtype])
        return varies != 0, seen

    @func
    def add_pixels(
        sums: ti.template(),
        taps: ti.template(),
        numbers: ti.template(),
        sources: ti.template(),
        planes: ti.template(),
        winners: ti.template(),
        grad_texels: ti.template(),
        face: ti.template(),
        chunk: ti.template(),
        block: ti.template(),
        looks_ahead: ti.template(),
    ):
        """Add up what there is to a block of pixels."""
        wants_alpha = True
        wants_colors = channels > 0
        if ti.static(looks_ahead or channels == 0):
            wants_alpha, wants_colors = look_ahead(planes, winners, chunk, block)
            wants_colors &= (face.flags & SEEN) != 0
        if ti.static(channels > 0):
            if wants_colors:
                if ti.static(texture != "vertex"):
                    texels.weigh_block(taps, planes, winners, face, chunk, block)
                    texels.look_up_block(
                        *(taps, sums, numbers),
                        *sources,
                        *(planes, grad_texels, face, chunk, block),
                    )
                fragments.add_block(sums, taps, numbers, planes, winners, face, chunk, block, True)
        if ti.static(looks_ahead or channels == 0):
            if wants_alpha and not wants_colors:
                fragments.add_block(sums, taps, numbers, planes, winners, face, chunk, block, False)

    @func
    def sum_box(
        numbers: ti.template(),
        sources: ti.template(),
        planes: ti.template(),
        winners: ti.template(),
        grad_texels: ti.template(),
        face: ti.template(),
        chunk: ti.template(),
    ):
        """Sum over all pixels of a chunk."""
        sums = fragments.start_sums(1)
        taps = texels.start_taps()
        for i in range((chunk.num_pixels + lanes - 1) // lanes):
            add_pixels(
                *(sums, taps, numbers, sources, planes, winners, grad_texels, face, chunk),
                *(i * lanes, lanes > 1 and texture != "vertex"),
            )
        return fragments.total_of(sums)

    @func
    def sum_spans(
        numbers: ti.template(),
        sources: ti.template(),
        planes: ti.template(),
        winners: ti.template(),
        grad_texels: ti.template(),
        face: ti.template(),
        chunk: ti.template(),
        bounds: ti.template(),
    ):
        """Sum over the pixels of a chunk that are within the face's bounds, if it has any."""
        sums = fragments.start_sums(lanes)
        taps = texels.start_taps()
        block = ti.Vector([0] * lanes)
        # Pixels wait until they are as many as a block has.
        waiting = ti.Vector([0] * (2 * lanes))
        num_waiting = ti.i32(0)  # indices of vectors have 32 bits, whatever the default
        firsts = ti.Vector([0] * lanes)
        ends = ti.Vector([0] * lanes)
        is_bounded = bounds[0] > ti.cast(BOUNDLESS, dtype)
        num_spans = ti.select(is_bounded, chunk.num_rows, 1)
        for span in range(num_spans):
            first = 0
            end = chunk.num_pixels
            if is_bounded:
                slot = ti.cast(span % lanes, ti.i32)
                if slot == 0:
                    find_spans(firsts, ends, face, bounds, chunk, span, lanes, dtype)
                first = span * chunk.num_cols + firsts[slot]
                end = span * chunk.num_cols + ends[slot]
            is_last = ti.cast(span == num_spans - 1, ti.i32)
            steps = ti.max((end - first + lanes - 1) // lanes, is_last)
            for step in range(steps):
                for lane in range(lanes):
                    waiting[num_waiting + lane] = first + step * lanes + lane
                num_waiting += ti.math.clamp(end - first - step * lanes, 0, lanes)
                num_blocks = num_waiting // lanes
                if is_last != 0 and step == steps - 1:
                    num_blocks = (num_waiting + lanes - 1) // lanes
                for _ in range(num_blocks):
                    for lane in range(lanes):
                        is_pixel = lane < num_waiting
                        block[lane] = ti.select(is_pixel, waiting[lane], chunk.num_pixels)
                    add_pixels(
                        *(sums, taps, numbers, sources, planes, winners, grad_texels),
                        *(face, chunk, block, True),
                    )
                    for lane in range(lanes):
                        waiting[lane] = waiting[ti.cast(lane + lanes, ti.i32)]
                    num_waiting -= lanes
        return fragments.total_of(sums)

    @kernel(quick=True)
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
            num_rows = last_row_of(boxes, b_face, f, first_row) - first_row
            num_cols = boxes[b_face, f][3]
            face = load_face(records, b_face, f)
            chunk = ti.Struct(
                b=b,
                f=f,
                first_row=first_row,
                first_col=boxes[b_face, f][1],
                num_rows=num_rows,
                num_cols=num_cols,
                num_pixels=num_rows * num_cols,
                height=height,
                width=width,
                near=near,
                far=far,
                cutoff=cutoff,
                inverse_sigma=inverse(item_of(sigma, b), dtype),
                rate=depth_rate(item_of(gamma, b), near, far, dtype),
                nearest_corner=nearest_corner(face),
                first_source=first_source,
                with_texels=with_texels,
            )
            numbers = load_numbers(colors, varyings, first_source, b, f)
            total = ti.Vector([dtype(0.0)] * size)
            is_small = True
            if ti.static(has_spans):
                is_small = chunk.num_pixels < LEAST_BOUNDED_PIXELS
                if not is_small:
                    limit = item_of(sigma, b) * cutoff
                    scale = isotropic_scale(height, width, dtype)
                    total = sum_spans(
                        *(numbers, (colors, varyings, face_sources, face_maps, maps)),
                        *(planes, winners, grad_texels, face, chunk),
                        weight_bounds(face, limit, scale, variant.coverage.border, dtype),
                    )
            if is_small:
                total = sum_box(
                    *(numbers, (colors, varyings, face_sources, face_maps, maps)),
                    *(planes, winners, grad_texels, face, chunk),
                )
            sums[index] = fragments.row_of(total, face, chunk, inverse(item_of(gamma, b), dtype))

    return sum_chunks
