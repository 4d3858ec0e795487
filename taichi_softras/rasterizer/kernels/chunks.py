"""Chunks of the pixels that a face can reach, for threads that go face by face.

Large faces are cut into chunks of about `CHUNK_PIXELS` pixels, in whole rows, so that no thread
gets much more than that at a time.
"""

import functools

from taichi_softras.arrays.kernels.scan import scan, scan_serially
from taichi_softras.arrays.launcher import func, kernel
from taichi_softras.backend import ti
from taichi_softras.rasterizer.kernels.boxes import BOX_TYPE

CHUNK_PIXELS = 1024
"""Pixels that one thread looks at before it takes the next chunk; or one row, if that is longer."""


@func
def rows_per_chunk(boxes: ti.template(), b, f):
    """How many rows of a face's box make a chunk."""
    return ti.max(CHUNK_PIXELS // ti.max(boxes[b, f][3], 1), 1)


def most_chunks(height: int, width: int) -> int:
    """How many chunks a face of an image can make."""
    return -(-height // max(CHUNK_PIXELS // max(width, 1), 1))


@func
def num_chunks(boxes: ti.template(), b, f):
    """How many chunks, of whole rows, the pixels of a face's box make."""
    rows = rows_per_chunk(boxes, b, f)
    return (boxes[b, f][2] + rows - 1) // rows


@func
def first_row_of(boxes: ti.template(), b, f, chunk):
    """First row of a face's chunk."""
    return boxes[b, f][0] + chunk * rows_per_chunk(boxes, b, f)


@func
def last_row_of(boxes: ti.template(), b, f, first_row):
    """Row after the last of the chunk that starts at ``first_row``."""
    rows = rows_per_chunk(boxes, b, f)
    return ti.min(first_row + rows, boxes[b, f][0] + boxes[b, f][2])


@func
def pixel_of(chunk: ti.template(), i):
    """Locate one of a chunk's pixels, counted row by row: its row and column."""
    # In float32, as there is no division of vectors of integers; exact for the pixels of a chunk.
    whole_rows = ti.cast(
        (ti.cast(i, ti.f32) + ti.cast(0.5, ti.f32)) / ti.cast(chunk.num_cols, ti.f32), ti.i32
    )
    return chunk.first_row + whole_rows, chunk.first_col + i - whole_rows * chunk.num_cols


@func
def pixel_in(block: ti.template(), lane):
    """Number of a block's pixel in its chunk, of any pixels, a vector, or of adjacent ones."""
    if ti.static(block.is_tensor()):
        return block[lane]
    else:
        return block + lane  # the number of the first


@func
def count_each(boxes: ti.template(), counts: ti.template(), serial: ti.template()):
    """Count each face's chunks."""
    if ti.static(serial):
        ti.loop_config(serialize=True)
    for b, f in ti.ndrange(boxes.shape[0], boxes.shape[1]):
        counts[b * boxes.shape[1] + f] = num_chunks(boxes, b, f)


@func
def list_each(starts: ti.template(), chunk_faces: ti.template(), serial: ti.template()):
    """Write which face each chunk is of."""
    if ti.static(serial):
        ti.loop_config(serialize=True)
    for face in range(starts.shape[0] - 1):
        for chunk in range(starts[face], starts[face + 1]):
            chunk_faces[chunk] = face


@functools.cache
def chunk_kernel(*, serial: bool):
    """Build the kernel that cuts faces into chunks.

    Args:
        serial: Whether one thread does so: see `tiles.few_faces_kernel`.
    """
    integers = ti.types.ndarray(dtype=ti.i32, ndim=1)

    @kernel
    def list_chunks(
        boxes: ti.types.ndarray(dtype=BOX_TYPE, ndim=2),  # (B or 1, F), in
        counts: integers,  # (B * F,), scratch
        chunk_sums: ti.types.ndarray(dtype=ti.i64, ndim=1),  # (NUM_CHUNKS,), scratch
        starts: integers,  # (B * F + 1,), out
        chunk_faces: integers,  # (starts[-1] or more,), out
    ):
        """Count, lay out and list."""
        count_each(boxes, counts, serial)
        if ti.static(serial):
            scan_serially(counts, starts)
        else:
            scan(counts, chunk_sums, starts)
        list_each(starts, chunk_faces, serial)

    return list_chunks
