"""Which of the two that run our kernels is ``ti``: Taichi, or its fork Quadrants.

This module alone imports them; the rest of the package, and tests of both, write
``from taichi_softras.backend import ti``. Taichi is taken where it is installed, else Quadrants;
where both are, the environment variable ``TAICHI_SOFTRAS_BACKEND`` chooses, when the package is
imported. Arrays of the one are nothing to the other, so that a program uses the same: ``ti`` of
here, or what it knows to be chosen.
"""

import importlib
import os
from typing import TYPE_CHECKING, Any

__all__ = ["BACKEND", "BACKENDS", "VARIABLE", "impl", "ti"]

VARIABLE = "TAICHI_SOFTRAS_BACKEND"
BACKENDS = ("taichi", "quadrants")


def _import_backend() -> Any:
    """Import what is to run kernels.

    Raises:
        ValueError: If the environment variable names neither.
        ModuleNotFoundError: If what it names is not installed; or, without it, neither is.
    """
    chosen = os.environ.get(VARIABLE)
    if chosen is not None and chosen not in BACKENDS:
        raise ValueError(f"{VARIABLE} must be 'taichi' or 'quadrants', got {chosen!r}")
    for name in (chosen,) if chosen else BACKENDS:
        # Importing either prints a banner.
        os.environ.setdefault(f"ENABLE_{name.upper()}_HEADER_PRINT", "0")
        try:
            return importlib.import_module(name)
        except ModuleNotFoundError as error:
            if error.name != name:
                raise
    if chosen:
        raise ModuleNotFoundError(
            f"{VARIABLE} is {chosen!r}, which is not installed: pip install {chosen}", name=chosen
        )
    raise ModuleNotFoundError(
        "neither Taichi nor Quadrants is installed: pip install taichi, or quadrants where Taichi "
        "has no wheels",
        name="taichi",
    )


if TYPE_CHECKING:
    import taichi as ti
    from taichi.lang import impl
else:
    ti = _import_backend()
    impl = ti.lang.impl

BACKEND: str = ti.__name__
"""``"taichi"`` or ``"quadrants"``."""
