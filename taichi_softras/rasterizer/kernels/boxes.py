"""Which pixels a face can reach."""

import functools

from taichi_softras.arrays.kernels.arithmetic import is_finite, item_of
from taichi_softras.arrays.launcher import func, kernel
from taichi_softras.backend import ti
from taichi_softras.cameras.kernels.projection import SMALLEST_DEPTH
from taichi_softras.rasterizer.kernels.face_record import (
    SHOWN,
    SOLID,
    describe_face,
    record_type,
    store_face,
)
from taichi_softras.rasterizer.kernels.plane_geometry import (
    LARGEST_COORDINATE,
    isotropic_scale,
    load_corners,
)
from taichi_softras.rasterizer.kernels.variant import Variant


@func
def pixel_position(x, size, dtype: ti.template()):
    """Where ``x`` in NDC is among ``size`` pixels: a whole number at the centre of each."""
    return ((x + 1) * size - 1) / ti.cast(2, dtype)


@func
def first_pixel(x, size, dtype: ti.template()):
    """Index of the first pixel of ``size`` whose centre is at ``x`` or beyond; NDC, increasing."""
    return ti.cast(ti.math.clamp(ti.ceil(pixel_position(x, size, dtype)), 0, size), ti.i32)


@func
def last_pixel(x, size, dtype: ti.template()):
    """Index of the last pixel of ``size`` whose centre is at ``x`` or before; NDC, increasing."""
    return ti.cast(ti.math.clamp(ti.floor(pixel_position(x, size, dtype)), -1, size - 1), ti.i32)


LARGEST_NUMBER = 2.0**126
"""Number at a face's corner, a colour or the like, beyond which it counts as infinite."""

BOX_TYPE = ti.types.vector(5, ti.i32)
"""A face's box of pixels: first row, first column, rows, columns; and its item."""


@func
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

    @kernel(quick=True)
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
                face = describe_face(corners, depths, cull, near, far, variant.orthographic, dtype)
                turned = (face.flags & SHOWN) == 0
                drawn = (
                    depths.min() > ti.cast(SMALLEST_DEPTH, dtype)
                    and depths.max() >= near
                    and depths.min() <= far
                    and not (turned and cull_alpha != 0)
                )
                if ti.static(coverage.needs_area):
                    drawn = drawn and (face.flags & SOLID) != 0
                if drawn:
                    store_face(records, b, f, face, dtype)
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
