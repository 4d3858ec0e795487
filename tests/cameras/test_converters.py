"""Cameras of other programs against their textbook formulas, written out here."""

import numpy as np
import pytest
import torch
from converter_cases import (
    DISTORTION,
    HEIGHT,
    LENSES,
    MATRIX,
    ROTATION,
    TRANSLATION,
    WIDTH,
    WORLD,
    camera_of,
    rotation_about,
)

import taichi_softras as sr


def pixels_of(camera):
    """Where our camera sees the points: columns and rows, (B, V, 2), with the first centre at 0."""
    ndc = sr.project(torch.tensor(WORLD)[None], camera, WIDTH / HEIGHT).numpy()
    assert (ndc[..., 2] > 0).all()
    return np.stack([((ndc[..., 0] + 1) * WIDTH - 1) / 2, ((1 - ndc[..., 1]) * HEIGHT - 1) / 2], -1)


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


FOCAL_LENGTHS = {
    # of two cameras, as PyTorch3D's documentation has them, and what that is for x and y
    "one for all": (1.2, [[1.2, 1.2], [1.2, 1.2]]),
    "one each": ([1.2, 1.5], [[1.2, 1.2], [1.5, 1.5]]),
    "one each in a column": ([[1.2], [1.5]], [[1.2, 1.2], [1.5, 1.5]]),
    "x and y each": ([[1.2, 1.3], [1.5, 1.6]], [[1.2, 1.3], [1.5, 1.6]]),
    "x and y for all": ([[1.2, 1.3]], [[1.2, 1.3], [1.2, 1.3]]),
}


@pytest.mark.parametrize("kind", [list, np.array, torch.tensor], ids=lambda kind: kind.__name__)
@pytest.mark.parametrize("case", FOCAL_LENGTHS)
def test_focal_lengths_mean_what_they_do_in_pytorch3d(case, kind):
    given, expected = FOCAL_LENGTHS[case]
    if kind is not list or not np.isscalar(given):
        given = kind(given)
    rotation = np.stack([rotation_about([1, 2, -1], angle) for angle in (35, 20)])
    translation, principal_point = np.array([[0.2, 0.1, 6], [0, 0, 5]]), np.array([0.2, -0.1])
    camera = sr.camera_from_pytorch3d(rotation, translation, given, principal_point, HEIGHT, WIDTH)
    if kind is not torch.tensor:  # whose float32 the camera then has
        found = pixels_of(camera)
        for b in range(2):
            wanted = pytorch3d_pixels(rotation[b], translation[b], expected[b], principal_point)
            assert found[b] == pytest.approx(wanted, abs=1e-9)
    found = sr.camera_to_pytorch3d(camera, HEIGHT, WIDTH)[2]
    assert np.broadcast_to(np.asarray(found), (2, 2)) == pytest.approx(np.array(expected))


def test_one_camera_may_have_its_focal_lengths_in_a_row():
    """Beside a rotation without a batch."""
    for focal_length in ((1.2, 1.3), [[1.2, 1.3]], torch.tensor([1.2, 1.3])):
        camera = sr.camera_from_pytorch3d(np.eye(3), (0, 0, 6), focal_length, (0, 0), HEIGHT, WIDTH)
        found = sr.camera_to_pytorch3d(camera, HEIGHT, WIDTH)[2]
        assert np.asarray(found) == pytest.approx(np.array([[1.2, 1.3]]))
    camera = sr.camera_from_pytorch3d(np.eye(3), (0, 0, 6), 1.2, (0, 0), HEIGHT, WIDTH)
    assert sr.camera_to_pytorch3d(camera, HEIGHT, WIDTH)[2] == pytest.approx(1.2)


@pytest.mark.parametrize("count", [4, 5, 8])
def test_from_colmap_with_distortion(count):
    distortion = np.array([-0.2, 0.1, 0.01, -0.02, 0.05, 0.03, -0.04, 0.02])[:count]
    quaternion = sr.quaternion_from_rotation(ROTATION)[0]
    args = (quaternion, TRANSLATION, 2 * MATRIX, HEIGHT, WIDTH, distortion)
    assert pixels_of(sr.camera_from_colmap(*args)) == pytest.approx(
        pixels_of(
            sr.PosedCamera(
                sr.Extrinsics(ROTATION, TRANSLATION),
                sr.Intrinsics(
                    MATRIX - [[0, 0, 0.5], [0, 0, 0.5], [0, 0, 0]], HEIGHT, WIDTH, distortion
                ),
            )
        ),
        abs=1e-9,
    )


def test_colmap_and_opencv_have_fisheyes():
    quaternion = sr.quaternion_from_rotation(ROTATION)[0]
    distortion = DISTORTION[:4]
    camera = sr.camera_from_colmap(
        quaternion, TRANSLATION, MATRIX, HEIGHT, WIDTH, distortion, fisheye=True
    )
    assert isinstance(camera.lens, sr.Fisheye)
    *_, matrix, found = sr.camera_to_colmap(camera, HEIGHT, WIDTH)
    assert matrix[0] == pytest.approx(MATRIX, abs=1e-9)
    assert found[0] == pytest.approx(distortion)
    bare = sr.camera_from_colmap(quaternion, TRANSLATION, MATRIX, HEIGHT, WIDTH, fisheye=True)
    assert (sr.camera_to_opencv(bare, HEIGHT, WIDTH)[3] == 0).all()


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
