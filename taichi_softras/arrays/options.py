"""Checks of single options: numbers, integers, flags, choices.

Numbers may be Python's or NumPy's. What is kept of them is Python's: NumPy's integers may be of few
bits, whose products wrap round.
"""

import math
from collections.abc import Callable
from numbers import Integral, Real
from typing import Any

import numpy as np


def keep_checked(
    options: object, names: tuple[str, ...], check: Callable[..., Any], **rule: Any
) -> None:
    """Put what a check returns in place of attributes of a frozen dataclass."""
    for name in names:
        object.__setattr__(options, name, check(name, getattr(options, name), **rule))


def check_choice(name: str, value: object, choices: tuple[Any, ...]) -> None:
    """Refuse what is not among ``choices``.

    Raises:
        ValueError: If it is not.
    """
    if value not in choices:
        raise ValueError(f"{name} must be one of {', '.join(map(repr, choices))}, got {value!r}")


def check_integer(name: str, value: object, *, at_least: int) -> int:
    """Refuse what is not an integer of at least ``at_least``; return it as Python's.

    Raises:
        TypeError: If ``value`` is not an integer.
        ValueError: If it is too small.
    """
    if isinstance(value, bool) or not isinstance(value, Integral):
        raise TypeError(f"{name} must be an int, got {value!r}")
    if value < at_least:
        raise ValueError(f"{name} must be at least {at_least}, got {value}")
    return int(value)


def check_number(name: str, value: object, *, finite: bool = True) -> float:
    """Refuse what is not a number, and one that is not finite if it must be; return it as Python's.

    Raises:
        TypeError: If ``value`` is not a number.
        ValueError: If it is infinite or not a number, and must be finite.
    """
    if isinstance(value, bool) or not isinstance(value, Real):
        raise TypeError(f"{name} must be a number, got {value!r}")
    number = int(value) if isinstance(value, Integral) else float(value)
    if finite and not math.isfinite(number):
        raise ValueError(f"{name} must be finite, got {value}")
    return number


def check_positive(name: str, value: object) -> float:
    """Refuse what is not a finite number above 0; return it as Python's.

    Raises:
        TypeError: If ``value`` is not a number.
        ValueError: If it is not finite, or not above 0.
    """
    number = check_number(name, value)
    if number <= 0:
        raise ValueError(f"{name} must be above 0, got {value}")
    return number


def check_flag(name: str, value: object) -> bool:
    """Refuse what is neither true nor false; return it as Python's.

    Raises:
        TypeError: If it is neither.
    """
    if not isinstance(value, (bool, np.bool_)):
        raise TypeError(f"{name} must be True or False, got {value!r}")
    return bool(value)
