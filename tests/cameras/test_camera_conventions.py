"""Which way cameras look, and what they refuse."""

import gradients
import numpy as np
import pytest
import scenes
import torch
from camera_points import HEIGHT, WIDTH, assert_same, points, rows

import taichi_softras as sr

RIGHT_UP = [
    # eye, right of the line of sight to the origin, up: in a right-handed world with y up
    ((0, 0, 5), (1, 0, 0), (0, 1, 0)),
    ((5, 0, 0), (0, 0, -1), (0, 1, 0)),
    ((0, 0, -5), (-1, 0, 0), (0, 1, 0)),
    ((-5, 0, 0), (0, 0, 1), (0, 1, 0)),
]


# --- Conventions ------------------------------------------------------------------------------


@pytest.mark.parametrize(("eye", "right", "up"), RIGHT_UP)
def test_right_is_right_and_up_is_up(eye, right, up):
    camera = sr.LookAtCamera(eye, up=up)
    towards = [-x / 5 for x in eye]
    ndc = sr.project(points((0, 0, 0), right, up, towards), camera, 1.0)[0]
    assert_same(ndc[0], points([0, 0, 5])[0, 0])
    assert ndc[1, 0] > 0
    assert abs(ndc[1, 1]) < 1e-12
    assert ndc[2, 1] > 0
    assert abs(ndc[2, 0]) < 1e-12
    assert ndc[3, 2] == pytest.approx(6)


def test_fov_is_vertical_and_edge_to_edge():
    camera = sr.LookAtCamera((0, 0, 5), fov_degrees=90)
    ndc = sr.project(points([0, 5, 0], [5, 0, 0]), camera, 2.0)[0]
    assert_same(ndc[0], points([0, 1, 5])[0, 0])
    assert_same(ndc[1], points([0.5, 0, 5])[0, 0])


def test_points_behind_have_negative_depth():
    ndc = sr.project(points([0, 0, 6], [0, 0, 5]), sr.LookAtCamera((0, 0, 5)), 1.0)
    assert ndc[0, 0, 2] == -1
    assert ndc[0, 1, 2] == 0
    assert ndc.isfinite().all()


def test_points_that_are_not_finite_have_depth_zero():
    ndc = sr.project(points([0, np.nan, 1], [np.inf, 0, 1]), sr.LookAtCamera((0, 0, 5)), 1.0)
    assert (ndc == 0).all()


def test_rotations_are_rotations(rng):
    eye = torch.randn(5, 3, generator=rng, dtype=torch.float64)
    view = sr.LookAtCamera(eye, up=(0.3, 1, 0.2)).view_matrix(eye)
    rotation = view[:, :3, :3]
    assert_same(rotation @ rotation.mT, torch.eye(3, dtype=torch.float64).expand(5, 3, 3), 1e-12)
    # Right, up and forward: a left-handed frame, so the world is seen as it is.
    assert_same(torch.linalg.det(rotation), -torch.ones(5, dtype=torch.float64), 1e-12)
    assert_same(view[:, 3], torch.tensor([[0.0, 0, 0, 1]], dtype=torch.float64).expand(5, 4))


def test_orbit_eyes():
    eyes = sr.orbit_eyes(2.0, 30.0, [0, 90, 180])
    expected = [[0, 1, 3**0.5], [3**0.5, 1, 0], [0, 1, -(3**0.5)]]
    assert eyes == pytest.approx(np.array(expected))
    assert sr.orbit_eyes(1.0, 90.0, 0.0) == pytest.approx(np.array([[0, 1, 0]]))


@pytest.mark.parametrize("elevation", [0.0, 40.0, 90.0, -90.0, 130.0])
def test_orbits_go_over_the_poles(elevation):
    azimuths = [0.0, 50.0, 200.0]
    eyes, ups = sr.orbit_eyes(3.0, elevation, azimuths), sr.orbit_ups(elevation, azimuths)
    step = 1e-6
    growing = (sr.orbit_eyes(1.0, elevation + step, azimuths) - eyes / 3) / np.radians(step)
    assert ups == pytest.approx(growing, abs=1e-5)
    assert np.linalg.norm(eyes, axis=1) == pytest.approx(3)
    ndc = sr.project(points([0, 0, 0], *(0.1 * ups).tolist()), sr.LookAtCamera(eyes, up=ups), 1.0)
    assert_same(ndc[:, 0], points(*[[0, 0, 3]] * 3)[0])
    assert (ndc.diagonal(1, 0, 1)[1] > 0).all()  # each camera's up is up


@pytest.mark.parametrize("elevation", [20.0, 90.0])
def test_orbits_of_arrays(elevation, rng):
    numbers = (rows([2, 3, 4]), rows([elevation]), rows([10, 20, -50]))
    found = sr.orbit_eyes(*numbers), sr.orbit_ups(*numbers[1:])
    assert_same(found[0], torch.tensor(sr.orbit_eyes(*(x.numpy() for x in numbers))))
    assert_same(found[1], torch.tensor(sr.orbit_ups(*(x.numpy() for x in numbers[1:]))))
    mixed = sr.orbit_eyes(2.0, numbers[1], [10, 20])
    assert_same(mixed, torch.tensor(sr.orbit_eyes(2.0, elevation, [10, 20])))
    vertices, _ = scenes.bumpy_octahedron(rng)

    def project(distance, elevation, azimuth):
        eyes, ups = sr.orbit_eyes(distance, elevation, azimuth), sr.orbit_ups(elevation, azimuth)
        return sr.project(vertices, sr.LookAtCamera(eyes, up=ups), 1.0)

    inputs = dict(zip(("distance", "elevation", "azimuth"), numbers))
    gradients.assert_gradients_match(project, inputs, rng)


# --- Refusals ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ({"eye": (1, 2)}, "eye must be 3 finite numbers"),
        ({"eye": (1, 2, np.nan)}, "eye must be 3 finite numbers"),
        ({"eye": np.zeros((2, 2, 3))}, "eye must be 3 finite numbers"),
        ({"eye": (0, 0, 0)}, "eye and at must differ"),
        ({"eye": (0, 3, 0)}, "up must not be parallel"),
        ({"eye": (0, 0, 3), "up": (0, 0, 0)}, "up must not be parallel"),
        ({"eye": (0, 0, 3), "at": (1,)}, "at must be 3 finite numbers"),
        ({"eye": (0, 0, 3), "fov_degrees": 0}, "fov_degrees must be above 0 and under 180, got 0"),
        ({"eye": (0, 0, 3), "fov_degrees": 180.0}, "fov_degrees must be above 0 and under 180"),
        ({"eye": (0, 0, 3), "fov_degrees": np.nan}, "fov_degrees must be above 0 and under 180"),
        ({"eye": (0, 0, 3), "fov_degrees": [30, 200]}, "fov_degrees must be above 0 and under"),
    ],
)
def test_cameras_refuse(arguments, words):
    with pytest.raises(ValueError, match=words):
        sr.LookAtCamera(**arguments)


K = np.diag([2.0, 2.0, 1.0])


@pytest.mark.parametrize(
    ("build", "error", "words"),
    [
        (lambda: sr.Look((0, 0, 3), (0, 0, 0)), ValueError, "direction must not be zero"),
        (lambda: sr.Look((0, 0, 3), (0, 2, 0)), ValueError, "up must not be parallel"),
        (lambda: sr.Look((0, 0, 3), (0, 2)), ValueError, "direction must be 3 finite numbers"),
        (lambda: sr.Extrinsics(np.eye(4)), ValueError, "rotation must be 3 x 3 finite numbers"),
        (lambda: sr.Extrinsics(2 * np.eye(3)), ValueError, "must have orthonormal rows"),
        (lambda: sr.Extrinsics(-np.eye(3)), ValueError, "rotation must .* determinant 1"),
        (lambda: sr.Orthographic(0.0), ValueError, "half_height must be finite and above 0, got 0"),
        (lambda: sr.Orthographic([1, np.inf]), ValueError, "half_height must be finite"),
        (lambda: sr.Intrinsics(K, 0, 4), ValueError, "height must be at least 1"),
        (lambda: sr.Intrinsics(K, 4, 4.5), TypeError, "width must be an int"),
        (lambda: sr.Intrinsics(-K, 4, 4), ValueError, "fx and fy above 0"),
        (lambda: sr.Intrinsics(K + 1, 4, 4), ValueError, r"matrix must be \[\[fx, skew, cx"),
        (lambda: sr.Intrinsics(K, 4, 4, np.zeros(6)), ValueError, "distortion must be 4, 5, 8, 12"),
        (lambda: sr.MatrixCamera(np.eye(3), np.eye(4)), ValueError, "view must be 4 x 4 finite"),
        (lambda: sr.orbit_eyes(np.nan, 0, 0), ValueError, "distance must be 1 finite numbers"),
        (lambda: sr.orbit_eyes(rows([1.0]), rows([1.0]).float(), 0), TypeError, "must be float64"),
        (lambda: sr.orbit_eyes(rows([1, 2]), rows([1, 2, 3]), 0), ValueError, "distance must have"),
    ],
)
def test_poses_and_lenses_refuse(build, error, words):
    with pytest.raises(error, match=words):
        build()


def test_intrinsics_are_for_images_of_one_shape():
    lens = sr.Intrinsics(K, HEIGHT, WIDTH)
    sr.view_to_ndc(points([0, 0, 1]), lens, (2 * WIDTH) / (2 * HEIGHT))
    with pytest.raises(ValueError, match=r"for images of 40 x 30 pixels: aspect must be 1\.33333"):
        sr.view_to_ndc(points([0, 0, 1]), lens, 1.0)


def test_view_to_ndc_refuses():
    with pytest.raises(ValueError, match=r"points must have shape \(B or 1, F, 3, 3\)"):
        sr.view_to_ndc(torch.zeros(1, 2, 4, 3), sr.Perspective(), 1.0)
    with pytest.raises(ValueError, match=r"points must have shape \(3 or 1, 5, 3\)"):
        sr.view_to_ndc(torch.zeros(2, 5, 3), sr.Perspective([30, 40, 50]), 1.0)


@pytest.mark.parametrize(
    ("camera", "error", "words"),
    [
        (sr.LookAtCamera(torch.zeros(4).double()), ValueError, r"eye must have shape \(B or 1, 3"),
        (sr.LookAtCamera(torch.zeros(1, 3).int()), TypeError, "eye must be float64, got int32"),
        (
            sr.LookAtCamera(torch.rand(2, 3).double(), torch.rand(3, 3).double()),
            ValueError,
            "eye must have shape",
        ),
        (
            sr.LookAtCamera((0, 0, 3), fov_degrees=torch.ones(2, 1).double()),
            ValueError,
            r"fov_degrees must have shape \(B or 1,\)",
        ),
        (
            sr.MatrixCamera(torch.eye(3).double(), torch.eye(4).double()[None]),
            ValueError,
            "view must have shape",
        ),
        (
            sr.MatrixCamera(torch.eye(4).double()[None], torch.eye(4)[None].half()),
            TypeError,
            "projection must be float64, got torch.float16",
        ),
        (
            sr.MatrixCamera(*(torch.eye(4).double().repeat(n, 1, 1) for n in (2, 3))),
            ValueError,
            "view must have shape",
        ),
    ],
)
def test_project_refuses(camera, error, words):
    with pytest.raises(error, match=words):
        sr.project(torch.zeros(1, 4, 3, dtype=torch.float64), camera, 1.0)


def test_as_many_cameras_as_meshes():
    camera = sr.LookAtCamera(sr.orbit_eyes(3, 0, [0, 90, 180]))
    with pytest.raises(ValueError, match=r"vertices must have shape \(3 or 1, "):
        sr.project(torch.zeros(2, 4, 3), camera, 1.0)
