"""Cameras: from the world to normalised device coordinates (NDC).

A camera is a pose, which takes points from the world to the view frame, and a lens, which takes
them on to NDC: any `Pose` goes with any `Lens`, as in ``PosedCamera(Look(eye, direction),
Orthographic(2.0))``.

Worlds are right-handed, as in OBJ and glTF files; y is usually up. In the view frame x is right, y
up and z forward, so that depth is positive in front of the camera. In NDC x is right and y up, both
from -1 to 1 over the image whatever its shape, and z is still the view depth.

Attributes of poses and lenses are numbers or arrays, which may carry gradients. The first dimension
of an array is the cameras', B or 1; plain numbers may do without, and stand for 1. Plain numbers
are checked; arrays are not looked into: where they break a rule, nothing is drawn.
"""

import functools
import math
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, ClassVar, Protocol

import numpy as np

from taichi_softras.bridges import apply, array_like, dtype_of, is_array
from taichi_softras.checks import check_array, check_items
from taichi_softras.kernels.cameras import (
    distort_kernel,
    extrinsics_kernel,
    eye_kernel,
    intrinsics_kernel,
    look_kernel,
    orbit_kernel,
    orthographic_kernel,
    perspective_kernel,
)
from taichi_softras.kernels.vertices import finite_kernel, to_ndc_kernel, to_view_kernel
from taichi_softras.operators import Array, KernelOperator
from taichi_softras.settings import check_integer
from taichi_softras.sharing import unshare, unshare_rows

LARGEST_ROTATION_ERROR = 1e-3
"""How far rows of a rotation given as numbers may be from orthonormal: files round them."""


class Pose(Protocol):
    """Where cameras are, and how they are turned."""

    def view_matrix(self, like: Array) -> Array:
        """Make the matrices from the world to the view frame, (B or 1, 4, 4).

        Args:
            like: An array of the framework, device and floating-point type wanted.
        """


class Lens(Protocol):
    """How cameras take what is in front of them to the image."""

    @property
    def orthographic(self) -> bool:
        """Whether rays are parallel: x and y in NDC don't depend on depth."""

    def projection_matrix(self, like: Array, aspect: float) -> Array:
        """Make the matrices from the view frame to clip coordinates, (B or 1, 4, 4).

        x and y are divided by the fourth row's result; the third row is not used.

        Args:
            like: An array of the framework, device and floating-point type wanted.
            aspect: Width of the image over its height.
        """

    def distortion_coefficients(self, like: Array) -> Array | None:
        """Give OpenCV's k1, k2, p1, p2 and k3, (B or 1, 5), or None: straight lines stay so."""


class Camera(Pose, Lens, Protocol):
    """Anything that is a pose and a lens at once."""


# --- Poses ------------------------------------------------------------------------------------


@dataclass(frozen=True)
class LookAt:
    """Poses of cameras that look at a point.

    Attributes:
        eye: Where the camera is, in the world, (B or 1, 3).
        at: What it looks at, (B or 1, 3). Not where ``eye`` is.
        up: The direction that is up in the image, (B or 1, 3). Not parallel to the line of sight.

    Raises:
        ValueError: If plain numbers are not finite, or break a rule above.

    Source:
        The rotation of ``gluLookAt``, with z forward instead of backward. SoftRas's ``look_at``
        takes worlds as left-handed, so that its images of right-handed ones are mirrored.
    """

    eye: Any
    at: Any = (0.0, 0.0, 0.0)
    up: Any = (0.0, 1.0, 0.0)

    def __post_init__(self) -> None:
        _keep_numbers(self, eye=(3,), at=(3,), up=(3,))
        eye, at, up = self.eye, self.at, self.up
        if not any(map(is_array, (eye, at, up))) and not _span_a_plane(at - eye, up):
            raise ValueError(
                "eye and at must differ, and up must not be parallel to the line between them, "
                f"got eye={eye.tolist()}, at={at.tolist()}, up={up.tolist()}"
            )

    def view_matrix(self, like: Array) -> Array:
        """See `Pose.view_matrix`."""
        arrays = _arrays(self, like, eye=(3,), at=(3,), up=(3,))
        return _matrices(look_kernel(dtype_of(like), at_point=True), arrays, like)


@dataclass(frozen=True)
class Look:
    """Poses of cameras that look in a direction.

    Attributes:
        eye: Where the camera is, in the world, (B or 1, 3).
        direction: Where it looks, (B or 1, 3), of any length but 0.
        up: The direction that is up in the image, (B or 1, 3). Not parallel to ``direction``.

    Raises:
        ValueError: If plain numbers are not finite, or break a rule above.
    """

    eye: Any
    direction: Any
    up: Any = (0.0, 1.0, 0.0)

    def __post_init__(self) -> None:
        _keep_numbers(self, eye=(3,), direction=(3,), up=(3,))
        direction, up = self.direction, self.up
        if not any(map(is_array, (direction, up))) and not _span_a_plane(direction, up):
            raise ValueError(
                "direction must not be zero, and up must not be parallel to it, "
                f"got direction={direction.tolist()}, up={up.tolist()}"
            )

    def view_matrix(self, like: Array) -> Array:
        """See `Pose.view_matrix`."""
        arrays = _arrays(self, like, eye=(3,), direction=(3,), up=(3,))
        return _matrices(look_kernel(dtype_of(like), at_point=False), arrays, like)


@dataclass(frozen=True)
class Extrinsics:
    """Poses as OpenCV and COLMAP give them: a point is at ``rotation @ point + translation``.

    There x is right, y *down* and z forward.

    Attributes:
        rotation: From the world to OpenCV's frame of the camera, (B or 1, 3, 3).
        translation: Where the origin of the world is in that frame, (B or 1, 3).

    Raises:
        ValueError: If plain numbers are not finite, or no rotation.
    """

    rotation: Any
    translation: Any = (0.0, 0.0, 0.0)

    def __post_init__(self) -> None:
        _keep_numbers(self, rotation=(3, 3), translation=(3,))
        if not is_array(self.rotation):
            product = self.rotation @ np.swapaxes(self.rotation, 1, 2)
            error = np.abs(product - np.eye(3)).max(initial=0.0)
            if error > LARGEST_ROTATION_ERROR or not (np.linalg.det(self.rotation) > 0).all():
                raise ValueError(
                    "rotation must have orthonormal rows and determinant 1, "
                    f"got {self.rotation.tolist()}"
                )

    def view_matrix(self, like: Array) -> Array:
        """See `Pose.view_matrix`."""
        arrays = _arrays(self, like, rotation=(3, 3), translation=(3,))
        return _matrices(extrinsics_kernel(dtype_of(like)), arrays, like)


# --- Lenses -----------------------------------------------------------------------------------


@dataclass(frozen=True)
class Perspective:
    """Lenses given by their field of view.

    Attributes:
        fov_degrees: Vertical field of view, from the bottom to the top of the image, (B or 1,).
            Above 0, under 180.

    Raises:
        ValueError: If plain numbers are not.
    """

    fov_degrees: Any = 30.0
    orthographic: ClassVar[bool] = False

    def __post_init__(self) -> None:
        _keep_number(
            self, "fov_degrees", "above 0 and under 180", lambda fov: (fov > 0) & (fov < 180)
        )

    def projection_matrix(self, like: Array, aspect: float) -> Array:
        """See `Lens.projection_matrix`."""
        (fov_degrees,) = _arrays(self, like, fov_degrees=())
        return perspective(fov_degrees, aspect)

    def distortion_coefficients(self, like: Array) -> None:
        """There is no distortion."""


@dataclass(frozen=True)
class Orthographic:
    """Lenses that look along parallel rays.

    Attributes:
        half_height: From the middle to the top of the image, in world units, (B or 1,). Above 0.

    Raises:
        ValueError: If plain numbers are not.
    """

    half_height: Any = 1.0
    orthographic: ClassVar[bool] = True

    def __post_init__(self) -> None:
        _keep_number(self, "half_height", "finite and above 0", lambda x: (x > 0) & np.isfinite(x))

    def projection_matrix(self, like: Array, aspect: float) -> Array:
        """See `Lens.projection_matrix`."""
        arrays = _arrays(self, like, half_height=())
        return _matrices(orthographic_kernel(dtype_of(like)), arrays, like, aspect)

    def distortion_coefficients(self, like: Array) -> None:
        """There is no distortion."""


@dataclass(frozen=True)
class Intrinsics:
    """Lenses as OpenCV gives them: by an intrinsic matrix and distortion coefficients.

    Attributes:
        matrix: K = [[fx, skew, cx], [0, fy, cy], [0, 0, 1]], (B or 1, 3, 3), in pixels. The centre
            of the first pixel is at u = v = 0, v is down. Gradients reach all nine entries.
        height: Rows of the image that ``matrix`` is for. The camera may draw larger or smaller
            images of the same shape.
        width: Columns of that image.
        distortion: k1, k2, p1, p2 and k3, (B or 1, 5), or None. Vertices are moved, edges between
            them stay straight. As in OpenCV, the polynomials are taken beyond the image too, where
            strong ones may fold what is far outside back into it.

    Raises:
        TypeError: If the height or the width is no integer.
        ValueError: If they are not positive; or if plain numbers are not finite, or the matrix has
            a focal length that is not above 0, or other zeros and ones than above.

    Source:
        OpenCV, "Camera Calibration and 3D Reconstruction", ``projectPoints``.
    """

    matrix: Any
    height: int
    width: int
    distortion: Any = None
    orthographic: ClassVar[bool] = False

    def __post_init__(self) -> None:
        check_integer("height", self.height, at_least=1)
        check_integer("width", self.width, at_least=1)
        _keep_numbers(self, matrix=(3, 3))
        if self.distortion is not None:
            _keep_numbers(self, distortion=(5,))
        if not is_array(self.matrix):
            matrix = self.matrix
            focal_lengths = matrix[:, [0, 1], [0, 1]]
            fixed = np.concatenate([matrix[:, 1, 0], matrix[:, 2].ravel()])
            expected = np.concatenate([np.zeros(len(matrix)), np.tile([0, 0, 1], len(matrix))])
            if not (focal_lengths > 0).all() or not (fixed == expected).all():
                raise ValueError(
                    "matrix must be [[fx, skew, cx], [0, fy, cy], [0, 0, 1]] with fx and fy "
                    f"above 0, got {matrix.tolist()}"
                )

    def projection_matrix(self, like: Array, aspect: float) -> Array:
        """See `Lens.projection_matrix`.

        Raises:
            ValueError: If ``aspect`` is not that of the image that ``matrix`` is for.
        """
        if not math.isclose(aspect, self.width / self.height, rel_tol=1e-6):
            raise ValueError(
                f"these intrinsics are for images of {self.width} x {self.height} pixels: aspect "
                f"must be {self.width / self.height:.6g}, got {aspect:.6g}"
            )
        arrays = _arrays(self, like, matrix=(3, 3))
        kernel = intrinsics_kernel(dtype_of(like))
        return _matrices(kernel, arrays, like, float(self.height), float(self.width))

    def distortion_coefficients(self, like: Array) -> Array | None:
        """See `Lens.distortion_coefficients`."""
        return None if self.distortion is None else _arrays(self, like, distortion=(5,))[0]


# --- Cameras ----------------------------------------------------------------------------------


class _PoseAndLens:
    """A camera that has its pose and its lens from others."""

    pose: Pose
    lens: Lens

    @property
    def orthographic(self) -> bool:
        """See `Lens.orthographic`."""
        return self.lens.orthographic

    def view_matrix(self, like: Array) -> Array:
        """See `Pose.view_matrix`."""
        return self.pose.view_matrix(like)

    def projection_matrix(self, like: Array, aspect: float) -> Array:
        """See `Lens.projection_matrix`."""
        return self.lens.projection_matrix(like, aspect)

    def distortion_coefficients(self, like: Array) -> Array | None:
        """See `Lens.distortion_coefficients`."""
        return self.lens.distortion_coefficients(like)


@dataclass(frozen=True)
class PosedCamera(_PoseAndLens):
    """Cameras made of a pose and a lens: B of each, or 1 for all.

    Attributes:
        pose: `LookAt`, `Look`, `Extrinsics`, or anything else that has a view matrix.
        lens: `Perspective`, `Orthographic`, `Intrinsics`, or anything else that projects.

    Example:
        >>> camera = PosedCamera(Look(eye=(0, 0, 5), direction=(0, 0, -1)), Orthographic(2.0))
        >>> camera.orthographic
        True
    """

    pose: Pose
    lens: Lens


@dataclass(frozen=True)
class LookAtCamera(_PoseAndLens):
    """Perspective cameras that look at a point: a `LookAt` and a `Perspective` in one.

    Attributes:
        eye: Where the camera is, in the world, (B or 1, 3).
        at: What it looks at, (B or 1, 3). Not where ``eye`` is.
        up: The direction that is up in the image, (B or 1, 3). Not parallel to the line of sight.
        fov_degrees: Vertical field of view, from the bottom to the top of the image, (B or 1,).
            Above 0, under 180.

    Raises:
        ValueError: If plain numbers are not finite, or break a rule above.
    """

    eye: Any
    at: Any = (0.0, 0.0, 0.0)
    up: Any = (0.0, 1.0, 0.0)
    fov_degrees: Any = 30.0
    pose: LookAt = field(init=False, repr=False, compare=False)
    lens: Perspective = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        pose, lens = LookAt(self.eye, self.at, self.up), Perspective(self.fov_degrees)
        parts = {"pose": pose, "lens": lens}
        for name, value in (vars(pose) | vars(lens) | parts).items():
            object.__setattr__(self, name, value)


@dataclass(frozen=True)
class MatrixCamera:
    """Cameras given by their matrices.

    Attributes:
        view: World to view, (B or 1, 4, 4). The view frame is x right, y up, z forward. The last
            row is not used.
        projection: View to clip coordinates, (B or 1, 4, 4): x and y are divided by the fourth
            row's result, the third row is not used.
        orthographic: Whether that result is the same everywhere.

    Raises:
        ValueError: If plain numbers are not finite.
    """

    view: Any
    projection: Any
    orthographic: bool = False

    def __post_init__(self) -> None:
        _keep_numbers(self, view=(4, 4), projection=(4, 4))

    def view_matrix(self, like: Array) -> Array:
        """See `Pose.view_matrix`."""
        return _arrays(self, like, view=(4, 4))[0]

    def projection_matrix(self, like: Array, aspect: float) -> Array:
        """See `Lens.projection_matrix`; ``aspect`` is part of the projection already."""
        return _arrays(self, like, projection=(4, 4))[0]

    def distortion_coefficients(self, like: Array) -> None:
        """There is no distortion."""


def perspective(fov_degrees: Array, aspect: float) -> Array:
    """Make projection matrices of perspective cameras.

    Args:
        fov_degrees: Vertical fields of view, (B,), above 0 and under 180.
        aspect: Width of the image over its height.

    Returns:
        View to clip coordinates, (B, 4, 4). The third row keeps the depth.
    """
    check_array("fov_degrees", fov_degrees, ("B",))
    kernel = perspective_kernel(dtype_of(fov_degrees))
    return _matrices(kernel, (fov_degrees,), fov_degrees, aspect, math.pi / 360)


# --- From the world to NDC --------------------------------------------------------------------


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
    return _view_to_ndc(_to_view(vertices, view), lens)


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
    return _view_to_ndc(points, _lens_arrays(points, camera, aspect))


def _to_view(vertices: Array, view: Array) -> Array:
    num_items = check_items(vertices=vertices, view=view)
    return _apply_to_points(to_view_kernel, vertices, (view,), num_items)


def _lens_arrays(like: Array, camera: Lens, aspect: float) -> dict[str, Array]:
    arrays = {"projection": camera.projection_matrix(like, aspect)}
    distortion = camera.distortion_coefficients(like)
    return arrays if distortion is None else {**arrays, "distortion": distortion}


def _view_to_ndc(points: Array, lens: dict[str, Array]) -> Array:
    num_items = check_items(points=points, **lens)
    num_points = math.prod(points.shape[1:-1])
    if "distortion" in lens:
        distortion = (lens["distortion"],)
        points = _apply_to_points(distort_kernel, points, distortion, num_items, num_points)
    return _apply_to_points(to_ndc_kernel, points, (lens["projection"],), num_items, num_points)


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


# --- Orbits -----------------------------------------------------------------------------------


def orbit_eyes(distance: Any, elevation_degrees: Any, azimuth_degrees: Any) -> Any:
    """Place cameras round the origin, anywhere on spheres.

    Args:
        distance: From the origin.
        elevation_degrees: Above the plane of x and z. Beyond 90 it goes on over the pole.
        azimuth_degrees: Round the y axis: 0 is on the z axis, 90 on the x axis.

    Each is a number, several, or an array (B or 1,), which may carry a gradient.

    Returns:
        (B, 3), in the world; a right-handed one, with y up. An array if one was given, else of
        NumPy.

    Raises:
        TypeError: If arrays are of several kinds or types.
        ValueError: If numbers are not finite, or if shapes don't fit.

    Example:
        >>> orbit_eyes(2.0, 0.0, [0.0, 90.0]).round(6).tolist()
        [[0.0, 0.0, 2.0], [2.0, 0.0, 0.0]]
    """
    return _orbit(distance, elevation_degrees, azimuth_degrees, added_degrees=0.0)


def orbit_ups(elevation_degrees: Any, azimuth_degrees: Any) -> Any:
    """Give cameras of `orbit_eyes` that look at the origin their up direction.

    It is the way in which the elevation grows: at right angles to the line of sight everywhere, at
    the poles too, where the y axis can't serve.

    Args:
        elevation_degrees: As `orbit_eyes` takes it.
        azimuth_degrees: Likewise.

    Returns:
        (B, 3), of length 1.

    Example:
        >>> eye, up = orbit_eyes(2.0, 90.0, 0.0), orbit_ups(90.0, 0.0)
        >>> LookAtCamera(eye, up=up).eye.round(6).tolist()  # from straight above
        [[0.0, 2.0, 0.0]]
    """
    return _orbit(1.0, elevation_degrees, azimuth_degrees, added_degrees=90.0)


def _orbit(
    distance: Any, elevation_degrees: Any, azimuth_degrees: Any, added_degrees: float
) -> Any:
    values = {
        "distance": distance,
        "elevation_degrees": elevation_degrees,
        "azimuth_degrees": azimuth_degrees,
    }
    values = {
        name: value if is_array(value) else _as_numbers(name, value, ())
        for name, value in values.items()
    }
    like = next(filter(is_array, values.values()), None)
    if like is None:
        distances, elevations, azimuths = np.broadcast_arrays(*values.values())
        elevations, azimuths = np.radians(elevations + added_degrees), np.radians(azimuths)
        flat = np.cos(elevations)
        places = [flat * np.sin(azimuths), np.sin(elevations), flat * np.cos(azimuths)]
        return distances[:, None] * np.stack(places, axis=1)
    dtype = dtype_of(like)
    arrays = {name: array_like(value, like) for name, value in values.items()}
    for name, array in arrays.items():
        check_array(name, array, ("B or 1",), dtype)
    constants = (added_degrees, math.pi / 180)
    num_items = check_items(**arrays)
    operator = KernelOperator(orbit_kernel(dtype), dtype, ((num_items, 3),), constants)
    (eyes,) = apply(operator, [unshare(array, num_items) for array in arrays.values()])
    return eyes


# --- Attributes: numbers or arrays ------------------------------------------------------------


def _keep_numbers(options: object, **shapes: tuple[int, ...]) -> None:
    """Turn those attributes of a frozen dataclass that are plain numbers into NumPy's, checked."""
    for name, shape in shapes.items():
        value = getattr(options, name)
        if not is_array(value):
            object.__setattr__(options, name, _as_numbers(name, value, shape))


def _keep_number(
    options: object, name: str, rule: str, keeps: Callable[[np.ndarray], np.ndarray]
) -> None:
    """Likewise for an attribute that is one number a camera, and keeps a rule."""
    value = getattr(options, name)
    if not is_array(value):
        numbers = np.atleast_1d(np.asarray(value, dtype=float))
        if numbers.ndim != 1 or not keeps(numbers).all():
            raise ValueError(f"{name} must be {rule}, got {value!r}")
        object.__setattr__(options, name, numbers)


def _as_numbers(name: str, value: Any, shape: tuple[int, ...]) -> np.ndarray:
    """Turn plain numbers into (B, *shape)."""
    numbers = np.asarray(value, dtype=float)
    if numbers.ndim == len(shape):
        numbers = numbers[None]
    if (
        numbers.shape[1:] != shape
        or numbers.ndim != len(shape) + 1
        or not np.isfinite(numbers).all()
    ):
        count = " x ".join(map(str, shape)) or "1"
        batch = ", ".join(["B", *map(str, shape)])
        raise ValueError(
            f"{name} must be {count} finite numbers, or ({batch}) of them, got {value!r}"
        )
    return numbers


def _arrays(options: object, like: Array, **shapes: tuple[int, ...]) -> list[Array]:
    """Take attributes as arrays of the framework and type of another; check their shapes."""
    arrays = []
    for name, shape in shapes.items():
        array = array_like(getattr(options, name), like)
        check_array(name, array, ("B or 1", *shape), dtype_of(like))
        arrays.append(array)
    check_items(**dict(zip(shapes, arrays)))
    return arrays


def _matrices(kernel: Callable[..., None], arrays: Any, like: Array, *constants: float) -> Array:
    """Run a kernel that makes a 4 x 4 matrix for each item of its arrays, whose sizes fit."""
    num_items = max(array.shape[0] for array in arrays)
    operator = KernelOperator(kernel, dtype_of(like), ((num_items, 4, 4),), constants)
    (matrices,) = apply(operator, [unshare(array, num_items) for array in arrays])
    return matrices


def _span_a_plane(u: np.ndarray, v: np.ndarray) -> bool:
    """Tell whether neither of two directions is zero, nor one parallel to the other."""
    sideways = np.linalg.norm(np.cross(u, v), axis=1)
    lengths = np.linalg.norm(u, axis=1) * np.linalg.norm(v, axis=1)
    return bool((sideways > 1e-6 * lengths).all())
