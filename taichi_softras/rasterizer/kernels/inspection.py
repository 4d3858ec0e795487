"""What the rasterizer made of each pixel, told: which faces weigh in, how much, and why.

Every formula is the rasterizer's own: these kernels only write down what drawing sums up. They
are not differentiated.
"""

import functools
from types import SimpleNamespace

from taichi_softras.arrays.kernels.arithmetic import inverse, item_of
from taichi_softras.arrays.launcher import func, kernel
from taichi_softras.backend import ti
from taichi_softras.rasterizer.kernels.boxes import BOX_TYPE
from taichi_softras.rasterizer.kernels.face_record import SHOWN, load_face, record_type
from taichi_softras.rasterizer.kernels.fragment import fragment_funcs
from taichi_softras.rasterizer.kernels.plane_geometry import pixel_center
from taichi_softras.rasterizer.kernels.softmax import (
    NO_FACE,
    background_depth,
    depth_rate,
    depth_weight,
)
from taichi_softras.rasterizer.kernels.textures import varying_at
from taichi_softras.rasterizer.kernels.tiles import FACE_SHIFT, reaches_pixel
from taichi_softras.rasterizer.kernels.variant import Variant


@functools.cache
def inspection_kernels(variant: Variant) -> SimpleNamespace:
    """Build the kernels that tell what pixels are made of, for one variant."""
    dtype = variant.dtype
    coverage = variant.coverage
    is_hard = variant.color == "hard"
    fragment = fragment_funcs(variant)
    records_type = ti.types.ndarray(dtype=record_type(dtype), ndim=2)
    array1 = ti.types.ndarray(dtype=dtype, ndim=1)
    array2 = ti.types.ndarray(dtype=dtype, ndim=2)
    array3 = ti.types.ndarray(dtype=dtype, ndim=3)
    integers1 = ti.types.ndarray(dtype=ti.i32, ndim=1)
    boxes_type = ti.types.ndarray(dtype=BOX_TYPE, ndim=2)
    integers3 = ti.types.ndarray(dtype=ti.i32, ndim=3)

    @func
    def look_at(
        records: ti.template(), b, f, point: ti.template(), inverse_sigma, near, far, cutoff
    ):
        """Look at a face from a pixel.

        Returns:
            Its coverage, 0 if it is skipped; the part of that which counts in colours; its depth;
            and the weights of its corners in its colour.
        """
        face = load_face(records, b, f)
        here = fragment.locate(face, point)
        view = fragment.look(face, here, near, far)
        x = here.s * inverse_sigma
        cover = dtype(0.0)
        visible = dtype(0.0)
        if x > -cutoff and view.in_range:
            cover, _uncovered = coverage.cover(x, dtype)
            if (face.flags & SHOWN) != 0:
                visible = cover
                if ti.static(is_hard):
                    visible = ti.select(here.inside, dtype(1.0), dtype(0.0))
        weights = fragment.weights_of(view.place, face.depth_terms, view.depth)
        return cover, visible, view.depth, weights

    @kernel
    def summarize(
        records: records_type,  # (B, F), as `find_boxes` made them, in
        sigma: array1,  # (B or 1,), in
        gamma: array1,  # (B or 1,), in
        eps: array1,  # (B or 1,), in
        near: dtype,
        far: dtype,
        cutoff: dtype,
        height: ti.i32,
        width: ti.i32,
        tile_size: ti.i32,
        starts: integers1,  # (B * tile_rows * tile_cols + 1,), in
        entries: ti.types.ndarray(dtype=ti.i64, ndim=1),  # (starts[-1],) faces by tile, in
        counts: integers3,  # (B, H, W), out
        front_faces: integers3,  # (B, H, W), out
        front_weights: array3,  # (B, H, W), out
        background_weights: array3,  # (B, H, W), out
    ):
        """Count the faces of each pixel, and weigh the nearest of them, and the background."""
        tile_rows = (height + tile_size - 1) // tile_size
        tile_cols = (width + tile_size - 1) // tile_size
        for b, row, col in counts:
            point = pixel_center(row, col, height, width, dtype)
            tile = (b * tile_rows + row // tile_size) * tile_cols + col // tile_size
            inverse_sigma = inverse(item_of(sigma, b), dtype)
            rate = depth_rate(item_of(gamma, b), near, far, dtype)
            behind = background_depth(item_of(eps, b), near, far)
            count = 0
            front = NO_FACE
            front_visible = dtype(0.0)
            front_depth = behind
            for k in range(starts[tile], starts[tile + 1]):
                if reaches_pixel(entries[k], row % tile_size, col % tile_size, tile_size):
                    f = ti.cast(entries[k] >> FACE_SHIFT, ti.i32)
                    cover, visible, depth, _weights = look_at(
                        records, b, f, point, inverse_sigma, near, far, cutoff
                    )
                    if cover > 0:
                        count += 1
                    if visible > 0 and (front == NO_FACE or depth < front_depth):
                        front = f
                        front_visible = visible
                        front_depth = depth
            front_weight = dtype(0.0)
            background_weight = dtype(1.0)
            if ti.static(is_hard):
                if front != NO_FACE:
                    front_weight = dtype(1.0)
                    background_weight = dtype(0.0)
            else:
                nearest = ti.min(front_depth, behind)
                background_weight = depth_weight(behind, nearest, rate)
                total = background_weight
                for k in range(starts[tile], starts[tile + 1]):
                    if reaches_pixel(entries[k], row % tile_size, col % tile_size, tile_size):
                        f = ti.cast(entries[k] >> FACE_SHIFT, ti.i32)
                        _cover, visible, depth, _weights = look_at(
                            records, b, f, point, inverse_sigma, near, far, cutoff
                        )
                        if visible > 0:
                            total += visible * depth_weight(depth, nearest, rate)
                front_weight = front_visible * depth_weight(front_depth, nearest, rate) / total
                background_weight /= total
            counts[b, row, col] = count
            front_faces[b, row, col] = front
            front_weights[b, row, col] = front_weight
            background_weights[b, row, col] = background_weight

    @kernel
    def list_fragments(
        records: records_type,  # (B, F), as `find_boxes` made them, in
        boxes: boxes_type,  # (B, F), in
        face_colors: ti.types.ndarray(dtype=dtype, ndim=4),  # (B or 1, F, 3, C), in
        sigma: array1,  # (B or 1,), in
        gamma: array1,  # (B or 1,), in
        eps: array1,  # (B or 1,), in
        near: dtype,
        far: dtype,
        cutoff: dtype,
        height: ti.i32,
        width: ti.i32,
        b: ti.i32,
        row: ti.i32,
        col: ti.i32,
        covers: array1,  # (F,), out
        depths: array1,  # (F + 1,), out; the last is the background's
        weights: array1,  # (F + 1,), out, relative to each other; likewise
        colors: array2,  # (F, C), out
        nearest: array1,  # (1,), out
        winner: integers1,  # (1,), out
    ):
        """Write down every face's part in one pixel; coverage 0 for a face that has none."""
        for _ in range(1):
            depths[records.shape[1]] = background_depth(item_of(eps, b), near, far)
            weights[records.shape[1]] = 1
            nearest[0] = depths[records.shape[1]]
            winner[0] = records.shape[1]
            if ti.static(is_hard):
                nearest[0] = ti.cast(ti.math.inf, dtype)
        for f in range(records.shape[1]):
            top = boxes[b, f][0]
            left = boxes[b, f][1]
            rows = boxes[b, f][2]
            cols = boxes[b, f][3]
            covers[f] = 0
            weights[f] = 0
            if top <= row and row < top + rows and left <= col and col < left + cols:
                point = pixel_center(row, col, height, width, dtype)
                inverse_sigma = inverse(item_of(sigma, b), dtype)
                cover, visible, depth, corner_weights = look_at(
                    records, b, f, point, inverse_sigma, near, far, cutoff
                )
                covers[f] = cover
                depths[f] = depth
                weights[f] = visible
                for c in range(face_colors.shape[3]):
                    colors[f, c] = varying_at(face_colors, b, f, c, corner_weights)
                if visible > 0:
                    ti.atomic_min(nearest[0], depth)
        for f in range(records.shape[1]):
            if weights[f] > 0 and depths[f] == nearest[0]:
                ti.atomic_min(winner[0], f)
        for f in range(records.shape[1] + 1):
            if ti.static(is_hard):
                weights[f] = ti.select(f == winner[0], 1, 0)
            else:
                if weights[f] > 0:
                    rate = depth_rate(item_of(gamma, b), near, far, dtype)
                    weights[f] *= depth_weight(depths[f], nearest[0], rate)

    return SimpleNamespace(summarize=summarize, list_fragments=list_fragments)
