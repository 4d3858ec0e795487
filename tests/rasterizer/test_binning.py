"""Prefix sums and lists of faces, against NumPy."""

from types import SimpleNamespace

import numpy as np
import pytest
import torch

from taichi_softras.arrays.kernels.scan import NUM_CHUNKS, exclusive_scan
from taichi_softras.arrays.runtime import ensure_running
from taichi_softras.arrays.torch_bridge import Allocator
from taichi_softras.backend import ti
from taichi_softras.rasterizer import _lists
from taichi_softras.rasterizer._lists import list_chunks, list_tile_faces, most_face_chunks
from taichi_softras.rasterizer.kernels.blocks import CPU_BLOCK
from taichi_softras.rasterizer.kernels.chunks import CHUNK_PIXELS
from taichi_softras.rasterizer.kernels.face_record import record_type
from taichi_softras.rasterizer.kernels.tiles import FACE_SHIFT, tile_kernels

CPU = torch.device("cpu")


@pytest.fixture(autouse=True)
def _running():
    ensure_running()


@pytest.mark.parametrize(
    "length", [1, 2, NUM_CHUNKS - 1, NUM_CHUNKS, NUM_CHUNKS + 1, 2 * NUM_CHUNKS, 12345]
)
def test_exclusive_scan(length, rng):
    counts = torch.randint(0, 9, (length,), generator=rng, dtype=torch.int32)
    starts = torch.full((length + 1,), -1, dtype=torch.int32)
    total = exclusive_scan(counts, torch.zeros(NUM_CHUNKS, dtype=torch.int64), starts)
    assert total == int(counts.sum())
    assert starts.tolist() == [0, *counts.cumsum(0).tolist()]


def test_exclusive_scan_counts_in_64_bits():
    counts = torch.full((5,), 2**30, dtype=torch.int32)
    starts = torch.zeros(6, dtype=torch.int32)
    total = exclusive_scan(counts, torch.zeros(NUM_CHUNKS, dtype=torch.int64), starts)
    assert total == 5 * 2**30


def random_boxes(rng, num_items, num_faces, height, width):
    """Boxes (B, F, 4) within the image, some of them empty."""
    ends = torch.rand(num_items, num_faces, 2, 2, generator=rng).sort(dim=2).values
    ends = (ends * torch.tensor([height + 1, width + 1])).int()
    boxes = torch.cat([ends[:, :, 0], ends[:, :, 1] - ends[:, :, 0]], dim=-1)
    empty = (boxes[..., 2:] == 0).any(-1)
    boxes[..., 2:][empty] = 0
    items = torch.arange(num_items, dtype=torch.int32)[:, None, None].expand(-1, num_faces, 1)
    return torch.cat([boxes, items], dim=-1).contiguous()


def list_by_boxes(boxes, num_items, height, width, tile_size, allocate=None):
    """List faces of which nothing is known but their boxes."""
    allocate = allocate or Allocator(CPU, ti.f32)
    return list_tile_faces(
        boxes=boxes,
        records=allocate((1, 1), record_type(ti.f32)),
        sigma=torch.ones(1),
        cutoff=1.0,
        num_items=num_items,
        height=height,
        width=width,
        tile_size=tile_size,
        dtype=ti.f32,
        border="none",
        allocate=allocate,
    )


def blocks_of_boxes(boxes, tile_row, tile_col, tile_size):
    """Blocks of a tile that boxes touch, as bits, row by row."""
    row, col, rows, cols, _ = boxes.T
    bits = np.zeros(len(boxes), dtype=np.int64)
    number = 0
    for top in range(tile_row, tile_row + tile_size, CPU_BLOCK[0]):
        for left in range(tile_col, tile_col + tile_size, CPU_BLOCK[1]):
            touched = (row < top + CPU_BLOCK[0]) & (row + rows > top)
            touched &= (col < left + CPU_BLOCK[1]) & (col + cols > left)
            bits |= touched.astype(np.int64) << number
            number += 1
    return bits


@pytest.mark.parametrize(
    ("num_items", "num_faces", "height", "width", "tile_size"),
    [(1, 1, 1, 1, 4), (2, 30, 9, 17, 4), (1, 50, 16, 8, 8), (3, 7, 40, 5, 16), (1, 5000, 6, 6, 4)],
)
@pytest.mark.parametrize(
    ("most", "gpu"),
    [(0, False), (10**9, False), (10**9, True)],
    ids=["counted first", "in one launch", "in one launch by threads"],
)
def test_lists_of_faces(
    num_items, num_faces, height, width, tile_size, most, gpu, rng, monkeypatch
):
    """Each tile lists the faces whose boxes touch it, in order, however threads ran."""
    monkeypatch.setattr(_lists, "GPU_ENTRIES" if gpu else "FEW_ENTRIES", most)
    monkeypatch.setattr(_lists, "on_gpu", lambda: gpu)
    boxes = random_boxes(rng, num_items, num_faces, height, width)
    starts, entries = list_by_boxes(boxes, num_items, height, width, tile_size)
    starts, entries, boxes = starts.numpy(), entries.numpy(), boxes.numpy()
    tile = 0
    for b in range(num_items):
        row, col, rows, cols, _ = boxes[b].T
        for tile_row in range(0, height, tile_size):
            for tile_col in range(0, width, tile_size):
                touched = (row < tile_row + tile_size) & (row + rows > tile_row)
                touched &= (col < tile_col + tile_size) & (col + cols > tile_col)
                expected = np.flatnonzero(touched & (rows * cols > 0))
                found = entries[starts[tile] : starts[tile + 1]]
                assert (found >> FACE_SHIFT).tolist() == expected.tolist()
                blocks = blocks_of_boxes(boxes[b], tile_row, tile_col, tile_size)
                assert (found & (2**FACE_SHIFT - 1)).tolist() == blocks[expected].tolist()
                tile += 1
    assert len(starts) == tile + 1


@pytest.mark.parametrize(
    ("num_items", "num_faces", "height", "width"),
    [(1, 1, 1, 1), (2, 30, 90, 170), (1, 50, 16, 1500), (3, 7, 400, 50)],
)
@pytest.mark.parametrize("serial", [False, True])
def test_lists_of_chunks(num_items, num_faces, height, width, serial, rng, monkeypatch):
    """Faces are cut into chunks of whole rows, of no more pixels than a chunk has, or of one."""
    monkeypatch.setattr(_lists, "FEW_CHUNKS", 10**9 if serial else 0)
    boxes = random_boxes(rng, num_items, num_faces, height, width)
    boxes[0, 0, :4] = torch.tensor([0, 0, height, width])
    rows, cols = boxes[..., 2].flatten(), boxes[..., 3].flatten()
    counts = torch.ceil(rows / (CHUNK_PIXELS // cols.clamp(1)).clamp(1)).int()
    chunk_faces = torch.empty(int(counts.sum()), dtype=torch.int32)
    starts = list_chunks(boxes, chunk_faces, Allocator(CPU, ti.f32))
    assert starts.tolist() == [0, *counts.cumsum(0).tolist()]
    assert chunk_faces.tolist() == torch.arange(len(counts)).repeat_interleave(counts).tolist()


@pytest.mark.parametrize("tile_size", [8, 16])
def test_there_is_room_for_all_chunks(tile_size):
    """Of one face, of each width, which touches as few tiles as it can."""
    for height, width in ((1, 1), (7, 513), (40, 1024), (300, 342), (2048, 1025), (64, 5000)):
        tiles = -(-height // tile_size) * -(-width // tile_size)
        num_chunks = -(-height // max(CHUNK_PIXELS // width, 1))
        room = most_face_chunks(1, tiles, 8192, 8192, tile_size)
        assert num_chunks <= room <= 1 + 2 * num_chunks + tiles // 2


def test_lists_are_sorted_whatever_threads_do(monkeypatch):
    """Threads fill lists in any order; here, in the worst."""
    kernels = tile_kernels(ti.f32, "none", 8)

    def fill(entries, **others):
        kernels.fill(entries=entries, **others)
        entries.copy_(entries.flip(0))

    backwards = SimpleNamespace(count=kernels.count, fill=fill, sort=kernels.sort)
    monkeypatch.setattr(_lists, "tile_kernels", lambda *_: backwards)
    monkeypatch.setattr(_lists, "FEW_ENTRIES", 0)
    boxes = torch.tensor([0, 0, 4, 4, 0], dtype=torch.int32).repeat(1, 100, 1)
    _, entries = list_by_boxes(boxes, 1, 4, 4, 4)
    assert (entries >> FACE_SHIFT).tolist() == list(range(100))


@pytest.mark.parametrize("length", [0, 1, 2, 3, 5, 13, 14, 1000])
def test_sort(length, rng):
    entries = torch.randperm(2 * length + 6, generator=rng)
    starts = torch.tensor([0, 3, 3 + length, len(entries)], dtype=torch.int32)
    parts = [part.sort().values for part in entries.split([3, length, length + 3])]
    tile_kernels(ti.f32, "none", 8).sort(starts, entries)
    assert entries.tolist() == torch.cat(parts).tolist()


def dirty(shape, dtype=None, *, grad=None, clear=True):
    """Allocate memory that others have written to, where it need not be cleared."""
    array = Allocator(CPU, ti.f32)(shape, dtype, grad=grad, clear=clear)
    return array if clear else array.fill_(7)


@pytest.mark.parametrize("few", [True, False])
def test_no_faces_are_in_no_list(few, monkeypatch):
    if not few:
        monkeypatch.setattr(_lists, "FEW_ENTRIES", -1)
        monkeypatch.setattr(_lists, "FEW_CHUNKS", -1)
    boxes = torch.empty((1, 0, 5), dtype=torch.int32)
    starts = list_chunks(boxes, dirty((1,), ti.i32), dirty)
    assert starts.tolist() == [0]
    starts, _ = list_by_boxes(boxes, 1, 8, 8, 8, dirty)
    assert starts.tolist() == [0, 0]
