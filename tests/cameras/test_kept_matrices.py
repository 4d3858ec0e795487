"""Matrices made of plain numbers are made once, and of arrays at each call."""

import copy
import dataclasses
import pickle

import numpy as np
import pytest
import torch

import taichi_softras as sr
from taichi_softras.arrays.counts import num_launches

TENSOR = torch.zeros(1)
K = [[50.0, 0.0, 16.0], [0.0, 50.0, 12.0], [0.0, 0.0, 1.0]]
CAMERAS = {
    "look_at": lambda: sr.LookAtCamera((1.0, 2.0, 4.0)),
    "look": lambda: sr.PosedCamera(sr.Look((0, 0, 5), (0, 0, -1)), sr.Orthographic(2.0)),
    "intrinsics": lambda: sr.PosedCamera(
        sr.Extrinsics(np.eye(3), (0, 0, 4)), sr.Intrinsics(K, 24, 32, (0.1, 0.0, 0.0, 0.0))
    ),
    "matrices": lambda: sr.MatrixCamera(np.eye(4), np.eye(4)),
}


def matrices_of(camera, like=TENSOR):
    made = [camera.view_matrix(like), camera.projection_matrix(like, 32 / 24)]
    distortion = camera.distortion_coefficients(like)
    return made if distortion is None else [*made, distortion]


@pytest.mark.parametrize("name", CAMERAS)
def test_matrices_are_made_once(name):
    camera = CAMERAS[name]()
    first = matrices_of(camera)
    before = num_launches()
    for a, b in zip(first, matrices_of(camera)):
        assert a is b
    assert num_launches() == before
    for a, b in zip(first, matrices_of(camera, TENSOR.double())):
        assert b.dtype == torch.float64
        torch.testing.assert_close(a.double(), b, rtol=1e-6, atol=1e-6)


@pytest.mark.parametrize("name", CAMERAS)
def test_writing_to_a_matrix_does_not_change_the_camera(name):
    camera = CAMERAS[name]()
    expected = [x.clone() for x in matrices_of(camera)]
    for matrix in matrices_of(camera):
        matrix.mul_(2)
    for a, b in zip(expected, matrices_of(camera)):
        assert torch.equal(a, b)


@pytest.mark.parametrize("name", CAMERAS)
@pytest.mark.parametrize("copied", [copy.deepcopy, lambda x: pickle.loads(pickle.dumps(x))])
def test_cameras_that_were_used_can_be_copied(name, copied):
    camera = CAMERAS[name]()
    for a, b in zip(matrices_of(camera), matrices_of(copied(camera))):
        assert torch.equal(a, b)
        assert a is not b


def test_another_aspect_is_another_matrix():
    camera = CAMERAS["look_at"]()
    wide, square = (camera.projection_matrix(TENSOR, aspect) for aspect in (2.0, 1.0))
    assert wide[0, 0, 0] * 2 == square[0, 0, 0]


def test_replaced_cameras_have_their_own_matrices():
    camera = CAMERAS["look_at"]()
    other = dataclasses.replace(camera, eye=(0.0, 0.0, 9.0))
    assert other.view_matrix(TENSOR)[0, 2, 3] == 9
    assert camera.view_matrix(TENSOR)[0, 2, 3] != 9


def test_a_camera_does_not_follow_the_callers_numbers():
    eyes, matrix = np.array([[0.0, 0.0, 3.0]]), np.array(K)
    distortion = np.array([[0.1, 0.0, 0.0, 0.0]])
    camera = sr.PosedCamera(sr.LookAt(eyes), sr.Intrinsics(matrix, 24, 32, distortion))
    fovs = np.array([40.0])
    lens = sr.Perspective(fovs)
    expected = [x.clone() for x in (*matrices_of(camera), lens.projection_matrix(TENSOR, 1.0))]
    for numbers in (eyes, matrix, distortion, fovs):
        numbers += 1
    same = [*matrices_of(camera, TENSOR.double()), lens.projection_matrix(TENSOR.double(), 1.0)]
    for a, b in zip(expected, same):
        torch.testing.assert_close(a.double(), b, rtol=1e-6, atol=1e-6)


def test_a_cameras_numbers_cannot_be_written_to():
    camera = CAMERAS["look_at"]()
    with pytest.raises(ValueError, match="read-only"):
        camera.eye[0, 0] = 2.0


def test_arrays_are_looked_at_at_each_call():
    eye = torch.tensor([0.0, 0.0, 3.0])
    camera = sr.LookAtCamera(eye)
    assert camera.view_matrix(eye)[0, 2, 3] == 3
    eye[2] = 5
    assert camera.view_matrix(eye)[0, 2, 3] == 5


def test_gradients_reach_arrays_after_numbers_were_kept():
    numbers = CAMERAS["look_at"]()
    numbers.view_matrix(TENSOR)
    eye = torch.tensor([1.0, 2.0, 4.0], requires_grad=True)
    dataclasses.replace(numbers, eye=eye).view_matrix(TENSOR)[0, 2, 3].backward()
    torch.testing.assert_close(eye.grad.norm(), torch.tensor(1.0))


def test_what_was_made_in_inference_mode_serves_for_training():
    camera = CAMERAS["look_at"]()
    vertices, faces, _ = sr.icosphere(0).to_torch()
    settings = sr.RasterizerSettings(height=8, width=8, sigma=1e-2)
    with torch.inference_mode():
        sr.render_silhouette(vertices, faces, camera, settings)
    vertices.requires_grad_()
    sr.render_silhouette(vertices, faces, camera, settings).sum().backward()
    assert vertices.grad.abs().sum() > 0
