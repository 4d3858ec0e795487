"""The loss of photographs, as differentiable kernels that add to outputs that start as zeros."""

import functools

from taichi_softras.arrays.launcher import kernel
from taichi_softras.backend import ti

TERMS = 4
"""Of an image: intersection, union, differences of colours, and how many of these count."""


@functools.cache
def photo_terms_kernel(dtype):
    """Build the kernel that compares images with photographs, row by row."""
    array3 = ti.types.ndarray(dtype=dtype, ndim=3)
    array4 = ti.types.ndarray(dtype=dtype, ndim=4)

    @kernel
    def photo_terms(
        image: array4,  # (B, H, W, C + 1), in
        photo: array4,  # (B, H, W, C), in
        mask: array3,  # (B, H, W), in
        known: array3,  # (B, H, W), in
        weights: array3,  # (B, H, W), of differences of colours, in
        gains: ti.types.ndarray(dtype=dtype, ndim=1),  # (B,), in
        sums: array3,  # (B, H, TERMS) of each row, accumulated
    ):
        """Intersect and unite what is known of silhouettes, and add up differences of colours."""
        for b, row in ti.ndrange(sums.shape[0], sums.shape[1]):
            for i in range(image.shape[2] * photo.shape[3]):
                col = i // photo.shape[3]
                c = i % photo.shape[3]
                weight = weights[b, row, col]
                difference = gains[b] * image[b, row, col, c] - photo[b, row, col, c]
                sums[b, row, 2] += weight * ti.abs(difference)
                sums[b, row, 3] += weight
            for col in range(image.shape[2]):
                drawn = image[b, row, col, photo.shape[3]]
                wanted = mask[b, row, col]
                share = known[b, row, col]
                sums[b, row, 0] += share * drawn * wanted
                sums[b, row, 1] += share * (drawn + wanted - drawn * wanted)

    return photo_terms


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
def photo_loss_kernel(dtype):
    """Build the kernel that makes losses of what photographs and images differ by."""

    @kernel
    def weigh_terms(
        sums: ti.types.ndarray(dtype=dtype, ndim=2),  # (B, TERMS), in
        color_weight: dtype,
        losses: ti.types.ndarray(dtype=dtype, ndim=2),  # (B, 1), accumulated
    ):
        """Take one minus intersection over union, plus the mean difference of colours."""
        for b in range(losses.shape[0]):
            empty = ti.select(sums[b, 1] > 0, 0, 1)
            losses[b, 0] += 1 - (sums[b, 0] + empty) / (sums[b, 1] + empty)
            colorless = ti.select(sums[b, 3] > 0, 0, 1)
            losses[b, 0] += color_weight * sums[b, 2] / (sums[b, 3] + colorless)

    return weigh_terms
