"""Cameras of other programs, and ours for them: COLMAP, OpenCV, OpenGL and PyTorch3D (from 0.6 on).

`Extrinsics` and `Intrinsics` take OpenCV's numbers as they are; the others are converted here.
Numbers become NumPy's, in float64. Tensors become tensors, through which gradients flow; their
numbers are not looked into, but where a function says so. Taichi ndarrays count as numbers: their
gradients end here. The first dimension, B, may be left out going in.

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

from typing import Any

import numpy as np

from taichi_softras.arrays.bridge import array_like, is_tensor, namespace_of
from taichi_softras.arrays.conversion import arrays_in
from taichi_softras.arrays.operator import Array
from taichi_softras.arrays.taichi_bridge import from_numpy
from taichi_softras.cameras._numbers import Numbers, beside, rows, taken, times, to_numpy
from taichi_softras.cameras.camera import Camera, MatrixCamera, PosedCamera
from taichi_softras.cameras.intrinsics import Fisheye, Intrinsics
from taichi_softras.cameras.poses import Extrinsics
from taichi_softras.cameras.quaternions import quaternion_from_rotation, rotation_from_quaternion

COLMAP_PIXEL_CENTER = np.array([[0, 0, 0.5], [0, 0, 0.5], [0, 0, 0]])
"""Where COLMAP has the centre of the first pixel, as part of an intrinsic matrix; OpenCV has it at
0."""

FLIP_Y = np.diag([1.0, -1.0, 1.0, 1.0])
FLIP_Z = np.diag([1.0, 1.0, -1.0, 1.0])
FLIP_X = np.diag([-1.0, 1.0, 1.0, 1.0])


# --- OpenCV and COLMAP ------------------------------------------------------------------------


def camera_to_opencv(
    camera: Camera, height: int, width: int
) -> tuple[Numbers, Numbers, Numbers, Numbers | None]:
    """Describe cameras as OpenCV does.

    Args:
        camera: Perspective cameras. A GPU is waited for, to see whether they are.
        height: Rows of the image.
        width: Columns of the image.

    Returns:
        Rotation (B, 3, 3) and translation (B, 3) from the world to the camera, intrinsic matrix K
        (B or 1, 3, 3) in pixels, and the distortion (B or 1, N) or None: for ``cv2``, or for
        ``cv2.fisheye`` if the lens is a `Fisheye`.

    Raises:
        ValueError: If K can't describe the projection.

    Examples:
        >>> import taichi_softras as sr
        >>> camera = sr.LookAtCamera(eye=(0, 0, 3), fov_degrees=90)
        >>> rotation, translation, matrix, distortion = sr.camera_to_opencv(camera, 100, 100)
        >>> matrix[0].round(3).tolist(), distortion
        ([[50.0, 0.0, 49.5], [0.0, 50.0, 49.5], [0.0, 0.0, 1.0]], None)
    """
    like = _example(camera)
    view = times(FLIP_Y, camera.view_matrix(like))
    projection = times(camera.projection_matrix(like, width / height), FLIP_Y)
    w = projection[:, 3]
    u = (width * (projection[:, 0] + w) - w) / 2
    v = (height * (w - projection[:, 1]) - w) / 2
    matrix = namespace_of(w).stack([u, v, w], 1)
    looked_at = to_numpy(matrix)
    if (
        not np.allclose(looked_at[:, :, 3], 0)
        or not np.allclose(looked_at[:, 2, :2], 0)
        or not (looked_at[:, 2, 2] > 0).all()
    ):
        raise ValueError("camera must be a perspective one, to have OpenCV's intrinsic matrix")
    distortion = camera.distortion_coefficients(like)
    return (
        view[:, :3, :3],
        view[:, :3, 3],
        matrix[:, :, :3] / matrix[:, 2:, 2:3],
        None if distortion is None else taken(distortion),
    )


def camera_from_colmap(
    quaternion: Any,
    translation: Any,
    matrix: Any,
    height: int,
    width: int,
    distortion: Any = None,
    *,
    fisheye: bool = False,
) -> PosedCamera:
    """Make cameras of what COLMAP writes into its files.

    Args:
        quaternion: QW, QX, QY, QZ of ``images.txt``, (4,) or (B, 4).
        translation: TX, TY, TZ there, (3,) or (B, 3).
        matrix: [[fx, 0, cx], [0, fy, cy], [0, 0, 1]] from ``cameras.txt``, (3, 3) or (B, 3, 3).
        height: Rows of the image.
        width: Columns of the image.
        distortion: Coefficients, (N,) or (B, N), or None: k1, k2, p1 and p2 of the model
            ``OPENCV``, with k3 to k6 for ``FULL_OPENCV``, k1 to k4 for ``OPENCV_FISHEYE``.
        fisheye: Whether the model is ``OPENCV_FISHEYE``.

    Raises:
        TypeError: If the height or the width is no integer, or a tensor of no floats.
        ValueError: If numbers are of another shape or not finite, or make no camera.

    Examples:
        >>> import taichi_softras as sr
        >>> matrix = [[500, 0, 320], [0, 500, 240], [0, 0, 1]]
        >>> camera = sr.camera_from_colmap((1, 0, 0, 0), (0, 0, 5), matrix, height=480, width=640)
        >>> camera.lens.matrix[0, :2, 2].tolist()  # OpenCV counts pixels from half a pixel further
        [319.5, 239.5]
    """
    matrix = rows("matrix", matrix, 3, 3)
    matrix = matrix - matrix[:, 2:, 2:] * beside(matrix, COLMAP_PIXEL_CENTER)
    lens: Intrinsics | Fisheye
    if fisheye:
        lens = Fisheye(matrix, height, width, np.zeros(4) if distortion is None else distortion)
    else:
        lens = Intrinsics(matrix, height, width, distortion)
    rotation, translation = (
        rotation_from_quaternion(quaternion),
        rows("translation", translation, 3),
    )
    return PosedCamera(Extrinsics(rotation, translation), lens)


def camera_to_colmap(
    camera: Camera, height: int, width: int
) -> tuple[Numbers, Numbers, Numbers, Numbers | None]:
    """Describe cameras as COLMAP does: see `camera_from_colmap`. A GPU is waited for.

    Returns:
        Quaternion (B, 4), translation (B, 3), matrix (B or 1, 3, 3), and the distortion (B or 1, N)
        or None.

    Raises:
        ValueError: If a matrix can't describe the projection.

    Examples:
        >>> import taichi_softras as sr
        >>> camera = sr.LookAtCamera(eye=(0, 0, 3), fov_degrees=90)
        >>> quaternion, translation, matrix, _ = sr.camera_to_colmap(camera, 100, 100)
        >>> matrix[0].round(3).tolist()
        [[50.0, 0.0, 50.0], [0.0, 50.0, 50.0], [0.0, 0.0, 1.0]]
    """
    rotation, translation, matrix, distortion = camera_to_opencv(camera, height, width)
    matrix = matrix + beside(matrix, COLMAP_PIXEL_CENTER)
    return quaternion_from_rotation(rotation), translation, matrix, distortion


# --- OpenGL -----------------------------------------------------------------------------------


def camera_from_opengl(
    modelview: Any, projection: Any, *, orthographic: bool | None = None
) -> MatrixCamera:
    """Make cameras of OpenGL's matrices, which multiply columns.

    Args:
        modelview: From the world to a frame that looks down -z, (4, 4) or (B, 4, 4).
        projection: From there to clip coordinates, (4, 4) or (B, 4, 4). Its third row, which holds
            the near and far planes, is not used: `RasterizerSettings` has them.
        orthographic: Whether rays are parallel. None looks at the projection, for which a GPU is
            waited.

    Raises:
        TypeError: If a tensor is of another type than float32 or float64.
        ValueError: If numbers are of another shape or not finite, or only some cameras are
            orthographic.

    Examples:
        >>> import numpy as np, taichi_softras as sr
        >>> modelview = np.eye(4)
        >>> modelview[2, 3] = -5  # five units in front of the camera, which looks down -z
        >>> projection = np.array([[2, 0, 0, 0], [0, 2, 0, 0], [0, 0, -1, -1], [0, 0, -1, 0]])
        >>> camera = sr.camera_from_opengl(modelview, projection)
        >>> origin = sr.from_numpy(np.float32([[[0, 0, 0]]]))
        >>> sr.project(origin, camera, aspect=1.0).to_numpy()
        array([[[0., 0., 5.]]], dtype=float32)
    """
    projection = times(rows("projection", projection, 4, 4), FLIP_Z)
    if orthographic is None:
        kinds = set((to_numpy(projection)[:, 3, :3] == 0).all(axis=1).tolist())
        if len(kinds) > 1:
            raise ValueError("projection must be orthographic in all items or in none")
        orthographic = kinds == {True}
    view = times(FLIP_Z, rows("modelview", modelview, 4, 4))
    return MatrixCamera(view, projection, orthographic)


def camera_to_opengl(
    camera: Camera, aspect: float, near: float, far: float
) -> tuple[Numbers, Numbers]:
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

    Examples:
        >>> import taichi_softras as sr
        >>> camera = sr.LookAtCamera(eye=(0, 0, 5))
        >>> modelview, projection = sr.camera_to_opengl(camera, aspect=1.0, near=1.0, far=10.0)
        >>> modelview[0, 2].tolist()
        [0.0, 0.0, 1.0, -5.0]
    """
    if not 0 < near < far:
        raise ValueError(f"need 0 < near < far, got near={near}, far={far}")
    like = _without_distortion(camera, "OpenGL's matrices")
    x, y, _, w = (taken(camera.projection_matrix(like, aspect))[:, row] for row in range(4))
    # Depth z becomes what, divided by w, is -1 at near and 1 at far. Affine in z, as OpenGL wants.
    w_near, w_far = (w[:, 2] * z + w[:, 3] for z in (near, far))
    slope = (w_far + w_near) / (far - near)
    xp = namespace_of(w)
    z = xp.stack([0 * slope, 0 * slope, slope, -w_near - slope * near], -1)
    projection = xp.stack([x, y, z, w], 1)
    return times(FLIP_Z, camera.view_matrix(like)), times(projection, FLIP_Z)


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
        focal_length: One number for all cameras; or one for each, (B,) or (B, 1); or those of x and
            y, (B, 2). Only beside a single ``rotation`` (3, 3) does (2,) stand for x and y.
        principal_point: x and y, (2,) or (B, 2).
        height: Rows of the image.
        width: Columns of the image.
        in_ndc: Whether the two above are in NDC, or in pixels (screen space).
        orthographic: Whether they are of ``OrthographicCameras``, or of ``PerspectiveCameras``.

    Raises:
        TypeError: If a tensor is of another type than float32 or float64.
        ValueError: If numbers are of another shape or not finite.

    Examples:
        >>> import numpy as np, taichi_softras as sr
        >>> R, T = np.diag([-1.0, 1.0, -1.0]), (0, 0, 3)  # look_at_view_transform(3, 0, 0)
        >>> camera = sr.camera_from_pytorch3d(R, T, 2.0, (0, 0), height=64, width=64)
        >>> sr.project(sr.from_numpy(np.float32([[[1, 0, 0]]])), camera, 1.0).to_numpy()[0, 0, 2]
        np.float32(3.0)
    """
    one_camera = len(np.shape(rotation)) == 2
    given = (rotation, translation, focal_length, principal_point)
    like = next(filter(is_tensor, given), None)
    if like is not None:
        given = tuple(array_like(taken(x), like) for x in given)
    rotation, translation = rows("rotation", given[0], 3, 3), rows("translation", given[1], 3)
    focal_length = _focal_lengths(given[2], one_camera=one_camera)
    principal_point = rows("principal_point", given[3], 2)
    size, shorter = beside(rotation, np.array([width, height])), min(width, height)
    if not in_ndc:
        focal_length = focal_length * 2 / shorter
        principal_point = (size / 2 - principal_point) * 2 / shorter
    num_cameras = max(len(rotation), len(translation))
    view = beside(rotation, np.tile(np.eye(4), (num_cameras, 1, 1)))
    view[:, :3, :3] = rotation.swapaxes(1, 2)
    view[:, :3, 3] = translation
    num_lenses = max(len(focal_length), len(principal_point))
    projection = beside(rotation, np.zeros((num_lenses, 4, 4)))
    constant = 3 if orthographic else 2  # the column of what isn't divided by depth in the end
    projection[:, [0, 1], [0, 1]] = focal_length * shorter / size
    projection[:, :2, constant] = principal_point * shorter / size
    projection[:, 2, 2] = projection[:, 3, constant] = 1
    return MatrixCamera(times(FLIP_X, view), times(times(FLIP_X, projection), FLIP_X), orthographic)


def camera_to_pytorch3d(
    camera: Camera, height: int, width: int, *, in_ndc: bool = True
) -> tuple[Numbers, Numbers, Numbers, Numbers]:
    """Describe cameras by the attributes of PyTorch3D's: see `camera_from_pytorch3d`.

    A GPU is waited for, to see whether there is skew.

    Returns:
        R (B, 3, 3), T (B, 3), focal lengths (B or 1, 2) and principal points (B or 1, 2).

    Raises:
        ValueError: If the camera distorts or has skew.

    Examples:
        >>> import taichi_softras as sr
        >>> camera = sr.LookAtCamera(eye=(0, 0, 3), fov_degrees=90)
        >>> R, T, focal_length, principal_point = sr.camera_to_pytorch3d(camera, 64, 64)
        >>> focal_length.round(6).tolist(), T.tolist()
        ([[1.0, 1.0]], [[0.0, 0.0, 3.0]])
    """
    like = _without_distortion(camera, "PyTorch3D's attributes")
    view = times(FLIP_X, camera.view_matrix(like))
    projection = times(FLIP_X, times(camera.projection_matrix(like, width / height), FLIP_X))
    constant = 3 if camera.orthographic else 2
    projection = projection / projection[:, 3:, constant, None]
    plain = np.zeros((4, 4), dtype=bool)
    plain[[0, 1], [0, 1]] = plain[:2, constant] = plain[2] = plain[3, constant] = True
    if not np.allclose(to_numpy(projection)[:, ~plain], 0):
        raise ValueError("camera must have no skew, to have PyTorch3D's attributes")
    size, shorter = beside(projection, np.array([width, height])), min(width, height)
    focal_length = projection[:, [0, 1], [0, 1]] * size / shorter
    principal_point = projection[:, :2, constant] * size / shorter
    if not in_ndc:
        focal_length = focal_length * shorter / 2
        principal_point = size / 2 - principal_point * shorter / 2
    return view[:, :3, :3].swapaxes(1, 2), view[:, :3, 3], focal_length, principal_point


def _focal_lengths(value: Any, *, one_camera: bool) -> Numbers:
    """Read focal lengths as PyTorch3D does: (B, 2). Those of one camera may be x and y."""
    numbers = value if is_tensor(value) else np.asarray(taken(value), dtype=float)
    if numbers.ndim == 0 or (numbers.ndim == 1 and not one_camera):
        numbers = numbers.reshape(-1, 1)
    if numbers.shape[-1:] == (1,):
        numbers = namespace_of(numbers).concatenate([numbers, numbers], -1)
    return rows("focal_length", numbers, 2)


# --- Cameras of arrays ------------------------------------------------------------------------


def _example(camera: object) -> Array:
    """Find an array of the kind that a camera is made of; any kind does for one of numbers."""
    array = next(arrays_in(camera), None)
    return from_numpy(np.zeros(1)) if array is None else array


def _without_distortion(camera: Camera, what: str) -> Array:
    like = _example(camera)
    if camera.distortion_coefficients(like) is not None:
        raise ValueError(f"camera must have no distortion, to have {what}")
    return like
