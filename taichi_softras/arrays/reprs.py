"""How options that hold arrays are printed: in a line, whatever they hold."""

from __future__ import annotations

from dataclasses import fields
from typing import Any

import numpy as np

from taichi_softras.arrays.bridge import is_array, is_tensor

LONGEST = 4
"""Up to so many numbers are shown; of more, their shape."""


def short_repr(options: Any) -> str:
    """Print a dataclass in a line: its class, and of each field the numbers, if few, or the shape.

    Examples:
        >>> import taichi_softras as sr
        >>> sr.LookAtCamera(eye=(0, 1, 3))
        LookAtCamera(eye=(0, 1, 3), at=(0, 0, 0), up=(0, 1, 0), fov_degrees=30)
        >>> sr.LookAt(sr.orbit_eyes(3.0, 25.0, range(0, 360, 45)))
        LookAt(eye=8 x 3 numbers, at=(0, 0, 0), up=(0, 1, 0))
    """
    values = ((field.name, getattr(options, field.name)) for field in fields(options) if field.repr)
    shown = ", ".join(f"{name}={short_value(value)}" for name, value in values)
    return f"{type(options).__name__}({shown})"


def short_value(value: Any) -> str:
    """Print a value in a few words: the numbers of an array if they are few, else its shape."""
    if is_array(value):
        kind = "tensor" if is_tensor(value) else "ndarray"
        device = f" on {value.device}" if is_tensor(value) and value.device.type != "cpu" else ""
        return f"{kind} {_shape(value)}{device}"
    if isinstance(value, (list, tuple)) and len(value) > LONGEST:
        return f"{len(value)} numbers"
    if not isinstance(value, np.ndarray):
        return repr(value)
    if value.size > LONGEST:
        return f"{_shape(value)} numbers"
    numbers = [f"{number:.6g}" for number in value.reshape(-1)]
    return numbers[0] if len(numbers) == 1 else f"({', '.join(numbers)})"


def _shape(array: Any) -> str:
    return " x ".join(str(int(size)) for size in array.shape)
