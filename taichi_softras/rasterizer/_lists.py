"""Which faces each tile of pixels looks at, and which chunks of pixels each face."""

from typing import Any

from taichi_softras.arrays.operator import Allocate, Array
from taichi_softras.arrays.runtime import on_gpu
from taichi_softras.arrays.scan import LARGEST_INT32, prefix_sum, scan_arrays
from taichi_softras.backend import ti
from taichi_softras.rasterizer.kernels.blocks import CPU_BLOCK
from taichi_softras.rasterizer.kernels.chunks import CHUNK_PIXELS, chunk_kernel, most_chunks
from taichi_softras.rasterizer.kernels.tiles import LARGEST_TILE, few_faces_kernel, tile_kernels


def choose_tile_size(height: int, width: int) -> int:
    """Choose the side of a tile, in pixels: small ones fit faces closely, but cost memory."""
    return 8 if height * width <= 2048**2 else LARGEST_TILE


FEW_ENTRIES = 2**16

FEW_CHUNKS = 2**13
"""Up to so many lists are made by one thread of a CPU."""

GPU_ENTRIES = 2**24
"""Up to so many entries of lists, of 8 bytes, a GPU is given room without being asked how many
there are: to wait for the answer would leave it idle."""


def most_face_chunks(
    num_faces: int, num_entries: int, height: int, width: int, tile_size: int
) -> int:
    """Bound how many chunks the pixels of all faces make, so that no GPU need be asked.

    All chunks of a face but its last have more than half of `CHUNK_PIXELS`; and the pixels that it
    can reach are within the tiles that list it.

    Args:
        num_faces: Of all items.
        num_entries: Of all tiles' lists, at least as many as there are.
        height: Rows of the image.
        width: Columns of the image.
        tile_size: Side of a tile, in pixels.
    """
    within_tiles = num_faces + num_entries * tile_size**2 // (CHUNK_PIXELS // 2)
    return min(num_faces * most_chunks(height, width), within_tiles)


def list_chunks(boxes: Array, chunk_faces: Array, allocate: Allocate) -> Array:
    """Cut the pixels of each face into chunks, and list them, face by face.

    Args:
        boxes: (B or 1, F) of `BOX_TYPE`, the pixels that each face can reach.
        chunk_faces: The face of each chunk, int32, written; with room for `most_face_chunks`.
        allocate: Makes arrays.

    Returns:
        Where each face's chunks start, (B * F + 1,) int32.
    """
    counts = allocate((boxes.shape[0] * boxes.shape[1],), ti.i32, clear=False)
    chunk_sums, starts = scan_arrays(counts, allocate)
    serial = chunk_faces.shape[0] <= FEW_CHUNKS and not on_gpu()
    chunk_kernel(serial=serial)(boxes, counts, chunk_sums, starts, chunk_faces)
    return starts


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
    if most <= (GPU_ENTRIES if on_gpu() else FEW_ENTRIES):
        chunk_sums, starts = scan_arrays(counts, allocate)
        entries = allocate((max(most, 1),), ti.i64, clear=False)
        few_faces_kernel(dtype, border, lanes, serial=not on_gpu())(
            **faces, counts=counts, chunk_sums=chunk_sums, starts=starts, entries=entries
        )
        return starts, entries
    kernels = tile_kernels(dtype, border, lanes)
    kernels.count(boxes, tile_size, tile_rows, tile_cols, counts)
    starts, total = prefix_sum(counts, allocate)
    if total > LARGEST_INT32:
        raise ValueError(
            f"faces must touch at most {LARGEST_INT32} tiles of {tile_size} x {tile_size} "
            f"pixels in all, got {total}: draw fewer images at once, or lower sigma"
        )
    entries = allocate((max(total, 1),), ti.i64, clear=False)
    kernels.fill(**faces, starts=starts, counts=counts, entries=entries)
    kernels.sort(starts, entries)
    return starts, entries
