"""Lenses as OpenCV gives them: what it computed, its documented formulas, and the forms it uses."""

import gradients
import numpy as np
import pytest
import scenes
import torch

import taichi_softras as sr
from taichi_softras.cameras.kernels.lenses import SMALLEST_SLOPE_SQ

HEIGHT, WIDTH = 48, 80
ASPECT = WIDTH / HEIGHT
K = np.array([[70.0, 0, 41], [0, 66, 22], [0, 0, 1]])
COEFFICIENTS = np.array(
    [-0.2, 0.1, 0.01, -0.02, 0.05, 0.03, -0.04, 0.02, 0.01, -0.02, 0.015, 0.005, 0.1, -0.2]
)
COUNTS = (4, 5, 8, 12, 14)
LENSES = (*COUNTS, "fisheye")
IN_FRONT = np.array([[0.5, -0.25, 2.0], [-0.8, 0.6, 1.6]])  # x right, y down, z forward


def lens_of(kind, matrix=K, distortion=None):
    if distortion is None:
        distortion = coefficients(kind)
    build = sr.Fisheye if kind == "fisheye" else sr.Intrinsics
    return build(matrix, HEIGHT, WIDTH, distortion)


def coefficients(kind):
    return COEFFICIENTS[: 4 if kind == "fisheye" else kind]


def pixels_of(lens, points=IN_FRONT):
    """Columns and rows of points in OpenCV's frame, (B, V, 2)."""
    view = torch.tensor(points * [1, -1, 1])[None]
    ndc = sr.view_to_ndc(view, lens, ASPECT).numpy()
    return np.stack([((ndc[..., 0] + 1) * WIDTH - 1) / 2, ((1 - ndc[..., 1]) * HEIGHT - 1) / 2], -1)


# --- Values -----------------------------------------------------------------------------------

COMPUTED_BY_OPENCV = {
    # OpenCV 5.0's projectPoints and fisheye.projectPoints, of IN_FRONT
    4: [[57.909118652, 14.02855835], [6.690942383, 46.132498779]],
    5: [[57.909535885, 14.028361654], [6.586634254, 46.206259527]],
    8: [[57.87325566, 14.045465189], [6.809108036, 46.048938782]],
    12: [[57.919398238, 14.124823099], [6.868922489, 46.486011536]],
    14: [[58.931841778, 14.115897724], [8.211270733, 44.55361156]],
    "fisheye": [[57.820457707, 14.070355652], [11.36247069, 42.957967155]],
}


@pytest.mark.parametrize("kind", LENSES)
def test_pixels_are_those_that_opencv_computed(kind):
    assert pixels_of(lens_of(kind))[0] == pytest.approx(
        np.array(COMPUTED_BY_OPENCV[kind]), abs=2e-9
    )


def rotation_about_x_then_y(about_x, about_y):
    """As OpenCV's page on calibration writes R(tau_x, tau_y) out."""
    sin_x, cos_x, sin_y, cos_y = np.sin(about_x), np.cos(about_x), np.sin(about_y), np.cos(about_y)
    turn_x = np.array([[1, 0, 0], [0, cos_x, sin_x], [0, -sin_x, cos_x]])
    turn_y = np.array([[cos_y, 0, -sin_y], [0, 1, 0], [sin_y, 0, cos_y]])
    return turn_y @ turn_x


def documented(kind, points, distortion):
    """x and y before the intrinsic matrix, as that page and the one on fisheyes write them."""
    x, y = (points[:, :2] / points[:, 2:]).T
    r = np.hypot(x, y)
    if kind == "fisheye":
        theta = np.arctan(r)
        k = distortion
        bent = theta * (1 + k[0] * theta**2 + k[1] * theta**4 + k[2] * theta**6 + k[3] * theta**8)
        return np.stack([bent / r * x, bent / r * y], -1)
    k1, k2, p1, p2, k3, k4, k5, k6, s1, s2, s3, s4, tau_x, tau_y = np.append(
        distortion, np.zeros(14 - len(distortion))
    )
    radial = (1 + k1 * r**2 + k2 * r**4 + k3 * r**6) / (1 + k4 * r**2 + k5 * r**4 + k6 * r**6)
    seen_x = x * radial + 2 * p1 * x * y + p2 * (r**2 + 2 * x**2) + s1 * r**2 + s2 * r**4
    seen_y = y * radial + p1 * (r**2 + 2 * y**2) + 2 * p2 * x * y + s3 * r**2 + s4 * r**4
    turn = rotation_about_x_then_y(tau_x, tau_y)
    flatten = np.array([[turn[2, 2], 0, -turn[0, 2]], [0, turn[2, 2], -turn[1, 2]], [0, 0, 1]])
    tilted = np.stack([seen_x, seen_y, np.ones_like(x)], -1) @ (flatten @ turn).T
    return tilted[:, :2] / tilted[:, 2:]


@pytest.mark.parametrize("kind", LENSES)
def test_pixels_are_those_of_the_documented_formulas(kind):
    rng = np.random.default_rng(1)
    points = rng.uniform([-1, -1, 1.5], [1, 1, 3], (20, 3))
    several = rng.uniform(-0.1, 0.1, (3, len(coefficients(kind))))
    found = pixels_of(lens_of(kind, distortion=several), points)
    for item, distortion in zip(found, several):
        expected = documented(kind, points, distortion) @ K[:2, :2].T + K[:2, 2]
        assert item == pytest.approx(expected, abs=1e-11)


@pytest.mark.parametrize("count", COUNTS)
def test_coefficients_left_out_are_zero(count):
    padded = np.append(coefficients(count), np.zeros(14 - count))
    expected = pixels_of(lens_of(count, distortion=padded))
    assert pixels_of(lens_of(count)) == pytest.approx(expected, abs=1e-12)


def test_a_fisheye_without_coefficients_is_equidistant():
    """An angle of 60 degrees is pi / 3 focal lengths from the middle."""
    points = np.array([[np.sin(np.pi / 3), 0, np.cos(np.pi / 3)], [0, 0, 2.0]])
    found = pixels_of(sr.Fisheye(K, HEIGHT, WIDTH), points)[0]
    assert found == pytest.approx(np.array([[41 + 70 * np.pi / 3, 22], [41, 22]]), abs=1e-12)


@pytest.mark.parametrize("kind", LENSES)
def test_lenses_as_part_of_cameras(kind):
    """Cameras that hold a lens say what its coefficients are, too."""
    several = np.stack([coefficients(kind), 0 * coefficients(kind)])
    lens = lens_of(kind, distortion=several)
    camera = sr.PosedCamera(sr.Extrinsics(np.eye(3)), lens)
    expected = pixels_of(lens)
    assert (pixels_of(camera) == expected).all()
    assert (pixels_of(sr.select_cameras(camera, [1, 0])) == expected[::-1]).all()


# --- Gradients --------------------------------------------------------------------------------


@pytest.mark.gradcheck
@pytest.mark.parametrize("num_lenses", [1, 2])
@pytest.mark.parametrize("kind", LENSES)
def test_gradients(kind, num_lenses, rng):
    """To points, matrices and every coefficient."""
    points = scenes.random_like(torch.empty(2, 3, 3, dtype=torch.float64), rng)
    points[..., 2] = points[..., 2].abs() + 1.5

    def draw(points, matrix, distortion):
        return sr.view_to_ndc(points, lens_of(kind, matrix, distortion), ASPECT)

    distortion = torch.tensor(coefficients(kind)).repeat(num_lenses, 1)
    matrix = torch.tensor(K).repeat(num_lenses, 1, 1)
    distortion += 0.02 * scenes.random_like(distortion, rng)
    inputs = {"points": points, "matrix": matrix, "distortion": distortion}
    gradients.assert_gradients_match(draw, inputs, rng)


@pytest.mark.gradcheck
def test_gradients_on_the_axis_of_a_fisheye(rng):
    """There its picture is that of a lens without distortion, and so is the derivative."""
    points = torch.tensor([[[0.0, 0, 2], [1e-14, 0, 3]]], dtype=torch.float64)
    assert points[0, 1, 0] ** 2 < SMALLEST_SLOPE_SQ * 9
    jacobians = [
        torch.autograd.functional.jacobian(
            lambda p, lens=lens: sr.view_to_ndc(p, lens, ASPECT), points
        )
        for lens in (lens_of("fisheye"), sr.Intrinsics(K, HEIGHT, WIDTH))
    ]
    torch.testing.assert_close(*jacobians, rtol=0, atol=1e-12)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64], ids=str)
@pytest.mark.parametrize("kind", LENSES)
def test_points_that_cannot_be_seen(kind, dtype):
    """Behind the camera, in its plane, on its axis, or not finite: no NaN in gradients."""
    rows = [[0, 0, -4], [1, 2, 0], [0, 0, 2], [0, np.nan, 1], [-np.inf, 0, 0]]
    leaves = {
        "points": torch.tensor([rows], dtype=dtype),
        "matrix": torch.tensor(K, dtype=dtype)[None],
        "distortion": torch.tensor(coefficients(kind), dtype=dtype)[None],
    }
    for leaf in leaves.values():
        leaf.requires_grad_()
    lens = lens_of(kind, leaves["matrix"], leaves["distortion"])
    ndc = sr.view_to_ndc(leaves["points"], lens, ASPECT)
    assert ndc.isfinite().all()
    ndc.sum().backward()
    for name, leaf in leaves.items():
        assert leaf.grad.isfinite().all(), name


# --- Forms ------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", LENSES)
def test_coefficients_in_the_shapes_of_opencv(kind):
    flat = coefficients(kind)
    expected = pixels_of(lens_of(kind))
    for distortion in (flat[:, None], flat[None], flat.tolist(), flat[None, :, None]):
        assert (pixels_of(lens_of(kind, distortion=distortion)) == expected).all()
    several = np.stack([flat, 0 * flat])
    assert (pixels_of(lens_of(kind, distortion=several))[:1] == expected).all()


@pytest.mark.parametrize(
    "matrix",
    [
        K + 1e-18 * np.array([[0, 0, 0], [1, 0, 0], [-1, 1, 0]]),
        K + 1e-13 * np.array([[0, 0, 0], [1, 0, 0], [-1, 1, -1]]),
        3 * K,
        1e-6 * K,
        K.astype(np.float32),
        (K / 7).astype(np.float32),
    ],
)
@pytest.mark.parametrize("build", [sr.Intrinsics, sr.Fisheye])
def test_matrices_with_noise_or_a_scale(build, matrix):
    lens = build(matrix, HEIGHT, WIDTH)
    assert lens.matrix[0] == pytest.approx(K, rel=1e-6)
    assert (lens.matrix[0, [1, 2, 2], [0, 0, 1]] == 0).all()
    assert (lens.matrix[0, 2, 2]) == 1
    assert pixels_of(lens) == pytest.approx(pixels_of(build(K, HEIGHT, WIDTH)), abs=1e-4)
    given = np.array(matrix)
    build(given, HEIGHT, WIDTH)
    assert (given == matrix).all()


def test_a_matrix_that_is_an_array_may_have_a_scale():
    scaled = torch.tensor(3 * K)[None]
    assert pixels_of(sr.Intrinsics(scaled, HEIGHT, WIDTH)) == pytest.approx(
        pixels_of(sr.Intrinsics(K, HEIGHT, WIDTH)), abs=1e-12
    )


def test_columns_are_vectors():
    """As OpenCV gives translations."""
    column = np.array([[0.1], [0.2], [5.0]])
    expected = sr.Extrinsics(np.eye(3), column[:, 0]).translation
    assert (sr.Extrinsics(np.eye(3), column).translation == expected).all()
    several = sr.Extrinsics(np.eye(3), np.stack([column, 2 * column]))
    assert (several.translation == np.concatenate([expected, 2 * expected])).all()


@pytest.mark.parametrize(
    ("build", "words"),
    [
        (lambda: lens_of(4, distortion=np.zeros(3)), "distortion must be 4, 5, 8, 12 or 14 finite"),
        (lambda: lens_of(4, distortion=np.zeros((2, 6))), "distortion must be 4, 5, 8, 12 or 14"),
        (lambda: lens_of(4, distortion=[0, 0, np.nan, 0]), "distortion must be 4, 5, 8, 12 or 14"),
        (lambda: lens_of("fisheye", distortion=np.zeros(5)), "distortion must be 4 finite numbers"),
        (
            lambda: pixels_of(lens_of(4, distortion=torch.zeros(1, 7))),
            r"\(B or 1, 4, 5, 8, 12 or 1",
        ),
        (
            lambda: pixels_of(lens_of("fisheye", distortion=torch.zeros(1, 5))),
            r"\(B or 1, 4\), got",
        ),
        (lambda: lens_of(4, matrix=K - 2 * np.diag([0, 0, 1])), "or a positive multiple, with fx"),
        (lambda: lens_of(4, matrix=K * [[1, 1, 1], [1, 1, 1], [0, 0, 0]]), "a positive multiple"),
        (lambda: lens_of("fisheye", matrix=K + np.tri(3, k=-1)), "a positive multiple"),
        (lambda: sr.Fisheye(K, 0, 4), "height must be at least 1"),
        (lambda: sr.view_to_ndc(torch.zeros(1, 1, 3), sr.Fisheye(K, 2, 3), 1.0), "for images of 3"),
        (lambda: sr.view_to_ndc(torch.zeros(1, 1, 3), SixCoefficients(), 1.0), "must have 4, 5, 8"),
    ],
)
def test_lenses_refuse(build, words):
    with pytest.raises(ValueError, match=words):
        build()


class SixCoefficients:
    """A lens of someone's own, which has no attribute ``fisheye``."""

    orthographic = False

    def projection_matrix(self, like, aspect):
        return torch.eye(4, dtype=like.dtype)[None]

    def distortion_coefficients(self, like):
        return torch.zeros(1, 6, dtype=like.dtype)
