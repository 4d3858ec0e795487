"""Means, and how sure they are."""

import numpy as np
from numpy.typing import ArrayLike
from scipy import stats

Interval = tuple[float, float, float]
"""A mean, and the ends of its 95 % interval."""

RESAMPLES = 2000


def mean_interval(values: ArrayLike, seed: int = 0) -> Interval:
    """Estimate a mean, and its 95 % interval by the bootstrap's percentiles.

    Args:
        values: (N,), independent draws; at least one.
        seed: Of the resampling.

    Returns:
        The mean, and the interval's ends.
    """
    numbers = np.asarray(values, dtype=float)
    if len(numbers) < 2 or np.ptp(numbers) == 0:
        return (float(numbers.mean()),) * 3
    found = stats.bootstrap(
        (numbers,), np.mean, method="percentile", rng=np.random.default_rng(seed)
    ).confidence_interval
    return float(numbers.mean()), float(found.low), float(found.high)


def nested_interval(values: ArrayLike, seed: int = 0) -> Interval:
    """Estimate a mean over groups, and its 95 % interval by the bootstrap, groups first.

    Draws of one group have something in common, so an interval over all draws as if they were
    independent is too short. Here groups are drawn anew, and then draws within each.

    Args:
        values: (K, N), N draws from each of K groups, which are themselves independent draws.
        seed: Of the resampling.

    Returns:
        The mean, and the interval's ends. With one group it is over the draws of that group.

    Source:
        Davison and Hinkley, Bootstrap Methods and their Application, 1997, section 3.8.
    """
    numbers = np.asarray(values, dtype=float)
    num_groups, num_draws = numbers.shape
    rng = np.random.default_rng(seed)
    groups = rng.integers(num_groups, size=(RESAMPLES, num_groups, 1))
    draws = rng.integers(num_draws, size=(RESAMPLES, num_groups, num_draws))
    means = numbers[groups, draws].mean(axis=(1, 2))
    low, high = np.quantile(means, (0.025, 0.975))
    return float(numbers.mean()), float(low), float(high)
