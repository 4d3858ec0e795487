"""Cameras against a few lines of PyTorch, SoftRas's own numbers, and their conventions."""

from pathlib import Path

import numpy as np
import pytest
import reference
import scenes
import torch

import taichi_softras as sr

GOLDEN = Path(__file__).parent / "golden"


def points(*rows):
    return torch.tensor([rows], dtype=torch.float64)


def assert_same(actual, expected, atol=1e-13):
    torch.testing.assert_close(actual, expected, rtol=0, atol=atol)


# --- Against references -----------------------------------------------------------------------


@pytest.mark.parametrize("aspect", [1.0, 1.5, 0.4])
@pytest.mark.parametrize("num_vertices_items", [1, 2])
def test_matches_reference(num_vertices_items, aspect, rng):
    vertices, _ = scenes.bumpy_octahedron(rng, num_vertices_items)
    eye, at, up = points([1, 2, 4], [-3, 1, 2])[0], points([0.1, 0, 0.2])[0], points([0.1, 1, 0])[0]
    fov = torch.tensor([30.0, 70.0], dtype=torch.float64)
    ndc = sr.project(vertices, sr.LookAtCamera(eye, at, up, fov), aspect)
    view = reference.look_at(eye, at.expand(2, 3), up.expand(2, 3))
    assert_same(ndc, reference.project(vertices, view, fov, aspect))
    plain = sr.LookAtCamera(eye.numpy(), (0.1, 0, 0.2), [0.1, 1, 0], fov.numpy())
    assert_same(sr.project(vertices, plain, aspect), ndc)


def test_look_at_and_perspective_match_softras():
    """Its worlds are left-handed: for the same camera its images are mirrored."""
    arrays = np.load(GOLDEN / "camera_look_at.npz")
    eye = tuple(arrays["eye"])
    view, _ = sr.LookAtCamera(eye).matrices(torch.zeros(1, dtype=torch.float64), 1.0)
    vertices = torch.tensor(arrays["vertices"], dtype=torch.float64)
    seen = vertices @ view[:, :3, :3].mT + view[:, None, :3, 3]
    mirrored = seen * torch.tensor([-1.0, 1.0, 1.0], dtype=torch.float64)
    assert_same(mirrored, torch.tensor(arrays["out"], dtype=torch.float64), atol=1e-4)


def test_look_matches_softras():
    """It looks along a direction: at any point that way."""
    arrays = np.load(GOLDEN / "camera_look.npz")
    camera = sr.LookAtCamera(arrays["eye"], arrays["eye"] + arrays["direction"], arrays["up"])
    view, _ = camera.matrices(torch.zeros(1, dtype=torch.float64), 1.0)
    vertices = torch.tensor(arrays["vertices"], dtype=torch.float64)
    seen = vertices @ view[:, :3, :3].mT + view[:, None, :3, 3]
    mirrored = seen * torch.tensor([-1.0, 1.0, 1.0], dtype=torch.float64)
    assert_same(mirrored, torch.tensor(arrays["out"], dtype=torch.float64), atol=1e-4)


def test_perspective_matches_softras():
    """Its angle is half of the field of view."""
    arrays = np.load(GOLDEN / "camera_perspective.npz")
    vertices = torch.tensor(arrays["vertices"], dtype=torch.float64)
    projection = sr.perspective(torch.tensor([60.0], dtype=torch.float64), 1.0)
    camera = sr.MatrixCamera(torch.eye(4, dtype=torch.float64)[None], projection)
    expected = torch.tensor(arrays["out"], dtype=torch.float64)
    ndc = sr.project(vertices, camera, 1.0)
    assert_same(ndc[..., 2], vertices[..., 2])
    torch.testing.assert_close(ndc, expected, rtol=1e-4, atol=1e-4)


def test_orbit_matches_softras():
    """Its azimuth is the same, on the other side of the plane of x and y."""
    eye = np.load(GOLDEN / "camera_eye_from_angles.npz")["eye"]
    assert sr.orbit_eyes(2.732, 30, 35)[0] * [1, 1, -1] == pytest.approx(eye)


def test_matrix_camera_matches_matrix_products(rng):
    vertices, _ = scenes.bumpy_octahedron(rng)
    view, projection = torch.randn(2, 2, 4, 4, generator=rng, dtype=torch.float64)
    view[:, 2, 3] += 5
    view[:, 3] = torch.tensor([0.0, 0, 0, 1])
    homogeneous = torch.cat([vertices, torch.ones_like(vertices[..., :1])], dim=-1)
    seen = homogeneous @ view.mT
    clip = seen @ projection.mT
    expected = torch.cat([clip[..., :2] / clip[..., 3:], seen[..., 2:3]], dim=-1)
    ndc = sr.project(vertices, sr.MatrixCamera(view, projection), 1.0)
    torch.testing.assert_close(ndc, expected, rtol=1e-12, atol=1e-12)


def test_an_orthographic_projection_keeps_depth():
    projection = torch.diag(torch.tensor([0.5, 0.25, 0.0, 1.0], dtype=torch.float64))[None]
    camera = sr.MatrixCamera(torch.eye(4, dtype=torch.float64)[None], projection)
    ndc = sr.project(points([1, 2, 3], [1, 2, 7]), camera, 1.0)
    assert_same(ndc, points([0.5, 0.5, 3], [0.5, 0.5, 7]))


# --- Conventions ------------------------------------------------------------------------------

RIGHT_UP = [
    # eye, right of the line of sight to the origin, up: in a right-handed world with y up
    ((0, 0, 5), (1, 0, 0), (0, 1, 0)),
    ((5, 0, 0), (0, 0, -1), (0, 1, 0)),
    ((0, 0, -5), (-1, 0, 0), (0, 1, 0)),
    ((-5, 0, 0), (0, 0, 1), (0, 1, 0)),
]


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
    view, _ = sr.LookAtCamera(eye, up=(0.3, 1, 0.2)).matrices(eye, 1.0)
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


@pytest.mark.parametrize(
    ("camera", "error", "words"),
    [
        (sr.LookAtCamera(torch.zeros(3).double()), ValueError, r"eye must have shape \(B or 1, 3"),
        (sr.LookAtCamera(torch.zeros(1, 3)), TypeError, "eye must be float64, got float32"),
        (
            sr.LookAtCamera(torch.rand(2, 3).double(), torch.rand(3, 3).double()),
            ValueError,
            "eye must have shape",
        ),
        (
            sr.LookAtCamera((0, 0, 3), fov_degrees=torch.ones(2, 1).double()),
            ValueError,
            r"fov_degrees must have shape \(B\)",
        ),
        (
            sr.MatrixCamera(torch.eye(4).double(), torch.eye(4).double()[None]),
            ValueError,
            "view must have shape",
        ),
        (
            sr.MatrixCamera(torch.eye(4).double()[None], torch.eye(4)[None]),
            TypeError,
            "projection must be float64, got float32",
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
