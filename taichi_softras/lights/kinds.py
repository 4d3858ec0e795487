"""The kinds of light, and how surfaces reflect them: see `taichi_softras.lights`."""

from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np

from taichi_softras.arrays.bridge import is_array
from taichi_softras.arrays.checks import check_arrays
from taichi_softras.arrays.options import check_flag, keep_checked
from taichi_softras.arrays.reprs import short_repr
from taichi_softras.lights.kernels.packing import LIGHT_PARTS, LightKinds

SHADINGS = ("vertex", "face", "fragment")


@dataclass(frozen=True)
class AmbientLight:
    """Light that comes from everywhere alike.

    Attributes:
        color: Red, green and blue: three numbers, or (B or 1, 3) of them, or such an array, which
            may carry a gradient.

    Raises:
        ValueError: If plain numbers are of another shape, or not finite.

    Examples:
        >>> import taichi_softras as sr
        >>> sr.Lighting(lights=(sr.AmbientLight((0.2, 0.2, 0.3)),)).kinds.lights
        ('ambient',)
    """

    color: Any
    kind: ClassVar[str] = "ambient"

    __repr__ = short_repr

    def __post_init__(self) -> None:
        _check_light(self)


@dataclass(frozen=True)
class DirectionalLight:
    """Light from infinitely far away, such as the sun's.

    Each attribute is three numbers, or (B or 1, 3) of them, or such an array, which may carry a
    gradient.

    Attributes:
        color: Red, green and blue that arrive at a surface which faces the light.
        direction: Where it comes from: from the mesh towards the light, in the world. Of any
            length above 0; an array that breaks this rule gives no light.

    Raises:
        ValueError: If plain numbers are of another shape, not finite, or break the rule.

    Examples:
        >>> import taichi_softras as sr
        >>> sun = sr.DirectionalLight(color=(1, 1, 0.9), direction=(0, 1, 1))
        >>> sr.Lighting(lights=(sr.AmbientLight((0.1, 0.1, 0.2)), sun), two_sided=True).two_sided
        True
    """

    color: Any
    direction: Any
    kind: ClassVar[str] = "directional"

    __repr__ = short_repr

    def __post_init__(self) -> None:
        _check_light(self)
        _check_direction(self.direction)


@dataclass(frozen=True)
class PointLight:
    """Light from a point.

    Each attribute is three numbers, or (B or 1, 3) of them, or such an array, which may carry a
    gradient.

    Attributes:
        color: Red, green and blue that arrive at a surface which faces the light, before
            attenuation.
        position: In the world. A surface that goes through it gets nothing there.
        attenuation: What the light at distance ``d`` is divided by: ``constant + linear * d +
            quadratic * d**2``. None below 0, not all 0. (0, 0, 1) is the inverse square law.

    Raises:
        ValueError: If plain numbers are of another shape, not finite, or break a rule. Arrays are
            not looked into: they are divided by 2**-40 at the least.

    Examples:
        >>> import taichi_softras as sr
        >>> lamp = sr.PointLight(color=(1, 1, 1), position=(0, 2, 0), attenuation=(0, 0, 1))
        >>> lighting = sr.Lighting(lights=(lamp,), shading="fragment")
    """

    color: Any
    position: Any
    attenuation: Any = (1.0, 0.0, 0.0)
    kind: ClassVar[str] = "point"

    __repr__ = short_repr

    def __post_init__(self) -> None:
        _check_light(self)
        if not is_array(self.attenuation):
            factors = number_rows("attenuation", self.attenuation, (3,))
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

    Examples:
        >>> import numpy as np, taichi_softras as sr
        >>> coefficients = np.zeros((9, 3))
        >>> coefficients[0] = 0.9  # the same from everywhere
        >>> coefficients[1] = 0.3  # and more from above
        >>> lighting = sr.Lighting(lights=(sr.SphericalHarmonicsLight(coefficients),))
    """

    coefficients: Any
    kind: ClassVar[str] = "spherical_harmonics"

    __repr__ = short_repr

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
        two_sided: Whether surfaces are lit from behind as from the front: the absolute values of
            cosines count, also in the integral behind spherical harmonics.

    Raises:
        TypeError: If ``lights`` is no tuple of lights, or ``two_sided`` no bool.
        ValueError: If there are no lights, or another value breaks a rule above. Arrays are not
            looked into.

    Examples:
        >>> import taichi_softras as sr
        >>> lamp = sr.PointLight(color=(1, 1, 1), position=(1, 2, 3))
        >>> ambient = sr.AmbientLight((0.3, 0.3, 0.3))
        >>> lighting = sr.Lighting(lights=(ambient, lamp), specular=(0.5,) * 3, shading="fragment")
        >>> lighting.kinds.specular
        True
    """

    lights: tuple[AnyLight, ...]
    specular: Any = (0.0, 0.0, 0.0)
    shininess: Any = 32.0
    shading: str = "vertex"
    two_sided: bool = False

    __repr__ = short_repr

    def __post_init__(self) -> None:
        lights: Any = self.lights
        if not isinstance(lights, tuple) or not all(isinstance(x, AnyLight) for x in lights):
            raise TypeError(f"lights must be a tuple of lights, got {lights!r}")
        if not lights:
            raise ValueError("lights must not be empty")
        keep_checked(self, ("two_sided",), check_flag)
        if self.shading not in SHADINGS:
            raise ValueError(f"shading must be one of {SHADINGS}, got {self.shading!r}")
        if not is_array(self.specular):
            number_rows("specular", self.specular, (3,))
        if (
            not is_array(self.shininess)
            and not (number_rows("shininess", self.shininess, ()) > 0).all()
        ):
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

    Examples:
        >>> import taichi_softras as sr
        >>> light = sr.Light(direction=(0, 0, 1))  # from the side of z
        >>> len(light.lighting.lights)
        2
    """

    ambient: Any = (0.45, 0.45, 0.45)
    diffuse: Any = (0.6, 0.6, 0.6)
    direction: Any = (0.4, 1.0, 0.6)

    __repr__ = short_repr

    def __post_init__(self) -> None:
        for name, value in vars(self).items():
            if not is_array(value):
                number_rows(name, value, (3,))
        _check_direction(self.direction)

    @property
    def lighting(self) -> Lighting:
        """The same light as a `Lighting`."""
        given = {name: value for name, value in vars(self).items() if is_array(value)}
        check_arrays(**{name: (value, "(B or 1, 3)") for name, value in given.items()})
        directional = DirectionalLight(self.diffuse, self.direction)
        return Lighting(lights=(AmbientLight(self.ambient), directional))


def as_lighting(light: Lighting | Light) -> Lighting:
    """Turn a light's short form into a `Lighting`; one that is a `Lighting` is returned as it is.

    Raises:
        TypeError: If it is neither.
        ValueError: If an array of a `Light` is of another shape.
    """
    if isinstance(light, Light):
        return light.lighting
    if not isinstance(light, Lighting):
        raise TypeError(f"light must be a Lighting or a Light, got {type(light).__name__}")
    return light


def _check_light(light: AnyLight) -> None:
    for name, shape in LIGHT_PARTS[light.kind].items():
        value = getattr(light, name)
        if not is_array(value):
            number_rows(name, value, shape)


def _check_direction(direction: Any) -> None:
    if not is_array(direction) and not number_rows("direction", direction, (3,)).any(axis=1).all():
        raise ValueError(f"direction must not be zero, got {direction!r}")


def number_rows(name: str, value: Any, shape: tuple[int, ...]) -> np.ndarray:
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
