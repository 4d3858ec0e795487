"""Derivatives of the steps from a face to its colour at a pixel: `docs/gradient.md` derives them.

A name such as ``by_depth`` is the derivative of the loss with respect to the depth. Of the three
barycentric coordinates the second and third are the variables: the first is one minus their sum.
"""

import functools
from typing import Any

from taichi_softras.arrays.kernels.arithmetic import inverse, lesser
from taichi_softras.arrays.launcher import func
from taichi_softras.backend import ti
from taichi_softras.rasterizer.kernels.plane_geometry import divisible_area
from taichi_softras.rasterizer.kernels.variant import Variant


@func
def through_clip(
    by_clipped: ti.template(), clipped: ti.template(), scale: ti.template(), w: ti.template()
):
    """Derivatives by the second and third barycentric coordinate.

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


@func
def through_nearest(
    by_place: ti.template(),
    place: ti.template(),
    inside: ti.template(),
    offset: ti.template(),
    face: ti.template(),
):
    """Derivatives by where the point of a face nearest to a pixel is.

    It is the pixel, if that is inside, and moves with its barycentric coordinates. Else it is on
    the nearest edge, and slides along that, unless it is an end.

    Args:
        by_place: Derivatives by the barycentric coordinates of the point.
        place: Those coordinates. On an edge, the third is 0.
        inside: Whether the pixel is inside the face.
        offset: The pixel, relative to the nearest point of the border.
        face: As `describe_face` made it.

    Returns:
        Derivatives by the second and third barycentric coordinate of the pixel; and by the corners
        in the plane, one a row.
    """
    zero = 0 * place[0]
    by_w = ti.Vector([by_place[1] - by_place[0], by_place[2] - by_place[0]])
    # From the first of the edge's two corners to the second.
    starts_at_a = place[0] > 0
    ends_at_c = place[2] > 0
    leaves = ti.select(starts_at_a, zero + 1, zero)
    arrives = ti.select(ends_at_c, zero + 1, zero)
    ends = ti.Vector([-leaves, leaves - arrives, arrives])
    lengths = face.inverse_lengths
    inverse_length = ti.select(
        ends_at_c, ti.select(starts_at_a, lengths[2], lengths[1]), lengths[0]
    )
    slides = ~inside & (place[0] < 1) & (place[1] < 1) & (place[2] < 1)
    by_t = ti.select(slides, by_place.dot(ends) * inverse_length, zero)
    edge = face.corners.transpose() @ ends
    by_corners = ends.outer_product(by_t * offset) - place.outer_product(by_t * edge)
    return ti.select(inside, by_w, ti.Vector([zero, zero])), by_corners


@func
def through_smallest(slope, w: ti.template()):
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


@func
def through_bilinear(by_taps, t, height, width):
    """Derivatives by the texture coordinates u and v, from those by `bilinear_weights`."""
    by_x = (by_taps[1] - by_taps[0]) * (1 - t[1]) + (by_taps[3] - by_taps[2]) * t[1]
    by_y = (by_taps[2] - by_taps[0]) * (1 - t[0]) + (by_taps[3] - by_taps[1]) * t[0]
    return ti.Vector([by_x * width, -by_y * height])


@func
def through_barycentric(
    by_w: ti.template(),
    by_w_start: ti.template(),
    by_log_area: ti.template(),
    face: ti.template(),
    is_solid,
    dtype: ti.template(),
):
    """Derivatives by a face's corners in the plane, one a row, of sums over pixels.

    Args:
        by_w: Derivatives by the second and third barycentric coordinate, summed.
        by_w_start: Those times the pixel's position relative to the first corner, summed.
        by_log_area: Derivative by the logarithm of the area.
        face: As `describe_face` made it.
        is_solid: Whether the area is not replaced by the smallest.
        dtype: Precision.
    """
    inverse_area = inverse(divisible_area(face.corners, dtype), dtype)
    slope1 = ti.Vector([face.slopes[0, 0], face.slopes[0, 1]])
    slope2 = ti.Vector([face.slopes[1, 0], face.slopes[1, 1]])
    by_start = by_w[0] * slope1 + by_w[1] * slope2
    by_ab = ti.Vector([by_w_start[1, 1], -by_w_start[1, 0]]) * inverse_area
    by_ac = ti.Vector([-by_w_start[0, 1], by_w_start[0, 0]]) * inverse_area
    if is_solid:
        by_ab += by_log_area * slope1
        by_ac += by_log_area * slope2
    by_a = -(by_start + by_ab + by_ac)
    return ti.Matrix.rows([by_a, by_ab, by_ac])


@functools.cache
def interpolation_adjoint(variant: Variant) -> Any:
    """Build the function that differentiates depths and weights, for one variant."""
    dtype = variant.dtype

    @func
    def through_interpolation(
        by_weights: ti.template(),
        by_depth: ti.template(),
        place: ti.template(),
        depth_terms: ti.template(),
        depth: ti.template(),
    ):
        """Derivatives by the corners' depths, and by the barycentric coordinates of what is seen.

        Args:
            by_weights: Derivatives by the corners' weights in the colour.
            by_depth: Derivative by the fragment's depth, other than through those weights.
            place: The coordinates.
            depth_terms: One over the corners' depths; or those depths, where rays are parallel.
            depth: The fragment's depth.
        """
        by_depths = ti.Vector([dtype(0.0)] * 3)
        by_place = by_weights
        if ti.static(variant.orthographic):
            by_depths = by_depth * place
            by_place = by_weights + by_depth * depth_terms
        else:
            by_any_depth = by_depth
            if ti.static(variant.perspective_correct):
                # weights = place * depth_terms * depth
                by_own_weight = by_weights * place * depth_terms
                by_any_depth += by_own_weight.sum()
                by_place = by_weights * depth_terms * depth
                by_depths -= by_own_weight * depth_terms * depth
            by_mean = by_any_depth * depth * depth * depth_terms
            by_depths += by_mean * place * depth_terms
            by_place -= by_mean
        return by_depths, by_place

    return through_interpolation
