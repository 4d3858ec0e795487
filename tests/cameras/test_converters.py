"""Cameras of other programs against their textbook formulas, written out here."""

import numpy as np
import pytest
import torch

import taichi_softras as sr

HEIGHT, WIDTH = 48, 80
WORLD = np.random.default_rng(3).uniform(-1, 1, (20, 3))
EYES = np.array([[1.0, 2, 6], [-4, 1, 5], [0, -5, 3]])
LENSES = {
    "perspective": sr.Perspective([40.0, 50, 60]),
    "intrinsics": sr.Intrinsics([[70.0, 0, 35], [0, 65, 25], [0, 0, 1]], HEIGHT, WIDTH),
    "orthographic": sr.Orthographic([2.0, 3, 4]),
}


def camera_of(lens):
    return sr.PosedCamera(sr.LookAt(EYES, up=(0.1, 1, 0.2)), LENSES[lens])


def pixels_of(camera):
    """Where our camera sees the points: columns and rows, (B, V, 2), with the first centre at 0."""
    ndc = sr.project(torch.tensor(WORLD)[None], camera, WIDTH / HEIGHT).numpy()
    assert (ndc[..., 2] > 0).all()
    return np.stack([((ndc[..., 0] + 1) * WIDTH - 1) / 2, ((1 - ndc[..., 1]) * HEIGHT - 1) / 2], -1)


def rotation_about(axis, degrees):
    """Rodrigues's formula."""
    x, y, z = np.asarray(axis) / np.linalg.norm(axis)
    cross = np.array([[0, -z, y], [z, 0, -x], [-y, x, 0]])
    angle = np.radians(degrees)
    return np.eye(3) + np.sin(angle) * cross + (1 - np.cos(angle)) * cross @ cross


# --- Formulas of the others -------------------------------------------------------------------


def opencv_pixels(rotation, translation, matrix, distortion=None):
    """As documented for ``cv2.projectPoints``."""
    camera = WORLD @ rotation.T + translation
    x, y = camera[:, 0] / camera[:, 2], camera[:, 1] / camera[:, 2]
    if distortion is not None:
        k1, k2, p1, p2, k3 = distortion
        r2 = x**2 + y**2
        radial = 1 + k1 * r2 + k2 * r2**2 + k3 * r2**3
        x, y = (
            x * radial + 2 * p1 * x * y + p2 * (r2 + 2 * x**2),
            y * radial + p1 * (r2 + 2 * y**2) + 2 * p2 * x * y,
        )
    u = matrix[0, 0] * x + matrix[0, 1] * y + matrix[0, 2]
    v = matrix[1, 1] * y + matrix[1, 2]
    return np.stack([u, v], axis=-1)


def colmap_pixels(quaternion, translation, matrix):
    """Hamilton's product q p q*; the first pixel's centre is at 0.5."""

    def product(p, q):
        w = p[0] * q[0] - p[1:] @ q[1:]
        return np.append(w, p[0] * q[1:] + q[0] * p[1:] + np.cross(p[1:], q[1:]))

    conjugate = quaternion * [1, -1, -1, -1]
    turned = [product(product(quaternion, np.append(0, p)), conjugate)[1:] for p in WORLD]
    image = (np.array(turned) + translation) @ matrix.T
    return image[:, :2] / image[:, 2:] - 0.5


def opengl_window(modelview, projection):
    """Clip coordinates, division, and glViewport; z of NDC besides."""
    clip = np.concatenate([WORLD, np.ones((len(WORLD), 1))], axis=1) @ modelview.T @ projection.T
    ndc = clip[:, :3] / clip[:, 3:]
    x, y = (ndc[:, 0] + 1) / 2 * WIDTH, (ndc[:, 1] + 1) / 2 * HEIGHT
    return np.stack([x - 0.5, HEIGHT - y - 0.5], axis=-1), ndc[:, 2]


def pytorch3d_pixels(rotation, translation, focal_length, principal_point, orthographic=False):
    """NDC, x left and y up, of ``PerspectiveCameras`` and ``OrthographicCameras``."""
    view = WORLD @ rotation + translation
    depth = 1 if orthographic else view[:, 2:]
    ndc = focal_length * view[:, :2] / depth + principal_point
    screen = np.array([WIDTH, HEIGHT]) / 2 - min(WIDTH, HEIGHT) / 2 * ndc
    return screen - 0.5


# --- There ------------------------------------------------------------------------------------


@pytest.mark.parametrize("lens", ["perspective", "intrinsics"])
def test_to_opencv(lens):
    camera = camera_of(lens)
    rotations, translations, matrices, distortion = sr.camera_to_opencv(camera, HEIGHT, WIDTH)
    assert distortion is None
    for b, expected in enumerate(pixels_of(camera)):
        pixels = opencv_pixels(rotations[b], translations[b], matrices[b % len(matrices)])
        assert pixels == pytest.approx(expected, abs=1e-9)


@pytest.mark.parametrize("lens", ["perspective", "intrinsics"])
def test_to_colmap(lens):
    camera = camera_of(lens)
    quaternions, translations, matrices, _ = sr.camera_to_colmap(camera, HEIGHT, WIDTH)
    for b, expected in enumerate(pixels_of(camera)):
        pixels = colmap_pixels(quaternions[b], translations[b], matrices[b % len(matrices)])
        assert pixels == pytest.approx(expected, abs=1e-9)


@pytest.mark.parametrize("lens", LENSES)
def test_to_opengl(lens):
    camera = camera_of(lens)
    near, far = 2.0, 9.0
    modelviews, projections = sr.camera_to_opengl(camera, WIDTH / HEIGHT, near, far)
    depths = sr.to_view(torch.tensor(WORLD)[None], camera).numpy()[..., 2]
    for b, expected in enumerate(pixels_of(camera)):
        pixels, z = opengl_window(modelviews[b], projections[b % len(projections)])
        assert pixels == pytest.approx(expected, abs=1e-9)
        share = (depths[b] - near) / (far - near)
        if lens != "orthographic":
            share = share * far / depths[b]
        assert z == pytest.approx(2 * share - 1, abs=1e-9)


@pytest.mark.parametrize("lens", LENSES)
@pytest.mark.parametrize("in_ndc", [True, False])
def test_to_pytorch3d(lens, in_ndc):
    camera = camera_of(lens)
    rotations, translations, *rest = sr.camera_to_pytorch3d(camera, HEIGHT, WIDTH, in_ndc=in_ndc)
    for b, expected in enumerate(pixels_of(camera)):
        focal_length, principal_point = (x[b % len(x)] for x in rest)
        if not in_ndc:  # as PyTorch3D's notes on cameras say
            shorter = min(HEIGHT, WIDTH)
            focal_length = focal_length * 2 / shorter
            principal_point = -(principal_point - np.array([WIDTH, HEIGHT]) / 2) * 2 / shorter
        pixels = pytorch3d_pixels(
            *(rotations[b], translations[b], focal_length, principal_point, camera.orthographic)
        )
        assert pixels == pytest.approx(expected, abs=1e-9)


# --- And from there ---------------------------------------------------------------------------

ROTATION = rotation_about([1, 2, -1], 35) @ np.diag([1, -1, -1])  # y down, and looking down -z
TRANSLATION = np.array([0.2, -0.1, 6])
MATRIX = np.array([[70, 1.5, 41], [0, 66, 22], [0, 0, 1.0]])
DISTORTION = np.array([-0.2, 0.1, 0.01, -0.02, 0.05])


@pytest.mark.parametrize("distortion", [None, DISTORTION])
def test_opencv_as_it_is(distortion):
    camera = sr.PosedCamera(
        sr.Extrinsics(ROTATION, TRANSLATION), sr.Intrinsics(MATRIX, HEIGHT, WIDTH, distortion)
    )
    expected = opencv_pixels(ROTATION, TRANSLATION, MATRIX, distortion)
    assert pixels_of(camera)[0] == pytest.approx(expected, abs=1e-9)
    rotation, translation, matrix, found = sr.camera_to_opencv(camera, HEIGHT, WIDTH)
    assert rotation[0] == pytest.approx(ROTATION, abs=1e-12)
    assert translation[0] == pytest.approx(TRANSLATION, abs=1e-12)
    assert matrix[0] == pytest.approx(MATRIX, abs=1e-9)
    assert found is None if distortion is None else found[0] == pytest.approx(distortion)


def test_from_colmap():
    quaternion = sr.quaternion_from_rotation(ROTATION)[0]
    camera = sr.camera_from_colmap(2 * quaternion, TRANSLATION, MATRIX, HEIGHT, WIDTH)
    expected = colmap_pixels(quaternion, TRANSLATION, MATRIX)
    assert pixels_of(camera)[0] == pytest.approx(expected, abs=1e-9)
    assert np.array([[41, 22]]) == pytest.approx(camera.lens.matrix[:, :2, 2] + 0.5)


@pytest.mark.parametrize("orthographic", [False, True])
def test_from_opengl(orthographic):
    # glOrtho and glFrustum, off centre, from their manual pages
    left, right, bottom, top, near, far = -1.2, 1.6, -0.9, 1.0, 2.0, 30.0
    across, up, along = right - left, top - bottom, far - near
    if orthographic:
        projection = np.array([
            [2 / across, 0, 0, -(right + left) / across],
            [0, 2 / up, 0, -(top + bottom) / up],
            [0, 0, -2 / along, -(far + near) / along],
            [0, 0, 0, 1],
        ])  # fmt: skip
    else:
        projection = np.array([
            [2 * near / across, 0, (right + left) / across, 0],
            [0, 2 * near / up, (top + bottom) / up, 0],
            [0, 0, -(far + near) / along, -2 * far * near / along],
            [0, 0, -1, 0],
        ])  # fmt: skip
    modelview = np.eye(4)
    modelview[:3, :3] = rotation_about([1, 2, -1], 35)
    modelview[:3, 3] = [0.2, 0.1, -6]
    camera = sr.camera_from_opengl(modelview, projection)
    assert camera.orthographic is orthographic
    expected, _ = opengl_window(modelview, projection)
    assert pixels_of(camera)[0] == pytest.approx(expected, abs=1e-9)
    back = sr.camera_to_opengl(camera, WIDTH / HEIGHT, near, far)
    assert back[0][0] == pytest.approx(modelview, abs=1e-12)
    assert back[1][0] == pytest.approx(projection, abs=1e-12)


@pytest.mark.parametrize("orthographic", [False, True])
@pytest.mark.parametrize("in_ndc", [True, False])
def test_from_pytorch3d(orthographic, in_ndc):
    rotation, translation = rotation_about([1, 2, -1], 35), np.array([0.2, 0.1, 6])
    focal_length, principal_point = np.array([1.1, 1.3]), np.array([0.2, -0.1])
    if orthographic:
        focal_length = focal_length / 6
    expected = pytorch3d_pixels(
        *(rotation, translation, focal_length, principal_point, orthographic)
    )
    given = (focal_length, principal_point)
    if not in_ndc:
        shorter = min(HEIGHT, WIDTH)
        size = np.array([WIDTH, HEIGHT])
        given = (focal_length * shorter / 2, size / 2 - principal_point * shorter / 2)
    camera = sr.camera_from_pytorch3d(
        *(rotation, translation, *given, HEIGHT, WIDTH), in_ndc=in_ndc, orthographic=orthographic
    )
    assert pixels_of(camera)[0] == pytest.approx(expected, abs=1e-9)
    back = sr.camera_to_pytorch3d(camera, HEIGHT, WIDTH, in_ndc=in_ndc)
    for found, wanted in zip(back, (rotation, translation, *given)):
        assert found[0] == pytest.approx(wanted, abs=1e-9)


# --- Quaternions ------------------------------------------------------------------------------


@pytest.mark.parametrize("axis", [(1, 0, 0), (0, 1, 0), (0, 0, 1), (1, -2, 3), (-3, 1, 0.1)])
@pytest.mark.parametrize("degrees", [0, 1e-6, 90, 179.9999, 180, 250])
def test_quaternions(axis, degrees):
    rotation = rotation_about(axis, degrees)
    quaternion = sr.quaternion_from_rotation(rotation)
    half = np.radians(degrees) / 2
    expected = np.append(np.cos(half), np.sin(half) * np.array(axis) / np.linalg.norm(axis))
    sign = np.sign(expected @ quaternion[0])
    assert quaternion[0] == pytest.approx(sign * expected, abs=1e-9)
    assert quaternion[0, 0] >= 0
    assert sr.rotation_from_quaternion(quaternion)[0] == pytest.approx(rotation, abs=1e-12)


# --- Arrays and refusals ----------------------------------------------------------------------


def test_cameras_of_arrays():
    fov = torch.tensor([40.0, 50.0], requires_grad=True)
    camera = sr.LookAtCamera((0, 1, 3), fov_degrees=fov)
    *_, matrix, _ = sr.camera_to_opencv(camera, 10, 20)
    assert matrix[:, 1, 1] == pytest.approx(5 / np.tan(np.radians([20, 25])), rel=1e-5)
    camera = sr.LookAtCamera((0, 1, 3), fov_degrees=sr.from_numpy(np.array([40.0])))
    *_, matrix, _ = sr.camera_to_opencv(camera, 10, 20)
    assert matrix[:, 1, 1] == pytest.approx(5 / np.tan(np.radians(20)))
    quaternion = sr.quaternion_from_rotation(torch.eye(3).repeat(3, 1, 1))
    assert quaternion == pytest.approx(np.array([[1, 0, 0, 0]] * 3))


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (
            lambda: sr.camera_to_opencv(camera_of("orthographic"), HEIGHT, WIDTH),
            "a perspective one",
        ),
        (lambda: sr.camera_to_opengl(camera_of("perspective"), 1.0, 2.0, 1.0), "0 < near < far"),
        (lambda: sr.camera_to_opengl(distorted(), WIDTH / HEIGHT, 1, 2), "must have no distortion"),
        (lambda: sr.camera_to_pytorch3d(distorted(), HEIGHT, WIDTH), "must have no distortion"),
        (lambda: sr.camera_to_pytorch3d(skewed(), HEIGHT, WIDTH), "must have no skew"),
        (lambda: sr.rotation_from_quaternion((1, 0, 0)), r"shape \(4\) or \(B, 4\)"),
        (lambda: sr.rotation_from_quaternion((0, 0, 0, 0)), "must not be zero"),
        (lambda: sr.quaternion_from_rotation(np.full((3, 3), np.nan)), "must be finite numbers"),
        (
            lambda: sr.camera_from_opengl(
                np.eye(4), np.stack([np.eye(4), np.roll(np.eye(4), 1, axis=1)])
            ),
            "orthographic in all items or in none",
        ),
    ],
)
def test_conversions_refuse(call, words):
    with pytest.raises(ValueError, match=words):
        call()


def distorted():
    lens = sr.Intrinsics(np.diag([9.0, 9, 1]), HEIGHT, WIDTH, DISTORTION)
    return sr.PosedCamera(sr.Extrinsics(np.eye(3)), lens)


def skewed():
    return sr.PosedCamera(sr.Extrinsics(np.eye(3)), sr.Intrinsics(MATRIX, HEIGHT, WIDTH))
