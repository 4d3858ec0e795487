"""Blocks of pixels: what one thread works on at a time.

On a CPU, a loop over the pixels of a block becomes vector instructions, eight float32 at a time,
if nothing in it branches or calls: numbers of each pixel are in small arrays, choices are
`ti.select`, and exponentials are `exp` of this module, plain arithmetic. On a GPU the threads
themselves work in step. Blocks are single pixels there, and their arrays registers.

Source:
    The exponential: ``exp(x) = 2^n 2^t``, ``n + t = x / log 2``, ``n`` whole and ``|t| <= 1/2``, by
    Taylor's series of ``2^t``, up to what is less than a type's rounding.
"""

import math

from taichi_softras.arrays.kernels.arithmetic import greater, lesser
from taichi_softras.arrays.launcher import func
from taichi_softras.backend import ti

CPU_BLOCK = (2, 4)
GPU_BLOCK = (1, 1)
"""Rows and columns of a block. They divide the sides of tiles."""

SERIES = {
    dtype: [math.log(2) ** k / math.factorial(k) for k in range(degree, -1, -1)]
    for dtype, degree in ((ti.f32, 7), (ti.f64, 13))
}
"""Coefficients of Taylor's series of ``2^t``, the last first."""

LARGEST_EXPONENT = {ti.f32: 80.0, ti.f64: 700.0}
"""Beyond it, on either side, `exp` stays what it is there: next to 0 or to overflow."""

PER_LOG2 = 1 / math.log(2)


@func
def num_tiles(num_items, height, width, tile_size):
    """Count the tiles of images."""
    tile_rows = (height + tile_size - 1) // tile_size
    tile_cols = (width + tile_size - 1) // tile_size
    return num_items * tile_rows * tile_cols


@func
def num_blocks(num_items, height, width, tile_size, block: ti.template()):
    """Count the blocks of all tiles of images, those of their tiles' parts outside them too."""
    tile_blocks = (tile_size // block[0]) * (tile_size // block[1])
    return num_tiles(num_items, height, width, tile_size) * tile_blocks


@func
def block_at(i, height, width, tile_size, block: ti.template()):
    """Locate one of `num_blocks`, tile by tile.

    Returns:
        Its tile, counted over all items; the item; and the row and column of its first pixel.
    """
    tile_rows = (height + tile_size - 1) // tile_size
    tile_cols = (width + tile_size - 1) // tile_size
    across = tile_size // block[1]
    tile_blocks = tile_size // block[0] * across
    tile = i // tile_blocks
    top = tile // tile_cols % tile_rows * tile_size + i % tile_blocks // across * block[0]
    left = tile % tile_cols * tile_size + i % across * block[1]
    return tile, tile // (tile_rows * tile_cols), top, left


@func
def tile_at(tile, height, width, tile_size):
    """Locate one of the tiles of all items: the item, and the row and column of its first pixel."""
    tile_rows = (height + tile_size - 1) // tile_size
    tile_cols = (width + tile_size - 1) // tile_size
    row = tile // tile_cols
    item = row // tile_rows
    return item, (row - item * tile_rows) * tile_size, (tile - row * tile_cols) * tile_size


@func
def num_parts(num_items, height, width, tile_size, block: ti.template()):
    """Count the parts of images that threads take: tiles on a CPU, on a GPU blocks, of a pixel."""
    count = 0
    if ti.static(block[0] * block[1] > 1):
        count = num_tiles(num_items, height, width, tile_size)
    else:
        count = num_blocks(num_items, height, width, tile_size, block)
    return count


@func
def part_at(i, height, width, tile_size, block: ti.template()):
    """Locate one of `num_parts`.

    Returns:
        Its tile, counted over all items; the item; the row and column of its first pixel; and how
        many rows and columns it has.
    """
    tile, b, top, left = i, 0, 0, 0
    rows, cols = block[0], block[1]
    if ti.static(block[0] * block[1] > 1):
        b, top, left = tile_at(i, height, width, tile_size)
        rows, cols = tile_size, tile_size
    else:
        tile, b, top, left = block_at(i, height, width, tile_size, block)
    return tile, b, top, left, rows, cols


@func
def power_of_two(n, dtype: ti.template()):
    """Two to the power of a whole number, by way of the bits of a floating-point number."""
    if ti.static(dtype == ti.f32):
        return ti.bit_cast((n + ti.i32(127)) << ti.i32(23), ti.f32)
    else:
        return ti.bit_cast(ti.cast(n + 1023, ti.i64) << 52, ti.f64)


@func
def exp(x, dtype: ti.template()):
    """Exponential of ``x``, to about a rounding of ``x``. Taichi can't differentiate it."""
    largest = dtype(ti.static(LARGEST_EXPONENT[dtype]))
    binary = lesser(greater(x, -largest), largest) * dtype(PER_LOG2)
    whole = ti.floor(binary + dtype(0.5))
    rest = binary - whole
    series = dtype(ti.static(SERIES[dtype][0]))
    for k in ti.static(range(1, len(SERIES[dtype]))):
        series = series * rest + dtype(ti.static(SERIES[dtype][k]))
    return series * power_of_two(ti.cast(whole, ti.i32), dtype)
