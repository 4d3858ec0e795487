"""Gradients of textures: what a loop that reads texels does, which is no vector loop, apart."""

import functools
from types import SimpleNamespace

from taichi_softras.arrays.kernels.arithmetic import greater
from taichi_softras.arrays.launcher import func
from taichi_softras.backend import ti
from taichi_softras.rasterizer.kernels.adjoints import through_bilinear
from taichi_softras.rasterizer.kernels.blocks import exp
from taichi_softras.rasterizer.kernels.chunks import pixel_in, pixel_of
from taichi_softras.rasterizer.kernels.face_record import SHOWN
from taichi_softras.rasterizer.kernels.fragment import fragment_funcs
from taichi_softras.rasterizer.kernels.fragment_sums import (
    BY_DEPTHS,
    BY_LOG_AREA,
    BY_NUMBERS,
    BY_W_START,
)
from taichi_softras.rasterizer.kernels.pixel_planes import NEAREST_PLANE, first_color_plane
from taichi_softras.rasterizer.kernels.plane_geometry import pixel_center
from taichi_softras.rasterizer.kernels.softmax import HIDDEN_LOGIT, depth_logit
from taichi_softras.rasterizer.kernels.textures import map_of, taps_at
from taichi_softras.rasterizer.kernels.trilinear import (
    TAPS,
    pixel_side,
    through_changes,
    through_trilinear,
    trilinear_taps,
)
from taichi_softras.rasterizer.kernels.variant import Variant


@functools.cache
def texel_sum_funcs(variant: Variant) -> SimpleNamespace:
    """Build the functions that look texels up and add to their gradients, for one variant."""
    dtype = variant.dtype
    channels = variant.channels
    is_hard = variant.color == "hard"
    texture = variant.texture
    num_taps = TAPS if variant.mipmaps else {"vertex": 3, "surface": 1, "uv": 4}[texture]
    kept_depths = variant.block[0] * variant.block[1] if variant.mipmaps else 1
    color_plane = first_color_plane(variant)
    lanes = variant.block[0] * variant.block[1]
    cover = variant.coverage.cover_plainly or variant.coverage.cover
    fragment = fragment_funcs(variant)

    @func
    def start_taps():
        """Start what `weigh_block` and `look_up_block` write of each pixel of a block.

        Returns:
            A struct of the weight of the face's colour, ``shares``; the ``weights`` of its corners,
            and the derivatives ``by_weights``; and the colour times its derivative, ``tapped``.
            With mipmaps also of the ``depths`` of what is seen, and the derivatives by them, other
            than through those weights, ``by_depths``.
        """
        return ti.Struct(
            shares=ti.Vector([dtype(0.0)] * lanes),
            weights=ti.Matrix([[dtype(0.0)] * lanes] * 3),
            by_weights=ti.Matrix([[dtype(0.0)] * lanes] * 3),
            tapped=ti.Vector([dtype(0.0)] * lanes),
            depths=ti.Vector([dtype(0.0)] * kept_depths),
            by_depths=ti.Vector([dtype(0.0)] * kept_depths),
        )

    @func
    def weigh_block(
        taps: ti.template(),
        planes: ti.template(),
        winners: ti.template(),
        face: ti.template(),
        chunk: ti.template(),
        block: ti.template(),
    ):
        """Weigh the face's colour and its corners in each pixel of a block."""
        for lane in range(lanes):
            row, col = pixel_of(chunk, pixel_in(block, lane))
            point = pixel_center(row, col, chunk.height, chunk.width, dtype)
            here = fragment.locate(face, point)
            view = fragment.look(face, here, chunk.near, chunk.far)
            x = here.s * chunk.inverse_sigma
            seen = (
                view.in_range
                & ((face.flags & SHOWN) != 0)
                & (x > -chunk.cutoff)
                & (pixel_in(block, lane) < chunk.num_pixels)
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
            if ti.static(variant.mipmaps):
                taps.depths[lane] = view.depth

    @func
    def add_taps(
        colors: ti.template(),
        planes: ti.template(),
        grad_texels: ti.template(),
        chunk: ti.template(),
        row: ti.template(),
        col: ti.template(),
        share: ti.template(),
        tap_rows: ti.template(),
        tap_cols: ti.template(),
        tap_weights: ti.template(),
    ):
        """Add to the gradients of texels; return the derivatives by their weights."""
        pixel = planes[chunk.b, row, col]
        by_taps = ti.Vector([dtype(0.0)] * num_taps)
        b_color = ti.min(chunk.b, colors.shape[0] - 1)
        for c in ti.static(range(channels)):
            source = chunk.first_source + c
            grad = share * pixel[color_plane + c]
            for t in ti.static(range(num_taps)):
                texel = colors[b_color, tap_rows[t], tap_cols[t], source]
                by_taps[t] += grad * texel
                if chunk.with_texels != 0:
                    grad_texels[b_color, tap_rows[t], tap_cols[t], source] += grad * tap_weights[t]
        return by_taps

    @func
    def add_plain(
        sums: ti.template(),
        numbers: ti.template(),
        colors: ti.template(),
        varyings: ti.template(),
        face_sources: ti.template(),
        face_maps: ti.template(),
        maps: ti.template(),
        planes: ti.template(),
        grad_texels: ti.template(),
        chunk: ti.template(),
        row: ti.template(),
        col: ti.template(),
        share: ti.template(),
        weights: ti.template(),
        slot: ti.template(),
    ):
        """Add the adjoint of a colour; return what `through_colors` wants of it."""
        by_weights = ti.Vector([dtype(0.0)] * 3)
        tap_rows, tap_cols, tap_weights = taps_at(
            texture,
            *(colors, varyings, face_sources, face_maps, maps),
            *(chunk.b, chunk.f, weights, dtype),
        )
        by_taps = add_taps(
            *(colors, planes, grad_texels, chunk, row, col, share),
            *(tap_rows, tap_cols, tap_weights),
        )
        if ti.static(texture == "uv"):
            m = map_of(face_sources, face_maps, chunk.b, chunk.f)
            right = tap_weights[1] + tap_weights[3]
            down = tap_weights[2] + tap_weights[3]
            by_uv = through_bilinear(by_taps, ti.Vector([right, down]), maps[m, 1], maps[m, 2])
            by_weights = numbers @ by_uv
            for k, c in ti.static(ti.ndrange(3, 2)):
                sums[BY_NUMBERS + 2 * k + c][slot] += weights[k] * by_uv[c]
        return by_weights, dtype(0.0), tap_weights.dot(by_taps)

    @func
    def add_mipmapped(
        sums: ti.template(),
        numbers: ti.template(),
        colors: ti.template(),
        varyings: ti.template(),
        face_sources: ti.template(),
        face_maps: ti.template(),
        maps: ti.template(),
        planes: ti.template(),
        grad_texels: ti.template(),
        face: ti.template(),
        chunk: ti.template(),
        row: ti.template(),
        col: ti.template(),
        share: ti.template(),
        weights: ti.template(),
        depth: ti.template(),
        slot: ti.template(),
    ):
        """`add_plain` of a colour whose level has derivatives too: see `trilinear`."""
        ratios = fragment.ratios_of(face.depth_terms, depth)
        side = pixel_side(chunk.height, chunk.width, dtype)
        tap_rows, tap_cols, tap_weights, seen = trilinear_taps(
            *(varyings, face_sources, face_maps, maps),
            *(chunk.b, chunk.f, weights, ratios, face.slopes, side, dtype),
        )
        by_taps = add_taps(
            *(colors, planes, grad_texels, chunk, row, col, share),
            *(tap_rows, tap_cols, tap_weights),
        )
        by_uv, by_changes = through_trilinear(by_taps, seen, maps, dtype)
        more_by_uv, by_numbers, by_ratios, by_slopes = through_changes(
            by_changes, numbers, seen.uv, ratios, face.slopes, side
        )
        by_uv += more_by_uv
        for k, c in ti.static(ti.ndrange(3, 2)):
            sums[BY_NUMBERS + 2 * k + c][slot] += weights[k] * by_uv[c] + by_numbers[k, c]
        # The slopes are those of the barycentric coordinates, whose sums are at hand.
        for i, c in ti.static(ti.ndrange(2, 2)):
            sums[BY_W_START + 2 * i + c][slot] += by_slopes[i, c]
            sums[BY_LOG_AREA][slot] -= by_slopes[i, c] * face.slopes[i, c]
        by_depth = dtype(0.0)
        if ti.static(variant.perspective_correct and not variant.orthographic):
            by_depth = by_ratios.dot(face.depth_terms)
            for k in ti.static(range(3)):
                sums[BY_DEPTHS + k][slot] -= by_ratios[k] * ratios[k] * face.depth_terms[k]
        return numbers @ by_uv, by_depth, tap_weights.dot(by_taps)

    @func
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
        face: ti.template(),
        chunk: ti.template(),
        block: ti.template(),
    ):
        """Look up the texels of each pixel of a block, and add to their gradients."""
        for lane in range(lanes):
            slot = ti.cast(lane * ti.static(int(sums[0].n > 1)), ti.i32)
            by_weights = ti.Vector([dtype(0.0)] * 3)
            by_depth = dtype(0.0)
            tapped = dtype(0.0)
            if taps.shares[lane] != 0:
                row, col = pixel_of(chunk, pixel_in(block, lane))
                weights = ti.Vector([taps.weights[ti.i32(k), lane] for k in range(3)])
                if ti.static(variant.mipmaps):
                    by_weights, by_depth, tapped = add_mipmapped(
                        *(sums, numbers, colors, varyings, face_sources, face_maps, maps),
                        *(planes, grad_texels, face, chunk, row, col, taps.shares[lane]),
                        *(weights, taps.depths[lane], slot),
                    )
                else:
                    by_weights, by_depth, tapped = add_plain(
                        *(sums, numbers, colors, varyings, face_sources, face_maps, maps),
                        *(planes, grad_texels, chunk, row, col, taps.shares[lane]),
                        *(weights, slot),
                    )
            for k in ti.static(range(3)):
                taps.by_weights[ti.i32(k), lane] = by_weights[k]
            taps.tapped[lane] = tapped
            if ti.static(variant.mipmaps):
                taps.by_depths[lane] = by_depth

    return SimpleNamespace(
        start_taps=start_taps, weigh_block=weigh_block, look_up_block=look_up_block
    )
