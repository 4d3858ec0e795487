"""Cameras of arrays that lack the dimension of cameras, or are of another type than vertices."""

import numpy as np
import pytest
import scenes
import torch

import taichi_softras as sr
from taichi_softras.backend import ti

HEIGHT, WIDTH = 6, 8
ASPECT = WIDTH / HEIGHT
FACING = [[1.0, 0, 0], [0, -1, 0], [0, 0, -1]]
K = [[7.0, 0, 4], [0, 7, 3], [0, 0, 1]]

CAMERAS = {
    # how each is made, and what of: of one camera, without a first dimension
    "look_at": (
        lambda **arrays: sr.LookAtCamera(**arrays, fov_degrees=40.0),
        {"eye": [0.5, 1, 4], "at": [0.1, 0, 0.2], "up": [0.2, 1, 0]},
    ),
    "look": (
        lambda half_height, **arrays: sr.PosedCamera(
            sr.Look(**arrays), sr.Orthographic(half_height)
        ),
        {"eye": [0.5, 1, 4], "direction": [0.1, -1, -4], "half_height": [2.0]},
    ),
    "intrinsics": (
        lambda matrix, distortion, **arrays: sr.PosedCamera(
            sr.Extrinsics(**arrays), sr.Intrinsics(matrix, HEIGHT, WIDTH, distortion)
        ),
        {
            "rotation": FACING,
            "translation": [0.1, 0.2, 4],
            "matrix": K,
            "distortion": [-0.2, 0.1, 0.01, -0.02],
        },
    ),
    "fisheye": (
        lambda matrix, distortion: sr.PosedCamera(
            sr.Extrinsics(FACING, (0, 0, 4)), sr.Fisheye(matrix, HEIGHT, WIDTH, distortion)
        ),
        {"matrix": K, "distortion": [0.1, 0.05, 0.01, 0.02]},
    ),
    "matrices": (
        sr.MatrixCamera,
        {
            "view": [[1.0, 0, 0, 0.1], [0, 1, 0, 0.2], [0, 0, -1, 4], [0, 0, 0, 1]],
            "projection": [[1.5, 0, 0.1, 0], [0, 2, 0, 0], [0, 0, 1, 0], [0, 0, 1, 0]],
        },
    ),
}


@pytest.mark.parametrize("frontend", ["torch", "taichi"])
@pytest.mark.parametrize("types", [(np.float64, np.float32), (np.float32, np.float64)], ids=str)
@pytest.mark.parametrize("kind", CAMERAS)
def test_arrays_of_one_camera_and_of_another_type(kind, types, frontend, rng):
    """Of the type of cameras, and that of vertices: pictures and gradients are those of numbers."""
    build, numbers = CAMERAS[kind]
    camera_type, vertex_type = types
    vertices = scenes.bumpy_octahedron(rng)[0].numpy().astype(vertex_type)
    arrays = {name: np.array(value, dtype=camera_type) for name, value in numbers.items()}
    faces = np.arange(6, dtype=np.int32).reshape(2, 3)

    def loss_of(vertices, faces, arrays, target):
        corners = sr.gather(sr.project(vertices, build(**arrays), ASPECT), faces)
        return sr.image_loss(corners, target)

    leaves = {name: torch.tensor(array, requires_grad=True) for name, array in arrays.items()}
    target = np.full((1, 2, 3, 3), 0.5, vertex_type)
    loss = loss_of(*map(torch.tensor, (vertices, faces)), leaves, torch.tensor(target))
    assert loss.dtype == torch.tensor(vertices).dtype
    loss.sum().backward()
    if frontend == "torch":
        expected, wanted = expected_of(loss_of, vertices, faces, arrays, target)
        torch.testing.assert_close(loss, expected.to(loss.dtype), rtol=1e-5, atol=1e-6)
        for name, leaf in leaves.items():
            assert leaf.grad.shape == arrays[name].shape
            torch.testing.assert_close(leaf.grad.double(), wanted[name], rtol=1e-3, atol=1e-4)
        return
    ndarrays = {name: sr.from_numpy(array, needs_grad=True) for name, array in arrays.items()}
    recorded = ti.ndarray(ti.f64 if vertex_type is np.float64 else ti.f32, 1, needs_grad=True)
    with ti.ad.Tape(recorded):
        term = loss_of(*map(sr.from_numpy, (vertices, faces)), ndarrays, sr.from_numpy(target))
        sr.add_to_loss(recorded, term)
    assert recorded.to_numpy()[0] == loss.item()
    for name, leaf in leaves.items():
        assert (ndarrays[name].grad.to_numpy() == leaf.grad.numpy()).all(), name


def expected_of(loss_of, vertices, faces, arrays, target):
    """Loss and gradients in float64, of arrays with a first dimension."""
    leaves = {
        name: torch.tensor(array[None] if name != "half_height" else array).double()
        for name, array in arrays.items()
    }
    for leaf in leaves.values():
        leaf.requires_grad_()
    loss = loss_of(
        torch.tensor(vertices).double(), torch.tensor(faces), leaves, torch.tensor(target).double()
    )
    loss.sum().backward()
    return loss.detach(), {
        name: leaf.grad.reshape(arrays[name].shape) for name, leaf in leaves.items()
    }


def test_a_field_of_view_may_be_a_tensor_of_one_number(rng):
    vertices, _ = scenes.bumpy_octahedron(rng)
    fov = torch.tensor(40.0, requires_grad=True)
    ndc = sr.project(vertices, sr.LookAtCamera((0, 1, 4), fov_degrees=fov), 1.0)
    expected = sr.project(vertices, sr.LookAtCamera((0, 1, 4), fov_degrees=40.0), 1.0)
    torch.testing.assert_close(ndc, expected, rtol=0, atol=1e-12)
    ndc.square().sum().backward()
    assert fov.grad.shape == ()
    assert fov.grad < 0
