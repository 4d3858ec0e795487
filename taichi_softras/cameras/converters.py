"""Cameras of other programs, and ours for them: COLMAP, OpenCV, OpenGL and PyTorch3D (from 0.6 on).

`Extrinsics` and `Intrinsics` take OpenCV's numbers as they are; the others are converted here.
Everything is numbers in and out, in float64. The first dimension, B, may be left out going in.

=========  =======================  ==================  ============================================
program    view frame               image               centre of the first pixel
=========  =======================  ==================  ============================================
ours       right, up, z forward     -1 to 1, y up       x = 1 / width - 1, y = 1 - 1 / height
OpenCV     right, down, z forward   pixels, y down      (0, 0)
COLMAP     as OpenCV                pixels, y down      (0.5, 0.5)
OpenGL     right, up, z backward    -1 to 1, y up       as ours
PyTorch3D  left, up, z forward      shorter side -1 to  (0.5, 0.5) in screen space, where x is right
                                    1, x left, y up     and y down
=========  =======================  ==================  ============================================
"""

from collections.abc import Iterator
from dataclasses import fields, is_dataclass
from typing import Any

import numpy as np

from taichi_softras.arrays.bridge import is_array, is_tensor
from taichi_softras.arrays.operator import Array
from taichi_softras.arrays.taichi_bridge import from_numpy
from taichi_softras.cameras.camera import Camera, MatrixCamera, PosedCamera
from taichi_softras.cameras.lenses import Intrinsics
from taichi_softras.cameras.poses import Extrinsics

COLMAP_PIXEL_CENTER = 0.5
"""Where COLMAP has the centre of the first pixel; OpenCV has it at 0."""

FLIP_Y = np.diag([1.0, -1.0, 1.0, 1.0])
FLIP_Z = np.diag([1.0, 1.0, -1.0, 1.0])
FLIP_X = np.diag([-1.0, 1.0, 1.0, 1.0])


# --- OpenCV and COLMAP ------------------------------------------------------------------------


def camera_to_opencv(
    camera: Camera, height: int, width: int
) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray | None]:
    """Describe cameras as OpenCV does.

    Args:
        camera: Perspective cameras.
        height: Rows of the image.
        width: Columns of the image.

    Returns:
        Rotation (B, 3, 3) and translation (B, 3) from the world to the camera, intrinsic matrix K
        (B or 1, 3, 3) in pixels, and the distortion (B or 1, 5) or None.

    Raises:
        ValueError: If K can't describe the projection.
    """
    like = _example(camera)
    view = FLIP_Y @ _numpy(camera.view_matrix(like))
    projection = _numpy(camera.projection_matrix(like, width / height)) @ FLIP_Y
    w = projection[:, 3]
    u = (width * (projection[:, 0] + w) - w) / 2
    v = (height * (w - projection[:, 1]) - w) / 2
    matrix = np.stack([u, v, w], axis=1)
    if not np.allclose(matrix[:, :, 3], 0) or not np.allclose(w[:, :2], 0) or (w[:, 2] <= 0).any():
        raise ValueError("camera must be a perspective one, to have OpenCV's intrinsic matrix")
    distortion = camera.distortion_coefficients(like)
    return (
        view[:, :3, :3],
        view[:, :3, 3],
        matrix[:, :, :3] / matrix[:, 2:, 2:3],
        None if distortion is None else _numpy(distortion),
    )


def camera_from_colmap(
    quaternion: Any,
    translation: Any,
    matrix: Any,
    height: int,
    width: int,
    distortion: Any = None,
) -> PosedCamera:
    """Make cameras of what COLMAP writes into its files.

    Args:
        quaternion: QW, QX, QY, QZ of ``images.txt``, (4,) or (B, 4).
        translation: TX, TY, TZ there, (3,) or (B, 3).
        matrix: [[fx, 0, cx], [0, fy, cy], [0, 0, 1]] from ``cameras.txt``, (3, 3) or (B, 3, 3).
        height: Rows of the image.
        width: Columns of the image.
        distortion: k1, k2, p1, p2 and k3, (5,) or (B, 5), or None.

    Raises:
        TypeError: If the height or the width is no integer.
        ValueError: If numbers are of another shape or not finite, or make no camera.
    """
    offset = np.zeros((3, 3))
    offset[:2, 2] = COLMAP_PIXEL_CENTER
    return PosedCamera(
        Extrinsics(rotation_from_quaternion(quaternion), translation),
        Intrinsics(_rows("matrix", matrix, 3, 3) - offset, height, width, distortion),
    )


def camera_to_colmap(
    camera: Camera, height: int, width: int
) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray | None]:
    """Describe cameras as COLMAP does: see `camera_from_colmap`.

    Returns:
        Quaternion (B, 4), translation (B, 3), matrix (B or 1, 3, 3), and the distortion (B or 1,
        5) or None.

    Raises:
        ValueError: If a matrix can't describe the projection.
    """
    rotation, translation, matrix, distortion = camera_to_opencv(camera, height, width)
    matrix[:, :2, 2] += COLMAP_PIXEL_CENTER
    return quaternion_from_rotation(rotation), translation, matrix, distortion


def rotation_from_quaternion(quaternion: Any) -> np.ndarray:
    """Turn quaternions w, x, y, z, of any length but 0, (4,) or (B, 4), into (B, 3, 3).

    Raises:
        ValueError: If numbers are of another shape or not finite, or all 0.
    """
    quaternion = _rows("quaternion", quaternion, 4)
    lengths = np.linalg.norm(quaternion, axis=1, keepdims=True)
    if (lengths == 0).any():
        raise ValueError(f"quaternion must not be zero, got {quaternion.tolist()}")
    w, x, y, z = (quaternion / lengths).T
    rows = [
        [1 - 2 * (y * y + z * z), 2 * (x * y - w * z), 2 * (x * z + w * y)],
        [2 * (x * y + w * z), 1 - 2 * (x * x + z * z), 2 * (y * z - w * x)],
        [2 * (x * z - w * y), 2 * (y * z + w * x), 1 - 2 * (x * x + y * y)],
    ]
    return np.moveaxis(np.array(rows), 2, 0)


def quaternion_from_rotation(rotation: Any) -> np.ndarray:
    """Turn rotations, (3, 3) or (B, 3, 3), into unit quaternions w, x, y, z, (B, 4), w >= 0.

    Raises:
        ValueError: If numbers are of another shape or not finite.
    """
    (a, b, c), (d, e, f), (g, h, i) = np.moveaxis(_rows("rotation", rotation, 3, 3), 0, 2)
    # Four times the outer product of the quaternion with itself. Every row is the quaternion times
    # one of its numbers: take the longest.
    products = np.array(
        [
            [1 + a + e + i, h - f, c - g, d - b],
            [h - f, 1 + a - e - i, b + d, c + g],
            [c - g, b + d, 1 - a + e - i, f + h],
            [d - b, c + g, f + h, 1 - a - e + i],
        ]
    )
    longest = np.argmax(np.einsum("iib->bi", products), axis=1)
    rows = products[longest, :, np.arange(len(longest))]
    rows = rows / np.linalg.norm(rows, axis=1, keepdims=True)
    upright: np.ndarray = np.where(rows[:, :1] < 0, -rows, rows)
    return upright


# --- OpenGL -----------------------------------------------------------------------------------


def camera_from_opengl(modelview: Any, projection: Any) -> MatrixCamera:
    """Make cameras of OpenGL's matrices, which multiply columns.

    Args:
        modelview: From the world to a frame that looks down -z, (4, 4) or (B, 4, 4).
        projection: From there to clip coordinates, (4, 4) or (B, 4, 4). Its third row, which holds
            the near and far planes, is not used: `RasterizerSettings` has them.

    Raises:
        ValueError: If numbers are of another shape or not finite, or only some cameras are
            orthographic.
    """
    projection = _rows("projection", projection, 4, 4) @ FLIP_Z
    orthographic = (projection[:, 3, :3] == 0).all(axis=1)
    if len(set(orthographic)) > 1:
        raise ValueError("projection must be orthographic in all items or in none")
    return MatrixCamera(
        FLIP_Z @ _rows("modelview", modelview, 4, 4), projection, bool(orthographic[0])
    )


def camera_to_opengl(
    camera: Camera, aspect: float, near: float, far: float
) -> tuple[np.ndarray, np.ndarray]:
    """Describe cameras by OpenGL's matrices: see `camera_from_opengl`.

    Args:
        camera: Cameras without distortion.
        aspect: Width of the image over its height.
        near: Depth of the plane that gets NDC z = -1.
        far: Depth of the plane that gets NDC z = 1.

    Returns:
        The modelview matrices (B, 4, 4), and the projections (B or 1, 4, 4).

    Raises:
        ValueError: If the camera distorts, or not 0 < near < far.
    """
    if not 0 < near < far:
        raise ValueError(f"need 0 < near < far, got near={near}, far={far}")
    like = _without_distortion(camera, "OpenGL's matrices")
    projection = _numpy(camera.projection_matrix(like, aspect)).copy()
    # Depth z becomes what, divided by w, is -1 at near and 1 at far. Affine in z, as OpenGL wants.
    w_near, w_far = (projection[:, 3, 2] * z + projection[:, 3, 3] for z in (near, far))
    slope = (w_far + w_near) / (far - near)
    projection[:, 2] = 0
    projection[:, 2, 2] = slope
    projection[:, 2, 3] = -w_near - slope * near
    return FLIP_Z @ _numpy(camera.view_matrix(like)), projection @ FLIP_Z


# --- PyTorch3D --------------------------------------------------------------------------------


def camera_from_pytorch3d(
    rotation: Any,
    translation: Any,
    focal_length: Any,
    principal_point: Any,
    height: int,
    width: int,
    *,
    in_ndc: bool = True,
    orthographic: bool = False,
) -> MatrixCamera:
    """Make cameras of the attributes of PyTorch3D's.

    Args:
        rotation: R of ``x @ R + T``, (3, 3) or (B, 3, 3).
        translation: T, (3,) or (B, 3).
        focal_length: Of x and y, (2,) or (B, 2).
        principal_point: x and y, (2,) or (B, 2).
        height: Rows of the image.
        width: Columns of the image.
        in_ndc: Whether the two above are in NDC, or in pixels (screen space).
        orthographic: Whether they are of ``OrthographicCameras``, or of ``PerspectiveCameras``.

    Raises:
        ValueError: If numbers are of another shape or not finite.
    """
    rotation, translation = _rows("rotation", rotation, 3, 3), _rows("translation", translation, 3)
    focal_length = _rows("focal_length", focal_length, 2)
    principal_point = _rows("principal_point", principal_point, 2)
    size, shorter = np.array([width, height]), min(width, height)
    if not in_ndc:
        focal_length = focal_length * 2 / shorter
        principal_point = (size / 2 - principal_point) * 2 / shorter
    num_cameras = max(len(rotation), len(translation))
    view = np.tile(np.eye(4), (num_cameras, 1, 1))
    view[:, :3, :3] = np.swapaxes(rotation, 1, 2)
    view[:, :3, 3] = translation
    projection = np.zeros((max(len(focal_length), len(principal_point)), 4, 4))
    constant = 3 if orthographic else 2  # the column of what isn't divided by depth in the end
    projection[:, [0, 1], [0, 1]] = focal_length * shorter / size
    projection[:, :2, constant] = principal_point * shorter / size
    projection[:, 2, 2] = projection[:, 3, constant] = 1
    return MatrixCamera(FLIP_X @ view, FLIP_X @ projection @ FLIP_X, orthographic)


def camera_to_pytorch3d(
    camera: Camera, height: int, width: int, *, in_ndc: bool = True
) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Describe cameras by the attributes of PyTorch3D's: see `camera_from_pytorch3d`.

    Returns:
        R (B, 3, 3), T (B, 3), focal lengths (B or 1, 2) and principal points (B or 1, 2).

    Raises:
        ValueError: If the camera distorts or has skew.
    """
    like = _without_distortion(camera, "PyTorch3D's attributes")
    view = FLIP_X @ _numpy(camera.view_matrix(like))
    projection = FLIP_X @ _numpy(camera.projection_matrix(like, width / height)) @ FLIP_X
    constant = 3 if camera.orthographic else 2
    projection = projection / projection[:, 3:, constant, None]
    plain = np.zeros((4, 4), dtype=bool)
    plain[[0, 1], [0, 1]] = plain[:2, constant] = plain[2] = plain[3, constant] = True
    if not np.allclose(projection[:, ~plain], 0):
        raise ValueError("camera must have no skew, to have PyTorch3D's attributes")
    size, shorter = np.array([width, height]), min(width, height)
    focal_length = projection[:, [0, 1], [0, 1]] * size / shorter
    principal_point = projection[:, :2, constant] * size / shorter
    if not in_ndc:
        focal_length = focal_length * shorter / 2
        principal_point = size / 2 - principal_point * shorter / 2
    rotation = np.swapaxes(view[:, :3, :3], 1, 2)
    return rotation, view[:, :3, 3], focal_length, principal_point


# --- Numbers ----------------------------------------------------------------------------------


def _rows(name: str, value: Any, *shape: int) -> np.ndarray:
    """Turn numbers, of NumPy or of a tensor or ndarray, into (B, *shape)."""
    numbers = np.asarray(_numpy(value) if is_array(value) else value, dtype=float)
    if numbers.ndim == len(shape):
        numbers = numbers[None]
    if (
        numbers.ndim != len(shape) + 1
        or numbers.shape[1:] != shape
        or not np.isfinite(numbers).all()
    ):
        wanted = ", ".join(map(str, shape))
        raise ValueError(
            f"{name} must be finite numbers of shape ({wanted}) or (B, {wanted}), got {value!r}"
        )
    return numbers


def _numpy(array: Array) -> np.ndarray:
    if is_tensor(array):
        array = array.detach().cpu().numpy()
    elif is_array(array):
        array = array.to_numpy()
    return np.asarray(array, dtype=float)


def _example(camera: object) -> Array:
    """Find an array of the kind that a camera is made of; any kind does for one of numbers."""
    array = next(_arrays_of(camera), None)
    return from_numpy(np.zeros(1)) if array is None else array


def _arrays_of(options: Any) -> Iterator[Array]:
    for part in fields(options) if is_dataclass(options) else ():
        value = getattr(options, part.name)
        if is_array(value):
            yield value
        else:
            yield from _arrays_of(value)


def _without_distortion(camera: Camera, what: str) -> Array:
    like = _example(camera)
    if camera.distortion_coefficients(like) is not None:
        raise ValueError(f"camera must have no distortion, to have {what}")
    return like
