"""Losses of images, each in one launch, and their derivatives by hand, in one for each image.

An image is first summed row by row, each row by one thread, then over its rows: so sums are added
up in a fixed order. What several items share gets the derivatives of all of them from one thread.
"""

import functools
from types import SimpleNamespace

from taichi_softras.arrays.kernels.arithmetic import inverse
from taichi_softras.arrays.launcher import func, kernel
from taichi_softras.backend import ti


@func
def pixel_of(images: ti.template(), m, row, col):
    """Read a pixel of image ``m`` of (B, H, W) or (B, N, H, W), where one item may serve all."""
    if ti.static(len(images.shape) == 3):
        return images[ti.min(m, images.shape[0] - 1), row, col]
    else:
        b = ti.min(m // images.shape[1], images.shape[0] - 1)
        return images[b, m % images.shape[1], row, col]


@func
def add_to_pixel(images: ti.template(), m, row, col, value):
    """Add to a pixel of image ``m``, which one thread alone does."""
    if ti.static(len(images.shape) == 3):
        images[m, row, col] = images[m, row, col] + value
    else:
        b = m // images.shape[1]
        v = m % images.shape[1]
        images[b, v, row, col] = images[b, v, row, col] + value


@func
def num_images(images: ti.template()):
    """Count the images of (B, H, W) or (B, N, H, W)."""
    count = images.shape[0]
    if ti.static(len(images.shape) == 4):
        count *= images.shape[1]
    return count


@functools.cache
def overlap_kernels(dtype, *, serial: bool) -> SimpleNamespace:
    """Build the kernels of one minus intersection over union, and of its derivative.

    Args:
        dtype: Floating-point type.
        serial: Whether one thread adds rows up, as is best on a CPU: to wake others takes longer.
    """
    images = ti.types.ndarray(dtype=dtype)
    array1 = ti.types.ndarray(dtype=dtype, ndim=1)
    array2 = ti.types.ndarray(dtype=dtype, ndim=2)

    @kernel
    def measure_overlap(
        alpha: images,  # (B, H, W) or (B, N, H, W), in
        target: images,  # the same, of B or 1 items, in
        scale: dtype,
        rows: ti.types.ndarray(dtype=dtype, ndim=3),  # (B * N, H, 2), scratch
        sums: array2,  # (B * N, 2) intersections and unions, 1 and 1 if both are 0, out
        losses: array1,  # (B,) or (1,), out
    ):
        """Sum one minus intersection over union, times ``scale``, over views or over all images.

        Soft silhouettes intersect and unite as products and probabilistic sums.
        """
        for m, row in ti.ndrange(rows.shape[0], rows.shape[1]):
            both = dtype(0.0)
            either = dtype(0.0)
            for col in range(alpha.shape[ti.static(len(alpha.shape) - 1)]):
                drawn = pixel_of(alpha, m, row, col)
                wanted = pixel_of(target, m, row, col)
                both += drawn * wanted
                either += drawn + wanted - drawn * wanted
            rows[m, row, 0] = both
            rows[m, row, 1] = either
        if ti.static(serial):
            ti.loop_config(serialize=True)
        for m in range(sums.shape[0]):
            both = dtype(0.0)
            either = dtype(0.0)
            for row in range(rows.shape[1]):
                both += rows[m, row, 0]
                either += rows[m, row, 1]
            empty = ti.select(either > 0, 0, 1)  # two empty silhouettes agree
            sums[m, 0] = both + empty
            sums[m, 1] = either + empty
        if ti.static(serial):
            ti.loop_config(serialize=True)
        for i in range(losses.shape[0]):
            images_each = sums.shape[0] // losses.shape[0]
            total = dtype(0.0)
            for m in range(i * images_each, (i + 1) * images_each):
                total += 1 - sums[m, 0] / sums[m, 1]
            losses[i] = total * scale

    @kernel
    def differentiate_overlap(
        others: images,  # what the silhouettes were compared with, as above, in
        sums: array2,  # as above, in
        grad_losses: array1,  # in
        scale: dtype,
        grad: images,  # of the silhouettes, of B or 1 items, accumulated
    ):
        """Differentiate with respect to the one or the other: the overlap is symmetric."""
        for n, row in ti.ndrange(num_images(grad), grad.shape[ti.static(len(grad.shape) - 2)]):
            for k in range(sums.shape[0] // num_images(grad)):
                m = n + k * num_images(grad)
                share = grad_losses[m * grad_losses.shape[0] // sums.shape[0]] * scale
                by_union = share * inverse(sums[m, 1], dtype)
                ratio = sums[m, 0] * inverse(sums[m, 1], dtype)
                for col in range(grad.shape[ti.static(len(grad.shape) - 1)]):
                    other = pixel_of(others, m, row, col)
                    add_to_pixel(grad, n, row, col, by_union * (ratio * (1 - other) - other))

    return SimpleNamespace(measure=measure_overlap, differentiate=differentiate_overlap)


@functools.cache
def squared_error_kernels(dtype, *, serial: bool) -> SimpleNamespace:
    """Build the kernels of the squared error of images, and of its derivative.

    Args:
        dtype: Floating-point type.
        serial: As in `overlap_kernels`.
    """
    array1 = ti.types.ndarray(dtype=dtype, ndim=1)
    array4 = ti.types.ndarray(dtype=dtype, ndim=4)

    @kernel
    def measure_error(
        image: array4,  # (B, H, W, C), in
        target: array4,  # (B or 1, H, W, C), in
        scale: dtype,
        rows: ti.types.ndarray(dtype=dtype, ndim=2),  # (B, H), scratch
        losses: array1,  # (B,) or (1,), out
    ):
        """Sum squared differences, times ``scale``, over each item or over all."""
        for b, row in ti.ndrange(rows.shape[0], rows.shape[1]):
            b_target = ti.min(b, target.shape[0] - 1)
            total = dtype(0.0)
            for col in range(image.shape[2]):
                for c in range(image.shape[3]):
                    difference = image[b, row, col, c] - target[b_target, row, col, c]
                    total += difference * difference
            rows[b, row] = total
        if ti.static(serial):
            ti.loop_config(serialize=True)
        for i in range(losses.shape[0]):
            items = rows.shape[0] // losses.shape[0]
            total = dtype(0.0)
            for b in range(i * items, (i + 1) * items):
                for row in range(rows.shape[1]):
                    total += rows[b, row]
            losses[i] = total * scale

    @kernel
    def differentiate_error(
        values: array4,  # (B or 1, H, W, C), in
        others: array4,  # (B or 1, H, W, C), what they were compared with, in
        num_items: ti.i32,
        grad_losses: array1,  # in
        scale: dtype,
        grad: array4,  # of the values, accumulated
    ):
        """Differentiate with respect to the one or the other: the error is symmetric."""
        for b_grad, row in ti.ndrange(grad.shape[0], grad.shape[1]):
            for k in range(num_items // grad.shape[0]):
                b = b_grad + k * grad.shape[0]
                b_other = ti.min(b, others.shape[0] - 1)
                share = 2 * scale * grad_losses[ti.min(b, grad_losses.shape[0] - 1)]
                for col in range(grad.shape[2]):
                    for c in range(grad.shape[3]):
                        difference = values[b_grad, row, col, c] - others[b_other, row, col, c]
                        grad[b_grad, row, col, c] = grad[b_grad, row, col, c] + share * difference

    return SimpleNamespace(measure=measure_error, differentiate=differentiate_error)
