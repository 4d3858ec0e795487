"""Which pixels a face can reach, and the record of what it is."""

import functools
from typing import Any

import taichi as ti

from taichi_softras.arrays.kernels.arithmetic import inverse, is_finite, item_of
from taichi_softras.cameras.kernels.projection import SMALLEST_DEPTH
from taichi_softras.rasterizer.kernels.plane_geometry import (
    LARGEST_COORDINATE,
    inverse_lengths_sq,
    is_solid,
    is_turned,
    isotropic_scale,
    load_corners,
    weight_slopes,
)
from taichi_softras.rasterizer.kernels.variant import Variant


@ti.func
def pixel_position(x, size, dtype: ti.template()):
    """Where ``x`` in NDC is among ``size`` pixels: a whole number at the centre of each."""
    return ((x + 1) * size - 1) / ti.cast(2, dtype)


@ti.func
def first_pixel(x, size, dtype: ti.template()):
    """Index of the first pixel of ``size`` whose centre is at ``x`` or beyond; NDC, increasing."""
    return ti.cast(ti.math.clamp(ti.ceil(pixel_position(x, size, dtype)), 0, size), ti.i32)


@ti.func
def last_pixel(x, size, dtype: ti.template()):
    """Index of the last pixel of ``size`` whose centre is at ``x`` or before; NDC, increasing."""
    return ti.cast(ti.math.clamp(ti.floor(pixel_position(x, size, dtype)), -1, size - 1), ti.i32)


RECORD_SIZE = 17
"""Numbers of a face: corners, depth terms, slopes, 1/lengths, and flags."""

LARGEST_NUMBER = 2.0**126
"""Number at a face's corner, a colour or the like, beyond which it counts as infinite."""

SOLID, SHOWN, WITHIN = 1, 2, 4
"""Flags of a face: it has an area; it is seen in colours; all of it is between near and far."""

BOX_TYPE = ti.types.vector(5, ti.i32)
"""A face's box of pixels: first row, first column, rows, columns; and its item."""


@ti.func
def depth_term(depth, orthographic: ti.template(), dtype: ti.template()):
    """What is interpolated to get depths: one over the depth, or itself where rays are parallel."""
    if ti.static(orthographic):
        return depth
    else:
        return inverse(depth, dtype)


def record_type(dtype: Any) -> Any:
    """Make the type of a face's record."""
    return ti.types.vector(RECORD_SIZE, dtype)


@ti.func
def make_record(corners, depths, flags, orthographic: ti.template(), dtype: ti.template()):
    """Work out what is asked of a face in every pixel."""
    slopes = weight_slopes(corners, dtype)
    lengths = inverse_lengths_sq(corners, dtype)
    record = ti.Vector([ti.cast(0, dtype)] * RECORD_SIZE)
    for k, c in ti.static(ti.ndrange(3, 2)):
        record[2 * k + c] = corners[k, c]
    for k in ti.static(range(3)):
        record[6 + k] = depth_term(depths[k], orthographic, dtype)
        record[13 + k] = lengths[k]
    for k, c in ti.static(ti.ndrange(2, 2)):
        record[9 + 2 * k + c] = slopes[k, c]
    record[16] = ti.cast(flags, dtype)
    return record


@ti.func
def load_record(records: ti.template(), b, f):
    """Read what `make_record` made.

    Returns:
        Corners, `depth_term` of each, `weight_slopes`, `inverse_lengths_sq`, and flags.
    """
    record = records[b, f]
    corners = ti.Matrix([[record[2 * k + c] for c in range(2)] for k in range(3)])
    depth_terms = ti.Vector([record[6 + k] for k in range(3)])
    slopes = ti.Matrix([[record[9 + 2 * k + c] for c in range(2)] for k in range(2)])
    inverse_lengths = ti.Vector([record[13 + k] for k in range(3)])
    return corners, depth_terms, slopes, inverse_lengths, ti.cast(record[16], ti.i32)


@ti.func
def corners_are_finite(values: ti.template(), b, f, first, columns, largest):
    """Tell whether numbers at a face's corners, which items may share, are finite and not huge."""
    b_ = ti.min(b, values.shape[0] - 1)
    f_ = ti.min(f, values.shape[1] - 1)
    finite = True
    for c in range(first, first + columns):
        for k in ti.static(range(3)):
            value = values[b_, f_, k, c]
            finite = finite and is_finite(value) and ti.abs(value) < largest
    return finite


@functools.cache
def box_kernel(variant: Variant):
    """Build the kernel that finds every face's box of pixels."""
    dtype = variant.dtype
    coverage = variant.coverage
    array4 = ti.types.ndarray(dtype=dtype, ndim=4)
    integers = ti.types.ndarray(dtype=ti.i32, ndim=1)

    @ti.kernel
    def find_boxes(
        face_vertices: array4,  # (B, F, 3, 3) NDC x y, depth, in
        colors: array4,  # (B or 1, F, 3, C), in
        color_columns: ti.i32,  # how many numbers of a corner's colours must be finite
        varyings: array4,  # (B or 1, F or 1, 3, K), in
        varying_columns: ti.i32,  # likewise
        attributes: array4,  # (B or 1, F, 3, K), in
        attribute_columns: ti.i32,  # likewise
        sigma: ti.types.ndarray(dtype=dtype, ndim=1),  # (B or 1,), in
        near: dtype,
        far: dtype,
        cutoff: dtype,  # -s / sigma where coverage falls to the cut-off
        height: ti.i32,
        width: ti.i32,
        cull: ti.i32,  # 1 leaves out back faces, -1 front faces, 0 none
        cull_alpha: ti.i32,  # whether they are left out of alpha too
        face_items: integers,  # (F,) the item of each face; (1,) if all have them all, in
        packed: ti.i32,  # whether faces have one item each
        num_items: ti.i32,
        boxes: ti.types.ndarray(dtype=BOX_TYPE, ndim=2),  # (B, F), out
        records: ti.types.ndarray(dtype=record_type(dtype), ndim=2),  # (B, F), out
        num_faces: integers,  # (num_items,) faces of each item, accumulated if alpha is a sum
    ):
        """Find the pixels where a face's coverage can reach the cut-off, and what to know of it.

        A face that must not be drawn gets an empty box: one that is not finite, in position or
        colour, that has a corner at or behind the camera, that lies outside the depth range, that
        is turned away, when such faces are culled, or that is of no item.
        """
        for b, f in ti.ndrange(face_vertices.shape[0], face_vertices.shape[1]):
            item = ti.select(packed != 0, face_items[ti.min(f, face_items.shape[0] - 1)], b)
            rows = 0
            cols = 0
            row = 0
            col = 0
            largest = ti.cast(LARGEST_NUMBER, dtype)
            drawn = (
                item >= 0
                and item < num_items
                and corners_are_finite(
                    face_vertices, b, f, 0, 3, ti.cast(LARGEST_COORDINATE, dtype)
                )
                and corners_are_finite(colors, b, f, 0, color_columns, largest)
                and corners_are_finite(varyings, b, f, 0, varying_columns, largest)
                and corners_are_finite(attributes, b, f, 0, attribute_columns, largest)
            )
            if drawn:
                scale = isotropic_scale(height, width, dtype)
                corners, depths = load_corners(face_vertices, b, f, scale)
                solid = is_solid(corners, dtype)
                turned = is_turned(corners, cull)
                drawn = (
                    depths.min() > ti.cast(SMALLEST_DEPTH, dtype)
                    and depths.max() >= near
                    and depths.min() <= far
                    and not (turned and cull_alpha != 0)
                )
                if ti.static(coverage.needs_area):
                    drawn = drawn and solid
                if drawn:
                    within = depths.min() >= near and depths.max() <= far
                    flags = (
                        ti.select(solid, SOLID, 0)
                        + ti.select(turned, 0, SHOWN)
                        + ti.select(within, WITHIN, 0)
                    )
                    records[b, f] = make_record(corners, depths, flags, variant.orthographic, dtype)
                    radius = coverage.reach(corners, item_of(sigma, item) * cutoff)
                    xs = ti.Vector([corners[0, 0], corners[1, 0], corners[2, 0]])
                    ys = ti.Vector([corners[0, 1], corners[1, 1], corners[2, 1]])
                    col = first_pixel((xs.min() - radius) / scale[0], width, dtype)
                    cols = ti.max(
                        last_pixel((xs.max() + radius) / scale[0], width, dtype) + 1 - col, 0
                    )
                    row = first_pixel(-(ys.max() + radius) / scale[1], height, dtype)
                    rows = ti.max(
                        last_pixel((radius - ys.min()) / scale[1], height, dtype) + 1 - row, 0
                    )
            boxes[b, f] = ti.Vector(
                [row, col, rows * ti.min(cols, 1), cols * ti.min(rows, 1), item]
            )
            if ti.static(variant.alpha.counts_faces):
                if item >= 0 and item < num_items:
                    ti.atomic_add(num_faces[item], 1)

    return find_boxes
