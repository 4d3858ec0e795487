"""Members of families that are registered here."""

import math
from dataclasses import replace

import numpy as np

import taichi_softras as sr
from digest_cases.cases import Arrays, Case, Cases, both
from digest_cases.faces import faces_in_ndc, image, outline, outlined
from taichi_softras.backend import ti


@ti.func
def weight_distance(point, w, corners, inverse_lengths, inside):
    """The square of the smallest barycentric coordinate, negative outside."""
    smallest = ti.min(w[0], w[1], w[2])
    return smallest * ti.abs(smallest)


@ti.func
def weight_reach(corners, s):
    """A bound of how far outside a face its barycentric coordinates stay above ``-sqrt(s)``."""
    x = ti.abs(corners[0, 0] - corners[1, 0]) + ti.abs(corners[1, 0] - corners[2, 0])
    y = ti.abs(corners[0, 1] - corners[1, 1]) + ti.abs(corners[1, 1] - corners[2, 1])
    return 3 * ti.max(x, y) * ti.sqrt(s)


@ti.func
def laplace(x, dtype: ti.template()):
    """The distribution function of the Laplace distribution, and one minus it."""
    tail = ti.exp(-ti.abs(x)) / 2
    return ti.select(x > 0, 1 - tail, tail), ti.select(x > 0, tail, 1 - tail)


@ti.func
def laplace_rates(cover, uncovered):
    tail = ti.min(cover, uncovered)
    return tail / cover, tail / uncovered


@ti.func
def einstein_add(state, cover, uncovered):
    return (state + cover) / (1 + state * cover)


@ti.func
def einstein_finish(state, num_faces):
    return state


@ti.func
def einstein_term(cover, uncovered, dtype: ti.template()):
    return ti.log((1 + cover) / uncovered)


@ti.func
def einstein_slope(alpha, num_faces):
    return (1 - alpha * alpha) / 2


@ti.func
def einstein_rate(cover, rise, fall):
    return 2 * fall / (1 + cover)


def registered_cases() -> Cases:
    coverage = sr.Coverage(
        name="laplace",
        signed_distance=weight_distance,
        cover=laplace,
        cutoff=lambda coverage: -math.log(2 * coverage),
        reach=weight_reach,
        needs_area=True,
    )
    alpha = sr.Alpha(
        name="einstein",
        start=0,
        add=einstein_add,
        finish=einstein_finish,
        term=einstein_term,
        slope=einstein_slope,
    )
    sr.register(coverage)
    sr.register(alpha)
    sr.register(replace(coverage, name="laplace by hand", rates=laplace_rates, border="weight"))
    sr.register(replace(alpha, name="einstein by hand", rate=einstein_rate))
    x = faces_in_ndc("tilted")
    for by_hand in ("", " by hand"):
        members: Arrays = {"coverage": f"laplace{by_hand}", "alpha": f"einstein{by_hand}"}
        case = Case(image(**members), x, unordered=() if by_hand else ("*",))
        yield from both(f"registered{by_hand}", case)
        yield f"registered{by_hand}, float64", replace(case, dtype=np.float64)
    yield "registered coverage", Case(image(coverage="laplace"), x, unordered=("*",))
    yield "registered alpha", Case(outline(alpha="einstein"), outlined(x), unordered=("*",))
