"""A face's box, clipped by lines beside its edges: no pixel that is drawn is left out."""

import functools

import numpy as np
import pytest
import scenes
import torch

import taichi_softras as sr
from taichi_softras.arrays.runtime import LAUNCH_LOCK, ensure_running
from taichi_softras.backend import ti
from taichi_softras.rasterizer import _lists, _operator
from taichi_softras.rasterizer._lists import list_tile_faces
from taichi_softras.rasterizer.kernels.blocks import CPU_BLOCK
from taichi_softras.rasterizer.kernels.face_record import describe_face
from taichi_softras.rasterizer.kernels.plane_geometry import isotropic_scale, load_corners
from taichi_softras.rasterizer.kernels.row_spans import (
    BOUNDLESS,
    LEAST_BOUNDED_PIXELS,
    find_spans,
    weight_bounds,
)

HEIGHT, WIDTH = 37, 53
DTYPES = {torch.float32: ti.f32, torch.float64: ti.f64}
SHAPES = {
    **{kind: (kind, 1.0, 0.0) for kind in scenes.KINDS if kind != "clipped"},
    "small": ("overlapping", 0.02, 0.0),
    "small slivers": ("slivers", 0.1, 0.0),
    "huge": ("overlapping", 1e4, 0.0),
    "huge slivers": ("slivers", 1e3, 0.0),
    "far": ("overlapping", 1e6, 3e5),
}
"""Kinds of faces, by what they are scaled, and then moved."""


@functools.cache
def span_kernel(border, dtype):
    array = ti.types.ndarray(dtype=dtype, ndim=4)

    @ti.kernel
    def mark(
        faces: array,
        s: dtype,
        held: ti.types.ndarray(dtype=ti.i32, ndim=3),
        bounded: ti.types.ndarray(dtype=ti.i32, ndim=1),
    ):
        for f in range(faces.shape[1]):
            scale = isotropic_scale(HEIGHT, WIDTH, dtype)
            corners, depths = load_corners(faces, 0, f, scale)
            face = describe_face(corners, depths, 0, dtype(1.0), dtype(100.0), False, dtype)
            bounds = weight_bounds(face, s, scale, border, dtype)
            bounded[f] = bounds[0] > ti.cast(BOUNDLESS, dtype)
            # As much of the image as a box might hold: not from its first pixel on.
            chunk = ti.Struct(
                first_row=1, first_col=2, num_cols=WIDTH - 2, height=HEIGHT, width=WIDTH
            )
            firsts = ti.Vector([0] * 9)
            ends = ti.Vector([0] * 9)
            for group in range((HEIGHT - 1) // 9):
                find_spans(firsts, ends, face, bounds, chunk, 9 * group, 9, dtype)
                for lane in range(9):
                    for col in range(firsts[lane], ends[lane]):
                        held[f, 1 + 9 * group + lane, 2 + col] = 1

    return mark


def spans_of(faces, s, border="edge"):
    """Which pixels are held, (F, H, W), but for the first row and columns; which are bounded."""
    held = np.zeros((faces.shape[1], HEIGHT, WIDTH), dtype=np.int32)
    bounded = np.zeros(faces.shape[1], dtype=np.int32)
    ensure_running("cpu")
    with LAUNCH_LOCK:
        span_kernel(border, DTYPES[faces.dtype])(faces.contiguous(), s, held, bounded)
    return held[:, 1:, 2:] > 0, bounded > 0


def make_faces(shape, rng, dtype):
    kind, scale, offset = SHAPES[shape]
    faces = scenes.random_faces(kind, rng, num_faces=24)
    faces[..., :2] = faces[..., :2] * scale + offset
    return faces.to(dtype)


@pytest.mark.parametrize("coverage", ["euclidean", "barycentric"])
@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("shape", SHAPES)
def test_no_pixel_that_is_drawn_is_left_out(shape, dtype, coverage, rng):
    faces = make_faces(shape, rng, dtype)
    for sigma in (1e-6, 1e-3, 1.0):
        settings = sr.RasterizerSettings(height=HEIGHT, width=WIDTH, sigma=sigma, coverage=coverage)
        border = {"euclidean": "edge", "barycentric": "weight"}[coverage]
        held, bounded = spans_of(faces, sigma * settings.cutoff, border)
        alone = faces.transpose(0, 1).contiguous()  # an image of each
        drawn = sr.rasterize_silhouette(alone, settings)[:, 1:, 2:].numpy() > 0
        assert not (drawn & ~held)[bounded].any()


def distances_outside(faces):
    """How far every pixel is beyond the farthest of the lines through each face's edges."""
    scale = np.array([WIDTH / HEIGHT, 1.0])
    col, row = np.meshgrid(np.arange(2, WIDTH), np.arange(1, HEIGHT))
    points = np.stack([(2 * col + 1) / WIDTH - 1, 1 - (2 * row + 1) / HEIGHT], -1) * scale
    corners = faces[0, :, :, :2].numpy() * scale
    edges = np.roll(corners, -1, axis=1) - corners
    ab, bc = edges[:, 0], edges[:, 1]
    area = ab[:, 0] * bc[:, 1] - ab[:, 1] * bc[:, 0]
    normals = np.stack([edges[..., 1], -edges[..., 0]], -1) * np.sign(area)[:, None, None]
    normals /= np.linalg.norm(normals, axis=-1, keepdims=True)
    offsets = points[None, :, :, None] - corners[:, None, None]
    return (offsets * normals[:, None, None]).sum(-1).max(-1)


@pytest.mark.parametrize("shape", ["overlapping", "tilted", "offscreen", "covering"])
def test_what_is_beyond_the_lines_is_left_out(shape, rng):
    faces = make_faces(shape, rng, torch.float64)
    held, bounded = spans_of(faces, 1e-3)
    assert bounded.all()
    # Lines are searched along rows: one that is nearly parallel to them may be passed a little.
    margin = np.sqrt(1e-3) * 1.01 + 2 / HEIGHT
    assert not (held & (distances_outside(faces) > margin)).any()
    assert (~held).any() or shape == "covering"


# --- Blocks of tiles --------------------------------------------------------------------------


def draw_each(faces, settings):
    """Draw an image of each face."""
    return sr.rasterize_silhouette(faces.transpose(0, 1).contiguous(), settings).numpy()


@pytest.mark.parametrize(("tile_size", "gpu"), [(8, False), (16, False), (8, True)])
@pytest.mark.parametrize("coverage", ["euclidean", "barycentric"])
@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("shape", SHAPES)
def test_images_are_those_of_all_blocks_of_boxes(
    shape, dtype, coverage, tile_size, gpu, rng, monkeypatch
):
    """Blocks that are left out have no pixel of the face: the same bits with and without them."""
    faces = make_faces(shape, rng, dtype)
    monkeypatch.setattr(_operator, "choose_tile_size", lambda *_: tile_size)
    monkeypatch.setattr(_lists, "on_gpu", lambda: gpu)
    for sigma in (1e-6, 1e-3, 1.0):
        settings = sr.RasterizerSettings(height=HEIGHT, width=WIDTH, sigma=sigma, coverage=coverage)
        bounded = draw_each(faces, settings)
        with monkeypatch.context() as patch:
            patch.setattr(
                _operator,
                "list_tile_faces",
                lambda **given: list_tile_faces(**{**given, "border": "none"}),
            )
            assert np.array_equal(bounded, draw_each(faces, settings))


@pytest.mark.parametrize("shape", ["overlapping", "tilted", "offscreen", "covering"])
def test_blocks_beyond_the_lines_are_left_out(shape, rng, monkeypatch):
    faces = make_faces(shape, rng, torch.float64)
    entries = []

    def keep(**given):
        entries.append(given | dict(zip(("starts", "entries"), list_tile_faces(**given))))
        return entries[-1]["starts"], entries[-1]["entries"]

    monkeypatch.setattr(_operator, "list_tile_faces", keep)
    draw_each(faces, sr.RasterizerSettings(height=HEIGHT, width=WIDTH, sigma=1e-4))
    held, sizes = blocks_held(entries[0])
    # All of a block is beyond a line if its farthest corner is, by as much as blocks are wide.
    margin = np.sqrt(entries[0]["cutoff"] * 1e-4) + 2 / HEIGHT * np.hypot(3, 1) + 1e-3
    beyond = distances_outside(faces) > margin
    is_large = sizes >= LEAST_BOUNDED_PIXELS
    assert not (held[:, 1:, 2:] & beyond)[is_large].any()
    assert (beyond[is_large]).any() or shape == "covering"


def blocks_held(listed):
    """Which pixels entries of tiles have, (F, H, W), of images of a face each; and boxes' sizes."""
    tile_size, across = listed["tile_size"], listed["tile_size"] // CPU_BLOCK[1]
    tile_rows, tile_cols = -(-HEIGHT // tile_size), -(-WIDTH // tile_size)
    boxes = listed["boxes"].numpy()[:, 0]
    held = np.zeros((len(boxes), tile_rows * tile_size, tile_cols * tile_size), dtype=bool)
    starts, entries = listed["starts"].numpy(), listed["entries"].numpy()
    for tile in np.flatnonzero(np.diff(starts)):
        item, place = divmod(tile, tile_rows * tile_cols)
        top, left = (x * tile_size for x in divmod(place, tile_cols))
        for bit in range(32):
            if entries[starts[tile]] >> bit & 1:
                row, col = top + bit // across * CPU_BLOCK[0], left + bit % across * CPU_BLOCK[1]
                held[item, row : row + CPU_BLOCK[0], col : col + CPU_BLOCK[1]] = True
    return held[:, :HEIGHT, :WIDTH], boxes[:, 2] * boxes[:, 3]
