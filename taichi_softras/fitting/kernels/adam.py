"""The optimiser's step."""

import functools

from taichi_softras.arrays.launcher import kernel
from taichi_softras.backend import ti


@functools.cache
def adam_kernel(dtype):
    """Build the kernel of one step of Adam."""
    array = ti.types.ndarray(dtype=dtype)

    @kernel
    def adam(
        values: array,  # any shape, in and out
        gradients: array,  # the same, in
        means: array,  # the same, running mean of the gradients, in and out
        squares: array,  # the same, running mean of their squares, in and out
        learning_rate: dtype,
        mean_decay: dtype,
        square_decay: dtype,
        mean_gain: dtype,  # 1 - mean_decay, before it was rounded
        square_gain: dtype,  # likewise
        mean_weight: dtype,  # 1 - mean_decay ** step: undoes the bias of a start from zero
        square_weight: dtype,  # likewise
        smallest: dtype,
    ):
        """Step along the mean gradient, scaled by the root of the mean square.

        Source:
            Kingma and Ba, "Adam: A Method for Stochastic Optimization", ICLR 2015, algorithm 1.
        """
        for i in ti.grouped(values):
            gradient = gradients[i]
            mean = mean_decay * means[i] + mean_gain * gradient
            square = square_decay * squares[i] + square_gain * gradient * gradient
            means[i] = mean
            squares[i] = square
            root = ti.sqrt(square / square_weight) + smallest
            values[i] -= learning_rate * mean / mean_weight / root

    return adam


@functools.cache
def uniform_adam_kernel(dtype):
    """Build the kernel of one step of Adam that scales all numbers alike."""
    array = ti.types.ndarray(dtype=dtype)

    @kernel
    def uniform_adam(
        values: array,  # any shape, in and out
        gradients: array,  # the same, in
        means: array,  # the same, running mean of the gradients, in and out
        squares: ti.types.ndarray(dtype=dtype, ndim=1),  # (2,): see below, in and out
        learning_rate: dtype,
        mean_decay: dtype,
        square_decay: dtype,
        mean_gain: dtype,  # as those of adam_kernel
        square_gain: dtype,
        mean_weight: dtype,
        square_weight: dtype,
        smallest: dtype,
    ):
        """Step along the mean gradient, scaled by the root of the mean of its largest square.

        ``squares`` is the running mean of the largest square of each step, and 0.

        Source:
            Nicolet, Jacobson and Jakob, Large steps in inverse rendering of geometry, 2021.
        """
        for i in ti.grouped(gradients):
            ti.atomic_max(squares[1], gradients[i] * gradients[i])
        for _ in range(1):
            squares[0] = square_decay * squares[0] + square_gain * squares[1]
            squares[1] = 0
        for i in ti.grouped(values):
            mean = mean_decay * means[i] + mean_gain * gradients[i]
            means[i] = mean
            root = ti.sqrt(squares[0] / square_weight) + smallest
            values[i] -= learning_rate * mean / mean_weight / root

    return uniform_adam
