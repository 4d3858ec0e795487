"""The softmax over depth, by which colours are chosen among faces and the background.

The background stands at the depth ``far - eps * (far - near)``. Weights are
``exp(-(z - nearest) / ((far - near) * gamma))``, which is the paper's ``exp(zbar / gamma)``
without the cancellation of ``far - z``: ten times more accurate in float32. ``nearest`` is the
smallest depth of the pixel, so that no term overflows, whatever ``gamma``.
"""

from taichi_softras.arrays.kernels.arithmetic import inverse, lesser
from taichi_softras.arrays.launcher import func
from taichi_softras.backend import ti

NO_FACE = -1
"""Winner of a pixel that no face has."""

HIDDEN_LOGIT = {ti.f32: 50.0, ti.f64: 100.0}
"""Logit by which a face is so far behind that its colour has no weight: exp(-50) is 2e-22."""


@func
def background_depth(eps, near, far):
    """Depth at which the background stands."""
    return far - eps * (far - near)


@func
def depth_rate(gamma, near, far, dtype: ti.template()):
    """Softmax logit by which a face falls behind another, per unit of depth."""
    return inverse((far - near) * gamma, dtype)


@func
def depth_logit(depth, nearest, rate):
    """Logit of a depth in the softmax, relative to that of ``nearest``: at most 0.

    Where ``gamma`` is below the precision of depths, rounding may put a face a little in front
    of ``nearest``; the bound keeps its weight finite.
    """
    return lesser((nearest - depth) * rate, 0 * rate + 1)


@func
def depth_weight(depth, nearest, rate):
    """Weight of a depth in the softmax, relative to that of ``nearest``: at most 1."""
    return ti.exp(depth_logit(depth, nearest, rate))
