"""Which faces a tile of pixels must look at.

Lists are counted, then laid out by a prefix sum, then filled: no cap on their length. Each is
sorted by face, so that images don't depend on the order in which threads ran.
"""

import functools
from types import SimpleNamespace

from taichi_softras.arrays.kernels.scan import scan, scan_serially
from taichi_softras.arrays.kernels.sort import sort_stretch
from taichi_softras.arrays.launcher import func, kernel
from taichi_softras.backend import ti
from taichi_softras.rasterizer.kernels.boxes import BOX_TYPE


@func
def tile_range(boxes: ti.template(), b, f, tile_size):
    """First and last row and column of tiles that a face's box touches; none if first > last."""
    box = boxes[b, f]
    row = box[0]
    col = box[1]
    rows = box[2]
    cols = box[3]
    first = ti.Vector([row // tile_size, col // tile_size])
    last = ti.Vector([(row + rows - 1) // tile_size, (col + cols - 1) // tile_size])
    if rows * cols == 0:
        last = first - 1
    return first, last


LARGEST_TILE = 16
"""Side of the largest tiles, in pixels: positions in a tile take 4 bits."""

FACE_SHIFT = 16
"""Bits of a tile's entry below the index of the face: the pixels of the tile that it can reach."""


@func
def pack_entry(boxes: ti.template(), b, f, first_row, first_col, tile_size):
    """Make the entry of a face in the list of the tile whose first pixel is given.

    It holds the face, and the first and last row and column of its box within the tile.
    """
    box = boxes[b, f]
    top = ti.max(box[0] - first_row, 0)
    left = ti.max(box[1] - first_col, 0)
    bottom = ti.min(box[0] + box[2] - first_row, tile_size) - 1
    right = ti.min(box[1] + box[3] - first_col, tile_size) - 1
    reach = (top << 12) | (bottom << 8) | (left << 4) | right
    return (ti.cast(f, ti.i64) << FACE_SHIFT) | ti.cast(reach, ti.i64)


@func
def reaches_block(entry, row, col, rows: ti.template(), cols: ti.template()):
    """Tell whether a face's box holds any of a block of pixels, whose first is given."""
    reach = ti.cast(entry & ((1 << FACE_SHIFT) - 1), ti.i32)
    # Negative where a coordinate is out of its range. One sign to look at: a branch for each of
    # the four comparisons would be hard to predict.
    below = (row + rows - 1 - (reach >> 12)) | ((reach >> 8 & 15) - row)
    beside = (col + cols - 1 - (reach >> 4 & 15)) | ((reach & 15) - col)
    return (below | beside) >= 0


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
        first, last = tile_range(boxes, b, f, tile_size)
        for row in range(first[0], last[0] + 1):
            for col in range(first[1], last[1] + 1):
                counts[(boxes[b, f][4] * tile_rows + row) * tile_cols + col] += 1


@func
def fill_lists(
    boxes: ti.template(),
    tile_size,
    tile_rows,
    tile_cols,
    starts: ti.template(),
    counts: ti.template(),
    entries: ti.template(),
    serial: ti.template(),
):
    """Write the faces of each tile into its part of the list, and count down to 0."""
    if ti.static(serial):
        ti.loop_config(serialize=True)
    for b, f in ti.ndrange(boxes.shape[0], boxes.shape[1]):
        first, last = tile_range(boxes, b, f, tile_size)
        for row in range(first[0], last[0] + 1):
            for col in range(first[1], last[1] + 1):
                tile = (boxes[b, f][4] * tile_rows + row) * tile_cols + col
                slot = starts[tile + 1] - ti.atomic_sub(counts[tile], 1)
                entries[slot] = pack_entry(boxes, b, f, row * tile_size, col * tile_size, tile_size)


@func
def sort_lists(starts: ti.template(), entries: ti.template(), serial: ti.template()):
    """Sort the faces of each tile."""
    if ti.static(serial):
        ti.loop_config(serialize=True)
    for tile in range(starts.shape[0] - 1):
        sort_stretch(entries, starts[tile], starts[tile + 1])


@functools.cache
def tile_kernels() -> SimpleNamespace:
    """Build the kernels that turn boxes into lists of faces, one list a tile."""
    boxes_type = ti.types.ndarray(dtype=BOX_TYPE, ndim=2)
    integers = ti.types.ndarray(dtype=ti.i32, ndim=1)
    longs = ti.types.ndarray(dtype=ti.i64, ndim=1)

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
        tile_size: ti.i32,
        tile_rows: ti.i32,
        tile_cols: ti.i32,
        starts: integers,  # (tiles + 1,), in
        counts: integers,  # (tiles,), counted down to 0
        entries: longs,  # (starts[-1],), out
    ):
        """Write the faces of each tile into its part of the list."""
        fill_lists(boxes, tile_size, tile_rows, tile_cols, starts, counts, entries, False)

    @kernel
    def sort(
        starts: integers,  # (tiles + 1,), in
        entries: longs,  # (starts[-1],), in and out
    ):
        """Sort the faces of each tile."""
        sort_lists(starts, entries, False)

    return SimpleNamespace(count=count, fill=fill, sort=sort)


@functools.cache
def few_faces_kernel(*, serial: bool):
    """Build the kernel that lists faces at once, if the number of entries is known to be small.

    Args:
        serial: Whether one thread does so, as is best on a CPU: to wake others takes longer.
    """
    integers = ti.types.ndarray(dtype=ti.i32, ndim=1)
    longs = ti.types.ndarray(dtype=ti.i64, ndim=1)

    @kernel
    def list_few(
        boxes: ti.types.ndarray(dtype=BOX_TYPE, ndim=2),  # (B, F), in
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
        fill_lists(boxes, tile_size, tile_rows, tile_cols, starts, counts, entries, serial)
        sort_lists(starts, entries, serial)

    return list_few
