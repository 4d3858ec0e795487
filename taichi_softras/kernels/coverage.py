"""Coverage of a pixel by a face, as Taichi functions of ``x = s / sigma``.

``s`` is the signed squared distance of `geometry.signed_distance_sq`. See the docstring of
`geometry` for how these keep the precision of their arguments.
"""

import taichi as ti

from taichi_softras.kernels.geometry import inverse


@ti.func
def coverage(x, dtype: ti.template()):
    """Probability that a face covers a pixel: the sigmoid of ``x``.

    Callers have skipped ``x`` below the cut-off, so that ``exp(-x)`` cannot overflow.
    """
    return inverse(1 + ti.exp(-x), dtype)


@ti.func
def coverage_and_transparency(x, dtype: ti.template()):
    """`coverage`, and one minus it without its rounding where it is close to 1."""
    odds_against = ti.exp(-x)
    cover = inverse(1 + odds_against, dtype)
    return cover, cover * odds_against


@ti.func
def log_transparency(x):
    """Minus the logarithm of ``1 - coverage(x)``: ``softplus(x)``, exact where coverage is 1."""
    # Above 30, exp(x) + 1 and exp(x) are the same number; below, nothing overflows.
    return ti.select(x > 30, x, ti.log(1 + ti.exp(ti.min(x, 30))))
