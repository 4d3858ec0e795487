"""Light on vertices and on faces, by the formula of `taichi_softras.lights`."""

from __future__ import annotations

from functools import partial
from typing import Any

from taichi_softras.arrays.calls import apply_kernel
from taichi_softras.arrays.checks import check_arrays
from taichi_softras.arrays.corners import spread_rows
from taichi_softras.arrays.operator import Array
from taichi_softras.lights.kernels.shading import (
    finite_vertices_kernel,
    shade_faces_kernel,
    shade_kernel,
)
from taichi_softras.lights.kinds import Light, Lighting, as_lighting
from taichi_softras.lights.packing import pack_lighting
from taichi_softras.meshes.kernels.normals import finite_faces_kernel


def shade(
    colors: Array,
    normals: Array,
    light: Lighting | Light,
    *,
    positions: Array | None = None,
    eye: Any = None,
) -> Array:
    """Light vertices, or other points, by the formula of `taichi_softras.lights`.

    Args:
        colors: (B or 1, V or 1, 3) red, green and blue.
        normals: (B or 1, V, 3) in the world, of any length; with one of length 0 a vertex gets
            only ambient light, and the mean over all directions of spherical harmonics.
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

    Examples:
        >>> import numpy as np, taichi_softras as sr
        >>> colors = sr.from_numpy(np.float32([[[1, 1, 1]]]))
        >>> normals = sr.from_numpy(np.float32([[[0, 0, 1], [0, 0, -1]]]))
        >>> light = sr.Light(ambient=(0.25,) * 3, diffuse=(0.5,) * 3, direction=(0, 0, 1))
        >>> sr.shade(colors, normals, light).to_numpy()[0, :, 0]
        array([0.75, 0.25], dtype=float32)
    """
    lighting = as_lighting(light)
    if not lighting.kinds.needs_positions:
        positions = normals  # any array of that shape: it is not looked at
    elif positions is None:
        raise ValueError("positions are needed for point lights and for a specular term")
    sizes = check_arrays(colors=(colors, "(B or 1, C, 3)"), normals=(normals, "(B or 1, V, 3)"))
    if sizes["C"] == 1:
        colors = spread_rows(colors, sizes["V"])
    vertices = {"colors": colors, "normals": normals, "positions": positions}
    wanted = {name: (array, "(B or 1, V, 3)") for name, array in vertices.items()}
    check_arrays(**wanted)
    numbers = pack_lighting(lighting, colors, eye=eye)
    sizes = check_arrays(**wanted, light=(numbers, "(B or 1, N)"))
    return apply_kernel(
        partial(shade_kernel, lighting.kinds),
        (*vertices.values(), numbers),
        (sizes["B"], sizes["V"], 3),
        num_rows=sizes["V"],
        mask=finite_vertices_kernel,
        masked=(0, 1, 2),
    )


def shade_faces(
    face_colors: Array, face_points: Array, light: Lighting | Light, *, eye: Any = None
) -> Array:
    """Light faces, flat: each by its own normal, at its centroid.

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

    Examples:
        >>> import numpy as np, taichi_softras as sr
        >>> corners = sr.from_numpy(np.float32([[[[0, 0, 0], [2, 0, 0], [0, 2, 0]]]]))
        >>> white = sr.from_numpy(np.ones((1, 1, 3, 3), np.float32))
        >>> light = sr.Light(ambient=(0.25,) * 3, diffuse=(0.5,) * 3, direction=(0, 0, 1))
        >>> sr.shade_faces(white, corners, light).to_numpy()[0, 0, 0]
        array([0.75, 0.75, 0.75], dtype=float32)
    """
    corners = {"face_colors": face_colors, "face_points": face_points}
    wanted = {name: (array, "(B or 1, F, 3, 3)") for name, array in corners.items()}
    check_arrays(**wanted)
    lighting = as_lighting(light)
    numbers = pack_lighting(lighting, face_colors, eye=eye)
    sizes = check_arrays(**wanted, light=(numbers, "(B or 1, N)"))
    return apply_kernel(
        partial(shade_faces_kernel, lighting.kinds),
        (*corners.values(), numbers),
        (sizes["B"], sizes["F"], 3, 3),
        num_rows=sizes["F"],
        mask=finite_faces_kernel,
        masked=(0, 1),
    )
