"""Sorting short stretches of an array, one thread each."""

from taichi_softras.arrays.launcher import func
from taichi_softras.backend import ti


@func
def sort_stretch(values: ti.template(), start, end):
    """Sort ``values[start:end]``: Shell's sort, which is quick where they are nearly in order."""
    length = end - start
    gap = 1
    while gap < length // 3:
        gap = 3 * gap + 1
    while gap > 0:
        for i in range(start + gap, end):
            value = values[i]
            j = i
            while j >= start + gap and values[j - gap] > value:
                values[j] = values[j - gap]
                j -= gap
            values[j] = value
        gap //= 3
