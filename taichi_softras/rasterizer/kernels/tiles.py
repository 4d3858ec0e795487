"""Which faces a tile of pixels must look at.

Lists are counted, then laid out by a prefix sum, then filled: no cap on their length. Each is
sorted by face, so that images don't depend on the order in which threads ran.
"""

import functools
from types import SimpleNamespace
from typing import Any

from taichi_softras.arrays.kernels.arithmetic import item_of
from taichi_softras.arrays.kernels.scan import scan, scan_serially
from taichi_softras.arrays.kernels.sort import sort_stretch
from taichi_softras.arrays.launcher import func, kernel
from taichi_softras.backend import ti
from taichi_softras.rasterizer.kernels.blocks import CPU_BLOCK
from taichi_softras.rasterizer.kernels.boxes import BOX_TYPE
from taichi_softras.rasterizer.kernels.face_record import load_face, record_type
from taichi_softras.rasterizer.kernels.plane_geometry import (
    barycentric,
    corner_of,
    isotropic_scale,
    pixel_center,
)
from taichi_softras.rasterizer.kernels.row_spans import (
    LEAST_BOUNDED_PIXELS,
    SLACK,
    weight_bounds,
    weight_steps,
)

BLOCK_ROWS, BLOCK_COLS = CPU_BLOCK
"""Pixels of which a tile's entry says whether a face can reach any."""

ROW_SHIFT, COL_SHIFT = BLOCK_ROWS.bit_length() - 1, BLOCK_COLS.bit_length() - 1

LARGEST_TILE = 16
"""Side of the largest tiles, in pixels: they have 32 blocks. The others' is 8, or 4."""

FACE_SHIFT = 32
"""Bits of a tile's entry below the index of the face: the blocks of the tile that it can reach."""


@func
def tile_shift(tile_size):
    """By how many bits to shift a pixel's row or column for its tile's: divisions take longer."""
    return ti.select(tile_size == 4, 2, ti.select(tile_size == 8, 3, 4))


@func
def tile_range(box: ti.template(), tile_size):
    """First and last row and column of tiles that a face's box touches; none if first > last."""
    shift = tile_shift(tile_size)
    first = ti.Vector([box[0] >> shift, box[1] >> shift])
    last = ti.Vector([(box[0] + box[2] - 1) >> shift, (box[1] + box[3] - 1) >> shift])
    if box[2] * box[3] == 0:
        last = first - 1
    return first, last


@func
def block_bit(row, col, tile_size):
    """Number of the bit of a tile's entry that stands for a pixel, counted in the tile."""
    return row // BLOCK_ROWS * (tile_size // BLOCK_COLS) + col // BLOCK_COLS


@func
def reaches_pixel(entry, row, col, tile_size):
    """Tell whether the block of a pixel, counted in the tile, is among those of a tile's entry."""
    return (entry >> block_bit(row, col, tile_size) & 1) != 0


@func
def blocks_of_box(box: ti.template(), first_row, first_col, tile_size):
    """Find the blocks of a tile, whose first pixel is given, that a face's box touches, as bits."""
    top = ti.max(box[0] - first_row, 0) >> ROW_SHIFT
    left = ti.max(box[1] - first_col, 0) >> COL_SHIFT
    bottom = (ti.min(box[0] + box[2] - first_row, tile_size) - 1) >> ROW_SHIFT
    right = (ti.min(box[1] + box[3] - first_col, tile_size) - 1) >> COL_SHIFT
    across = tile_size // BLOCK_COLS
    one = ti.cast(1, ti.i64)
    rows = (one << ((bottom + 1) * across)) - (one << (top * across))
    cols = (one << (right + 1)) - (one << left)
    # The first column of all rows, times those of one row.
    column = ti.select(across == 4, 0x11111111, ti.select(across == 2, 0x55555555, 0x3))
    return rows & (column * cols)


@func
def blocks_within(
    excess: ti.template(),
    growth: ti.template(),
    sinking: ti.template(),
    rows,
    cols,
    tile_size,
    lanes: ti.template(),
    dtype: ti.template(),
):
    """Find the blocks of a tile that have pixels within a face's bounds, as bits.

    Args:
        excess: `block_excess` of the block whose first pixel is that of the face's box.
        growth: How it changes from a pixel to the next, to the right.
        sinking: How it changes from a pixel to the next, down.
        rows: Down from the first pixel of the box to that of the tile.
        cols: To the right, likewise.
        tile_size: Side of the tile.
        lanes: How many blocks to look at at a time.
        dtype: Precision.
    """
    # A division of integers would keep the loop from becoming vector instructions.
    across = tile_size // BLOCK_COLS
    shift = across >> 1  # its logarithm, as it is 1, 2 or 4
    blocks = ti.cast(0, ti.i64)
    for group in range((tile_size // BLOCK_ROWS * across + lanes - 1) // lanes):
        bits = 0
        for lane in range(lanes):
            block = group * lanes + lane
            row = ti.cast(rows + (block >> shift) * BLOCK_ROWS, dtype)
            col = ti.cast(cols + (block & (across - 1)) * BLOCK_COLS, dtype)
            is_within = True
            for k in ti.static(range(3)):
                is_within &= excess[k] + col * growth[k] + row * sinking[k] > 0
            bits |= ti.cast(is_within, ti.i32) << lane
        blocks |= ti.cast(bits, ti.i64) << (group * lanes)
    return blocks


@func
def block_excess(
    face: ti.template(),
    box: ti.template(),
    s,
    height,
    width,
    border: ti.template(),
    dtype: ti.template(),
):
    """By how much a block's largest barycentric coordinates are above a face's bounds.

    Args:
        face: As `describe_face` made it.
        box: Its box, whose first pixel is the block's.
        s: As `weight_bounds` has it.
        height: Rows of the image.
        width: Columns of the image.
        border: `families.Coverage.border` of the signed distance.
        dtype: Precision.

    Returns:
        That of each coordinate; and how it changes from a pixel to the next, to the right and down.
    """
    growth, sinking = weight_steps(face, height, width, dtype)
    point = pixel_center(box[0], box[1], height, width, dtype)
    excess = barycentric(point - corner_of(face.corners, 0), face.slopes)
    excess -= weight_bounds(face, s, isotropic_scale(height, width, dtype), border, dtype)
    for k in ti.static(range(3)):
        excess[k] += ti.max(growth[k], 0) * (BLOCK_COLS - 1) + ti.max(sinking[k], 0) * (
            BLOCK_ROWS - 1
        )
        excess[k] += (ti.abs(growth[k]) + ti.abs(sinking[k])) * ti.cast(SLACK, dtype)
    return excess, growth, sinking


@func
def count_faces(
    boxes: ti.template(),
    tile_size,
    tile_rows,
    tile_cols,
    counts: ti.template(),
    serial: ti.template(),
):
    """Count the faces that touch each tile."""
    if ti.static(serial):
        ti.loop_config(serialize=True)
    for b, f in ti.ndrange(boxes.shape[0], boxes.shape[1]):
        box = boxes[b, f]
        first, last = tile_range(box, tile_size)
        for row in range(first[0], last[0] + 1):
            for col in range(first[1], last[1] + 1):
                counts[(box[4] * tile_rows + row) * tile_cols + col] += 1


@func
def fill_lists(
    boxes: ti.template(),
    records: ti.template(),
    sigma: ti.template(),
    cutoff,
    height,
    width,
    tile_size,
    tile_rows,
    tile_cols,
    starts: ti.template(),
    counts: ti.template(),
    entries: ti.template(),
    border: ti.template(),
    lanes: ti.template(),
    serial: ti.template(),
    dtype: ti.template(),
):
    """Write the faces of each tile into its part of the list, and count down to 0.

    An entry holds the face, and a bit for each of the tile's blocks that the face can reach.
    """
    if ti.static(serial):
        ti.loop_config(serialize=True)
    for b, f in ti.ndrange(boxes.shape[0], boxes.shape[1]):
        box = boxes[b, f]
        first, last = tile_range(box, tile_size)
        excess = ti.Vector([dtype(0.0)] * 3)
        growth = ti.Vector([dtype(0.0)] * 3)
        sinking = ti.Vector([dtype(0.0)] * 3)
        is_bounded = box[2] * box[3] >= LEAST_BOUNDED_PIXELS
        if ti.static(border != "none"):
            if is_bounded:
                excess, growth, sinking = block_excess(
                    *(load_face(records, b, f), box, item_of(sigma, box[4]) * cutoff),
                    *(height, width, border, dtype),
                )
        for row in range(first[0], last[0] + 1):
            for col in range(first[1], last[1] + 1):
                tile = (box[4] * tile_rows + row) * tile_cols + col
                slot = starts[tile + 1] - ti.atomic_sub(counts[tile], 1)
                blocks = blocks_of_box(box, row * tile_size, col * tile_size, tile_size)
                if ti.static(border != "none"):
                    if is_bounded:
                        blocks &= blocks_within(
                            *(excess, growth, sinking, row * tile_size - box[0]),
                            *(col * tile_size - box[1], tile_size, lanes, dtype),
                        )
                entries[slot] = (ti.cast(f, ti.i64) << FACE_SHIFT) | blocks


@func
def sort_lists(starts: ti.template(), entries: ti.template(), serial: ti.template()):
    """Sort the faces of each tile."""
    if ti.static(serial):
        ti.loop_config(serialize=True)
    for tile in range(starts.shape[0] - 1):
        sort_stretch(entries, starts[tile], starts[tile + 1])


@functools.cache
def tile_kernels(dtype: Any, border: str, lanes: int) -> SimpleNamespace:
    """Build the kernels that turn boxes into lists of faces, one list a tile.

    Args:
        dtype: Precision of the faces' records.
        border: `families.Coverage.border` of their signed distance.
        lanes: How many blocks a thread looks at at a time, as vectors of a CPU have.
    """
    boxes_type = ti.types.ndarray(dtype=BOX_TYPE, ndim=2)
    integers = ti.types.ndarray(dtype=ti.i32, ndim=1)
    longs = ti.types.ndarray(dtype=ti.i64, ndim=1)
    numbers = ti.types.ndarray(dtype=dtype, ndim=1)

    @kernel
    def count(
        boxes: boxes_type,  # (B, F), in
        tile_size: ti.i32,
        tile_rows: ti.i32,
        tile_cols: ti.i32,
        counts: integers,  # (B * tile_rows * tile_cols,), accumulated
    ):
        """Count the faces that touch each tile."""
        count_faces(boxes, tile_size, tile_rows, tile_cols, counts, False)

    @kernel
    def fill(
        boxes: boxes_type,  # (B, F), in
        records: ti.types.ndarray(dtype=record_type(dtype), ndim=2),  # (B, F), in
        sigma: numbers,  # (B or 1,), in
        cutoff: dtype,
        height: ti.i32,
        width: ti.i32,
        tile_size: ti.i32,
        tile_rows: ti.i32,
        tile_cols: ti.i32,
        starts: integers,  # (tiles + 1,), in
        counts: integers,  # (tiles,), counted down to 0
        entries: longs,  # (starts[-1],), out
    ):
        """Write the faces of each tile into its part of the list."""
        fill_lists(
            *(boxes, records, sigma, cutoff, height, width, tile_size, tile_rows, tile_cols),
            *(starts, counts, entries, border, lanes, False, dtype),
        )

    @kernel
    def sort(
        starts: integers,  # (tiles + 1,), in
        entries: longs,  # (starts[-1],), in and out
    ):
        """Sort the faces of each tile."""
        sort_lists(starts, entries, False)

    return SimpleNamespace(count=count, fill=fill, sort=sort)


@functools.cache
def few_faces_kernel(dtype: Any, border: str, lanes: int, *, serial: bool):
    """Build the kernel that lists faces at once, if the number of entries is known to be small.

    Args:
        dtype: As `tile_kernels` has it.
        border: Likewise.
        lanes: Likewise.
        serial: Whether one thread does so, as is best on a CPU: to wake others takes longer.
    """
    integers = ti.types.ndarray(dtype=ti.i32, ndim=1)
    longs = ti.types.ndarray(dtype=ti.i64, ndim=1)
    numbers = ti.types.ndarray(dtype=dtype, ndim=1)

    @kernel
    def list_few(
        boxes: ti.types.ndarray(dtype=BOX_TYPE, ndim=2),  # (B, F), in
        records: ti.types.ndarray(dtype=record_type(dtype), ndim=2),  # (B, F), in
        sigma: numbers,  # (B or 1,), in
        cutoff: dtype,
        height: ti.i32,
        width: ti.i32,
        tile_size: ti.i32,
        tile_rows: ti.i32,
        tile_cols: ti.i32,
        counts: integers,  # (tiles,), scratch, of zeros
        chunk_sums: longs,  # (NUM_CHUNKS,), scratch
        starts: integers,  # (tiles + 1,), out
        entries: longs,  # (starts[-1] or more,), out
    ):
        """Count, lay out, fill and sort."""
        count_faces(boxes, tile_size, tile_rows, tile_cols, counts, serial)
        if ti.static(serial):
            scan_serially(counts, starts)
        else:
            scan(counts, chunk_sums, starts)
        fill_lists(
            *(boxes, records, sigma, cutoff, height, width, tile_size, tile_rows, tile_cols),
            *(starts, counts, entries, border, lanes, serial, dtype),
        )
        sort_lists(starts, entries, serial)

    return list_few
