"""Which faces each tile of pixels looks at, and which chunks of pixels each face."""

from typing import Any

from taichi_softras.arrays.operator import Allocate, Array
from taichi_softras.arrays.runtime import on_gpu
from taichi_softras.arrays.scan import LARGEST_INT32, prefix_sum, scan_arrays
from taichi_softras.backend import ti
from taichi_softras.rasterizer.kernels.blocks import CPU_BLOCK
from taichi_softras.rasterizer.kernels.chunks import chunk_kernels, few_chunks_kernel, most_chunks
from taichi_softras.rasterizer.kernels.tiles import LARGEST_TILE, few_faces_kernel, tile_kernels


def choose_tile_size(height: int, width: int) -> int:
    """Choose the side of a tile, in pixels: small ones fit faces closely, but cost memory."""
    return 8 if height * width <= 2048**2 else LARGEST_TILE


FEW_ENTRIES = 2**16

FEW_CHUNKS = 2**13
"""Up to so many lists are made in one launch, in arrays as long as they can get; else they are
counted first, for which a GPU is waited."""


def list_chunks(boxes: Array, height: int, width: int, allocate: Allocate) -> tuple[Array, Array]:
    """Cut the pixels of each face into chunks, and list them, face by face.

    Args:
        boxes: (B or 1, F) of `BOX_TYPE`, the pixels that each face can reach.
        height: Rows of the image.
        width: Columns of the image.
        allocate: Makes arrays.

    Returns:
        Where each face's chunks start, (B * F + 1,) int32, and the face of each chunk; some numbers
        to spare may follow.
    """
    kernels = chunk_kernels()
    num_faces = boxes.shape[0] * boxes.shape[1]
    counts = allocate((num_faces,), ti.i32, clear=False)
    most = num_faces * most_chunks(height, width)
    if most <= FEW_CHUNKS:
        chunk_sums, starts = scan_arrays(counts, allocate)
        chunk_faces = allocate((max(most, 1),), ti.i32, clear=False)
        few_chunks_kernel(serial=not on_gpu())(boxes, counts, chunk_sums, starts, chunk_faces)
        return starts, chunk_faces
    kernels.count_chunks(boxes, counts)
    starts, total = prefix_sum(counts, allocate)
    chunk_faces = allocate((max(total, 1),), ti.i32, clear=False)
    kernels.list_chunks(starts, chunk_faces)
    return starts, chunk_faces


def list_tile_faces(
    *,
    boxes: Array,
    records: Array,
    sigma: Array,
    cutoff: float,
    num_items: int,
    height: int,
    width: int,
    tile_size: int,
    dtype: Any,
    border: str,
    allocate: Allocate,
) -> tuple[Array, Array]:
    """List the faces that touch each tile of pixels.

    Args:
        boxes: (B or 1, F) of `BOX_TYPE`, the pixels that each face can reach.
        records: (B or 1, F) of `record_type`: what is asked of a face.
        sigma: (B or 1,), or (1,).
        cutoff: Faces are drawn where their signed distance is above minus this, times sigma.
        num_items: How many images there are.
        height: Rows of the image.
        width: Columns of the image.
        tile_size: Side of a tile, in pixels.
        dtype: Precision of the records.
        border: `families.Coverage.border` of the signed distance.
        allocate: Makes arrays.

    Returns:
        Where each tile's list starts, (B * tile_rows * tile_cols + 1,) int32, and the lists,
        int64, sorted by face: see `rasterizer.kernels.tiles.fill_lists`; some numbers to spare may
        follow.

    Raises:
        ValueError: If the lists have more than 2^31 - 1 entries.
    """
    tile_rows, tile_cols = -(-height // tile_size), -(-width // tile_size)
    num_tiles = num_items * tile_rows * tile_cols
    lanes = 1 if on_gpu() else CPU_BLOCK[0] * CPU_BLOCK[1]
    kernels = tile_kernels(dtype, border, lanes)
    counts = allocate((num_tiles,), ti.i32)
    faces = {
        "boxes": boxes,
        "records": records,
        "sigma": sigma,
        "cutoff": cutoff,
        "height": height,
        "width": width,
        "tile_size": tile_size,
        "tile_rows": tile_rows,
        "tile_cols": tile_cols,
    }
    most = boxes.shape[0] * boxes.shape[1] * tile_rows * tile_cols
    if most <= FEW_ENTRIES:
        chunk_sums, starts = scan_arrays(counts, allocate)
        entries = allocate((max(most, 1),), ti.i64, clear=False)
        few_faces_kernel(dtype, border, lanes, serial=not on_gpu())(
            **faces,
            counts=counts,
            chunk_sums=chunk_sums,
            starts=starts,
            entries=entries,
        )
        return starts, entries
    kernels.count(boxes, tile_size, tile_rows, tile_cols, counts)
    starts, total = prefix_sum(counts, allocate)
    if total > LARGEST_INT32:
        raise ValueError(
            f"faces must touch at most {LARGEST_INT32} tiles of {tile_size} x {tile_size} "
            f"pixels in all, got {total}: draw fewer images at once, or lower sigma"
        )
    entries = allocate((max(total, 1),), ti.i64, clear=False)
    kernels.fill(
        **faces,
        starts=starts,
        counts=counts,
        entries=entries,
    )
    kernels.sort(starts, entries)
    return starts, entries
