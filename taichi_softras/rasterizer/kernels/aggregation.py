"""From the coverages of a pixel's faces to its alpha: the family's members of the package.

See `families.Alpha`.

Source:
    Liu et al., ICCV 2019, section 3.3 (``prod``); the sum and the hard one are its code's.
"""

from taichi_softras.arrays.launcher import func
from taichi_softras.backend import ti
from taichi_softras.rasterizer.families import Alpha, register

SMALLEST_TRANSPARENCY = 2.0**-100
"""Transparency under which a face hides what is behind it for good: its logarithm is cut here."""


@func
def prod_add(state, cover, uncovered):
    """The state is the pixel's transparency: what is seen through all faces."""
    return state * uncovered


@func
def prod_finish(state, num_faces):
    """What is not seen through them."""
    return 1 - state


@func
def prod_term(cover, uncovered, dtype: ti.template()):
    """``-log(1 - D)``: transparencies multiply."""
    return -ti.log(ti.max(uncovered, ti.cast(SMALLEST_TRANSPARENCY, dtype)))


@func
def prod_slope(alpha, num_faces):
    """Derivative of ``1 - exp(-sum)``."""
    return 1 - alpha


@func
def prod_rate(cover, cover_rate, uncover_rate):
    """Derivative of ``-log(1 - D)``."""
    return uncover_rate


@func
def sum_add(state, cover, uncovered):
    """The state is the sum of coverages."""
    return state + cover


@func
def sum_finish(state, num_faces):
    """Their mean over all faces, those far from the pixel too."""
    return state / ti.max(num_faces, 1)


@func
def sum_term(cover, uncovered, dtype: ti.template()):
    """Coverage itself."""
    return cover


@func
def sum_slope(alpha, num_faces):
    """Derivative of the mean by the sum."""
    return (0 * num_faces + 1) / ti.max(num_faces, 1)


@func
def sum_rate(cover, cover_rate, uncover_rate):
    """Derivative of ``D``."""
    return cover * cover_rate


@func
def hard_add(state, cover, uncovered):
    """The state is 1 once a face covers more than half of the pixel."""
    return ti.select(cover > uncovered, 0 * state + 1, state)


@func
def hard_finish(state, num_faces):
    """The state."""
    return state


@func
def no_term(cover, uncovered, dtype: ti.template()):
    """All or nothing has no derivative."""
    return 0 * cover


@func
def no_slope(alpha, num_faces):
    """All or nothing has no derivative."""
    return 0 * alpha


@func
def no_rate(cover, cover_rate, uncover_rate):
    """All or nothing has no derivative."""
    return 0 * cover


PROD = Alpha(
    name="prod",
    start=1,
    add=prod_add,
    finish=prod_finish,
    term=prod_term,
    slope=prod_slope,
    rate=prod_rate,
)
SUM = Alpha(
    name="sum",
    start=0,
    add=sum_add,
    finish=sum_finish,
    term=sum_term,
    slope=sum_slope,
    rate=sum_rate,
    counts_faces=True,
)
HARD = Alpha(
    name="hard",
    start=0,
    add=hard_add,
    finish=hard_finish,
    term=no_term,
    slope=no_slope,
    rate=no_rate,
)
for member in (PROD, SUM, HARD):
    register(member)
