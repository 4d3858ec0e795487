"""How softness changes from step to step of an optimisation.

Soft images have gradients that reach far, and sharp ones a minimum at the right place: so one
starts with the former and ends with the latter. A schedule is any function from the number of a
step to a number; these two are frozen, so that they can be compared, printed and kept.
"""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise

from taichi_softras.arrays.options import check_integer, check_number, check_positive, keep_checked
from taichi_softras.rasterizer.settings import RasterizerSettings

Schedule = Callable[[float], float]
"""From the number of a step, from 0, to the value there."""


@dataclass(frozen=True)
class GeometricDecay:
    """Go from one value to another by the same factor at every step, and stay there.

    Attributes:
        start: Value at step 0. Above 0.
        end: Value from step ``steps`` on. Above 0; it may be larger than ``start``.
        steps: How many steps it takes. At least 1.

    Raises:
        TypeError: If a value is of the wrong type.
        ValueError: If it is out of range.

    Examples:
        >>> sigma = GeometricDecay(1e-2, 1e-4, steps=100)
        >>> [round(sigma(step), 6) for step in (0, 50, 100, 150)]
        [0.01, 0.001, 0.0001, 0.0001]
    """

    start: float
    end: float
    steps: int

    def __post_init__(self) -> None:
        keep_checked(self, ("start", "end"), check_positive)
        keep_checked(self, ("steps",), check_integer, at_least=1)

    def __call__(self, step: float) -> float:
        """Give the value at a step."""
        done = min(_check_step(step) / self.steps, 1.0)
        return float(self.start ** (1 - done) * self.end**done)


@dataclass(frozen=True)
class StepDecay:
    """Multiply a value by the same factor at each of several steps.

    Attributes:
        start: Value at first. Above 0.
        factor: What it is multiplied by. Above 0.
        milestones: Steps from which on it is multiplied once more, in ascending order.

    Raises:
        TypeError: If a value is of the wrong type.
        ValueError: If it is out of range, or milestones don't ascend.

    Examples:
        As SoftRas's reconstruction has its sigma:

        >>> sigma = StepDecay(1e-4, 0.3, milestones=(1000, 2000))
        >>> [round(sigma(step), 8) for step in (0, 999, 1000, 2000)]
        [0.0001, 0.0001, 3e-05, 9e-06]
    """

    start: float
    factor: float
    milestones: Sequence[int]

    def __post_init__(self) -> None:
        keep_checked(self, ("start", "factor"), check_positive)
        milestones = tuple(
            check_integer(f"milestones[{i}]", milestone, at_least=0)
            for i, milestone in enumerate(self.milestones)
        )
        object.__setattr__(self, "milestones", milestones)
        if any(a >= b for a, b in pairwise(self.milestones)):
            raise ValueError(f"milestones must ascend, got {self.milestones}")

    def __call__(self, step: float) -> float:
        """Give the value at a step."""
        step = _check_step(step)
        passed = sum(milestone <= step for milestone in self.milestones)
        return float(self.start * self.factor**passed)


def anneal(
    settings: RasterizerSettings,
    step: float,
    *,
    sigma: Schedule | None = None,
    gamma: Schedule | None = None,
) -> RasterizerSettings:
    """Give settings the softness of a step. Kernels are not compiled again for it.

    Args:
        settings: What else there is to set.
        step: Number of the step, from 0.
        sigma: Softness of edges by step; None leaves it as it is.
        gamma: Softness of occlusion by step, in the same way.

    Returns:
        The settings, with that sigma and gamma.

    Raises:
        TypeError: If ``step``, or what a schedule gives, is no number.
        ValueError: If it is out of range.

    Examples:
        >>> settings = RasterizerSettings(height=8, width=8)
        >>> sigma = GeometricDecay(1e-2, 1e-4, steps=100)
        >>> round(anneal(settings, 50, sigma=sigma).sigma, 6)
        0.001
    """
    return replace(
        settings,
        sigma=settings.sigma if sigma is None else sigma(step),
        gamma=settings.gamma if gamma is None else gamma(step),
    )


def _check_step(step: float) -> float:
    step = check_number("step", step, finite=False)
    if math.isnan(step) or step < 0:
        raise ValueError(f"step must be at least 0, got {step}")
    return step
