"""Near and far planes that fit, and some of several cameras."""

import numpy as np
import pytest
import torch

import taichi_softras as sr
from taichi_softras.cameras.depths import NEAREST

CAMERAS = sr.LookAtCamera(sr.orbit_eyes([3.0, 4.0, 5.0], 20.0, [0.0, 90.0, 200.0]))


def to_taichi(numbers):
    return sr.from_numpy(np.asarray(numbers, dtype=np.float32)[None])


def to_torch(numbers):
    return torch.tensor(np.asarray(numbers, dtype=np.float64))[None].requires_grad_()


def numbers_of(array):
    return array.detach().numpy() if torch.is_tensor(array) else array.to_numpy()


@pytest.fixture(params=[to_taichi, to_torch], ids=["taichi", "torch"])
def convert(request):
    return request.param


def test_range_holds_every_vertex_of_every_camera(convert):
    vertices = convert(sr.teapot().vertices)
    depths = sr.to_view(vertices, CAMERAS)
    depths = numbers_of(depths)[..., 2]
    near, far = sr.depth_range(vertices, CAMERAS, margin=0.25)
    extent = depths.max() - depths.min()
    assert near == pytest.approx(depths.min() - 0.25 * extent, rel=1e-5)
    assert far == pytest.approx(depths.max() + 0.25 * extent, rel=1e-5)
    assert isinstance(near, float)


def test_range_of_a_flat_mesh_is_not_empty(convert):
    near, far = sr.depth_range(convert(sr.plane().vertices), sr.LookAtCamera(eye=(0, 0, 4)))
    assert near == pytest.approx(4 - 0.02)
    assert far == pytest.approx(4 + 0.02)
    sr.RasterizerSettings(height=1, width=1, near=near, far=far)


def test_range_of_a_mesh_round_the_camera_starts_close_to_it(convert):
    near, far = sr.depth_range(convert(sr.cube().vertices), sr.LookAtCamera(eye=(0, 0, 0.1)))
    assert far == pytest.approx(0.65)  # 0.6 and a margin
    assert near == pytest.approx(NEAREST * far)


def test_vertices_that_are_not_finite_do_not_count(convert):
    camera = sr.LookAtCamera(eye=(0, 0, 4))
    corners = sr.cube().vertices
    broken = np.concatenate([corners, [[np.nan] * 3, [np.inf, 0, 0]]])
    assert sr.depth_range(convert(broken), camera) == sr.depth_range(convert(corners), camera)


def test_range_behind_the_camera_is_refused(convert):
    camera = sr.PosedCamera(sr.Look(eye=(0, 0, 4), direction=(0, 0, 1)), sr.Perspective())
    with pytest.raises(ValueError, match=r"in front of a camera, got depths from -4\.5 to -3\.5"):
        sr.depth_range(convert(sr.cube().vertices), camera)
    with pytest.raises(ValueError, match="margin must be at least 0, got -1"):
        sr.depth_range(convert(sr.cube().vertices), CAMERAS, margin=-1.0)


def test_selected_cameras_are_those_of_their_numbers(convert):
    vertices = convert(sr.teapot().vertices)
    shared = sr.PosedCamera(sr.LookAt(CAMERAS.eye), sr.Perspective(40.0))
    matrix = [[9.0, 0, 4], [0, 9, 4], [0, 0, 1]]
    distorted = sr.Intrinsics(matrix, 8, 8, distortion=(0.1, 0.2, 0, 0, 0))
    for camera in (CAMERAS, shared, sr.PosedCamera(sr.LookAt(CAMERAS.eye), distorted)):
        every = sr.project(vertices, camera, 1.0)
        some = sr.project(vertices, sr.select_cameras(camera, [2, 0]), 1.0)
        one = sr.project(vertices, sr.select_cameras(camera, 1), 1.0)
        every, some, one = map(numbers_of, (every, some, one))
        np.testing.assert_array_equal(some, every[[2, 0]])
        np.testing.assert_array_equal(one, every[[1]])


def test_selected_cameras_keep_their_gradient_in_pytorch():
    eyes = torch.tensor(CAMERAS.eye).requires_grad_()
    selected = sr.select_cameras(sr.LookAtCamera(eyes), [2])
    sr.project(to_torch(sr.cube().vertices), selected, 1.0).sum().backward()
    assert (eyes.grad[2] != 0).any()
    assert (eyes.grad[:2] == 0).all()


def test_gradients_in_taichi_are_not_lost_in_silence():
    eyes = sr.from_numpy(CAMERAS.eye.astype(np.float32), needs_grad=True)
    selected = sr.select_cameras(sr.LookAtCamera(eyes), [2])
    with pytest.raises(ValueError, match="can't be selected in Taichi"):
        sr.project(to_taichi(sr.cube().vertices), selected, 1.0)


@pytest.mark.parametrize(
    ("indices", "error", "message"),
    [
        ([], ValueError, "indices must be at least one"),
        ([0, -1], ValueError, "indices must be at least 0, got -1"),
        (1.5, TypeError, "indices must be an int"),
        ([3], ValueError, "indices must be under the number of cameras, 3, got 3"),
    ],
)
def test_wrong_numbers_of_cameras_are_refused(indices, error, message, convert):
    with pytest.raises(error, match=message):
        sr.project(convert(sr.cube().vertices), sr.select_cameras(CAMERAS, indices), 1.0)
