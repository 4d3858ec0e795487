"""Coverage of a pixel by a face: the family's members that the package brings.

``s`` is the signed distance, ``x = s / sigma``. See `families.Coverage`, and the docstring of
`arrays.kernels.arithmetic` for how these keep the precision of their arguments.

Source:
    Liu et al., "Soft Rasterizer: A Differentiable Renderer for Image-based 3D Reasoning",
    ICCV 2019, section 3.1; the barycentric and the hard distance are its code's.
"""

import math

from taichi_softras.arrays.kernels.arithmetic import inverse, lesser
from taichi_softras.arrays.launcher import func
from taichi_softras.backend import ti
from taichi_softras.rasterizer.families import Coverage, register
from taichi_softras.rasterizer.kernels.blocks import exp
from taichi_softras.rasterizer.kernels.plane_geometry import corner_of, nearest_edge


@func
def logistic_at(odds_against, dtype: ti.template()):
    """Sigmoid of minus the logarithm of odds, and one minus it without its rounding close to 1."""
    cover = inverse(1 + odds_against, dtype)
    return cover, cover * odds_against


@func
def logistic(x, dtype: ti.template()):
    """Sigmoid of ``x``, and one minus it.

    Callers have skipped ``x`` below the cut-off, so that ``exp(-x)`` cannot overflow.
    """
    return logistic_at(ti.exp(-x), dtype)


@func
def logistic_plainly(x, dtype: ti.template()):
    """`logistic` of plain arithmetic."""
    return logistic_at(exp(-x, dtype), dtype)


@func
def logistic_rates(cover, uncovered):
    """Derivatives of ``log D`` and of ``-log(1 - D)`` by ``x``."""
    return uncovered, cover


@func
def edge_distance(point, w, corners, inverse_lengths, inside):
    """Squared distance to the border, negative outside.

    Source:
        SoftRas, section 3.1: the sign times ``d^2(i, j)``.
    """
    border = nearest_edge(point, corners, inverse_lengths)
    return ti.select(inside, border.distance_sq, -border.distance_sq)


@func
def edge_reach(corners, s):
    """How far from a face its squared distance stays under ``s``."""
    return ti.sqrt(s)


@func
def weight_distance(point, w, corners, inverse_lengths, inside):
    """Square of the smallest barycentric coordinate, negative outside."""
    smallest = lesser(w[0], lesser(w[1], w[2]))
    return smallest * ti.abs(smallest)


@func
def weight_reach(corners, s):
    """How far from a face its barycentric coordinates stay above ``-sqrt(s)``.

    They do in a larger triangle of the same shape and centre: its corners are beyond the face's by
    three times that, times their distance from the centre.
    """
    a = corner_of(corners, 0)
    b = corner_of(corners, 1)
    c = corner_of(corners, 2)
    # Three times as far from the centre.
    from_center = ti.max(
        ti.abs(2 * a - b - c).max(), ti.abs(2 * b - a - c).max(), ti.abs(2 * c - a - b).max()
    )
    return from_center * ti.sqrt(s)


@func
def side(point, w, corners, inverse_lengths, inside):
    """1 inside, -1 outside."""
    return ti.select(inside, 0 * w[0] + 1, 0 * w[0] - 1)


@func
def step(x, dtype: ti.template()):
    """All or nothing."""
    cover = ti.select(x > 0, ti.cast(1, dtype), ti.cast(0, dtype))
    return cover, 1 - cover


@func
def step_rates(cover, uncovered):
    """All or nothing has no derivative."""
    return 0 * cover, 0 * cover


@func
def no_reach(corners, s):
    """Nothing outside the face is covered."""
    return 0 * s


def logistic_cutoff(coverage: float) -> float:
    """Where the logistic function, mirrored, falls to ``coverage``."""
    return math.log(1 / coverage - 1)


EUCLIDEAN = Coverage(
    name="euclidean",
    signed_distance=edge_distance,
    cover=logistic,
    cover_plainly=logistic_plainly,
    cutoff=logistic_cutoff,
    reach=edge_reach,
    rates=logistic_rates,
    border="edge",
)
BARYCENTRIC = Coverage(
    name="barycentric",
    signed_distance=weight_distance,
    cover=logistic,
    cover_plainly=logistic_plainly,
    cutoff=logistic_cutoff,
    reach=weight_reach,
    needs_area=True,
    rates=logistic_rates,
    border="weight",
)
HARD = Coverage(
    name="hard",
    signed_distance=side,
    cover=step,
    cutoff=lambda coverage: 0.0,
    reach=no_reach,
    rates=step_rates,
)
for member in (EUCLIDEAN, BARYCENTRIC, HARD):
    register(member)
