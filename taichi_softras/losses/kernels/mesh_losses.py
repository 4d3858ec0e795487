"""Losses of meshes, as kernels that add to outputs that start as zeros.

All but the one that weighs edges are differentiable.
"""

import functools

from taichi_softras.arrays.kernels.arithmetic import inverse
from taichi_softras.arrays.kernels.points import SMALLEST_SQUARE, point_of, unit
from taichi_softras.arrays.launcher import func, kernel
from taichi_softras.backend import ti
from taichi_softras.meshes.kernels.normals import face_normal

SMALLEST_TANGENT = 2.0**-10
"""Tangent of the smallest angle: sharper corners of faces count as this one, and flatter ones as
180 degrees less it."""

SMALLEST_WEIGHT = 2.0**-40
"""Sum of cotangents under which a vertex counts as having no neighbours."""

SHORT, LENGTHENED = 2.0**-20, 2.0**30
"""Edges shorter than the first are magnified by the second, lest squares of areas are 0: powers of
two change no digit of a cotangent."""


@func
def corner_point(corners: ti.template(), b, r, k: ti.template()):
    """Load the place of one corner of a row, such as an edge."""
    return ti.Vector([corners[b, r, k, 0], corners[b, r, k, 1], corners[b, r, k, 2]])


@func
def distance_of(difference, dtype: ti.template()):
    """Length of a vector; where it is 0, so is its gradient."""
    length_sq = difference.norm_sqr()
    smallest = dtype(ti.static(SMALLEST_SQUARE[dtype]))
    return ti.select(length_sq > smallest, 1, 0) * ti.sqrt(ti.max(length_sq, smallest))


@functools.cache
def cotangent_kernel(dtype):
    """Build the kernel that weighs edges by the angles opposite them. Not differentiable."""
    integers = ti.types.ndarray(dtype=ti.i32, ndim=1)
    array2 = ti.types.ndarray(dtype=dtype, ndim=2)

    @kernel
    def weigh_by_cotangents(
        vertices: ti.types.ndarray(dtype=dtype, ndim=3),  # (B, V, 3), in
        faces: ti.types.ndarray(dtype=ti.i32, ndim=2),  # (F, 3), in
        side_starts: integers,  # (E + 1,), in
        sides: integers,  # (side_starts[-1] at least,) corners 3 f + k opposite each edge, in
        end_starts: integers,  # (V + 1,), in
        ends: integers,  # (end_starts[-1] at least,) ends 2 e + i at each vertex, in
        weights: array2,  # (B, E), out
        inverse_sums: array2,  # (B, V), out
    ):
        """Add up cotangents of angles opposite each edge, cut off at 0; sum at vertices."""
        for b, e in ti.ndrange(weights.shape[0], weights.shape[1]):
            total = dtype(0.0)
            for slot in range(side_starts[e], side_starts[e + 1]):
                f = sides[slot] // 3
                k = sides[slot] % 3
                corner = point_of(vertices, b, faces[f, k])
                left = point_of(vertices, b, faces[f, (k + 1) % 3]) - corner
                right = point_of(vertices, b, faces[f, (k + 2) % 3]) - corner
                is_short = ti.max(ti.abs(left).max(), ti.abs(right).max()) < dtype(SHORT)
                scale = ti.select(is_short, dtype(LENGTHENED), 1)
                left *= scale
                right *= scale
                along = left.dot(right)
                smallest = ti.max(
                    ti.abs(along) * ti.cast(SMALLEST_TANGENT, dtype),
                    dtype(ti.static(SMALLEST_SQUARE[dtype])),
                )
                total += along / ti.max(left.cross(right).norm(), smallest)
            weights[b, e] = ti.max(total, 0)
        for b, v in ti.ndrange(inverse_sums.shape[0], inverse_sums.shape[1]):
            total = dtype(0.0)
            for slot in range(end_starts[v], end_starts[v + 1]):
                total += weights[b, ends[slot] // 2]
            smallest = ti.cast(SMALLEST_WEIGHT, dtype)
            inverse_sums[b, v] = ti.select(
                total > smallest, inverse(ti.max(total, smallest), dtype), 0
            )

    return weigh_by_cotangents


@functools.cache
def norm_kernel(dtype):
    """Build the kernel that squares the lengths of vectors."""

    @kernel
    def squared_lengths(
        vectors: ti.types.ndarray(dtype=dtype, ndim=3),  # (B, V, 3), in
        lengths: ti.types.ndarray(dtype=dtype, ndim=2),  # (B, V), accumulated
    ):
        """Square the length of each vector."""
        for b, v in ti.ndrange(lengths.shape[0], lengths.shape[1]):
            lengths[b, v] += point_of(vectors, b, v).norm_sqr()

    return squared_lengths


@functools.cache
def fold_kernel(dtype, squared: bool):
    """Build the kernel that measures how faces fold over the edges between them."""

    @kernel
    def fold(
        corners: ti.types.ndarray(dtype=dtype, ndim=4),  # (B, K, 4, 3) of the hinges, in
        folds: ti.types.ndarray(dtype=dtype, ndim=2),  # (B, K), accumulated
    ):
        """Take one minus the cosine of the angle between the normals of two adjacent faces."""
        for b, e in ti.ndrange(folds.shape[0], folds.shape[1]):
            start = corner_point(corners, b, e, 0)
            end = corner_point(corners, b, e, 1)
            left_normal = face_normal(start, end, corner_point(corners, b, e, 2), dtype)
            right_normal = face_normal(start, corner_point(corners, b, e, 3), end, dtype)
            left = unit(left_normal, dtype(0.0), dtype)
            right = unit(right_normal, dtype(0.0), dtype)
            bend = 1 - left.dot(right)
            # A face without area has no normal, and counts as flat.
            if left.norm_sqr() * right.norm_sqr() > 0:
                if ti.static(squared):
                    folds[b, e] += bend * bend
                else:
                    folds[b, e] += bend

    return fold


@functools.cache
def edge_length_kernel(dtype):
    """Build the kernel that compares the lengths of edges with one length."""

    @kernel
    def edge_length(
        ends: ti.types.ndarray(dtype=dtype, ndim=4),  # (B, E, 2, 3) of the edges, in
        target: dtype,
        errors: ti.types.ndarray(dtype=dtype, ndim=2),  # (B, E), accumulated
    ):
        """Square the difference of each edge's length from the target."""
        for b, e in ti.ndrange(errors.shape[0], errors.shape[1]):
            along = corner_point(ends, b, e, 1) - corner_point(ends, b, e, 0)
            error = distance_of(along, dtype) - target
            errors[b, e] += error * error

    return edge_length


@functools.cache
def color_difference_kernel(dtype):
    """Build the kernel that compares the colours of adjacent faces."""

    @kernel
    def color_difference(
        pair_colors: ti.types.ndarray(dtype=dtype, ndim=4),  # (B, K, 2, C), in
        differences: ti.types.ndarray(dtype=dtype, ndim=2),  # (B, K), accumulated
    ):
        """Square the difference of colours, summed over channels."""
        for b, e in ti.ndrange(differences.shape[0], differences.shape[1]):
            for c in range(pair_colors.shape[3]):
                difference = pair_colors[b, e, 0, c] - pair_colors[b, e, 1, c]
                differences[b, e] += difference * difference

    return color_difference


@functools.cache
def point_distance_kernel(dtype, squared: bool):
    """Build the kernel that measures how far points are from others, one each."""
    array3 = ti.types.ndarray(dtype=dtype, ndim=3)

    @kernel(points="item")
    def point_distance(
        points: array3,  # (B or 1, N, 3), in
        nearest: ti.types.ndarray(
            dtype=dtype, ndim=4
        ),  # (B, N, 1, 3) the nearest other of each, in
        distances: ti.types.ndarray(dtype=dtype, ndim=2),  # (B, N), accumulated
    ):
        """Take the distance of each point, squared or not."""
        for b, n in ti.ndrange(distances.shape[0], distances.shape[1]):
            offset = point_of(points, b, n) - corner_point(nearest, b, n, 0)
            if ti.static(squared):
                distances[b, n] += offset.norm_sqr()
            else:
                distances[b, n] += distance_of(offset, dtype)

    return point_distance
