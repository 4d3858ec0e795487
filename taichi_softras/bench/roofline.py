"""The least time that a case can take: by bytes that must move, and by arithmetic.

What a machine can do is measured beside: memory by copying, arithmetic by products and sums that
stay in registers. A step whose time is a large share of its floor can't become much faster.
"""

import time
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from taichi_softras.arrays.taichi_bridge import from_numpy
from taichi_softras.backend import ti
from taichi_softras.bench.cases import Case
from taichi_softras.bench.kernels import rates
from taichi_softras.bench.measuring import Measurement

COPIED = 2**25
"""Numbers that are copied to measure memory: more than caches hold."""

THREADS, ROUNDS = 2**18, 1024
"""Work by which arithmetic is measured: some ten billion operations."""

FLOAT_BYTES = 4

FORWARD_OPERATIONS = {"silhouette": 59, "colors": 96}
"""Operations that a fragment can't do without, where a function such as exp counts as one.

Silhouettes: barycentric coordinates 12, distances to three edges 39 and the least 2, coverage 4,
alpha 2. Colours: also depth 6, corners' weights 3, softmax 7, three channels 21.
"""

BACKWARD_OPERATIONS = {"silhouette": 75, "colors": 150}
"""Likewise of the gradient, where nothing is kept of a fragment: coverage is worked out again, its
slope 4, the nearest edge's two ends 12. Colours: also depth, weights, softmax and colours 37, their
products with the image's gradient 15, sums for the corners 12, and for their colours 18; less 7
that both have."""


@dataclass(frozen=True, kw_only=True)
class Rates:
    """What a machine can do.

    Attributes:
        bytes_per_second: Bytes that are read or written when numbers are copied.
        operations_per_second: Products and sums of float32 numbers in registers.
    """

    bytes_per_second: float
    operations_per_second: float


@dataclass(frozen=True, kw_only=True)
class Floor:
    """What a step of a case can't do without: image, loss and gradients.

    Attributes:
        bytes: Read or written, if each array that outlives a kernel moves once for each kernel that
            needs it.
        operations: Of float32 numbers.
    """

    bytes: int
    operations: int

    def seconds(self, rates: Rates) -> tuple[float, float]:
        """Tell how long memory and arithmetic take at least, each alone."""
        return (
            self.bytes / rates.bytes_per_second,
            self.operations / rates.operations_per_second,
        )


def measure_rates(runs: int = 5) -> Rates:
    """Measure what this machine can do where Taichi runs; the best of some runs counts.

    Args:
        runs: How often, after one to compile.
    """
    source, target = (from_numpy(np.zeros(COPIED, np.float32)) for _ in range(2))
    results = from_numpy(np.zeros(THREADS, np.float32))
    copying = _least_seconds(lambda: rates.copy(source, target), runs)
    counting = _least_seconds(lambda: rates.multiply_add(0.5, ROUNDS, results), runs)
    return Rates(
        bytes_per_second=2 * FLOAT_BYTES * COPIED / copying,
        operations_per_second=2 * rates.CHAINS * ROUNDS * THREADS / counting,
    )


def floor_of(case: Case, found: Measurement) -> Floor:
    """Work out what a step of a case can't do without, as `measuring.measure` takes it."""
    kind = "silhouette" if case.silhouette else "colors"
    corners = case.views * found.faces * 9
    colors = 0 if case.silhouette else found.faces * 9
    target = case.size**2 * (1 if case.silhouette else 4)
    image = case.views * target
    # Corners and colours: to draw, to differentiate, and their gradients. The image: drawn, read
    # by the loss and by the gradient; its own gradient, written by the one and read by the other.
    numbers = 3 * (corners + colors) + 5 * image + target
    operations = FORWARD_OPERATIONS[kind] + BACKWARD_OPERATIONS[kind]
    return Floor(bytes=FLOAT_BYTES * numbers, operations=operations * found.fragments)


def _least_seconds(launch: Callable[[], object], runs: int) -> float:
    seconds = []
    for _ in range(1 + runs):
        ti.sync()
        start = time.perf_counter()
        launch()
        ti.sync()
        seconds.append(time.perf_counter() - start)
    return min(seconds[1:])
