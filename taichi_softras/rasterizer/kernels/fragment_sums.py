"""What a face's gradients are sums of: the adjoints of its fragments, in blocks of pixels.

Sums are a list of vectors, which have a slot for each lane of a block: they are added up over lanes
once, at the end. Where there are a few blocks only, one slot is faster. A matrix of them would keep
LLVM from making vector loops.
"""

import functools
from types import SimpleNamespace

from taichi_softras.arrays.kernels.arithmetic import greater
from taichi_softras.arrays.launcher import func
from taichi_softras.backend import ti
from taichi_softras.rasterizer.kernels.adjoints import (
    interpolation_adjoint,
    through_barycentric,
    through_clip,
    through_nearest,
    through_smallest,
)
from taichi_softras.rasterizer.kernels.blocks import exp
from taichi_softras.rasterizer.kernels.chunks import pixel_in, pixel_of
from taichi_softras.rasterizer.kernels.corner_sums import (
    GAMMA_COLUMN,
    GEOMETRY_COLUMNS,
    SIGMA_COLUMN,
    corner_columns,
)
from taichi_softras.rasterizer.kernels.face_record import SHOWN, SOLID
from taichi_softras.rasterizer.kernels.fragment import fragment_funcs
from taichi_softras.rasterizer.kernels.pixel_planes import (
    ALPHA_PLANE,
    MEAN_PLANE,
    NEAREST_PLANE,
    first_color_plane,
)
from taichi_softras.rasterizer.kernels.plane_geometry import isotropic_scale, pixel_center
from taichi_softras.rasterizer.kernels.softmax import depth_logit
from taichi_softras.rasterizer.kernels.variant import Variant

BY_CORNERS = 0
BY_DEPTHS = 6
BY_W = 9
BY_W_START = 11
BY_LOG_AREA = 15
BY_LOG_SIGMA = 16
BY_LOG_GAMMA = 17
BY_NUMBERS = 18
"""Where sums start, of derivatives with respect to the corners in the plane, x and y of each, but
for what goes by way of barycentric coordinates; to their depths; to the second and third
barycentric coordinate; to those, times x and y of the pixel's position; to the logarithms of the
area, sigma and gamma; and to the numbers of each corner."""


def num_sums(variant: Variant) -> int:
    """How many sums there are."""
    return BY_NUMBERS + 3 * corner_columns(variant)


@functools.cache
def fragment_sum_funcs(variant: Variant) -> SimpleNamespace:
    """Build the functions that add up adjoints of fragments, for one variant."""
    dtype = variant.dtype
    channels = variant.channels
    coverage = variant.coverage
    opacity = variant.alpha
    is_hard = variant.color == "hard"
    columns = corner_columns(variant)
    size = num_sums(variant)
    color_plane = first_color_plane(variant)
    lanes = variant.block[0] * variant.block[1]
    cover = coverage.cover_plainly or coverage.cover
    fragment = fragment_funcs(variant)
    through_interpolation = interpolation_adjoint(variant)

    @func
    def start_sums(slots: ti.template()):
        """Start what is summed over a chunk's pixels: a slot for each lane of a block, or one."""
        return [ti.Vector([dtype(0.0)] * slots) for k in range(size)]

    @func
    def through_colors(
        sums: ti.template(),
        taps: ti.template(),
        numbers: ti.template(),
        pixel: ti.template(),
        weights: ti.template(),
        weight: ti.template(),
        seen: ti.template(),
        lane,
        slot,
    ):
        """Add derivatives with respect to the corners' colours.

        Returns:
            Derivatives with respect to the corners' weights in the colour; and the colour times its
            derivative.
        """
        by_weights = ti.Vector([dtype(0.0)] * 3)
        tapped = dtype(0.0)
        if ti.static(variant.texture == "vertex"):
            for c in ti.static(range(channels)):
                grad = weight * ti.select(seen, pixel[color_plane + c], dtype(0.0))
                for k in ti.static(range(3)):
                    by_weights[k] += grad * numbers[k, c]
                    sums[BY_NUMBERS + columns * k + c][slot] += grad * weights[k]
            tapped = weights.dot(by_weights)
        else:
            for k in ti.static(range(3)):
                by_weights[k] = taps.by_weights[ti.i32(k), lane]
            tapped = taps.tapped[lane]
        return by_weights, tapped

    @func
    def add_block(
        sums: ti.template(),
        taps: ti.template(),
        numbers: ti.template(),
        planes: ti.template(),
        winners: ti.template(),
        face: ti.template(),
        chunk: ti.template(),
        block: ti.template(),
        with_colors: ti.template(),
    ):
        """Add the adjoint of a fragment in each pixel of a block: of alpha, and maybe of colour.

        See `pixel_in` for ``block``; numbers past the chunk's end are no pixels.
        """
        for lane in range(lanes):
            slot = ti.cast(lane * ti.static(int(sums[0].n > 1)), ti.i32)
            row, col = pixel_of(chunk, pixel_in(block, lane))
            pixel = planes[chunk.b, row, col]
            point = pixel_center(row, col, chunk.height, chunk.width, dtype)
            here = fragment.locate(face, point)
            view = fragment.look(face, here, chunk.near, chunk.far)
            x = here.s * chunk.inverse_sigma
            alive = view.in_range & (x > -chunk.cutoff) & (pixel_in(block, lane) < chunk.num_pixels)
            if ti.static(lanes == 1):
                if not alive:
                    continue
            x = greater(x, -chunk.cutoff)
            covered, uncovered = cover(x, dtype)
            cover_rate, uncover_rate = coverage.rates(covered, uncovered)
            by_alpha = ti.select(alive, pixel[ALPHA_PLANE], dtype(0.0))
            by_x = by_alpha * opacity.rate(covered, cover_rate, uncover_rate)
            by_w = ti.Vector([dtype(0.0)] * 2)
            if ti.static(with_colors):
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
                    sums, taps, numbers, pixel, weights, weight, seen, lane, slot
                )
                by_depth = dtype(0.0)
                if ti.static(not is_hard):
                    mean = ti.select(seen, pixel[MEAN_PLANE], dtype(0.0))
                    gain = tapped - weight * mean
                    by_x += gain * cover_rate
                    sums[BY_LOG_GAMMA][slot] += gain * (view.depth - nearest) * chunk.rate
                    by_depth = -gain * chunk.rate
                if ti.static(variant.mipmaps):
                    by_depth += taps.by_depths[lane]
                by_depths, by_place = through_interpolation(
                    by_weights, by_depth, view.place, face.depth_terms, view.depth
                )
                for k in ti.static(range(3)):
                    sums[BY_DEPTHS + k][slot] += by_depths[k]
                if ti.static(variant.interpolation == "nearest"):
                    by_pixel, by_corners = through_nearest(
                        by_place, view.place, here.inside, here.border.offset, face
                    )
                    by_w += by_pixel
                    for k, c in ti.static(ti.ndrange(3, 2)):
                        sums[BY_CORNERS + 2 * k + c][slot] += by_corners[k, c]
                else:
                    by_w += through_clip(by_place, view.place, view.scale, here.w)
            sums[BY_LOG_SIGMA][slot] -= by_x * x
            if ti.static(coverage.border == "edge"):
                # The nearest point's own sliding along its edge changes the distance by nothing.
                outward = ti.select(here.inside, chunk.inverse_sigma, -chunk.inverse_sigma)
                by_foot = (-2) * by_x * outward * here.border.offset
                for k, c in ti.static(ti.ndrange(3, 2)):
                    sums[BY_CORNERS + 2 * k + c][slot] += here.border.weights[k] * by_foot[c]
            elif ti.static(coverage.border == "weight"):
                by_w += through_smallest(2 * by_x * chunk.inverse_sigma, here.w)
            if ti.static(with_colors or coverage.border == "weight"):
                for i in ti.static(range(2)):
                    sums[BY_W + i][slot] += by_w[i]
                    for c in ti.static(range(2)):
                        sums[BY_W_START + 2 * i + c][slot] += by_w[i] * here.start[c]
                sums[BY_LOG_AREA][slot] -= by_w[0] * here.w[1] + by_w[1] * here.w[2]

    @func
    def total_of(sums: ti.template()):
        """Add sums up over their slots."""
        return ti.Vector([sums[k].sum() for k in range(size)])

    @func
    def row_of(total: ti.template(), face: ti.template(), chunk: ti.template(), inverse_gamma):
        """Turn sums over pixels into the face's derivatives: a row of `corner_sums`."""
        scale = isotropic_scale(chunk.height, chunk.width, dtype)
        by_w_corners = through_barycentric(
            ti.Vector([total[BY_W], total[BY_W + 1]]),
            ti.Matrix([[total[BY_W_START + 2 * i + c] for c in range(2)] for i in range(2)]),
            total[BY_LOG_AREA],
            *(face, (face.flags & SOLID) != 0, dtype),
        )
        row = ti.Vector([dtype(0.0)] * (GEOMETRY_COLUMNS + 3 * columns))
        for k, c in ti.static(ti.ndrange(3, 2)):
            row[3 * k + c] = (total[BY_CORNERS + 2 * k + c] + by_w_corners[k, c]) * scale[c]
        for k in ti.static(range(3)):
            row[3 * k + 2] = total[BY_DEPTHS + k]
        row[SIGMA_COLUMN] = total[BY_LOG_SIGMA] * chunk.inverse_sigma
        row[GAMMA_COLUMN] = total[BY_LOG_GAMMA] * inverse_gamma
        for k in ti.static(range(3 * columns)):
            row[GEOMETRY_COLUMNS + k] = total[BY_NUMBERS + k]
        return row

    return SimpleNamespace(
        start_sums=start_sums, add_block=add_block, total_of=total_of, row_of=row_of
    )
