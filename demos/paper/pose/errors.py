"""How far from the truth guesses end, over several truths."""

import math
from typing import Any

import numpy as np

from demos.paper.shared.intervals import nested_interval

FOUND_DEGREES = 5.0
"""Error under which a rotation counts as found."""

BEST_OF = (1, 5, 10, 20)
"""Numbers of guesses of which the one of least loss is kept."""


def best_of(values: np.ndarray, losses: np.ndarray, count: int) -> float:
    """Expect the value of the guess of least loss among ``count``, drawn without putting back."""
    ordered = values[np.argsort(losses, kind="stable")]
    ways = [math.comb(len(values) - 1 - k, count - 1) for k in range(len(values))]
    return float(np.dot(ordered, np.array(ways, dtype=float)) / math.comb(len(values), count))


def summarize(errors: np.ndarray, losses: np.ndarray) -> dict[str, Any]:
    """Describe the errors of guesses, in degrees, and their losses: both (truths, guesses)."""
    found = (errors < FOUND_DEGREES).astype(float)
    return {
        "mean_error": nested_interval(errors),
        "median_error": float(np.median(errors)),
        "share_found": nested_interval(found),
        "share_found_by_truth": found.mean(axis=1),
        "share_found_best_of": {
            str(k): float(np.mean([best_of(*pair, k) for pair in zip(found, losses)]))
            for k in BEST_OF
            if k <= errors.shape[1]
        },
    }


def compare(errors: dict[str, np.ndarray]) -> dict[str, dict[str, Any]]:
    """Compare other methods with annealing, guess by guess: theirs minus its."""
    ours = errors["annealed"]
    return {
        name: {
            "mean_error": nested_interval(theirs - ours),
            "share_found": nested_interval(
                (theirs < FOUND_DEGREES).astype(float) - (ours < FOUND_DEGREES)
            ),
        }
        for name, theirs in errors.items()
        if name != "annealed"
    }
