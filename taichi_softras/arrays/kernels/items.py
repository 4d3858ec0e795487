"""Items whose numbers are all finite, and what becomes of the others.

A number counts as finite if its square is: lengths are taken of vectors.
"""

import functools

from taichi_softras.arrays.kernels.arithmetic import is_finite
from taichi_softras.arrays.launcher import func, kernel
from taichi_softras.backend import ti


@func
def square_is_finite(x):
    """Tell whether the square of a number is finite, 1 or 0."""
    return ti.cast(is_finite(x * x), ti.i32)


@func
def all_finite(values: ti.template(), b):
    """Tell whether all numbers of item ``b`` are finite, 1 or 0; one item may serve all."""
    b_values = ti.min(b, values.shape[0] - 1)
    result = 1
    if ti.static(len(values.shape) == 1):
        result = square_is_finite(values[b_values])
    elif ti.static(len(values.shape) == 2):
        for i in range(values.shape[1]):
            result *= square_is_finite(values[b_values, i])
    else:
        for i, j in ti.ndrange(values.shape[1], values.shape[2]):
            result *= square_is_finite(values[b_values, i, j])
    return result


@functools.cache
def finite_items_kernel(dtype, count):
    """Build the kernel that finds items whose numbers are finite: Taichi can't differentiate it.

    Args:
        dtype: Floating-point type.
        count: How many arrays there are: 1, 2 or 3.
    """
    array = ti.types.ndarray(dtype=dtype, needs_grad=False)
    mask = ti.types.ndarray(dtype=ti.i32, ndim=2)

    @kernel
    def find_one(
        a: array,  # (B or 1, ...), of one to three dimensions, in
        finite: mask,  # (B, 1), out
    ):
        """Write 1 for an item of which all is finite, else 0."""
        for b in range(finite.shape[0]):
            finite[b, 0] = all_finite(a, b)

    @kernel
    def find_two(a: array, c: array, finite: mask):
        """Likewise of two arrays."""
        for b in range(finite.shape[0]):
            finite[b, 0] = all_finite(a, b) * all_finite(c, b)

    @kernel
    def find_three(a: array, c: array, d: array, finite: mask):
        """Likewise of three."""
        for b in range(finite.shape[0]):
            finite[b, 0] = all_finite(a, b) * all_finite(c, b) * all_finite(d, b)

    return {1: find_one, 2: find_two, 3: find_three}[count]


@func
def is_kept(finite: ti.template(), b):
    """Look an item up in the mask of `finite_items_kernel`, where one item may serve all."""
    return finite[ti.min(b, finite.shape[0] - 1), 0] != 0


@functools.cache
def keep_kernel(dtype):
    """Build the kernel that copies the items that are finite."""
    array = ti.types.ndarray(dtype=dtype)

    @kernel(values="item")
    def keep(
        values: array,  # (B or 1, ...), in
        judges: array,  # (B or 1, ...), what the mask is of, not used here
        finite: ti.types.ndarray(dtype=ti.i32, ndim=2),  # (B or 1, 1), in
        kept: array,  # (B, ...), accumulated
    ):
        """Leave the others 0."""
        for index in ti.grouped(kept):
            if is_kept(finite, index[0]):
                source = index
                source[0] = ti.min(index[0], values.shape[0] - 1)
                kept[index] += values[source]

    return keep
