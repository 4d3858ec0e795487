"""Losses, as differentiable kernels that add to outputs that start as zeros.

Sums over an image go by way of one partial sum per row: threads that add to one number wait for
each other.
"""

import functools

import taichi as ti

from taichi_softras.kernels.vertices import SMALLEST_NORMAL_SQ, point_of, unit


@functools.cache
def overlap_kernel(dtype):
    """Build the kernel that intersects and unites silhouettes."""
    array3 = ti.types.ndarray(dtype=dtype, ndim=3)

    @ti.kernel
    def overlap(
        alpha: array3,  # (B, H, W), in
        target: array3,  # (B or 1, H, W), in
        sums: array3,  # (B, H, 2) intersection and union of each row, accumulated
    ):
        """Intersect and unite rows of soft silhouettes, as products and probabilistic sums."""
        for b, row in ti.ndrange(alpha.shape[0], alpha.shape[1]):
            for col in range(alpha.shape[2]):
                both = alpha[b, row, col] * target[ti.min(b, target.shape[0] - 1), row, col]
                sums[b, row, 0] += both
                sums[b, row, 1] += (
                    alpha[b, row, col] + target[ti.min(b, target.shape[0] - 1), row, col] - both
                )

    return overlap


@functools.cache
def squared_error_kernel(dtype):
    """Build the kernel that compares images."""
    array4 = ti.types.ndarray(dtype=dtype, ndim=4)

    @ti.kernel
    def squared_error(
        image: array4,  # (B, H, W, C), in
        target: array4,  # (B or 1, H, W, C), in
        sums: ti.types.ndarray(dtype=dtype, ndim=3),  # (B, H, 1), accumulated
    ):
        """Sum the squared differences of each row."""
        for b, row in ti.ndrange(image.shape[0], image.shape[1]):
            for i in range(image.shape[2] * image.shape[3]):
                col = i // image.shape[3]
                c = i % image.shape[3]
                difference = (
                    image[b, row, col, c] - target[ti.min(b, target.shape[0] - 1), row, col, c]
                )
                sums[b, row, 0] += difference * difference

    return squared_error


@functools.cache
def row_sum_kernel(dtype):
    """Build the kernel that adds up the rows of an image."""

    @ti.kernel
    def sum_rows(
        rows: ti.types.ndarray(dtype=dtype, ndim=3),  # (B, H, K), in
        sums: ti.types.ndarray(dtype=dtype, ndim=2),  # (B, K), accumulated
    ):
        """Add up over the middle dimension."""
        for b, k in ti.ndrange(sums.shape[0], sums.shape[1]):
            for row in range(rows.shape[1]):
                sums[b, k] += rows[b, row, k]

    return sum_rows


@functools.cache
def iou_kernel(dtype):
    """Build the kernel that turns intersections and unions into a loss."""

    @ti.kernel
    def iou(
        sums: ti.types.ndarray(dtype=dtype, ndim=2),  # (B, 2) intersection and union, in
        loss: ti.types.ndarray(dtype=dtype, ndim=1),  # (1,), accumulated
    ):
        """Average one minus intersection over union; two empty silhouettes agree."""
        for b in range(sums.shape[0]):
            empty = ti.select(sums[b, 1] > 0, 0, 1)
            loss[0] += (1 - (sums[b, 0] + empty) / (sums[b, 1] + empty)) / ti.cast(
                sums.shape[0], dtype
            )

    return iou


@functools.cache
def scaled_sum_kernel(dtype):
    """Build the kernel that adds numbers to a loss."""

    @ti.kernel
    def add_scaled(
        values: ti.types.ndarray(dtype=dtype, ndim=2),  # (N, K), in
        scale: dtype,
        loss: ti.types.ndarray(dtype=dtype, ndim=1),  # (1,), accumulated
    ):
        """Add all values, times ``scale``."""
        for n, k in ti.ndrange(values.shape[0], values.shape[1]):
            loss[0] += values[n, k] * scale

    return add_scaled


@functools.cache
def weighted_kernel(dtype):
    """Build the kernel that adds one loss to another."""
    array1 = ti.types.ndarray(dtype=dtype, ndim=1)

    @ti.kernel
    def add_weighted(
        term: array1,  # (1,), in
        weight: dtype,
        loss: array1,  # (1,), accumulated
    ):
        """Add ``weight`` times ``term``."""
        for i in range(1):
            loss[i] += term[i] * weight

    return add_weighted


@functools.cache
def laplacian_kernel(dtype):
    """Build the kernel that compares vertices with the mean of their neighbours."""
    array3 = ti.types.ndarray(dtype=dtype, ndim=3)

    @ti.kernel
    def laplacian(
        vertices: array3,  # (B, V, 3), in
        edges: ti.types.ndarray(dtype=ti.i32, ndim=2),  # (E, 2), in
        inverse_degrees: ti.types.ndarray(dtype=dtype, ndim=1),  # (V,), in; 0 if isolated
        deltas: array3,  # (B, V, 3), accumulated
    ):
        """Subtract the mean of the neighbours from each vertex; isolated ones give 0."""
        for b, v, c in ti.ndrange(vertices.shape[0], vertices.shape[1], 3):
            if inverse_degrees[v] > 0:
                deltas[b, v, c] += vertices[b, v, c]
        for b, e, c in ti.ndrange(vertices.shape[0], edges.shape[0], 3):
            i = edges[e, 0]
            j = edges[e, 1]
            deltas[b, i, c] -= vertices[b, j, c] * inverse_degrees[i]
            deltas[b, j, c] -= vertices[b, i, c] * inverse_degrees[j]

    return laplacian


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
def flattening_kernel(dtype):
    """Build the kernel that measures how faces fold over the edges between them."""

    @ti.kernel
    def flattening(
        vertices: ti.types.ndarray(dtype=dtype, ndim=3),  # (B, V, 3), in
        hinges: ti.types.ndarray(dtype=ti.i32, ndim=2),  # (E, 4) edge, then opposite corners, in
        folds: ti.types.ndarray(dtype=dtype, ndim=2),  # (B, E), accumulated
    ):
        """Square one minus the cosine of the angle between the normals of two adjacent faces."""
        for b, e in ti.ndrange(folds.shape[0], folds.shape[1]):
            origin = point_of(vertices, b, hinges[e, 0])
            edge = point_of(vertices, b, hinges[e, 1]) - origin
            smallest = ti.cast(SMALLEST_NORMAL_SQ, dtype)
            left = unit(edge.cross(point_of(vertices, b, hinges[e, 2]) - origin), smallest)
            right = unit((point_of(vertices, b, hinges[e, 3]) - origin).cross(edge), smallest)
            fold = 1 - left.dot(right)
            # A face without area has no normal, and no say.
            if left.norm_sqr() * right.norm_sqr() > 0:
                folds[b, e] += fold * fold

    return flattening
