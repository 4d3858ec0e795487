"""Equal rows of arrays, on the host."""

from typing import Any

import numpy as np
from numpy.typing import NDArray


def group_rows(rows: NDArray[Any]) -> tuple[NDArray[Any], NDArray[Any]]:
    """Find which rows of an array are equal.

    As ``np.unique(rows, axis=0)`` does, but kinds are in the order of first appearance.

    Args:
        rows: (N, K) numbers.

    Returns:
        The index of the first row of each kind, of shape (M,) and ascending; and for each row
        its kind, of shape (N,), from 0 to M - 1.

    Examples:
        >>> first, kind = group_rows(np.array([[5, 5], [1, 2], [5, 5]]))
        >>> first.tolist(), kind.tolist()
        ([0, 1], [0, 1, 0])
    """
    order = np.lexsort(rows.T)
    is_new = np.ones(len(rows), dtype=bool)
    is_new[1:] = (rows[order][1:] != rows[order][:-1]).any(axis=1)
    first = order[is_new]  # the sort is stable, so equal rows stay in order
    rank = np.empty(len(first), dtype=np.int64)
    rank[np.argsort(first)] = np.arange(len(first))
    kind = np.empty(len(rows), dtype=np.int64)
    kind[order] = rank[np.cumsum(is_new) - 1]
    return np.sort(first), kind
