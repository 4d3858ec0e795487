"""Image maps under minification: how much of a map a pixel covers, and colours of two levels mixed.

How fast texture coordinates change over the image follows from the face's plane, at the point of it
that is seen: u = z Σ w_k u_k / z_k there, with barycentric coordinates w_k that are linear in the
image, whose slopes the face's record has; so du = z Σ (u_k − u) / z_k dw_k.

Source:
    Williams, "Pyramidal Parametrics", SIGGRAPH 1983.
"""

import math

from taichi_softras.arrays.kernels.arithmetic import inverse
from taichi_softras.arrays.launcher import func
from taichi_softras.backend import ti
from taichi_softras.rasterizer.kernels.adjoints import through_bilinear
from taichi_softras.rasterizer.kernels.pyramids import COLUMNS
from taichi_softras.rasterizer.kernels.textures import (
    bilinear_taps,
    bilinear_weights,
    map_of,
    varying_at,
)

HALF_BY_LOG_2 = 0.5 / math.log(2)
"""Half of a logarithm to base 2, per natural logarithm."""

TAPS = 8
"""Four texels of each of two levels."""


@func
def pixel_side(height, width, dtype: ti.template()):
    """Side of a pixel in isotropic NDC, of which the image's shorter side has 2."""
    return 2 * inverse(ti.cast(ti.min(height, width), dtype), dtype)


@func
def weight_slope(slopes: ti.template(), k: ti.template()):
    """How fast one of a face's barycentric coordinates grows: the first is one minus the others."""
    if ti.static(k == 0):
        return ti.Vector([-(slopes[0, 0] + slopes[1, 0]), -(slopes[0, 1] + slopes[1, 1])])
    else:
        return ti.Vector([slopes[k - 1, 0], slopes[k - 1, 1]])


@func
def uv_changes(
    varyings: ti.template(),
    b,
    f,
    uv: ti.template(),
    ratios: ti.template(),
    slopes: ti.template(),
    side: ti.template(),
):
    """How texture coordinates change from a pixel to the next: rows u and v, to the right and up.

    Args:
        varyings: (B or 1, F or 1, 3, K), texture coordinates of corners first.
        b: Item.
        f: Face.
        uv: Texture coordinates of what is seen.
        ratios: Its depth over that of each corner: see `fragment.ratios_of`.
        slopes: `weight_slopes` of the face.
        side: Of a pixel: `pixel_side`.
    """
    b_ = ti.min(b, varyings.shape[0] - 1)
    f_ = ti.min(f, varyings.shape[1] - 1)
    changes = ti.Matrix([[0 * side, 0 * side], [0 * side, 0 * side]])
    for k in ti.static(range(3)):
        slope = weight_slope(slopes, k)
        for c, axis in ti.static(ti.ndrange(2, 2)):
            changes[c, axis] += side * ratios[k] * (varyings[b_, f_, k, c] - uv[c]) * slope[axis]
    return changes


@func
def footprint(changes: ti.template(), maps: ti.template(), m):
    """Mean square of the two axes, in texels, of what a pixel covers of a map."""
    height = maps[m, 1]
    width = maps[m, 2]
    by_u = changes[0, 0] * changes[0, 0] + changes[0, 1] * changes[0, 1]
    by_v = changes[1, 0] * changes[1, 0] + changes[1, 1] * changes[1, 1]
    # Halved after the product: an integer divided would bring the precision of ``ti.init``.
    return (by_u * width * width + by_v * height * height) / 2


@func
def level_of(square, maps: ti.template(), dtype: ti.template()):
    """Find the two levels that a footprint is between, and how far it is from the first."""
    last = maps.shape[1] // COLUMNS - 1
    level = ti.log(ti.max(square, 1)) * dtype(ti.static(HALF_BY_LOG_2))
    level = ti.min(level, ti.cast(last, dtype))
    first = ti.math.clamp(ti.cast(ti.floor(level), ti.i32), 0, last)
    return first, ti.min(first + 1, last), level - first


@func
def trilinear_taps(
    varyings: ti.template(),
    face_sources: ti.template(),
    face_maps: ti.template(),
    maps: ti.template(),
    b,
    f,
    weights: ti.template(),
    ratios: ti.template(),
    slopes: ti.template(),
    side: ti.template(),
    dtype: ti.template(),
):
    """Find the texels that a face's colour is made of, where its corners weigh ``weights``.

    Args:
        varyings: (B or 1, F or 1, 3, K), texture coordinates of corners first.
        face_sources: As `textures.taps_at` takes them.
        face_maps: Likewise.
        maps: (M, 4 L) int32, of each level of each map what `pyramids` says.
        b: Item.
        f: Face.
        weights: Of the corners.
        ratios: As in `uv_changes`.
        slopes: Likewise.
        side: Likewise.
        dtype: Precision.

    Returns:
        The taps, four of each level, as rows and columns of a pyramid, which has one row; their
        weights; and a struct of what `through_trilinear` asks for.
    """
    uv = ti.Vector(
        [
            varying_at(varyings, b, f, 0, weights),
            varying_at(varyings, b, f, 1, weights),
        ]
    )
    m = map_of(face_sources, face_maps, b, f)
    changes = uv_changes(varyings, b, f, uv, ratios, slopes, side)
    square = footprint(changes, maps, m)
    near, far, between = level_of(square, maps, dtype)
    near_taps, near_t = bilinear_taps(uv[0], uv[1], maps, m, near, dtype)
    far_taps, far_t = bilinear_taps(uv[0], uv[1], maps, m, far, dtype)
    near_weights = bilinear_weights(near_t) * (1 - between)
    far_weights = bilinear_weights(far_t) * between
    taps = near_taps + far_taps
    tap_weights = ti.Vector(
        [near_weights[k] for k in range(4)] + [far_weights[k] for k in range(4)]
    )
    seen = ti.Struct(
        uv=uv,
        map=m,
        changes=changes,
        square=square,
        near=near,
        far=far,
        between=between,
        near_t=near_t,
        far_t=far_t,
    )
    return [0] * TAPS, taps, tap_weights, seen


@func
def through_trilinear(
    by_taps: ti.template(), seen: ti.template(), maps: ti.template(), dtype: ti.template()
):
    """Derivatives by the texture coordinates, and by how they change: rows u and v.

    Args:
        by_taps: Derivatives by the weights of taps.
        seen: What `trilinear_taps` made.
        maps: As there.
        dtype: Precision.
    """
    by_near = ti.Vector([by_taps[k] for k in range(4)])
    by_far = ti.Vector([by_taps[4 + k] for k in range(4)])
    here = COLUMNS * seen.near
    there = COLUMNS * seen.far
    near = through_bilinear(
        by_near, seen.near_t, maps[seen.map, here + 1], maps[seen.map, here + 2]
    )
    far = through_bilinear(by_far, seen.far_t, maps[seen.map, there + 1], maps[seen.map, there + 2])
    by_uv = near * (1 - seen.between) + far * seen.between
    by_changes = 0 * seen.changes
    if (seen.square > 1) & (seen.near < seen.far):
        by_level = bilinear_weights(seen.far_t).dot(by_far) - bilinear_weights(seen.near_t).dot(
            by_near
        )
        by_square = by_level * dtype(ti.static(HALF_BY_LOG_2)) * inverse(seen.square, dtype)
        for c, axis in ti.static(ti.ndrange(2, 2)):
            size = maps[seen.map, 2 - c]
            by_changes[c, axis] = by_square * seen.changes[c, axis] * size * size
    return by_uv, by_changes


@func
def through_changes(
    by_changes: ti.template(),
    numbers: ti.template(),
    uv: ti.template(),
    ratios: ti.template(),
    slopes: ti.template(),
    side: ti.template(),
):
    """Derivatives by all that `uv_changes` depends on.

    Args:
        by_changes: Derivatives by what it returned.
        numbers: Texture coordinates of the corners, one a row.
        uv: As there.
        ratios: As there.
        slopes: As there.
        side: As there.

    Returns:
        Derivatives by ``uv``, by the ``numbers``, by the ``ratios`` and by the ``slopes``.
    """
    zero = 0 * side
    by_uv = ti.Vector([zero, zero])
    by_numbers = 0 * numbers
    by_ratios = ti.Vector([zero, zero, zero])
    by_slopes = 0 * slopes
    for k in ti.static(range(3)):
        slope = weight_slope(slopes, k)
        for c in ti.static(range(2)):
            pull = side * (by_changes[c, 0] * slope[0] + by_changes[c, 1] * slope[1])
            away = numbers[k, c] - uv[c]
            by_numbers[k, c] = ratios[k] * pull
            by_uv[c] -= ratios[k] * pull
            by_ratios[k] += away * pull
            for axis in ti.static(range(2)):
                by_slope = side * ratios[k] * away * by_changes[c, axis]
                if ti.static(k == 0):
                    by_slopes[0, axis] -= by_slope
                    by_slopes[1, axis] -= by_slope
                else:
                    by_slopes[k - 1, axis] += by_slope
    return by_uv, by_numbers, by_ratios, by_slopes
