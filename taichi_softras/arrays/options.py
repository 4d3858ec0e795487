"""Checks of single options: numbers, integers, choices."""

import math
from typing import Any


def check_choice(name: str, value: object, choices: tuple[Any, ...]) -> None:
    """Refuse what is not among ``choices``.

    Raises:
        ValueError: If it is not.
    """
    if value not in choices:
        raise ValueError(f"{name} must be one of {', '.join(map(repr, choices))}, got {value!r}")


def check_integer(name: str, value: object, *, at_least: int) -> None:
    """Refuse what is not an integer of at least ``at_least``.

    Raises:
        TypeError: If ``value`` is not an integer.
        ValueError: If it is too small.
    """
    if isinstance(value, bool) or not isinstance(value, int):
        raise TypeError(f"{name} must be an int, got {value!r}")
    if value < at_least:
        raise ValueError(f"{name} must be at least {at_least}, got {value}")


def check_number(name: str, value: object) -> None:
    """Refuse what is not a finite number.

    Raises:
        TypeError: If ``value`` is not a number.
        ValueError: If it is infinite or not a number.
    """
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        raise TypeError(f"{name} must be a number, got {value!r}")
    if not math.isfinite(value):
        raise ValueError(f"{name} must be finite, got {value}")
