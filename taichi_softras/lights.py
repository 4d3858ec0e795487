"""Light on vertices and on faces: what lights there are, and how surfaces reflect them.

A point of albedo ``a`` and unit normal ``n`` sends out, in each of red, green and blue,

    a * sum of E_i  +  specular * sum of L_i * max(n . h_i, 0) ** shininess

where ``E_i`` is what light ``i`` gives to a surface that faces as ``n`` does: the colour of an
ambient light; ``L_i * max(n . l_i, 0)`` with the colour ``L_i`` and the direction ``l_i`` of a
directional or point light (Lambert); and the irradiance of an environment, of which the
coefficients of spherical harmonics are given. The second sum is over directional and point lights
with ``n . l_i > 0``; ``h_i`` is the unit bisector of ``l_i`` and the direction of the eye (Blinn
1977). There are no shadows, and results are not clipped to 1.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import groupby
from typing import Any, ClassVar

import numpy as np

from taichi_softras.bridges import apply, array_like, dtype_of, is_array
from taichi_softras.checks import check_array, check_faces, check_items
from taichi_softras.kernels.lights import (
    LIGHT_PARTS,
    LightKinds,
    face_normal_kernel,
    finite_faces_kernel,
    finite_vertices_kernel,
    shade_faces_kernel,
    shade_kernel,
)
from taichi_softras.kernels.vertices import normalize_kernel
from taichi_softras.operators import Array, KernelOperator
from taichi_softras.operators.incidence import Incidence, NormalSumOperator
from taichi_softras.operators.lights import PackOperator
from taichi_softras.sharing import unshare, unshare_rows

SHADINGS = ("vertex", "face", "fragment")


@dataclass(frozen=True)
class AmbientLight:
    """Light that comes from everywhere alike.

    Attributes:
        color: Red, green and blue: three numbers, or (B or 1, 3) of them, or such an array, which
            may carry a gradient.

    Raises:
        ValueError: If plain numbers are of another shape, or not finite.
    """

    color: Any
    kind: ClassVar[str] = "ambient"

    def __post_init__(self) -> None:
        _check_light(self)


@dataclass(frozen=True)
class DirectionalLight:
    """Light from infinitely far away, such as the sun's.

    Each attribute is three numbers, or (B or 1, 3) of them, or such an array, which may carry a
    gradient.

    Attributes:
        color: Red, green and blue that a surface gets which faces the light.
        direction: Where it comes from: from the mesh towards the light, in the world. Of any
            length above 0; an array that breaks this rule gives no light.

    Raises:
        ValueError: If plain numbers are of another shape, not finite, or break the rule.
    """

    color: Any
    direction: Any
    kind: ClassVar[str] = "directional"

    def __post_init__(self) -> None:
        _check_light(self)
        _check_direction(self.direction)


@dataclass(frozen=True)
class PointLight:
    """Light from a point.

    Each attribute is three numbers, or (B or 1, 3) of them, or such an array, which may carry a
    gradient.

    Attributes:
        color: Red, green and blue that a surface gets which faces the light, but for attenuation.
        position: In the world. A surface that goes through it gets nothing there.
        attenuation: What the light at distance ``d`` is divided by: ``constant + linear * d +
            quadratic * d**2``. None below 0, not all 0. (0, 0, 1) is the inverse square law.

    Raises:
        ValueError: If plain numbers are of another shape, not finite, or break a rule. Arrays are
            not looked into: they are divided by 2**-40 at the least.
    """

    color: Any
    position: Any
    attenuation: Any = (1.0, 0.0, 0.0)
    kind: ClassVar[str] = "point"

    def __post_init__(self) -> None:
        _check_light(self)
        if not is_array(self.attenuation):
            factors = _rows("attenuation", self.attenuation, (3,))
            if (factors < 0).any() or not factors.any(axis=1).all():
                raise ValueError(
                    f"attenuation must have none below 0, and not all 0, got {self.attenuation!r}"
                )


@dataclass(frozen=True)
class SphericalHarmonicsLight:
    """Light from an environment, smooth enough for spherical harmonics of order 2.

    Attributes:
        coefficients: Those of the environment's radiance in red, green and blue: (9, 3) numbers,
            or (B or 1, 9, 3) of them, or an array (B or 1, 9, 3), which may carry a gradient.
            They belong to these functions of the unit vector (x, y, z) towards the environment, in
            the world, in this order:

                Y00 = 0.282095
                Y1-1, Y10, Y11 = 0.488603 * (y, z, x)
                Y2-2, Y2-1, Y21 = 1.092548 * (x y, y z, x z); Y21 comes after Y20
                Y20 = 0.315392 * (3 z**2 - 1)
                Y22 = 0.546274 * (x**2 - y**2)

            which are orthonormal over the sphere: a coefficient is the integral of the radiance
            times its function.

    A surface gets the irradiance ``E(n)``, which is the sum of ``A_l * coefficient * Y_lm(n)``
    with ``A_0 = pi``, ``A_1 = 2 pi / 3``, ``A_2 = pi / 4``: pi times the radiance, if that is the
    same everywhere.

    Raises:
        ValueError: If plain numbers are of another shape, or not finite.

    Source:
        Ramamoorthi and Hanrahan, An Efficient Representation for Irradiance Environment Maps,
        SIGGRAPH 2001.
    """

    coefficients: Any
    kind: ClassVar[str] = "spherical_harmonics"

    def __post_init__(self) -> None:
        _check_light(self)


AnyLight = AmbientLight | DirectionalLight | PointLight | SphericalHarmonicsLight


@dataclass(frozen=True, kw_only=True)
class Lighting:
    """Lights, and how surfaces reflect them.

    Attributes:
        lights: One or more, each of any kind.
        specular: Red, green and blue of highlights, which add to the colour: three numbers, or
            (B or 1, 3) of them, or such an array, which may carry a gradient. Plain zeros save
            the work.
        shininess: How sharp highlights are: a number above 0, or (B or 1,) of them, or such an
            array, which may carry a gradient.
        shading: Where light is evaluated: at the "vertex", once per "face" with the face's normal
            (flat), or per "fragment" with interpolated normals (Phong).
        two_sided: Whether surfaces are lit from behind as from the front: cosines count by their
            absolute values, also under the integral of spherical harmonics.

    Raises:
        TypeError: If ``lights`` is no tuple of lights, or ``two_sided`` no bool.
        ValueError: If there are no lights, or another value breaks a rule above. Arrays are not
            looked into.
    """

    lights: tuple[AnyLight, ...]
    specular: Any = (0.0, 0.0, 0.0)
    shininess: Any = 32.0
    shading: str = "vertex"
    two_sided: bool = False

    def __post_init__(self) -> None:
        lights: Any = self.lights
        if not isinstance(lights, tuple) or not all(isinstance(x, AnyLight) for x in lights):
            raise TypeError(f"lights must be a tuple of lights, got {lights!r}")
        if not lights:
            raise ValueError("lights must not be empty")
        if not isinstance(self.two_sided, bool):
            raise TypeError(f"two_sided must be True or False, got {self.two_sided!r}")
        if self.shading not in SHADINGS:
            raise ValueError(f"shading must be one of {SHADINGS}, got {self.shading!r}")
        if not is_array(self.specular):
            _rows("specular", self.specular, (3,))
        if not is_array(self.shininess) and not (_rows("shininess", self.shininess, ()) > 0).all():
            raise ValueError(f"shininess must be above 0, got {self.shininess!r}")

    @property
    def kinds(self) -> LightKinds:
        """The discrete choices, which pick compiled kernels."""
        specular = is_array(self.specular) or bool(np.any(self.specular))
        return LightKinds(tuple(light.kind for light in self.lights), specular, self.two_sided)


@dataclass(frozen=True)
class Light:
    """Ambient light, and one directional light by Lambert's law: the short form of `Lighting`.

    Each attribute is three numbers, or (B or 1, 3) of them, or such an array, which may carry a
    gradient.

    Attributes:
        ambient: Red, green and blue of the light that comes from everywhere.
        diffuse: Red, green and blue of the directional light.
        direction: Where the directional light comes from: from the mesh towards it, in the world.
            Of any length above 0.

    Raises:
        ValueError: If plain numbers are of another shape, not finite, or break the rule.
    """

    ambient: Any = (0.45, 0.45, 0.45)
    diffuse: Any = (0.6, 0.6, 0.6)
    direction: Any = (0.4, 1.0, 0.6)

    def __post_init__(self) -> None:
        for name, value in vars(self).items():
            if not is_array(value):
                _rows(name, value, (3,))
        _check_direction(self.direction)

    @property
    def lighting(self) -> Lighting:
        """The same, in full."""
        for name, value in vars(self).items():
            if is_array(value):
                check_array(name, value, ("B or 1", 3))
        directional = DirectionalLight(self.diffuse, self.direction)
        return Lighting(lights=(AmbientLight(self.ambient), directional))


def as_lighting(light: Lighting | Light) -> Lighting:
    """Write a light's short form out in full; a `Lighting` is returned.

    Raises:
        TypeError: If it is neither.
        ValueError: If an array of a `Light` is of another shape.
    """
    if isinstance(light, Light):
        return light.lighting
    if not isinstance(light, Lighting):
        raise TypeError(f"light must be a Lighting or a Light, got {type(light).__name__}")
    return light


def pack_lighting(lighting: Lighting, like: Array, *, eye: Any = None) -> Array:
    """Put the numbers of all lights side by side, as `kernels.lights.shading_func` reads them.

    Args:
        lighting: The lights.
        like: An array of the framework, device and floating-point type wanted.
        eye: Where the light goes: three numbers, (B or 1, 3) of them, or such an array, in the
            world. Needed for a specular term.

    Returns:
        (B or 1, N), to which gradients flow.

    Raises:
        TypeError: If an array is of the wrong kind or type.
        ValueError: If a shape doesn't fit, or ``eye`` is missing.
    """
    dtype = dtype_of(like)
    parts = {}
    for name, value, shape in _named_parts(lighting, eye):
        if is_array(value):
            check_array(name, value, ("B or 1", *shape), dtype)
            parts[name] = value
        else:
            parts[name] = _rows(name, value, shape)
    num_items = check_items(**parts)
    inputs: list[Array] = []
    for given, group in groupby(parts.values(), key=is_array):
        run = list(group)
        inputs += run if given else [array_like(_side_by_side(run), like)]
    if len(inputs) == 1 and len(inputs[0].shape) == 2:
        return inputs[0]
    inputs = [unshare(array, num_items) for array in inputs]
    (numbers,) = apply(PackOperator(dtype, num_items), inputs)
    return numbers


def vertex_normals(vertices: Array, faces: Array, *, incidence: Incidence | None = None) -> Array:
    """Average the normals of the faces round each vertex, weighted by their areas.

    Args:
        vertices: (B or 1, V, 3), in a right-handed frame.
        faces: (F, 3) or (B or 1, F, 3) integers, counter-clockwise seen from outside.
        incidence: Of the faces, where the caller has it.

    Returns:
        (B, V, 3), of length 1 and pointing outward; 0 for vertices of no face, or whose faces
        have no area. Faces with vertices that are not finite don't count.

    Raises:
        TypeError: If an array is of the wrong kind or type.
        ValueError: If a shape doesn't fit.
    """
    check_array("vertices", vertices, ("B or 1", "V", 3))
    faces = check_faces(faces, num_vertices=vertices.shape[1])
    num_items = check_items(vertices=vertices, faces=faces)
    dtype = dtype_of(vertices)
    shapes = ((num_items, *vertices.shape[1:]),)
    add = NormalSumOperator(dtype, num_items, incidence or Incidence())
    (sums,) = apply(add, (vertices, faces))
    (normals,) = apply(KernelOperator(normalize_kernel(dtype), dtype, shapes), (sums,))
    return normals


def face_normals(face_points: Array) -> Array:
    """Find the normals of faces.

    Args:
        face_points: (B, F, 3, 3), corners in a right-handed frame, counter-clockwise seen from
            outside.

    Returns:
        (B, F, 3), of length 1 and pointing outward; 0 for faces without area, or that are not
        finite.

    Raises:
        TypeError: If the array is of the wrong kind or type.
        ValueError: If its shape doesn't fit.
    """
    check_array("face_points", face_points, ("B", "F", 3, 3))
    dtype = dtype_of(face_points)
    find_finite = finite_faces_kernel(dtype)
    operator = KernelOperator(
        face_normal_kernel(dtype),
        dtype,
        (tuple(face_points.shape[:3]),),
        mask_kernel=lambda points, finite: find_finite(points, points, finite),
        mask_shape=tuple(face_points.shape[:2]),
    )
    (normals,) = apply(operator, (face_points,))
    return normals


def shade(
    colors: Array,
    normals: Array,
    light: Lighting | Light,
    *,
    positions: Array | None = None,
    eye: Any = None,
) -> Array:
    """Light vertices, or other points, by the formula above.

    Args:
        colors: (B or 1, V, 3) red, green and blue.
        normals: (B or 1, V, 3) in the world, of any length; one of length 0 gets ambient light
            only, and the mean of spherical harmonics.
        light: The lights, and how they are reflected. Its ``shading`` is not looked at.
        positions: (B or 1, V, 3) in the world. Needed for point lights and a specular term, else
            not looked at.
        eye: Where the camera is, in the world: three numbers, (B or 1, 3) of them, or such an
            array. Needed for a specular term, else not looked at.

    Returns:
        (B, V, 3). Not clipped to 1. A vertex with a number that is not finite gets a colour that
        isn't, in one channel at least, so that `rasterize` leaves its faces out.

    Raises:
        TypeError: If an array is of the wrong kind or type.
        ValueError: If a shape doesn't fit, or ``positions`` or ``eye`` are missing.
    """
    check_array("colors", colors, ("B or 1", "V", 3))
    dtype = dtype_of(colors)
    num_vertices = colors.shape[1]
    check_array("normals", normals, ("B or 1", num_vertices, 3), dtype)
    lighting = as_lighting(light)
    if not lighting.kinds.needs_positions:
        positions = normals  # any array of that shape: it is not looked at
    elif positions is None:
        raise ValueError("positions are needed for point lights and for a specular term")
    check_array("positions", positions, ("B or 1", num_vertices, 3), dtype)
    numbers = pack_lighting(lighting, colors, eye=eye)
    num_items = check_items(colors=colors, normals=normals, positions=positions, light=numbers)
    operator = KernelOperator(
        shade_kernel(lighting.kinds, dtype),
        dtype,
        ((num_items, num_vertices, 3),),
        mask_kernel=finite_vertices_kernel(dtype),
        mask_shape=(num_items, num_vertices),
        mask_inputs=3,
    )
    points = [unshare(array, num_items) for array in (colors, normals, positions)]
    (lit,) = apply(operator, (*points, unshare_rows(numbers, num_items, num_vertices)))
    return lit


def shade_faces(
    face_colors: Array, face_points: Array, light: Lighting | Light, *, eye: Any = None
) -> Array:
    """Light faces flatly: each by its own normal, at its centroid.

    Args:
        face_colors: (B or 1, F, 3, 3) red, green and blue of each corner.
        face_points: (B or 1, F, 3, 3) corners in the world, counter-clockwise seen from outside.
        light: The lights, and how they are reflected. Its ``shading`` is not looked at.
        eye: Where the camera is, in the world: three numbers, (B or 1, 3) of them, or such an
            array. Needed for a specular term, else not looked at.

    Returns:
        (B, F, 3, 3). Not clipped to 1. A face with a number that is not finite gets a colour that
        isn't, in one channel at least, so that `rasterize` leaves it out.

    Raises:
        TypeError: If an array is of the wrong kind or type.
        ValueError: If a shape doesn't fit, or ``eye`` is missing.
    """
    check_array("face_colors", face_colors, ("B or 1", "F", 3, 3))
    dtype = dtype_of(face_colors)
    num_faces = face_colors.shape[1]
    check_array("face_points", face_points, ("B or 1", num_faces, 3, 3), dtype)
    lighting = as_lighting(light)
    numbers = pack_lighting(lighting, face_colors, eye=eye)
    num_items = check_items(face_colors=face_colors, face_points=face_points, light=numbers)
    operator = KernelOperator(
        shade_faces_kernel(lighting.kinds, dtype),
        dtype,
        ((num_items, num_faces, 3, 3),),
        mask_kernel=finite_faces_kernel(dtype),
        mask_shape=(num_items, num_faces),
        mask_inputs=2,
    )
    corners = [unshare(array, num_items) for array in (face_colors, face_points)]
    (lit,) = apply(operator, (*corners, unshare_rows(numbers, num_items, num_faces)))
    return lit


def _named_parts(lighting: Lighting, eye: Any) -> Iterator[tuple[str, Any, tuple[int, ...]]]:
    """Names, values and shapes of what `LightKinds.parts` lists, in that order."""
    *of_lights, of_specular = lighting.kinds.parts
    for i, shapes in enumerate(of_lights):
        for name, shape in shapes.items():
            yield f"lights[{i}].{name}", getattr(lighting.lights[i], name), shape
    values = {"specular": lighting.specular, "shininess": lighting.shininess, "eye": eye}
    for name, shape in of_specular.items():
        if values[name] is None:
            raise ValueError(f"{name} is needed for a specular term")
        yield name, values[name], shape


def _side_by_side(arrays: list[np.ndarray]) -> np.ndarray:
    """Join arrays (B or 1, ...) to one (B, N)."""
    num_items = max(len(array) for array in arrays)
    rows = [array.reshape(len(array), -1) for array in arrays]
    return np.concatenate([np.broadcast_to(x, (num_items, x.shape[1])) for x in rows], axis=1)


def _check_light(light: AnyLight) -> None:
    for name, shape in LIGHT_PARTS[light.kind].items():
        value = getattr(light, name)
        if not is_array(value):
            _rows(name, value, shape)


def _check_direction(direction: Any) -> None:
    if not is_array(direction) and not _rows("direction", direction, (3,)).any(axis=1).all():
        raise ValueError(f"direction must not be zero, got {direction!r}")


def _rows(name: str, value: Any, shape: tuple[int, ...]) -> np.ndarray:
    """Turn plain numbers into an array (B or 1, *shape).

    Raises:
        ValueError: If they are of another shape, or not finite.
    """
    numbers = np.asarray(value, dtype=float)
    rows = numbers[None] if numbers.ndim == len(shape) else numbers
    if rows.shape[1:] != shape or not len(rows) or not np.isfinite(rows).all():
        wanted = " x ".join(map(str, shape)) or "1"
        raise ValueError(f"{name} must be an array or {wanted} finite numbers, got {value!r}")
    return rows
