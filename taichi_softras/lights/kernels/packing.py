"""Which lights there are, and their numbers side by side."""

import functools
import math
from dataclasses import dataclass

from taichi_softras.arrays.launcher import kernel
from taichi_softras.backend import ti

LIGHT_PARTS: dict[str, dict[str, tuple[int, ...]]] = {
    "ambient": {"color": (3,)},
    "directional": {"color": (3,), "direction": (3,)},
    "point": {"color": (3,), "position": (3,), "attenuation": (3,)},
    "spherical_harmonics": {"coefficients": (9, 3)},
}
"""The arrays that make up each kind of light, in order: their shapes, without the dimension of the
items."""

SPECULAR_PARTS: dict[str, tuple[int, ...]] = {"specular": (3,), "shininess": (), "eye": (3,)}
"""The arrays that make up the specular term, in the same way."""


@dataclass(frozen=True)
class LightKinds:
    """The discrete choices that `shading_func` is compiled for.

    Attributes:
        lights: The kind of each light: keys of `LIGHT_PARTS`.
        specular: Whether there is a specular term.
        two_sided: Whether the absolute values of cosines count.
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
    """Build the kernel that copies an array of ``ndim`` dimensions, the first that of the items."""

    @kernel
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
