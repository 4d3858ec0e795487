"""Losses of meshes, as kernels that add to outputs that start as zeros.

All but the one that weighs edges are differentiable.
"""

import functools

import taichi as ti

from taichi_softras.kernels.geometry import inverse
from taichi_softras.kernels.vertices import SMALLEST_NORMAL_SQ, point_of, unit

SMALLEST_TANGENT = 2.0**-10
"""Tangent of the angle under which a corner of a face counts as that sharp, or that flat."""

SMALLEST_WEIGHT = 2.0**-40
"""Sum of cotangents under which a vertex has no neighbours that matter."""


@ti.func
def distance_of(difference, dtype: ti.template()):
    """Length of a vector; where it is 0, so is its gradient."""
    length_sq = difference.norm_sqr()
    smallest = ti.cast(SMALLEST_NORMAL_SQ, dtype)
    return ti.select(length_sq > smallest, 1, 0) * ti.sqrt(ti.max(length_sq, smallest))


@functools.cache
def laplacian_kernel(dtype):
    """Build the kernel that compares vertices with the mean of their neighbours."""
    array2 = ti.types.ndarray(dtype=dtype, ndim=2)
    array3 = ti.types.ndarray(dtype=dtype, ndim=3)

    @ti.kernel
    def laplacian(
        vertices: array3,  # (B, V, 3), in
        edges: ti.types.ndarray(dtype=ti.i32, ndim=2),  # (E, 2), in
        weights: array2,  # (B or 1, E), in
        inverse_sums: array2,  # (B or 1, V) of the weights of a vertex's edges, 0 if isolated, in
        deltas: array3,  # (B, V, 3), accumulated
    ):
        """Subtract the weighted mean of the neighbours from each vertex; isolated ones give 0."""
        for b, v, c in ti.ndrange(vertices.shape[0], vertices.shape[1], 3):
            if inverse_sums[ti.min(b, inverse_sums.shape[0] - 1), v] > 0:
                deltas[b, v, c] += vertices[b, v, c]
        for b, e, c in ti.ndrange(vertices.shape[0], edges.shape[0], 3):
            i = edges[e, 0]
            j = edges[e, 1]
            weight = weights[ti.min(b, weights.shape[0] - 1), e]
            b_sum = ti.min(b, inverse_sums.shape[0] - 1)
            deltas[b, i, c] -= vertices[b, j, c] * weight * inverse_sums[b_sum, i]
            deltas[b, j, c] -= vertices[b, i, c] * weight * inverse_sums[b_sum, j]

    return laplacian


@functools.cache
def cotangent_kernel(dtype):
    """Build the kernel that weighs edges by the angles opposite them. Not differentiable."""
    array2 = ti.types.ndarray(dtype=dtype, ndim=2)

    @ti.kernel
    def weigh_by_cotangents(
        vertices: ti.types.ndarray(dtype=dtype, ndim=3),  # (B, V, 3), in
        faces: ti.types.ndarray(dtype=ti.i32, ndim=2),  # (F, 3), in
        face_edges: ti.types.ndarray(dtype=ti.i32, ndim=2),  # (F, 3) opposite each corner, in
        edges: ti.types.ndarray(dtype=ti.i32, ndim=2),  # (E, 2), in
        weights: array2,  # (B, E), zeros, out
        inverse_sums: array2,  # (B, V), zeros, out
    ):
        """Add up cotangents of angles opposite each edge, cut off at 0; sum at vertices."""
        for b, f in ti.ndrange(vertices.shape[0], faces.shape[0]):
            for k in ti.static(range(3)):
                edge = face_edges[f, k]
                corner = point_of(vertices, b, faces[f, k])
                left = point_of(vertices, b, faces[f, (k + 1) % 3]) - corner
                right = point_of(vertices, b, faces[f, (k + 2) % 3]) - corner
                along = left.dot(right)
                smallest = ti.max(
                    ti.abs(along) * ti.cast(SMALLEST_TANGENT, dtype),
                    ti.cast(SMALLEST_NORMAL_SQ, dtype),
                )
                if edge >= 0:
                    weights[b, edge] += along / ti.max(left.cross(right).norm(), smallest)
        for b, e in ti.ndrange(weights.shape[0], weights.shape[1]):
            weights[b, e] = ti.max(weights[b, e], 0)
            inverse_sums[b, edges[e, 0]] += weights[b, e]
            inverse_sums[b, edges[e, 1]] += weights[b, e]
        for b, v in ti.ndrange(inverse_sums.shape[0], inverse_sums.shape[1]):
            total = inverse_sums[b, v]
            smallest = ti.cast(SMALLEST_WEIGHT, dtype)
            inverse_sums[b, v] = ti.select(
                total > smallest, inverse(ti.max(total, smallest), dtype), 0
            )

    return weigh_by_cotangents


@functools.cache
def norm_kernel(dtype):
    """Build the kernel that squares the lengths of vectors."""

    @ti.kernel
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

    @ti.kernel
    def fold(
        vertices: ti.types.ndarray(dtype=dtype, ndim=3),  # (B, V, 3), in
        hinges: ti.types.ndarray(dtype=ti.i32, ndim=2),  # (K, 4) edge, then opposite corners, in
        folds: ti.types.ndarray(dtype=dtype, ndim=2),  # (B, K), accumulated
    ):
        """Take one minus the cosine of the angle between the normals of two adjacent faces."""
        for b, e in ti.ndrange(folds.shape[0], folds.shape[1]):
            origin = point_of(vertices, b, hinges[e, 0])
            edge = point_of(vertices, b, hinges[e, 1]) - origin
            smallest = ti.cast(SMALLEST_NORMAL_SQ, dtype)
            left = unit(edge.cross(point_of(vertices, b, hinges[e, 2]) - origin), smallest)
            right = unit((point_of(vertices, b, hinges[e, 3]) - origin).cross(edge), smallest)
            bend = 1 - left.dot(right)
            # A face without area has no normal, and no say.
            if left.norm_sqr() * right.norm_sqr() > 0:
                if ti.static(squared):
                    folds[b, e] += bend * bend
                else:
                    folds[b, e] += bend

    return fold


@functools.cache
def edge_length_kernel(dtype):
    """Build the kernel that compares the lengths of edges with one length."""

    @ti.kernel
    def edge_length(
        vertices: ti.types.ndarray(dtype=dtype, ndim=3),  # (B, V, 3), in
        edges: ti.types.ndarray(dtype=ti.i32, ndim=2),  # (E, 2), in
        target: dtype,
        errors: ti.types.ndarray(dtype=dtype, ndim=2),  # (B, E), accumulated
    ):
        """Square the difference of each edge's length from the target."""
        for b, e in ti.ndrange(errors.shape[0], errors.shape[1]):
            along = point_of(vertices, b, edges[e, 1]) - point_of(vertices, b, edges[e, 0])
            error = distance_of(along, dtype) - target
            errors[b, e] += error * error

    return edge_length


@functools.cache
def color_difference_kernel(dtype):
    """Build the kernel that compares the colours of adjacent faces."""

    @ti.kernel
    def color_difference(
        face_colors: ti.types.ndarray(dtype=dtype, ndim=3),  # (B, F, C), in
        face_pairs: ti.types.ndarray(dtype=ti.i32, ndim=2),  # (K, 2), in
        differences: ti.types.ndarray(dtype=dtype, ndim=2),  # (B, K), accumulated
    ):
        """Square the difference of colours, summed over channels."""
        for b, e in ti.ndrange(differences.shape[0], differences.shape[1]):
            for c in range(face_colors.shape[2]):
                difference = (
                    face_colors[b, face_pairs[e, 0], c] - face_colors[b, face_pairs[e, 1], c]
                )
                differences[b, e] += difference * difference

    return color_difference


@functools.cache
def point_distance_kernel(dtype, squared: bool):
    """Build the kernel that measures how far points are from others, one each."""
    array3 = ti.types.ndarray(dtype=dtype, ndim=3)

    @ti.kernel
    def point_distance(
        points: array3,  # (B or 1, N, 3), in
        others: array3,  # (B or 1, M, 3), in
        nearest: ti.types.ndarray(dtype=ti.i32, ndim=2),  # (B, N) which other, in
        distances: ti.types.ndarray(dtype=dtype, ndim=2),  # (B, N), accumulated
    ):
        """Take the distance of each point, squared or not."""
        for b, n in ti.ndrange(distances.shape[0], distances.shape[1]):
            offset = point_of(points, b, n) - point_of(others, b, nearest[b, n])
            if ti.static(squared):
                distances[b, n] += offset.norm_sqr()
            else:
                distances[b, n] += distance_of(offset, dtype)

    return point_distance
