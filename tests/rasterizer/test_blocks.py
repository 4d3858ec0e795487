"""Blocks of pixels: their exponential, where they are, and that they become vector instructions."""

import functools
import os
import re
import subprocess
import sys

import numpy as np
import pytest

from taichi_softras.arrays.runtime import LAUNCH_LOCK, ensure_running
from taichi_softras.backend import ti
from taichi_softras.bench.machine import processor_has
from taichi_softras.rasterizer.families import COVERAGES
from taichi_softras.rasterizer.kernels.blocks import LARGEST_EXPONENT, block_at, exp, num_blocks
from taichi_softras.rasterizer.kernels.chunks import CHUNK_PIXELS, pixel_of

DTYPES = {"float32": ti.f32, "float64": ti.f64}
NUMPY = {ti.f32: np.float32, ti.f64: np.float64}


def run(kernel, *arguments):
    ensure_running("cpu")
    with LAUNCH_LOCK:
        kernel(*arguments)


@functools.cache
def exp_kernel(dtype):
    array = ti.types.ndarray(dtype=dtype, ndim=1)

    @ti.kernel
    def write(x: array, y: array):
        for i in x:
            y[i] = exp(x[i], dtype)

    return write


@pytest.mark.parametrize("name", DTYPES)
def test_exponential_is_that_of_numpy(name):
    dtype = DTYPES[name]
    largest = LARGEST_EXPONENT[dtype]
    x = np.concatenate(
        [np.linspace(-largest, largest, 100_001), np.linspace(-2, 2, 100_001), [0.0, -0.0]]
    ).astype(NUMPY[dtype])
    y = np.empty_like(x)
    run(exp_kernel(dtype), x, y)
    rounding = np.finfo(x.dtype).eps
    error = np.abs(y / np.exp(x.astype(np.longdouble)) - 1)
    # What rounding x changes, and three more of the result's own.
    assert (error < rounding * (np.abs(x) + 3)).all()
    assert (y[-2:] == 1).all()


@pytest.mark.parametrize("name", DTYPES)
def test_exponential_is_finite_everywhere(name):
    dtype = DTYPES[name]
    x = np.array([-1e30, -1e5, -88.0, 88.0, 1e5, 1e30], dtype=NUMPY[dtype])
    y = np.empty_like(x)
    run(exp_kernel(dtype), x, y)
    assert np.isfinite(y).all()
    assert (np.diff(y) >= 0).all()
    assert y[0] > 0


@functools.cache
def covers_kernel(coverage, dtype):
    array = ti.types.ndarray(dtype=dtype, ndim=1)

    @ti.kernel
    def write(x: array, exact: array, plain: array):
        for i in x:
            exact[2 * i], exact[2 * i + 1] = coverage.cover(x[i], dtype)
            plain[2 * i], plain[2 * i + 1] = coverage.cover_plainly(x[i], dtype)

    return write


@pytest.mark.parametrize("dtype_name", DTYPES)
@pytest.mark.parametrize("name", [n for n, c in COVERAGES.items() if c.cover_plainly is not None])
def test_plain_cover_is_the_cover(name, dtype_name):
    dtype = DTYPES[dtype_name]
    x = np.linspace(-16, 60, 10_001).astype(NUMPY[dtype])
    exact, plain = (np.empty(2 * x.size, dtype=x.dtype) for _ in range(2))
    run(covers_kernel(COVERAGES[name], dtype), x, exact, plain)
    np.testing.assert_allclose(plain, exact, rtol=80 * np.finfo(x.dtype).eps)


@ti.kernel
def count_pixels(
    tile_size: ti.i32,
    block: ti.template(),
    counts: ti.types.ndarray(dtype=ti.i32, ndim=3),
    tiles: ti.types.ndarray(dtype=ti.i32, ndim=3),
):
    height = counts.shape[1]
    width = counts.shape[2]
    for i in range(num_blocks(counts.shape[0], height, width, tile_size, block)):
        tile, b, top, left = block_at(i, height, width, tile_size, block)
        for row, col in ti.static(ti.ndrange(*block)):
            if top + row < height and left + col < width:
                counts[b, top + row, left + col] += 1
                tiles[b, top + row, left + col] = tile


@pytest.mark.parametrize("block", [(2, 4), (1, 1), (4, 2)], ids=str)
@pytest.mark.parametrize("tile_size", [4, 8, 16])
@pytest.mark.parametrize(("height", "width"), [(1, 1), (9, 31), (32, 16)])
def test_blocks_hold_every_pixel_once(height, width, tile_size, block):
    counts, tiles = (np.zeros((3, height, width), dtype=np.int32) for _ in range(2))
    run(count_pixels, tile_size, block, counts, tiles)
    assert (counts == 1).all()
    b, row, col = np.indices(counts.shape)
    tile_rows, tile_cols = -(-height // tile_size), -(-width // tile_size)
    expected = (b * tile_rows + row // tile_size) * tile_cols + col // tile_size
    np.testing.assert_array_equal(tiles, expected)


@ti.kernel
def locate_pixels(num_cols: ti.i32, places: ti.types.ndarray(dtype=ti.i32, ndim=2)):
    for i in range(places.shape[0]):
        chunk = ti.Struct(first_row=5, first_col=7, num_cols=num_cols)
        row, col = pixel_of(chunk, i)
        places[i, 0] = row
        places[i, 1] = col


@pytest.mark.parametrize("num_cols", [1, 2, 3, 7, 31, 500, 1023, 1024, 1025, 4096, 100_003])
def test_pixels_of_a_chunk_are_counted_row_by_row(num_cols):
    """Rows are found by a division in float32: exact up to the largest chunk, and a block more."""
    places = np.empty((max(CHUNK_PIXELS, num_cols) + 8, 2), dtype=np.int32)
    run(locate_pixels, num_cols, places)
    rows, cols = np.divmod(np.arange(len(places)), num_cols)
    np.testing.assert_array_equal(places, np.stack([5 + rows, 7 + cols], axis=1))


DRAWING = """
import numpy as np
import taichi as ti
import taichi_softras as sr
sr.init("cpu", print_kernel_llvm_ir_optimized=True, offline_cache=False)
loss = ti.ndarray(ti.f32, 1, needs_grad=True)
faces = sr.from_numpy(np.zeros((1, 1, 3, 3), dtype=np.float32), needs_grad=True)
colors = sr.from_numpy(np.zeros((1, 1, 3, 3), dtype=np.float32), needs_grad=True)
target = sr.from_numpy(np.zeros((1, 8, 8, 4), dtype=np.float32))
for interpolation in ("nearest", "clipped"):
    settings = sr.RasterizerSettings(height=8, width=8, interpolation=interpolation)
    with ti.ad.Tape(loss):
        image = sr.rasterize(faces, colors, settings)
        sr.add_to_loss(loss, sr.image_loss(image, target))
"""


@pytest.mark.slow
@pytest.mark.skipif(not processor_has("avx2"), reason="no AVX2, as far as Linux says")
def test_loops_over_blocks_become_vector_instructions(tmp_path):
    """A branch or a call in them would keep LLVM from it, without a word."""
    subprocess.run(
        [sys.executable, "-c", DRAWING], cwd=tmp_path, env={**os.environ}, check=True, timeout=300
    )
    operations = {"forward": [], "sum_chunks": []}
    for path in tmp_path.glob("*.ll"):
        text = path.read_text(encoding="utf-8")
        for kernel, counts in operations.items():
            if f"@{kernel}_c" in text:
                counts.append(len(re.findall(r"fmul [a-z ]*<\d+ x float>", text)))
    # There are about a hundred in each; where only a loop that copies is one, a few.
    for kernel, counts in operations.items():
        assert len(counts) == 2, kernel
        assert min(counts) > 50, (kernel, counts)
