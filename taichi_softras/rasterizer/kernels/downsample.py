"""Means of squares of pixels, for supersampling."""

import functools

from taichi_softras.arrays.kernels.arithmetic import inverse
from taichi_softras.arrays.launcher import kernel
from taichi_softras.backend import ti


@functools.cache
def downsample_kernel(dtype, ndim: int):
    """Build the kernel that averages squares of pixels, of images of 3 or 4 dimensions."""
    images = ti.types.ndarray(dtype=dtype, ndim=ndim)

    @kernel
    def downsample(
        image: images,  # (B, H, W, C) or (B, H, W), in
        factor: ti.i32,
        result: images,  # likewise, H and W divided by the factor, accumulated
    ):
        """Add up the part that each pixel of a square has in their mean."""
        for i in ti.grouped(result):
            for k in range(factor * factor):
                pixel = i
                pixel[1] = i[1] * factor + k // factor
                pixel[2] = i[2] * factor + k % factor
                result[i] += image[pixel] * inverse(ti.cast(factor * factor, dtype), dtype)

    return downsample
