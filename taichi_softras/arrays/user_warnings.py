"""Warnings that point at the line of the program that uses the package."""

import sys
import warnings

INSIDE = ("taichi_softras", "torch", "contextlib", "dataclasses")
"""Modules that may lie between what warns and the program: see `uncompiled`."""


def warn_user(message: str) -> None:
    """Warn whoever called the package, however deep in it this is."""
    level, frame = 1, sys._getframe()
    while frame.f_back is not None and _is_inside(frame.f_globals.get("__name__", "")):
        level, frame = level + 1, frame.f_back
    warnings.warn(message, stacklevel=level)


def _is_inside(module: str) -> bool:
    return module.partition(".")[0] in INSIDE
