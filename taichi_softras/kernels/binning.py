"""Which pixels a face can reach, and which faces a tile of pixels must look at.

Lists are counted, then laid out by a prefix sum, then filled: no cap on their length. Each is
sorted by face, so that images don't depend on the order in which threads ran.
"""

import functools
from types import SimpleNamespace

import taichi as ti

from taichi_softras.kernels.geometry import (
    LARGEST_COORDINATE,
    SMALLEST_DEPTH,
    double_area,
    inverse,
    inverse_lengths_sq,
    is_finite,
    is_solid,
    isotropic_scale,
    item_of,
    load_corners,
    weight_slopes,
)
from taichi_softras.kernels.variant import Variant


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


@ti.func
def tile_range(boxes: ti.template(), b, f, tile_size):
    """First and last row and column of tiles that a face's box touches; none if first > last."""
    row = boxes[b, f, 0]
    col = boxes[b, f, 1]
    rows = boxes[b, f, 2]
    cols = boxes[b, f, 3]
    first = ti.Vector([row // tile_size, col // tile_size])
    last = ti.Vector([(row + rows - 1) // tile_size, (col + cols - 1) // tile_size])
    if rows * cols == 0:
        last = first - 1
    return first, last


LARGEST_TILE = 16
"""Side of the largest tiles, in pixels: positions in a tile take 4 bits."""

FACE_SHIFT = 16
"""Bits of a tile's entry below the index of the face: the pixels of the tile that it can reach."""


@ti.func
def pack_entry(boxes: ti.template(), b, f, first_row, first_col, tile_size):
    """Make the entry of a face in the list of the tile whose first pixel is given.

    It holds the face, and the first and last row and column of its box within the tile.
    """
    top = ti.max(boxes[b, f, 0] - first_row, 0)
    left = ti.max(boxes[b, f, 1] - first_col, 0)
    bottom = ti.min(boxes[b, f, 0] + boxes[b, f, 2] - first_row, tile_size) - 1
    right = ti.min(boxes[b, f, 1] + boxes[b, f, 3] - first_col, tile_size) - 1
    reach = (top << 12) | (bottom << 8) | (left << 4) | right
    return (ti.cast(f, ti.i64) << FACE_SHIFT) | ti.cast(reach, ti.i64)


@ti.func
def is_reached(entry, row, col):
    """Tell whether a face's box holds a pixel, at ``row`` and ``col`` of the tile."""
    reach = ti.cast(entry & ((1 << FACE_SHIFT) - 1), ti.i32)
    # Negative where a coordinate is out of its range. One sign to look at: a branch for each of
    # the four comparisons would be hard to predict.
    below = (row - (reach >> 12)) | ((reach >> 8 & 15) - row)
    beside = (col - (reach >> 4 & 15)) | ((reach & 15) - col)
    return (below | beside) >= 0


RECORD_SIZE = 17
"""Numbers that drawing needs of a face: corners, 1/depths, slopes, 1/lengths, and solid or not."""


@ti.func
def store_record(records: ti.template(), b, f, corners, depths, dtype: ti.template()):
    """Write what drawing needs of a face, so that it isn't computed again in every pixel."""
    slopes = weight_slopes(corners, dtype)
    lengths = inverse_lengths_sq(corners, dtype)
    for k, c in ti.static(ti.ndrange(3, 2)):
        records[b, f, 2 * k + c] = corners[k, c]
    for k in ti.static(range(3)):
        records[b, f, 6 + k] = inverse(depths[k], dtype)
        records[b, f, 13 + k] = lengths[k]
    for k, c in ti.static(ti.ndrange(2, 2)):
        records[b, f, 9 + 2 * k + c] = slopes[k, c]
    records[b, f, 16] = ti.select(is_solid(corners, dtype), 1, 0)


@ti.func
def load_record(records: ti.template(), b, f):
    """Read what `store_record` wrote.

    Returns:
        Corners, 1/depths, `weight_slopes`, `inverse_lengths_sq`, and whether the face is solid.
    """
    corners = ti.Matrix([[records[b, f, 2 * k + c] for c in range(2)] for k in range(3)])
    inverse_depths = ti.Vector([records[b, f, 6 + k] for k in range(3)])
    slopes = ti.Matrix([[records[b, f, 9 + 2 * k + c] for c in range(2)] for k in range(2)])
    inverse_lengths = ti.Vector([records[b, f, 13 + k] for k in range(3)])
    return corners, inverse_depths, slopes, inverse_lengths, records[b, f, 16] > 0


@functools.cache
def box_kernel(variant: Variant):
    """Build the kernel that finds every face's box of pixels."""
    dtype = variant.dtype

    @ti.kernel
    def find_boxes(
        face_vertices: ti.types.ndarray(dtype=dtype, ndim=4),  # (B, F, 3, 3) NDC x y, depth, in
        face_colors: ti.types.ndarray(dtype=dtype, ndim=4),  # (B or 1, F, 3, C), in
        sigma: ti.types.ndarray(dtype=dtype, ndim=1),  # (B or 1,), in
        near: dtype,
        far: dtype,
        cutoff_logit: dtype,
        height: ti.i32,
        width: ti.i32,
        cull_backfaces: ti.i32,
        boxes: ti.types.ndarray(dtype=ti.i32, ndim=3),  # (B, F, 4) row, col, rows, cols, out
        records: ti.types.ndarray(dtype=dtype, ndim=3),  # (B, F, RECORD_SIZE), out
    ):
        """Find the pixels where a face's coverage can reach the cut-off, and what to know of it.

        A face that must not be drawn gets an empty box: one that is not finite, in position or
        colour, that has a corner at or behind the camera, that lies outside the depth range, or
        that is turned away, when such faces are culled.
        """
        for b, f in ti.ndrange(face_vertices.shape[0], face_vertices.shape[1]):
            finite = True
            for k, c in ti.static(ti.ndrange(3, 3)):
                coordinate = face_vertices[b, f, k, c]
                finite = finite and is_finite(coordinate)
                finite = finite and ti.abs(coordinate) < ti.cast(LARGEST_COORDINATE, dtype)
            if ti.static(variant.channels > 0):
                b_color = ti.min(b, face_colors.shape[0] - 1)
                for c in range(face_colors.shape[3]):
                    for k in ti.static(range(3)):
                        finite = finite and is_finite(face_colors[b_color, f, k, c])
            rows = 0
            cols = 0
            row = 0
            col = 0
            if finite:
                scale = isotropic_scale(height, width, dtype)
                corners, depths = load_corners(face_vertices, b, f, scale)
                drawn = (
                    depths.min() > ti.cast(SMALLEST_DEPTH, dtype)
                    and depths.max() >= near
                    and depths.min() <= far
                )
                if drawn and not (cull_backfaces and double_area(corners) <= 0):
                    store_record(records, b, f, corners, depths, dtype)
                    radius = ti.sqrt(item_of(sigma, b) * cutoff_logit)
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
            boxes[b, f, 0] = row
            boxes[b, f, 1] = col
            boxes[b, f, 2] = rows * ti.min(cols, 1)
            boxes[b, f, 3] = cols * ti.min(rows, 1)

    return find_boxes


@functools.cache
def tile_kernels() -> SimpleNamespace:
    """Build the kernels that turn boxes into lists of faces, one list a tile."""

    @ti.kernel
    def count(
        boxes: ti.types.ndarray(dtype=ti.i32, ndim=3),  # (B, F, 4), in
        tile_size: ti.i32,
        tile_rows: ti.i32,
        tile_cols: ti.i32,
        counts: ti.types.ndarray(dtype=ti.i32, ndim=1),  # (B * tile_rows * tile_cols,), accumulated
    ):
        """Count the faces that touch each tile."""
        for b, f in ti.ndrange(boxes.shape[0], boxes.shape[1]):
            first, last = tile_range(boxes, b, f, tile_size)
            for row in range(first[0], last[0] + 1):
                for col in range(first[1], last[1] + 1):
                    counts[(b * tile_rows + row) * tile_cols + col] += 1

    @ti.kernel
    def fill(
        boxes: ti.types.ndarray(dtype=ti.i32, ndim=3),  # (B, F, 4), in
        tile_size: ti.i32,
        tile_rows: ti.i32,
        tile_cols: ti.i32,
        starts: ti.types.ndarray(dtype=ti.i32, ndim=1),  # (tiles + 1,), in
        counts: ti.types.ndarray(dtype=ti.i32, ndim=1),  # (tiles,), counted down to 0
        entries: ti.types.ndarray(dtype=ti.i64, ndim=1),  # (starts[-1],), out
    ):
        """Write the faces of each tile into its part of the list."""
        for b, f in ti.ndrange(boxes.shape[0], boxes.shape[1]):
            first, last = tile_range(boxes, b, f, tile_size)
            for row in range(first[0], last[0] + 1):
                for col in range(first[1], last[1] + 1):
                    tile = (b * tile_rows + row) * tile_cols + col
                    slot = starts[tile + 1] - ti.atomic_sub(counts[tile], 1)
                    entries[slot] = pack_entry(
                        boxes, b, f, row * tile_size, col * tile_size, tile_size
                    )

    @ti.kernel
    def sort(
        starts: ti.types.ndarray(dtype=ti.i32, ndim=1),  # (tiles + 1,), in
        entries: ti.types.ndarray(dtype=ti.i64, ndim=1),  # (starts[-1],), in and out
    ):
        """Sort the faces of each tile: Shell's sort, which is quick on lists nearly in order."""
        for tile in range(starts.shape[0] - 1):
            start = starts[tile]
            length = starts[tile + 1] - start
            gap = 1
            while gap < length // 3:
                gap = 3 * gap + 1
            while gap > 0:
                for i in range(start + gap, start + length):
                    entry = entries[i]
                    j = i
                    while j >= start + gap and entries[j - gap] > entry:
                        entries[j] = entries[j - gap]
                        j -= gap
                    entries[j] = entry
                gap //= 3

    return SimpleNamespace(count=count, fill=fill, sort=sort)
