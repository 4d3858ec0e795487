"""The vertex stage in one launch each way does what its steps do one after another."""

import itertools
import math

import numpy as np
import pytest
import scenes
import torch
from closeness import assert_near
from torch.autograd import gradcheck

import taichi_softras as sr
from taichi_softras.arrays.counts import num_launches
from taichi_softras.backend import ti
from taichi_softras.cameras import vertex_stage
from taichi_softras.cameras.vertex_stage import place_faces
from taichi_softras.meshes.incidence import know_faces

DEPTHS = (0.5, 10.0)
ASPECT = 4 / 3


@pytest.fixture(params=[0, 10**9], ids=["by threads", "by one thread"], autouse=True)
def few_rows(request, monkeypatch):
    monkeypatch.setattr(vertex_stage, "FEW_ROWS", request.param)


def make_camera(num_items, distance, *, by_steps=False, dtype=torch.float64, kind="perspective"):
    """Make a camera of tensors. With a lens that wants a gradient it is not for the one launch."""
    eyes = torch.tensor(sr.orbit_eyes(distance, 25.0, [10.0 + 50 * i for i in range(num_items)]))
    eyes = eyes.to(dtype).requires_grad_()
    lens = {"dtype": dtype, "requires_grad": by_steps}
    if kind == "orthographic":
        return sr.PosedCamera(sr.LookAt(eyes), sr.Orthographic(torch.tensor([1.5], **lens)))
    return sr.LookAtCamera(eyes, fov_degrees=torch.full((num_items,), 40.0, **lens))


@ti.kernel
def add_up(values: ti.types.ndarray(ti.f64, 4), total: ti.types.ndarray(ti.f64, 1)):
    for b, f, k, c in values:
        total[0] += values[b, f, k, c]


def place(vertices, faces, camera, *, clip=True):
    faces, incidence = know_faces(faces, num_vertices=vertices.shape[1])
    return place_faces(*(vertices, faces, camera, ASPECT, DEPTHS), clip=clip, incidence=incidence)


def meshes(num_items, rng, dtype=torch.float64):
    vertices, faces = scenes.bumpy_octahedron(rng)
    scales = torch.linspace(0.8, 1.1, num_items, dtype=torch.float64)
    return (vertices * scales[:, None, None]).to(dtype), faces


def beside_camera():
    """A point in the plane of the first camera, but not where the camera is."""
    camera = make_camera(1, 3.0)
    right, up = camera.view_matrix(camera.eye)[0, :2, :3]
    return (camera.eye[0] + 0.5 * right + 0.3 * up).detach()


BAD = {
    "finite": lambda vertices, faces: None,
    "nan": lambda vertices, faces: vertices[0, 1].fill_(math.nan),
    "infinite": lambda vertices, faces: vertices[-1, 2, 1].fill_(-math.inf),
    "huge": lambda vertices, faces: vertices[0, 3, 0].fill_(1e300),
    "in the camera's plane": lambda vertices, faces: vertices[0, 0].copy_(
        make_camera(1, 3.0).eye[0].detach()
    ),
    "beside the camera": lambda vertices, faces: vertices[0, 0].copy_(beside_camera()),
    "too far once turned": lambda vertices, faces: vertices[-1, 1].fill_(1.7e75),
    "no face": lambda vertices, faces: faces[1].fill_(-1),
}


@pytest.mark.parametrize("kind", ["perspective", "orthographic"])
@pytest.mark.parametrize(("num_meshes", "num_cameras"), [(1, 1), (1, 3), (3, 1), (3, 3)])
@pytest.mark.parametrize("distance", [3.0, 1.2], ids=["in front", "through the near plane"])
def test_one_launch_does_what_the_steps_do(distance, num_meshes, num_cameras, kind, rng):
    vertices, faces = meshes(num_meshes, rng)
    for bad, clip in itertools.product(BAD, (True, False)):
        changed, changed_faces = vertices.clone(), faces.clone()
        BAD[bad](changed, changed_faces)
        found = []
        for by_steps in (False, True):
            leaf = changed.clone().requires_grad_()
            camera = make_camera(num_cameras, distance, by_steps=by_steps, kind=kind)
            eye = camera.pose.eye if kind == "orthographic" else camera.eye
            corners, clipped = place(leaf, changed_faces, camera, clip=clip)
            weights = torch.linspace(-1, 1, corners.numel(), dtype=torch.float64)
            (corners.flatten() * weights).sum().backward()
            found.append((corners.detach(), leaf.grad, eye.grad, clipped is None))
        (fused, *fused_grads, fused_whole), (steps, *grads, whole) = found
        assert fused_whole == whole
        assert_near(fused, steps)
        for fused_grad, grad in zip(fused_grads, grads):
            assert_near(fused_grad, grad, 64)
            assert fused_grad.isfinite().all()
            assert fused_grad.any()


def test_corners_of_no_face_are_zero(rng):
    vertices, faces = meshes(2, rng)
    faces[1] = -1
    camera = make_camera(2, 3.0)
    for corners in (place(vertices, faces, camera)[0], sr.gather(vertices, faces)):
        assert (corners[:, 1] == 0).all()
        assert (corners[:, 0] != 0).any()


def test_values_are_those_of_the_steps_in_float32(rng):
    vertices, faces = meshes(2, rng, torch.float32)
    camera = make_camera(2, 3.0, dtype=torch.float32)
    expected = sr.gather(sr.project(vertices, camera, ASPECT), faces)
    corners, _ = place(vertices, faces, camera)
    assert corners.dtype == torch.float32
    assert_near(corners, expected)


@pytest.mark.gradcheck
@pytest.mark.parametrize("num_cameras", [1, 3])
@pytest.mark.parametrize("most_parts", [4, 64])
def test_the_derivative_is_exact(num_cameras, most_parts, rng, monkeypatch):
    monkeypatch.setattr(vertex_stage, "MOST_PARTS", most_parts)
    vertices, faces = meshes(1, rng)
    eyes = make_camera(num_cameras, 3.0).eye

    def corners(vertices, eyes, at):
        return place(vertices, faces, sr.LookAtCamera(eyes, at, fov_degrees=40.0))[0]

    at = torch.tensor([[0.1, -0.2, 0.05]], dtype=torch.float64, requires_grad=True)
    assert gradcheck(corners, (vertices.requires_grad_(), eyes, at))


def test_ndarrays_and_tensors_have_the_same(rng):
    vertices, faces = meshes(2, rng)
    camera = sr.LookAtCamera(sr.orbit_eyes(3.0, 25.0, [10.0, 60.0]))
    leaf = vertices.clone().requires_grad_()
    corners, _ = place(leaf, faces, camera)
    corners.sum().backward()
    array = sr.from_numpy(vertices.numpy(), needs_grad=True)
    faces_array = sr.from_numpy(faces.int().numpy())
    loss = sr.from_numpy(np.zeros(1), needs_grad=True)
    with ti.ad.Tape(loss):
        placed, _ = place(array, faces_array, camera)
        add_up(placed, loss)
    assert_near(placed.to_numpy(), corners)
    assert_near(array.grad.to_numpy(), leaf.grad)


def test_it_is_one_launch_each_way(rng):
    vertices, faces = meshes(2, rng)
    camera = sr.LookAtCamera(sr.orbit_eyes(3.0, 25.0, [10.0, 60.0]))
    leaf = vertices.requires_grad_()
    place(leaf, faces, camera)[0].sum().backward()
    before = num_launches()
    corners, _ = place(leaf, faces, camera)
    assert num_launches() == before + 1
    corners.sum().backward()
    assert num_launches() == before + 2


def test_a_camera_that_wants_a_gradient_takes_no_more_steps(rng, monkeypatch):
    monkeypatch.setattr(vertex_stage, "move_to_view", None)
    vertices, faces = meshes(2, rng)
    camera = make_camera(1, 3.0)
    place(vertices, faces, camera)[0].sum().backward()
    assert camera.eye.grad.any()


def test_a_gpu_is_not_waited_for_without_clipping(rng, monkeypatch):
    monkeypatch.setattr(vertex_stage, "on_gpu", lambda: True)
    vertices, faces = meshes(1, rng)
    camera = make_camera(1, 3.0)
    expected, _ = place(vertices, faces, camera)
    kernels = vertex_stage.vertex_stage_kernels(ti.f64, serial=False)
    monkeypatch.setattr(kernels, "place_and_count", None)
    found, clipped = place(vertices, faces, camera, clip=False)
    assert clipped is None
    assert_near(found, expected)
