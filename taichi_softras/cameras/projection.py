"""From the world to the view frame and to NDC."""

from __future__ import annotations

import functools
import math
from collections.abc import Callable
from typing import Any

from taichi_softras.arrays.calls import apply_kernel
from taichi_softras.arrays.checks import check_arrays
from taichi_softras.arrays.kernels.points import finite_kernel
from taichi_softras.arrays.launcher import Kernel
from taichi_softras.arrays.operator import Array
from taichi_softras.cameras.camera import Camera
from taichi_softras.cameras.intrinsics import DISTORTION_COUNTS, FISHEYE_COUNTS, either
from taichi_softras.cameras.kernels.lenses import distort_kernel, fisheye_kernel
from taichi_softras.cameras.kernels.poses import eye_kernel
from taichi_softras.cameras.kernels.projection import to_ndc_kernel, to_view_kernel
from taichi_softras.cameras.lenses import Lens
from taichi_softras.cameras.poses import Pose

VERTICES = "(B or 1, V, 3)"
POINTS = "(B or 1, V, 3) or (B or 1, F, 3, 3)"
MATRICES = "(B or 1, 4, 4)"


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

    Examples:
        >>> import numpy as np, taichi_softras as sr
        >>> vertices = sr.from_numpy(np.float32([[[0, 0, 0], [0, 1, 0]]]))
        >>> camera = sr.LookAtCamera(eye=(0, 0, 2), fov_degrees=90)
        >>> sr.project(vertices, camera, aspect=1.0).to_numpy()[0].round(6).tolist()
        [[0.0, 0.0, 2.0], [0.0, 0.5, 2.0]]
    """
    check_arrays(vertices=(vertices, VERTICES))
    view = camera.view_matrix(vertices)
    lens = lens_arrays(vertices, camera, aspect)
    check_arrays(vertices=(vertices, VERTICES), view=(view, MATRICES), **lens)
    return move_to_ndc(move_to_view(vertices, view), camera, lens)


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

    Examples:
        >>> import numpy as np, taichi_softras as sr
        >>> vertices = sr.from_numpy(np.float32([[[0, 0, 0], [0, 1, 0]]]))
        >>> sr.to_view(vertices, sr.LookAt(eye=(0, 0, 2))).to_numpy()[0].tolist()
        [[0.0, 0.0, 2.0], [0.0, 1.0, 2.0]]
    """
    check_arrays(vertices=(vertices, VERTICES))
    return move_to_view(vertices, camera.view_matrix(vertices))


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
    check_arrays(directions=(directions, VERTICES))
    view = camera.view_matrix(directions)
    sizes = check_arrays(directions=(directions, VERTICES), view=(view, MATRICES))
    turn_kernel = functools.partial(to_view_kernel, w=0)
    return _move_points(turn_kernel, directions, view, sizes["B"])


def eyes_of(camera: Pose, like: Array) -> Array:
    """Find where cameras are.

    Args:
        camera: One camera or B.
        like: An array of the framework, device and floating-point type wanted.

    Returns:
        (B, 3), in the world.
    """
    view = camera.view_matrix(like)
    return apply_kernel(eye_kernel, (view,), (view.shape[0], 3))


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

    Examples:
        >>> import numpy as np, taichi_softras as sr
        >>> points = sr.from_numpy(np.float32([[[0, 1, 2]]]))
        >>> sr.view_to_ndc(points, sr.Perspective(90), aspect=1.0).to_numpy()[0].round(6).tolist()
        [[0.0, 0.5, 2.0]]
    """
    check_arrays(points=(points, POINTS))
    return move_to_ndc(points, camera, lens_arrays(points, camera, aspect))


def move_to_view(vertices: Array, view: Array) -> Array:
    """Do as `to_view`, by matrices (B or 1, 4, 4)."""
    sizes = check_arrays(vertices=(vertices, VERTICES), view=(view, MATRICES))
    return _move_points(to_view_kernel, vertices, view, sizes["B"])


def lens_arrays(like: Array, camera: Lens, aspect: float) -> dict[str, tuple[Array, str]]:
    """Ask a lens for its arrays, by their names, and say what they must be."""
    lens = {"projection": (camera.projection_matrix(like, aspect), MATRICES)}
    distortion = camera.distortion_coefficients(like)
    return lens if distortion is None else {**lens, "distortion": (distortion, "(B or 1, K)")}


def move_to_ndc(points: Array, camera: Lens, lens: dict[str, tuple[Array, str]]) -> Array:
    """Do as `view_to_ndc`, by what `lens_arrays` returned."""
    sizes = check_arrays(points=(points, POINTS), **lens)
    num_items, num_points = sizes["B"], math.prod(points.shape[1:-1])
    if "distortion" in lens:
        build = _distortion_kernel(camera, sizes["K"])
        points = _move_points(build, points, lens["distortion"][0], num_items, num_points)
    return _move_points(to_ndc_kernel, points, lens["projection"][0], num_items, num_points)


def _distortion_kernel(camera: Lens, count: int) -> Callable[[Any], Kernel]:
    """Choose the kernel for a lens of ``count`` coefficients."""
    is_fisheye = getattr(camera, "fisheye", False)
    counts = FISHEYE_COUNTS if is_fisheye else DISTORTION_COUNTS
    if count not in counts:
        raise ValueError(f"a lens must have {either(counts)} distortion coefficients, got {count}")
    return fisheye_kernel if is_fisheye else functools.partial(distort_kernel, count=count)


def _move_points(
    build: Callable[[Any], Kernel],
    points: Array,
    parameters: Array,
    num_items: int,
    *constants: int,
) -> Array:
    """Run a kernel from points to points, with the mask of those that are finite."""
    return apply_kernel(
        build,
        (points, parameters),
        (num_items, *points.shape[1:]),
        constants=constants,
        num_rows=math.prod(points.shape[1:-1]),
        mask=finite_kernel,
    )
