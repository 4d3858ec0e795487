"""What can be chosen, and added to: how faces cover pixels, and how coverages add up to alpha.

A member of a family is a few Taichi functions. The rasterizer's kernels call them by way of the
settings' names, so that a new member needs no change there: write it, `register` it, and name it in
`RasterizerSettings`. Its gradient is Taichi's own. The members that the package brings are in
`rasterizer.kernels.coverage` and `rasterizer.kernels.aggregation`.

Functions take their precision from their arguments: see the docstring of
`arrays.kernels.arithmetic` for what that asks of the literals in them. They are differentiated
by Taichi, so they carry no state through loops, and have finite derivatives wherever they are
called.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

Func = Callable[..., Any]
"""A Taichi function, made with ``@func``."""


@dataclass(frozen=True, kw_only=True)
class Coverage:
    """How much of a pixel a face covers.

    Attributes:
        name: By which settings choose it.
        signed_distance: ``(point, w, corners, inverse_lengths, inside) -> s``: how far the pixel
            is from the face's border, positive inside; in the units that sigma divides. The
            pixel's centre ``point`` and the ``corners``, one a row, are in isotropic NDC; ``w`` are
            barycentric coordinates before clipping, ``inverse_lengths`` one over the squared
            lengths of the edges. See `rasterizer.kernels.plane_geometry`.
        cover: ``(x, dtype) -> (D, 1 - D)`` for ``x = s / sigma``: the probability that the face
            covers the pixel, and its complement without the rounding of a subtraction. ``D`` grows
            with ``x``.
        cover_plainly: ``cover`` again, of plain arithmetic (`rasterizer.kernels.blocks.exp`), for
            kernels that Taichi doesn't differentiate; on a CPU they are faster then. None has them
            take ``cover``.
        cutoff: For a coverage under 1/2, the number ``c`` such that ``D(-c)`` is that coverage.
        reach: ``(corners, s) -> radius``: how far outside the box round the face, in isotropic
            NDC, a pixel can be whose signed distance is above ``-s``.
        needs_area: Whether faces without area are left out.
        rates: ``(D, 1 - D) -> (d log D / dx, -d log(1 - D) / dx)``. Together with ``border`` it
            has the gradient taken by the faster kernels made by hand; None leaves it to Taichi.
        border: By what the hand-made kernels differentiate ``signed_distance``: "edge" (the nearest
            point of the border), "weight" (the square of the smallest barycentric coordinate) or
            "none" (a constant).
    """

    name: str
    signed_distance: Func
    cover: Func
    cutoff: Callable[[float], float]
    reach: Func
    cover_plainly: Func | None = None
    needs_area: bool = False
    rates: Func | None = None
    border: str = "none"


@dataclass(frozen=True, kw_only=True)
class Alpha:
    """How the coverages of a pixel's faces add up to its alpha: a t-conorm, or another aggregation.

    Its gradient is taken by way of ``dA = slope(A) * sum of d term(D)`` over the faces, so it is
    given as a function of a sum: with ``g`` the additive generator of an Archimedean t-conorm,
    ``term`` is ``g``, and ``slope`` the derivative of its inverse.

    Attributes:
        name: By which settings choose it.
        start: The state before the first face.
        add: ``(state, D, 1 - D) -> state``, in the order of the faces.
        finish: ``(state, num_faces) -> A``; ``num_faces`` is a number of the state's type.
        term: ``(D, 1 - D, dtype) -> g(D)``.
        slope: ``(A, num_faces) -> dA / d(sum of terms)``.
        rate: ``(D, d log D / dx, -d log(1 - D) / dx) -> d term / dx``, for the faster kernels made
            by hand; None leaves the gradient to Taichi.
        counts_faces: Whether ``num_faces`` is looked at: counting costs time.
    """

    name: str
    start: int
    add: Func
    finish: Func
    term: Func
    slope: Func
    rate: Func | None = None
    counts_faces: bool = False


COVERAGES: dict[str, Coverage] = {}
ALPHAS: dict[str, Alpha] = {}

COLORS = ("softmax", "hard")
"""How colours are chosen among faces: by a softmax over depth, or that of the nearest face."""


INTERPOLATIONS = ("nearest", "clipped")
"""Of which point of a face a pixel outside it sees depth and colour: see `RasterizerSettings`."""


def register(member: Coverage | Alpha) -> None:
    """Let settings choose a member of a family by its name; one of the same name is replaced.

    Raises:
        TypeError: If it is no `Coverage` or `Alpha`.

    Examples:
        >>> import dataclasses
        >>> from taichi_softras.rasterizer.families import COVERAGES
        >>> register(dataclasses.replace(COVERAGES["euclidean"], name="mine"))  # as it is, renamed
        >>> COVERAGES.pop("mine").name
        'mine'
    """
    if isinstance(member, Coverage):
        COVERAGES[member.name] = member
    elif isinstance(member, Alpha):
        ALPHAS[member.name] = member
    else:
        raise TypeError(f"member must be a Coverage or an Alpha, got {type(member).__name__}")
