"""Light on vertices."""

from dataclasses import dataclass
from typing import Any

import numpy as np

from taichi_softras.bridges import apply, array_like, dtype_of, is_array
from taichi_softras.checks import check_array, check_faces, check_items
from taichi_softras.kernels.vertices import (
    finite_kernel,
    lambert_kernel,
    normal_sum_kernel,
    normalize_kernel,
)
from taichi_softras.operators import Array, KernelOperator


@dataclass(frozen=True)
class Light:
    """Ambient light, and one directional light by Lambert's law.

    Each attribute is three numbers or an array (B or 1, 3), which may carry a gradient.

    Attributes:
        ambient: Red, green and blue of the light that comes from everywhere.
        diffuse: Red, green and blue of the directional light.
        direction: Where the directional light comes from: from the mesh towards it, in the world.
            Of any length above 0.

    Raises:
        ValueError: If plain numbers are not three, or not finite.
    """

    ambient: Any = (0.45, 0.45, 0.45)
    diffuse: Any = (0.6, 0.6, 0.6)
    direction: Any = (0.4, 1.0, 0.6)

    def __post_init__(self) -> None:
        for name in ("ambient", "diffuse", "direction"):
            value = getattr(self, name)
            if is_array(value):
                continue
            numbers = np.asarray(value, dtype=float)
            if numbers.shape != (3,) or not np.isfinite(numbers).all():
                raise ValueError(f"{name} must be an array or 3 finite numbers, got {value!r}")
        if not is_array(self.direction) and not np.any(self.direction):
            raise ValueError(f"direction must not be zero, got {self.direction!r}")


def vertex_normals(vertices: Array, faces: Array) -> Array:
    """Average the normals of the faces round each vertex, weighted by their areas.

    Args:
        vertices: (B or 1, V, 3), in a right-handed frame.
        faces: (F, 3) or (B or 1, F, 3) integers, counter-clockwise seen from outside.

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
    add = KernelOperator(
        normal_sum_kernel(dtype),
        dtype,
        shapes,
        constants=(faces.shape[-2],),
        mask_kernel=finite_kernel(dtype),
        mask_shape=tuple(vertices.shape[:2]),
    )
    (sums,) = apply(add, (vertices, faces))
    (normals,) = apply(KernelOperator(normalize_kernel(dtype), dtype, shapes), (sums,))
    return normals


def shade(colors: Array, normals: Array, light: Light) -> Array:
    """Light colours by Lambert's law: ``color * (ambient + diffuse * max(normal . light, 0))``.

    Args:
        colors: (B or 1, V, 3) red, green and blue.
        normals: (B or 1, V, 3) of length 1, in the world.
        light: The light.

    Returns:
        (B, V, 3). Not clipped to 1.

    Raises:
        TypeError: If an array is of the wrong kind or type.
        ValueError: If a shape doesn't fit.
    """
    check_array("colors", colors, ("B or 1", "V", 3))
    dtype = dtype_of(colors)
    check_array("normals", normals, ("B or 1", colors.shape[1], 3), dtype)
    parts = {
        name: array_like(value if is_array(value) else [value], colors)
        for name, value in vars(light).items()
    }
    for name, array in parts.items():
        check_array(name, array, ("B or 1", 3), dtype)
    num_items = check_items(colors=colors, normals=normals, **parts)
    shape = (num_items, colors.shape[1], 3)
    operator = KernelOperator(
        lambert_kernel(dtype),
        dtype,
        (shape,),
        mask_kernel=finite_kernel(dtype),
        mask_shape=tuple(colors.shape[:2]),
    )
    (lit,) = apply(
        operator, (colors, normals, parts["ambient"], parts["diffuse"], parts["direction"])
    )
    return lit
