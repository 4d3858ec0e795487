"""SoftRas's cameras. They take worlds as left-handed, so that right-handed ones are mirrored."""

import math
from numbers import Real
from typing import Any

import torch
from torch import Tensor

import taichi_softras as native
from taichi_softras.arrays.checks import check_arrays
from taichi_softras.soft_renderer.functional.arguments import as_rows

FARTHEST_PIXEL = 2.0**17
"""How far from the camera's axis, in pixels, a distorted point may be: distortion takes the sixth
power of it, which in float32 soon overflows."""


def get_points_from_angles(
    distance: Any, elevation: Any, azimuth: Any, degrees: bool = True
) -> tuple[float, float, float] | Tensor:
    """Place points on spheres round the origin.

    Args:
        distance: From the origin; a number or a tensor (B,), as are the angles.
        elevation: Above the plane of x and z.
        azimuth: Round the y axis: 0 is on the *negative* z axis, 90 degrees on the x axis.
        degrees: Whether angles are in degrees, rather than radians.

    Returns:
        Three numbers if all arguments are numbers, else a tensor (B, 3).
    """
    arguments = (distance, elevation, azimuth)
    if all(isinstance(x, Real) for x in arguments):
        numbers = torch.tensor([float(x) for x in arguments], dtype=torch.float64)
        x, y, z = _points(numbers, degrees).tolist()
        return x, y, z
    like = next((x for x in arguments if isinstance(x, Tensor)), torch.zeros(1))
    dtype = like.dtype if like.is_floating_point() else torch.get_default_dtype()
    tensors = [torch.as_tensor(x, device=like.device, dtype=dtype) for x in arguments]
    return _points(torch.stack(torch.broadcast_tensors(*tensors)), degrees)  # type: ignore[no-untyped-call]


def look_at(vertices: Tensor, eye: Any, at: Any = (0, 0, 0), up: Any = (0, 1, 0)) -> Tensor:
    """Take vertices to the frame of a camera that looks at a point.

    Args:
        vertices: (B or 1, V, 3), in the world.
        eye: Where the camera is: (3,) or (B, 3), numbers or a tensor, which may carry a gradient.
        at: What it looks at, likewise.
        up: The direction that is up in the image, likewise.

    Returns:
        (B, V, 3): x right, y up and z forward in the image.

    Raises:
        TypeError: If ``vertices`` are no tensor of float32 or float64.
        ValueError: If a shape doesn't fit.
    """
    check_arrays(vertices=(vertices, "(B, V, 3)"))
    rows = (as_rows(name, x, vertices) for name, x in (("eye", eye), ("at", at), ("up", up)))
    return _mirrored(native.to_view(vertices, native.LookAt(*rows)))


def look(vertices: Tensor, eye: Any, direction: Any = (0, 1, 0), up: Any = None) -> Tensor:
    """Take vertices to the frame of a camera that looks in a direction.

    Args:
        vertices: (B or 1, V, 3), in the world.
        eye: Where the camera is: (3,) or (B, 3), numbers or a tensor, which may carry a gradient.
        direction: Where it looks, likewise, of any length. Not parallel to ``up``, as the two
            defaults are.
        up: The direction that is up in the image, likewise; the y axis if None.

    Returns:
        (B, V, 3): x right, y up and z forward in the image.

    Raises:
        TypeError: If ``vertices`` are no tensor of float32 or float64.
        ValueError: If a shape doesn't fit.
    """
    check_arrays(vertices=(vertices, "(B, V, 3)"))
    given = (("eye", eye), ("direction", direction), ("up", (0, 1, 0) if up is None else up))
    rows = (as_rows(name, x, vertices) for name, x in given)
    return _mirrored(native.to_view(vertices, native.Look(*rows)))


def perspective(vertices: Tensor, angle: Any = 30.0) -> Tensor:
    """Project from the frame of a camera to NDC: divide x and y by depth.

    Args:
        vertices: (B, V, 3), in the frame of `look_at`.
        angle: *Half* of the field of view, in degrees, a number or a tensor (B,). Above 0, under
            90.

    Returns:
        (B, V, 3): x and y from -1 to 1 over the image, and depth as it was.

    Raises:
        TypeError: If ``vertices`` are no tensor of float32 or float64.
        ValueError: If the angle is out of range, or a shape doesn't fit.
    """
    check_arrays(vertices=(vertices, "(B, V, 3)"))
    if not isinstance(angle, Tensor):
        if not 0 < angle < 90:
            raise ValueError(f"angle must be above 0 and under 90, got {angle!r}")
        angle = torch.tensor(float(angle))
    fov_degrees = 2 * angle.to(device=vertices.device, dtype=vertices.dtype).reshape(-1)
    ndc: Tensor = native.view_to_ndc(vertices, native.Perspective(fov_degrees), aspect=1.0)
    return ndc


def orthogonal(vertices: Tensor, scale: Any) -> Tensor:
    """Project from the frame of a camera to NDC without regard to depth.

    Args:
        vertices: (B, V, 3), in the frame of `look_at`.
        scale: What x and y are multiplied by.

    Returns:
        (B, V, 3): x and y from -1 to 1 over the image, and depth as it was.

    Raises:
        TypeError: If ``vertices`` are no tensor of float32 or float64.
        ValueError: If their shape doesn't fit.
    """
    check_arrays(vertices=(vertices, "(B, V, 3)"))
    return torch.cat((vertices[..., :2] * scale, vertices[..., 2:]), dim=-1)


def projection(
    vertices: Tensor,
    P: Any,
    dist_coeffs: Any = None,
    orig_size: float = 512,
) -> Tensor:
    """Project by a camera matrix, distort, and scale pixels to NDC.

    Args:
        vertices: (B or 1, V, 3), in the world.
        P: (B or 1, 3, 4), from the world to homogeneous pixels. y is not turned round: the image
            has the first row of pixels at its bottom.
        dist_coeffs: (B or 1, 5), k1, k2, p1, p2 and k3 of OpenCV's distortion, which is applied
            to *pixels*, as SoftRas does. None if there is none.
        orig_size: Side of the image that ``P`` was made for, in pixels.

    Returns:
        (B, V, 3): x and y from -1 to 1 over the image, and depth. A point in the plane of the
        camera, or farther than 2^17 pixels from its axis, has no finite x and y; its faces are
        not drawn.

    Raises:
        TypeError: If an array is of the wrong kind or type.
        ValueError: If a shape doesn't fit.
    """
    check_arrays(vertices=(vertices, "(B or 1, V, 3)"))
    matrix = torch.as_tensor(P, device=vertices.device, dtype=vertices.dtype)
    if dist_coeffs is None:
        dist_coeffs = vertices.new_zeros(1, 5)
    dist_coeffs = torch.as_tensor(dist_coeffs, device=vertices.device, dtype=vertices.dtype)
    check_arrays(
        vertices=(vertices, "(B or 1, V, 3)"),
        P=(matrix, "(B or 1, 3, 4)"),
        dist_coeffs=(dist_coeffs, "(B or 1, 5)"),
    )
    points = vertices @ matrix[:, :, :3].mT + matrix[:, None, :, 3]
    depth = points[..., 2:]
    divisor = depth + 1e-5
    on_plane = divisor == 0
    pixels = points[..., :2] / torch.where(on_plane, 1, divisor)
    is_usable = ~on_plane & (pixels.square().sum(-1, keepdim=True) < FARTHEST_PIXEL**2)
    # A derivative that is not finite, times nothing, would be NaN: so these are not computed.
    pixels = _distort(torch.where(is_usable, pixels, 0), dist_coeffs[:, None])
    ndc = torch.where(is_usable, 2 * pixels / orig_size - 1, math.inf)
    return torch.cat((ndc, depth), dim=-1)


def _points(spherical: Tensor, degrees: bool) -> Tensor:
    """Turn distances, elevations and azimuths (3, ...) into points (..., 3)."""
    distance, elevation, azimuth = spherical.unbind()
    if degrees:
        elevation, azimuth = torch.deg2rad(elevation), torch.deg2rad(azimuth)
    level = distance * elevation.cos()
    return torch.stack(
        (level * azimuth.sin(), distance * elevation.sin(), -level * azimuth.cos()), dim=-1
    )


def _mirrored(seen: Tensor) -> Tensor:
    """Mirror the view of a right-handed world in x, as SoftRas's left-handed worlds have it."""
    return seen * seen.new_tensor([-1, 1, 1])


def _distort(pixels: Tensor, coefficients: Tensor) -> Tensor:
    """Apply OpenCV's radial and tangential distortion to (B, V, 2), by (B or 1, 1, 5)."""
    k1, k2, p1, p2, k3 = coefficients.unbind(-1)
    x, y = pixels.unbind(-1)
    r2 = x * x + y * y
    radial = 1 + r2 * (k1 + r2 * (k2 + r2 * k3))
    return torch.stack(
        (
            x * radial + 2 * p1 * x * y + p2 * (r2 + 2 * x * x),
            y * radial + p1 * (r2 + 2 * y * y) + 2 * p2 * x * y,
        ),
        dim=-1,
    )
