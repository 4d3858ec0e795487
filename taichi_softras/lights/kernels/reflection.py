"""One function that lights a point, for vertices, faces and fragments."""

import functools
import math

from taichi_softras.arrays.kernels.arithmetic import inverse
from taichi_softras.arrays.kernels.points import SMALLEST_LENGTH, SMALLEST_SQUARE, unit
from taichi_softras.arrays.launcher import func
from taichi_softras.backend import ti

SMALLEST_ATTENUATION = 2.0**-40
"""The least that light is divided by. One over its square still fits in float32."""

LARGEST_DISTANCE_SQ = 2.0**80
"""Squared distance beyond which a point light gets no weaker. Its square fits in float32."""

SMALLEST_COSINE = 2.0**-40
"""Least base of the specular power: its logarithm must be finite."""

THIRD = 1 / 3
"""Weight of a corner in its face's centroid."""

SH_CONSTANT = math.sqrt(math.pi) / 2

SH_LINEAR = math.sqrt(math.pi / 3)

SH_MIXED = math.sqrt(15 * math.pi) / 8

SH_SQUARES = math.sqrt(15 * math.pi) / 16

SH_ALONG_Z = math.sqrt(5 * math.pi) / 16
"""Irradiance by the spherical harmonics of an environment: constants of the basis times pi,
2 pi / 3 and pi / 4. The source of `irradiance` calls them c4, 2 c2, 2 c1, c1 and c5."""


@func
def triple_of(numbers: ti.template(), b, column):
    """Load three numbers of item ``b``, or of the one item that serves all."""
    b_numbers = ti.min(b, numbers.shape[0] - 1)
    return ti.Vector([numbers[b_numbers, column + c] for c in range(3)])


@func
def irradiance(
    numbers: ti.template(), b, column, normal, two_sided: ti.template(), dtype: ti.template()
):
    """Irradiance of an environment given by spherical harmonics up to the second order.

    Args:
        numbers: Holds the coefficients of the environment's radiance, in nine times three columns.
        b: The item.
        column: The first of them.
        normal: Of length 1; or 0, which gets the mean over all directions.
        two_sided: Whether to integrate the absolute value of the cosine over the sphere: it has
            no linear part, and twice the others.
        dtype: ``ti.f32`` or ``ti.f64``.

    Source:
        Ramamoorthi and Hanrahan, An Efficient Representation for Irradiance Environment Maps,
        SIGGRAPH 2001: the basis of equation 3, the irradiance of equation 13.
    """
    x, y, z = normal[0], normal[1], normal[2]
    even = ti.static(2 if two_sided else 1)
    odd = ti.static(0 if two_sided else 1)
    # The seventh term's 3 z² - 1 is written so that it is 0 for a normal of 0.
    return (
        even * dtype(SH_CONSTANT) * triple_of(numbers, b, column)
        + odd * dtype(SH_LINEAR) * y * triple_of(numbers, b, column + 3)
        + odd * dtype(SH_LINEAR) * z * triple_of(numbers, b, column + 6)
        + odd * dtype(SH_LINEAR) * x * triple_of(numbers, b, column + 9)
        + even * dtype(SH_MIXED) * (x * y) * triple_of(numbers, b, column + 12)
        + even * dtype(SH_MIXED) * (y * z) * triple_of(numbers, b, column + 15)
        + even
        * dtype(SH_ALONG_Z)
        * (2 * z * z - x * x - y * y)
        * triple_of(numbers, b, column + 18)
        + even * dtype(SH_MIXED) * (x * z) * triple_of(numbers, b, column + 21)
        + even * dtype(SH_SQUARES) * (x * x - y * y) * triple_of(numbers, b, column + 24)
    )


@func
def attenuated(factors, distance_sq, dtype: ti.template()):
    """How much of a point light arrives: ``1 / (constant + linear d + quadratic d²)``.

    Args:
        factors: The constant, the linear and the quadratic one.
        distance_sq: d².
        dtype: ``ti.f32`` or ``ti.f64``.
    """
    # The root's derivative is infinite at 0, where the direction has none either.
    limited = ti.min(
        ti.max(distance_sq, dtype(ti.static(SMALLEST_SQUARE[dtype]))),
        ti.cast(LARGEST_DISTANCE_SQ, dtype),
    )
    weakening = factors[0] + factors[1] * ti.sqrt(limited) + factors[2] * limited
    return inverse(ti.max(weakening, ti.cast(SMALLEST_ATTENUATION, dtype)), dtype)


@func
def highlight(cosine, half_cosine, shininess, dtype: ti.template()):
    """The specular term of Blinn and Phong: ``half_cosine ** shininess`` on the lit side, else 0.

    Args:
        cosine: Of the angle between the normal and the light.
        half_cosine: Of the angle between the normal and the bisector of light and eye.
        shininess: Above 0.
        dtype: ``ti.f32`` or ``ti.f64``.
    """
    base = ti.max(half_cosine, ti.cast(SMALLEST_COSINE, dtype))
    seen = cosine > 0 and half_cosine > 0
    return ti.select(seen, 1, 0) * ti.exp(shininess * ti.log(base))


@functools.cache
def shading_func(kinds, dtype):
    """Build the function that lights a point, for lights of given kinds.

    Args:
        kinds: `LightKinds`.
        dtype: ``ti.f32`` or ``ti.f64``.

    Returns:
        A Taichi function ``(numbers, b, albedo, normal, position)`` that returns the light that a
        point sends out, red, green and blue. It has no branches and carries nothing over, so that
        Taichi differentiates it rightly in a loop too.
    """
    light_point = lighting_func(kinds, dtype)

    @func
    def shade_point(numbers: ti.template(), b, albedo, normal, position):
        """Light a point of colour ``albedo``; the others are what `lighting_func` takes."""
        diffuse, highlights = light_point(numbers, b, normal, position)
        return albedo * diffuse + highlights

    return shade_point


@functools.cache
def lighting_func(kinds, dtype):
    """Build the function that finds the light at a point, whatever the point's colour.

    Args:
        kinds: `LightKinds`.
        dtype: ``ti.f32`` or ``ti.f64``.

    Returns:
        A Taichi function ``(numbers, b, normal, position)`` that returns what a point's colour is
        multiplied by, and what is added, red, green and blue. It is like that of `shading_func`.
    """
    columns = kinds.columns
    num_lights = len(kinds.lights)
    specular = kinds.specular
    two_sided = kinds.two_sided

    @func
    def cosine_of(u, v):
        """Cosine between two directions, as light counts it: not below 0."""
        if ti.static(two_sided):
            return ti.abs(u.dot(v))
        else:
            return ti.max(u.dot(v), 0)

    @func
    def light_point(numbers: ti.template(), b, normal, position):
        """Light a point by ambient, diffuse (Lambert) and specular (Blinn-Phong) reflection.

        Args:
            numbers: (B or 1, N) of the lights, as `pack_kernel` puts them together.
            b: The item.
            normal: Of any length, in the world. One of length 0 gets ambient light only.
            position: In the world. Not looked at unless ``kinds.needs_positions``.
        """
        facing = unit(normal, dtype(0.0), dtype)
        diffuse = ti.Vector([dtype(0.0)] * 3)
        glossy = ti.Vector([dtype(0.0)] * 3)
        for i in ti.static(range(num_lights)):
            if ti.static(kinds.lights[i] == "ambient"):
                diffuse += triple_of(numbers, b, columns[i]["color"])
            elif ti.static(kinds.lights[i] == "spherical_harmonics"):
                first = columns[i]["coefficients"]
                diffuse += irradiance(numbers, b, first, facing, two_sided, dtype)
            else:
                arriving = triple_of(numbers, b, columns[i]["color"])
                towards = ti.Vector([dtype(0.0)] * 3)
                if ti.static(kinds.lights[i] == "directional"):
                    towards = unit(
                        triple_of(numbers, b, columns[i]["direction"]), dtype(0.0), dtype
                    )
                else:
                    offset = triple_of(numbers, b, columns[i]["position"]) - position
                    factors = triple_of(numbers, b, columns[i]["attenuation"])
                    arriving *= attenuated(factors, offset.norm_sqr(), dtype)
                    towards = unit(offset, dtype(0.0), dtype)
                cosine = cosine_of(facing, towards)
                diffuse += arriving * cosine
                if ti.static(specular):
                    eye = triple_of(numbers, b, columns[num_lights]["eye"])
                    sight = unit(eye - position, dtype(0.0), dtype)
                    half = unit(towards + sight, dtype(SMALLEST_LENGTH), dtype)
                    b_numbers = ti.min(b, numbers.shape[0] - 1)
                    shininess = numbers[b_numbers, columns[num_lights]["shininess"]]
                    glossy += arriving * highlight(
                        cosine, cosine_of(facing, half), shininess, dtype
                    )
        if ti.static(specular):
            glossy *= triple_of(numbers, b, columns[num_lights]["specular"])
        return diffuse, glossy

    return light_point
