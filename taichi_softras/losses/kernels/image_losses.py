"""Losses of images, as differentiable kernels that add to outputs that start as zeros.

An image is first summed row by row, each row by one thread, and then over its rows: threads that
add to the same number would wait for each other.
"""

import functools

import taichi as ti

from taichi_softras.arrays.launcher import kernel


@ti.func
def pixel_of(images: ti.template(), m, row, col):
    """Read a pixel of image ``m`` of (B, H, W) or (B, N, H, W), where one item may serve all."""
    if ti.static(len(images.shape) == 3):
        return images[ti.min(m, images.shape[0] - 1), row, col]
    else:
        b = ti.min(m // images.shape[1], images.shape[0] - 1)
        return images[b, m % images.shape[1], row, col]


@functools.cache
def overlap_kernel(dtype):
    """Build the kernel that intersects and unites silhouettes."""

    @kernel(target="item")
    def overlap(
        alpha: ti.types.ndarray(dtype=dtype),  # (B, H, W) or (B, N, H, W), in
        target: ti.types.ndarray(dtype=dtype),  # the same, of B or 1 items, in
        sums: ti.types.ndarray(dtype=dtype, ndim=3),  # (B * N, H, 2) of each row, accumulated
    ):
        """Intersect and unite rows of soft silhouettes, as products and probabilistic sums."""
        for m, row in ti.ndrange(sums.shape[0], sums.shape[1]):
            for col in range(alpha.shape[ti.static(len(alpha.shape) - 1)]):
                drawn = pixel_of(alpha, m, row, col)
                wanted = pixel_of(target, m, row, col)
                sums[m, row, 0] += drawn * wanted
                sums[m, row, 1] += drawn + wanted - drawn * wanted

    return overlap


@functools.cache
def squared_error_kernel(dtype):
    """Build the kernel that compares images."""
    array4 = ti.types.ndarray(dtype=dtype, ndim=4)

    @kernel(target="item")
    def squared_error(
        image: array4,  # (B, H, W, C), in
        target: array4,  # (B or 1, H, W, C), in
        sums: ti.types.ndarray(dtype=dtype, ndim=2),  # (B, H), accumulated
    ):
        """Sum the squared differences of each row."""
        for b, row in ti.ndrange(image.shape[0], image.shape[1]):
            for i in range(image.shape[2] * image.shape[3]):
                col = i // image.shape[3]
                c = i % image.shape[3]
                difference = (
                    image[b, row, col, c] - target[ti.min(b, target.shape[0] - 1), row, col, c]
                )
                sums[b, row] += difference * difference

    return squared_error


@functools.cache
def row_sum_kernel(dtype):
    """Build the kernel that adds up the rows of an image."""

    @kernel
    def sum_rows(
        rows: ti.types.ndarray(dtype=dtype, ndim=3),  # (M, H, K), in
        sums: ti.types.ndarray(dtype=dtype, ndim=2),  # (M, K), accumulated
    ):
        """Add up over the middle dimension."""
        for m, k in ti.ndrange(sums.shape[0], sums.shape[1]):
            for row in range(rows.shape[1]):
                sums[m, k] += rows[m, row, k]

    return sum_rows


@functools.cache
def iou_kernel(dtype):
    """Build the kernel that turns intersections and unions into losses."""

    @kernel
    def iou(
        sums: ti.types.ndarray(dtype=dtype, ndim=2),  # (B * N, 2) intersection and union, in
        losses: ti.types.ndarray(dtype=dtype, ndim=2),  # (B, N), accumulated
    ):
        """Take one minus intersection over union; two empty silhouettes agree."""
        for b, view in ti.ndrange(losses.shape[0], losses.shape[1]):
            m = b * losses.shape[1] + view
            empty = ti.select(sums[m, 1] > 0, 0, 1)
            losses[b, view] += 1 - (sums[m, 0] + empty) / (sums[m, 1] + empty)

    return iou
