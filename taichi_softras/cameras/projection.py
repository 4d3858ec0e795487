"""From the world to the view frame and to NDC."""

import functools
import math
from collections.abc import Callable
from typing import Any

from taichi_softras.arrays.bridge import apply, dtype_of, is_array
from taichi_softras.arrays.broadcast import unshare, unshare_rows
from taichi_softras.arrays.checks import check_array, check_items
from taichi_softras.arrays.kernels.points import finite_kernel
from taichi_softras.arrays.operator import Array, KernelOperator
from taichi_softras.cameras.camera import Camera
from taichi_softras.cameras.kernels.lenses import distort_kernel, fisheye_kernel
from taichi_softras.cameras.kernels.poses import (
    eye_kernel,
)
from taichi_softras.cameras.kernels.projection import to_ndc_kernel, to_view_kernel
from taichi_softras.cameras.lenses import DISTORTION_COUNTS, FISHEYE_COUNTS, Lens, either
from taichi_softras.cameras.poses import Pose


def project(vertices: Array, camera: Camera, aspect: float) -> Array:
    """Take vertices from the world to NDC: `to_view`, then `view_to_ndc`.

    Args:
        vertices: (B or 1, V, 3), in the world.
        camera: One camera or B.
        aspect: Width of the image over its height.

    Returns:
        (B, V, 3): x and y in NDC, and depth. The rasterizer leaves out faces with a depth that is
        not above 0; so vertices that are not finite get depth 0.

    Raises:
        TypeError: If an array is of the wrong kind or type.
        ValueError: If shapes or devices don't fit, or ``aspect`` does not fit the lens.
    """
    check_array("vertices", vertices, ("B or 1", "V", 3))
    view = camera.view_matrix(vertices)
    lens = _lens_arrays(vertices, camera, aspect)
    check_items(vertices=vertices, view=view, **lens)
    return _view_to_ndc(_to_view(vertices, view), camera, lens)


def to_view(vertices: Array, camera: Pose) -> Array:
    """Take vertices from the world to the view frame: x right, y up, z forward, world units.

    Args:
        vertices: (B or 1, V, 3), in the world.
        camera: One camera or B.

    Returns:
        (B, V, 3). Vertices that are not finite stay as they are.

    Raises:
        TypeError: If an array is of the wrong kind or type.
        ValueError: If shapes or devices don't fit.
    """
    check_array("vertices", vertices, ("B or 1", "V", 3))
    return _to_view(vertices, camera.view_matrix(vertices))


def turn_to_view(directions: Array, camera: Pose) -> Array:
    """Turn directions, such as normals, from the world to the view frame.

    Args:
        directions: (B or 1, V, 3), in the world.
        camera: One camera or B.

    Returns:
        (B, V, 3), of the same lengths. Those that are not finite stay as they are.

    Raises:
        TypeError: If an array is of the wrong kind or type.
        ValueError: If shapes or devices don't fit.
    """
    check_array("directions", directions, ("B or 1", "V", 3))
    view = camera.view_matrix(directions)
    num_items = check_items(directions=directions, view=view)
    turn_kernel = functools.partial(to_view_kernel, w=0)
    return _apply_to_points(turn_kernel, directions, (view,), num_items)


def eyes_of(camera: Pose, like: Array) -> Array:
    """Find where cameras are.

    Args:
        camera: One camera or B.
        like: An array of the framework, device and floating-point type wanted.

    Returns:
        (B, 3), in the world.
    """
    view = camera.view_matrix(like)
    dtype = dtype_of(like)
    operator = KernelOperator(eye_kernel(dtype), dtype, ((view.shape[0], 3),))
    return apply(operator, (view,))[0]


def view_to_ndc(points: Array, camera: Lens, aspect: float) -> Array:
    """Take points from the view frame to NDC.

    Args:
        points: Vertices (B or 1, V, 3) or corners of faces (B or 1, F, 3, 3), in the view frame.
        camera: One camera or B.
        aspect: Width of the image over its height.

    Returns:
        (B, V, 3) or (B, F, 3, 3): x and y in NDC, and depth. All three are 0 for points that are
        not finite. x and y of points that are not in front of the camera are finite, but mean
        nothing.

    Raises:
        TypeError: If an array is of the wrong kind or type.
        ValueError: If shapes or devices don't fit, or ``aspect`` does not fit the lens.
    """
    is_corners = is_array(points) and len(points.shape) == 4
    check_array("points", points, ("B or 1", "F", 3, 3) if is_corners else ("B or 1", "V", 3))
    return _view_to_ndc(points, camera, _lens_arrays(points, camera, aspect))


def _to_view(vertices: Array, view: Array) -> Array:
    num_items = check_items(vertices=vertices, view=view)
    return _apply_to_points(to_view_kernel, vertices, (view,), num_items)


def _lens_arrays(like: Array, camera: Lens, aspect: float) -> dict[str, Array]:
    arrays = {"projection": camera.projection_matrix(like, aspect)}
    distortion = camera.distortion_coefficients(like)
    return arrays if distortion is None else {**arrays, "distortion": distortion}


def _view_to_ndc(points: Array, camera: Lens, lens: dict[str, Array]) -> Array:
    num_items = check_items(points=points, **lens)
    num_points = math.prod(points.shape[1:-1])
    if "distortion" in lens:
        distortion = (lens["distortion"],)
        build = _distortion_kernel(camera, lens["distortion"].shape[1])
        points = _apply_to_points(build, points, distortion, num_items, num_points)
    return _apply_to_points(to_ndc_kernel, points, (lens["projection"],), num_items, num_points)


def _distortion_kernel(camera: Lens, count: int) -> Callable[[Any], Callable[..., None]]:
    """Choose the kernel for a lens of ``count`` coefficients."""
    is_fisheye = getattr(camera, "fisheye", False)
    counts = FISHEYE_COUNTS if is_fisheye else DISTORTION_COUNTS
    if count not in counts:
        raise ValueError(f"a lens must have {either(counts)} distortion coefficients, got {count}")
    return fisheye_kernel if is_fisheye else functools.partial(distort_kernel, count=count)


def _apply_to_points(
    build_kernel: Callable[[Any], Callable[..., None]],
    points: Array,
    parameters: tuple[Array, ...],
    num_items: int,
    *constants: int,
) -> Array:
    """Run a kernel from points to points, with the mask of those that are finite."""
    dtype = dtype_of(points)
    num_points = math.prod(points.shape[1:-1])
    points = unshare(points, num_items)
    shared = [unshare_rows(array, num_items, num_points) for array in parameters]
    operator = KernelOperator(
        build_kernel(dtype),
        dtype,
        ((num_items, *points.shape[1:]),),
        constants,
        mask_kernel=finite_kernel(dtype),
        mask_shape=(points.shape[0], num_points),
    )
    (result,) = apply(operator, (points, *shared))
    return result
