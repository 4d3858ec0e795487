"""Silhouettes face by face: no lists of faces, and nothing sorted.

Alpha is a function of a sum over faces, as `families.Alpha` says; so each face can add its terms to
the pixels that it reaches, in any order. Sums of floating-point numbers depend on the order, those
of integers don't: terms are added up in whole multiples of ``1 / UNITS``, so that images are the
same to the last bit whatever the threads do. That is precise enough for float32.
"""

import functools
from types import SimpleNamespace

import taichi as ti

from taichi_softras.kernels.binning import SOLID, WITHIN, load_record
from taichi_softras.kernels.chunks import first_row_of, last_row_of
from taichi_softras.kernels.geometry import (
    barycentric,
    clip_barycentric,
    corner_of,
    inverse,
    item_of,
    pixel_center,
)
from taichi_softras.kernels.rasterize import fragment_depth
from taichi_softras.kernels.variant import Variant

UNITS = 2**30
"""Parts of 1 that terms are rounded to. Terms are under 2^7: 2^26 of them fit in 64 bits."""


@functools.cache
def silhouette_kernels(variant: Variant) -> SimpleNamespace:
    """Build the kernels that draw silhouettes, for one variant."""
    dtype = variant.dtype
    coverage = variant.coverage
    opacity = variant.alpha
    integers = ti.types.ndarray(dtype=ti.i32, ndim=1)
    sums_type = ti.types.ndarray(dtype=ti.i64, ndim=3)

    @ti.kernel
    def add_terms(
        records: ti.types.ndarray(dtype=dtype, ndim=3),  # (B or 1, F, RECORD_SIZE), in
        sigma: ti.types.ndarray(dtype=dtype, ndim=1),  # (B or 1,), in
        near: dtype,
        far: dtype,
        cutoff: dtype,
        height: ti.i32,
        width: ti.i32,
        boxes: ti.types.ndarray(dtype=ti.i32, ndim=3),  # (B or 1, F, BOX_SIZE), in
        starts: integers,  # (B * F + 1,), in
        chunk_faces: integers,  # (starts[-1],), in
        sums: sums_type,  # (B, H, W), accumulated
    ):
        """Add the terms of every chunk of pixels of every face."""
        for chunk in range(starts[starts.shape[0] - 1]):
            face = chunk_faces[chunk]
            b_face = face // boxes.shape[1]
            f = face % boxes.shape[1]
            b = boxes[b_face, f, 4]
            corners, depth_terms, slopes, lengths, flags = load_record(records, b_face, f)
            inverse_sigma = inverse(item_of(sigma, b), dtype)
            first_col = boxes[b_face, f, 1]
            first_row = first_row_of(boxes, b_face, f, chunk - starts[face])
            for row in range(first_row, last_row_of(boxes, b_face, f, first_row)):
                for col in range(first_col, first_col + boxes[b_face, f, 3]):
                    point = pixel_center(row, col, height, width, dtype)
                    w = barycentric(point - corner_of(corners, 0), slopes)
                    inside = (flags & SOLID) != 0 and w.min() > 0
                    s = coverage.signed_distance(point, w, corners, lengths, inside)
                    x = s * inverse_sigma
                    if x <= -cutoff:
                        continue
                    if (flags & WITHIN) == 0:
                        depth = fragment_depth(
                            clip_barycentric(w), depth_terms, variant.orthographic, dtype
                        )
                        if depth < near or depth > far:
                            continue
                    cover, uncovered = coverage.cover(x, dtype)
                    term = opacity.term(cover, uncovered, dtype)
                    ti.atomic_add(sums[b, row, col], ti.cast(term * UNITS, ti.i64))

    @ti.kernel
    def finish(
        sums: sums_type,  # (B, H, W), in
        num_faces: integers,  # (B,) faces of each item, in
        image: ti.types.ndarray(dtype=dtype, ndim=3),  # (B, H, W) of zeros, out
    ):
        """Turn sums into alpha."""
        for b, row, col in sums:
            if sums[b, row, col] != 0:
                total = ti.cast(sums[b, row, col], dtype) * inverse(ti.cast(UNITS, dtype), dtype)
                image[b, row, col] = opacity.from_sum(total, ti.cast(num_faces[b], dtype))

    return SimpleNamespace(add_terms=add_terms, finish=finish)
