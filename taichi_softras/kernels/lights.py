"""Light: one function that lights a point, and the kernels that call it on vertices and on faces.

Taichi differentiates all of it but the kernels that find out what is finite. The numbers of all
lights stand side by side in one array (B or 1, N): a kernel takes only so many arguments, and each
launch costs by the number of its arrays.
"""

import functools
import math
from dataclasses import dataclass

import taichi as ti

from taichi_softras.kernels.geometry import inverse, is_workable
from taichi_softras.kernels.sharing import copy_of
from taichi_softras.kernels.vertices import (
    SMALLEST_NORMAL_SQ,
    face_normal,
    is_marked,
    point_of,
    unit,
)

LIGHT_PARTS: dict[str, dict[str, tuple[int, ...]]] = {
    "ambient": {"color": (3,)},
    "directional": {"color": (3,), "direction": (3,)},
    "point": {"color": (3,), "position": (3,), "attenuation": (3,)},
    "spherical_harmonics": {"coefficients": (9, 3)},
}
"""What each kind of light is made of: the shapes, less that of the items, in order."""

SPECULAR_PARTS: dict[str, tuple[int, ...]] = {"specular": (3,), "shininess": (), "eye": (3,)}
"""What the specular term is made of, likewise."""

SMALLEST_ATTENUATION = 2.0**-40
"""What light is divided by at the least. One over its square still fits in float32."""

LARGEST_DISTANCE_SQ = 2.0**80
"""Squared distance beyond which a point light gets no weaker. Its square fits in float32."""

SMALLEST_COSINE = 2.0**-40
"""Under which the base of the specular power counts as 0: its logarithm must be finite."""

THIRD = 1 / 3
"""Weight of a corner in its face's centroid."""

SH_CONSTANT = math.sqrt(math.pi) / 2
SH_LINEAR = math.sqrt(math.pi / 3)
SH_MIXED = math.sqrt(15 * math.pi) / 8
SH_SQUARES = math.sqrt(15 * math.pi) / 16
SH_ALONG_Z = math.sqrt(5 * math.pi) / 16
"""Irradiance by the spherical harmonics of an environment: constants of the basis times pi,
2 pi / 3 and pi / 4. The source of `irradiance` calls them c4, 2 c2, 2 c1, c1 and c5."""


@dataclass(frozen=True)
class LightKinds:
    """What `shading_func` is specialised on.

    Attributes:
        lights: The kind of each light: keys of `LIGHT_PARTS`.
        specular: Whether there is a specular term.
        two_sided: Whether cosines count by their absolute values.
    """

    lights: tuple[str, ...]
    specular: bool
    two_sided: bool

    @property
    def needs_positions(self) -> bool:
        """Whether it matters where a point is, not only where it faces."""
        return self.specular or "point" in self.lights

    @property
    def parts(self) -> tuple[dict[str, tuple[int, ...]], ...]:
        """Names and shapes of each light's parts; at the end those of the specular term."""
        lights = tuple(LIGHT_PARTS[kind] for kind in self.lights)
        return (*lights, SPECULAR_PARTS if self.specular else {})

    @property
    def columns(self) -> tuple[dict[str, int], ...]:
        """The first column of each of `parts`."""
        columns: tuple[dict[str, int], ...] = ()
        column = 0
        for shapes in self.parts:
            columns += ({},)
            for name, shape in shapes.items():
                columns[-1][name] = column
                column += math.prod(shape)
        return columns


@functools.cache
def pack_kernel(dtype, ndim):
    """Build the kernel that copies an array, of the items and of ``ndim - 1`` more sizes."""

    @ti.kernel
    def pack(
        source: ti.types.ndarray(dtype=dtype, ndim=ndim),  # (B or 1, ...), in
        size: ti.i32,
        column: ti.i32,
        numbers: ti.types.ndarray(dtype=dtype, ndim=2),  # (B, N), accumulated
    ):
        """Copy the ``size`` numbers of each item to the columns from ``column`` on."""
        for b, i in ti.ndrange(numbers.shape[0], size):
            b_source = ti.min(b, source.shape[0] - 1)
            if ti.static(ndim == 1):
                numbers[b, column + i] += source[b_source]
            elif ti.static(ndim == 2):
                numbers[b, column + i] += source[b_source, i]
            else:
                cols = source.shape[2]
                numbers[b, column + i] += source[b_source, i // cols, i % cols]

    return pack


@ti.func
def triple_of(numbers: ti.template(), b, column):
    """Load three numbers of item ``b``, or of the one item that serves all."""
    b_numbers = ti.min(b, numbers.shape[0] - 1)
    return ti.Vector([numbers[b_numbers, column + c] for c in range(3)])


@ti.func
def irradiance(
    numbers: ti.template(), b, column, normal, two_sided: ti.template(), dtype: ti.template()
):
    """Irradiance of an environment given by spherical harmonics up to the second order.

    Args:
        numbers: Holds the coefficients of the environment's radiance, by nine times three columns.
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


@ti.func
def attenuated(factors, distance_sq, dtype: ti.template()):
    """How much of a point light arrives: ``1 / (constant + linear d + quadratic d²)``.

    Args:
        factors: The three.
        distance_sq: d².
        dtype: ``ti.f32`` or ``ti.f64``.
    """
    # The root's derivative is infinite at 0, where the direction has none either.
    limited = ti.min(
        ti.max(distance_sq, ti.cast(SMALLEST_NORMAL_SQ, dtype)),
        ti.cast(LARGEST_DISTANCE_SQ, dtype),
    )
    weakening = factors[0] + factors[1] * ti.sqrt(limited) + factors[2] * limited
    return inverse(ti.max(weakening, ti.cast(SMALLEST_ATTENUATION, dtype)), dtype)


@ti.func
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
    columns = kinds.columns
    num_lights = len(kinds.lights)
    specular = kinds.specular
    two_sided = kinds.two_sided

    @ti.func
    def cosine_of(u, v):
        """Cosine between two directions, as light counts it: not below 0."""
        if ti.static(two_sided):
            return ti.abs(u.dot(v))
        else:
            return ti.max(u.dot(v), 0)

    @ti.func
    def shade_point(numbers: ti.template(), b, albedo, normal, position):
        """Light a point by ambient, diffuse (Lambert) and specular (Blinn-Phong) reflection.

        Args:
            numbers: (B or 1, N) of the lights, as `pack_kernel` puts them together.
            b: The item.
            albedo: Its colour.
            normal: Of any length, in the world. One of length 0 gets ambient light only.
            position: In the world. Not looked at unless ``kinds.needs_positions``.
        """
        smallest = ti.cast(SMALLEST_NORMAL_SQ, dtype)
        facing = unit(normal, smallest)
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
                    towards = unit(triple_of(numbers, b, columns[i]["direction"]), smallest)
                else:
                    offset = triple_of(numbers, b, columns[i]["position"]) - position
                    factors = triple_of(numbers, b, columns[i]["attenuation"])
                    arriving *= attenuated(factors, offset.norm_sqr(), dtype)
                    towards = unit(offset, smallest)
                cosine = cosine_of(facing, towards)
                diffuse += arriving * cosine
                if ti.static(specular):
                    eye = triple_of(numbers, b, columns[num_lights]["eye"])
                    half = unit(towards + unit(eye - position, smallest), smallest)
                    b_numbers = ti.min(b, numbers.shape[0] - 1)
                    shininess = numbers[b_numbers, columns[num_lights]["shininess"]]
                    glossy += arriving * highlight(
                        cosine, cosine_of(facing, half), shininess, dtype
                    )
        result = albedo * diffuse
        if ti.static(specular):
            result += triple_of(numbers, b, columns[num_lights]["specular"]) * glossy
        return result

    return shade_point


@functools.cache
def shade_kernel(kinds, dtype):
    """Build the kernel that lights vertices."""
    shade_point = shading_func(kinds, dtype)
    array3 = ti.types.ndarray(dtype=dtype, ndim=3)

    @ti.kernel
    def shade(
        colors: array3,  # (B or 1, V, 3), in
        normals: array3,  # (B or 1, V, 3) world, in
        positions: array3,  # (B or 1, V, 3) world, in
        numbers: ti.types.ndarray(dtype=dtype, ndim=2),  # (B or 1 or B * V, N) of the lights, in
        finite: ti.types.ndarray(dtype=ti.i32, ndim=2),  # (B, V), in
        lit: array3,  # (B, V, 3), accumulated
    ):
        """Light each vertex.

        One with a number that is not finite gets a colour that is not, so that the rasterizer
        leaves its faces out; and no gradient meets it.
        """
        for b, v in ti.ndrange(lit.shape[0], lit.shape[1]):
            color = point_of(colors, b, v)
            normal = point_of(normals, b, v)
            position = point_of(positions, b, v)
            if is_marked(finite, b, v):
                b_light = copy_of(numbers, b, lit.shape[0], v)
                result = shade_point(numbers, b_light, color, normal, position)
                for c in ti.static(range(3)):
                    lit[b, v, c] += result[c]
            else:
                for c in ti.static(range(3)):
                    lit[b, v, c] += color[c] + normal[c] + position[c]

    return shade


@functools.cache
def shade_faces_kernel(kinds, dtype):
    """Build the kernel that lights faces."""
    shade_point = shading_func(kinds, dtype)
    array4 = ti.types.ndarray(dtype=dtype, ndim=4)

    @ti.kernel
    def shade_faces(
        face_colors: array4,  # (B or 1, F, 3, 3), in
        face_points: array4,  # (B or 1, F, 3, 3) world, in
        numbers: ti.types.ndarray(dtype=dtype, ndim=2),  # (B or 1 or B * F, N) of the lights, in
        finite: ti.types.ndarray(dtype=ti.i32, ndim=2),  # (B, F), in
        lit: array4,  # (B, F, 3, 3), accumulated
    ):
        """Light each corner by its face's normal, at the face's centroid; see `shade_kernel`."""
        for b, f in ti.ndrange(lit.shape[0], lit.shape[1]):
            # By one thread: the gradients of all three corners go to the same points.
            for k in range(3):
                color = corner_of_face(face_colors, b, f, k)
                p = corner_of_face(face_points, b, f, 0)
                q = corner_of_face(face_points, b, f, 1)
                r = corner_of_face(face_points, b, f, 2)
                if is_marked(finite, b, f):
                    centroid = (p + q + r) * dtype(THIRD)
                    b_light = copy_of(numbers, b, lit.shape[0], f)
                    result = shade_point(numbers, b_light, color, face_normal(p, q, r), centroid)
                    for c in ti.static(range(3)):
                        lit[b, f, k, c] += result[c]
                else:
                    for c in ti.static(range(3)):
                        lit[b, f, k, c] += color[c] + p[c] + q[c] + r[c]

    return shade_faces


@functools.cache
def face_normal_kernel(dtype):
    """Build the kernel that finds the normals of faces."""

    @ti.kernel
    def face_normals(
        face_points: ti.types.ndarray(dtype=dtype, ndim=4),  # (B, F, 3, 3) world, in
        finite: ti.types.ndarray(dtype=ti.i32, ndim=2),  # (B, F), in
        normals: ti.types.ndarray(dtype=dtype, ndim=3),  # (B, F, 3), accumulated
    ):
        """Find the normal, of length 1; 0 for faces without area or that are not finite."""
        for b, f in ti.ndrange(normals.shape[0], normals.shape[1]):
            if is_marked(finite, b, f):
                p = corner_of_face(face_points, b, f, 0)
                q = corner_of_face(face_points, b, f, 1)
                r = corner_of_face(face_points, b, f, 2)
                result = unit(face_normal(p, q, r), ti.cast(SMALLEST_NORMAL_SQ, dtype))
                for c in ti.static(range(3)):
                    normals[b, f, c] += result[c]

    return face_normals


@ti.func
def corner_of_face(corners: ti.template(), b, f, k):
    """Load three numbers of a face's corner, of item ``b`` or of the one item that serves all."""
    b_corner = ti.min(b, corners.shape[0] - 1)
    return ti.Vector([corners[b_corner, f, k, c] for c in range(3)])


@functools.cache
def finite_vertices_kernel(dtype):
    """Build the kernel that finds out which vertices can be lit."""
    array3 = ti.types.ndarray(dtype=dtype, ndim=3, needs_grad=False)

    @ti.kernel
    def find_finite_vertices(
        colors: array3,  # (B or 1, V, 3), in
        normals: array3,  # (B or 1, V, 3), in
        positions: array3,  # (B or 1, V, 3), in
        finite: ti.types.ndarray(dtype=ti.i32, ndim=2),  # (B, V), out
    ):
        """Write 1 for a vertex whose numbers are all finite, and not huge, else 0."""
        for b, v in finite:
            finite[b, v] = (
                is_workable(point_of(colors, b, v), dtype)
                and is_workable(point_of(normals, b, v), dtype)
                and is_workable(point_of(positions, b, v), dtype)
            )

    return find_finite_vertices


@functools.cache
def finite_faces_kernel(dtype):
    """Build the kernel that finds out which faces can be lit."""
    array4 = ti.types.ndarray(dtype=dtype, ndim=4, needs_grad=False)

    @ti.kernel
    def find_finite_faces(
        face_colors: array4,  # (B or 1, F, 3, 3), in
        face_points: array4,  # (B or 1, F, 3, 3), in
        finite: ti.types.ndarray(dtype=ti.i32, ndim=2),  # (B, F), out
    ):
        """Write 1 for a face whose numbers are all finite, and not huge, else 0."""
        for b, f in finite:
            all_finite = 1
            for k in ti.static(range(3)):
                if not is_workable(corner_of_face(face_colors, b, f, k), dtype):
                    all_finite = 0
                if not is_workable(corner_of_face(face_points, b, f, k), dtype):
                    all_finite = 0
            finite[b, f] = all_finite

    return find_finite_faces
