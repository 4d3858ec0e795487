"""Sigma, gamma and eps as arrays that kernels can work with."""

from functools import partial

import numpy as np

from taichi_softras.arrays.bridge import array_like, dtype_of, on_host
from taichi_softras.arrays.calls import apply_kernel
from taichi_softras.arrays.checks import check_arrays
from taichi_softras.arrays.kept import KeptArrays
from taichi_softras.arrays.operator import Array
from taichi_softras.backend import ti
from taichi_softras.rasterizer.kernels.softness import replace_kernel, workable_kernel
from taichi_softras.rasterizer.settings import RasterizerSettings

SMALLEST_SOFTNESS = {ti.f32: 2.0**-100, ti.f64: 2.0**-1000}
"""Least sigma and gamma, by which kernels divide. Edges and depths are hard long before."""

_NUMBERS = KeptArrays()
"""Those of settings; softness that anneals is another at each step, so that only a few are kept."""


def softness_arrays(
    face_vertices: Array, num_items: int, settings: RasterizerSettings, **given: Array | None
) -> dict[str, Array]:
    """Collect sigma, gamma and eps as arrays, from those given or else from the settings.

    Numbers are looked at where that costs no waiting. Elsewhere one that can't be worked with is
    replaced, by the least softness or an eps of 0, so that no NaN spreads.

    Raises:
        TypeError: If an array is of the wrong kind or type.
        ValueError: If its shape doesn't fit, a number is not finite, or sigma or gamma is smaller
            than `SMALLEST_SOFTNESS`.
    """
    arrays = {}
    for name in ("sigma", "gamma", "eps"):
        array = given.get(name)
        least = None if name == "eps" else SMALLEST_SOFTNESS[dtype_of(face_vertices)]
        if array is None:
            number = getattr(settings, name)
            make = partial(_array_of, name, number, least, face_vertices)
            arrays[name] = _NUMBERS.get((name, number), face_vertices, make)
            continue
        check_arrays(face_vertices, **{name: (array, f"({num_items} or 1,)")})
        numbers = on_host(array)
        if numbers is not None:
            _check_numbers(name, numbers, least)
        arrays[name] = array if numbers is not None else _replace_unworkable(array, least)
    return arrays


def _array_of(name: str, number: float, least: float | None, like: Array) -> Array:
    _check_numbers(name, np.array([number]), least)
    return array_like([number], like)


def _check_numbers(name: str, numbers: np.ndarray, least: float | None) -> None:
    if not np.isfinite(numbers).all():
        raise ValueError(f"{name} must be finite, got {numbers.tolist()}")
    if least is not None and not (numbers >= least).all():
        raise ValueError(
            f"{name} must be above 0, at least {least:.2g} in this precision, "
            f"got {numbers.tolist()}"
        )


def _replace_unworkable(array: Array, least: float | None) -> Array:
    return apply_kernel(
        replace_kernel,
        (array,),
        tuple(array.shape),
        constants=(0.0 if least is None else least,),
        mask=partial(workable_kernel, least=least),
    )
