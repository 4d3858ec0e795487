"""The drop-in's cameras: left-handed worlds, and how they are given."""

import math

import numpy as np
import pytest
import torch
from softras_shapes import icosphere
from torch.autograd import gradcheck

import taichi_softras as native
import taichi_softras.soft_renderer as sr
import taichi_softras.soft_renderer.functional as srf


def test_points_from_angles():
    front, right = ([2, 0, 0], [2, 0, 90])
    assert srf.get_points_from_angles(*front) == pytest.approx((0, 0, -2))
    assert srf.get_points_from_angles(*right) == pytest.approx((2, 0, 0))
    assert srf.get_points_from_angles(2, math.pi / 2, 0, degrees=False) == pytest.approx((0, 2, 0))
    expected = torch.tensor([[0.0, 0, -2.5], [2.5, 0, 0]])
    points = srf.get_points_from_angles(torch.tensor([2.5, 2.5]), 0.0, np.array([0.0, 90.0]))
    torch.testing.assert_close(points, expected, atol=1e-6, rtol=0)
    points = srf.get_points_from_angles(2.5, 0, torch.tensor([0, 90]))  # whole degrees
    torch.testing.assert_close(points, expected, atol=1e-6, rtol=0)


def test_worlds_are_left_handed():
    """From the negative z axis the x axis points right; in a right-handed world it points left."""
    point = torch.tensor([[[1.0, 2.0, 0.5]]])
    assert srf.look_at(point, [0, 0, -3]).flatten().tolist() == pytest.approx([1, 2, 3.5])
    assert srf.look(point, [0, 0, -3], [0, 0, 1]).flatten().tolist() == pytest.approx([1, 2, 3.5])
    camera = native.LookAtCamera(eye=(0, 0, -3), fov_degrees=90)
    assert native.project(point, camera, 1.0)[0, 0, 0] < 0


@pytest.mark.parametrize("num_items", [1, 2, 3])
def test_cameras_of_a_batch_are_those_of_its_items(num_items, rng):
    """Three used to be a batch of its own kind in SoftRas: see `test_normals_of_three_meshes`."""
    vertices = torch.rand(num_items, 5, 3, generator=rng, dtype=torch.float64)
    eyes = 3 + torch.rand(num_items, 3, generator=rng, dtype=torch.float64)
    ups = torch.rand(num_items, 3, generator=rng, dtype=torch.float64)
    for function in (
        lambda v, e, u: srf.look_at(v, e, (0, 0.1, 0), u),
        lambda v, e, u: srf.look(v, e, -e + 0.1, u),
    ):
        together = function(vertices, eyes, ups)
        for b in range(num_items):
            one = function(vertices[b : b + 1], eyes[b], ups[b])
            torch.testing.assert_close(together[b : b + 1], one)
            shared = function(vertices[:1], eyes, ups)[b : b + 1]
            torch.testing.assert_close(shared, function(vertices[:1], eyes[b], ups[b]))


def test_views_keep_lengths_and_do_not_turn_the_image_upside_down(rng):
    points = torch.rand(1, 4, 3, generator=rng, dtype=torch.float64)
    seen = srf.look_at(points, (2, 1, -3))
    distances = torch.cdist(points, points)
    torch.testing.assert_close(torch.cdist(seen, seen), distances)
    higher = srf.look_at(points + torch.tensor([0, 0.1, 0]), (2, 1, -3))
    assert (higher[..., 1] > seen[..., 1]).all()


@pytest.mark.gradcheck
def test_gradients_of_cameras(rng):
    vertices = torch.rand(2, 4, 3, generator=rng, dtype=torch.float64).requires_grad_()
    eye = torch.tensor([[2.0, 1, -3], [1, 2, -3]], dtype=torch.float64, requires_grad=True)
    matrix = torch.rand(2, 3, 4, generator=rng, dtype=torch.float64) + 1
    matrix.requires_grad_()
    bend = (torch.rand(2, 5, generator=rng, dtype=torch.float64) / 10).requires_grad_()
    assert gradcheck(lambda v, e: srf.perspective(srf.look_at(v, e), 20.0), (vertices, eye))
    assert gradcheck(lambda v, e: srf.orthogonal(srf.look(v, e, (1, 0, 1)), 0.7), (vertices, eye))
    assert gradcheck(lambda *x: srf.projection(*x, 2.0), (vertices, matrix, bend))


def test_projection_without_distortion():
    matrix = [[[500.0, 0, 256, 0], [0, 500, 256, 0], [0, 0, 1, 0]]]
    points = torch.tensor([[[0.0, 0, 4], [1, 2, 4]]], dtype=torch.float64)
    ndc = srf.projection(points, torch.tensor(matrix), orig_size=512)
    expected = torch.tensor([[[0.0, 0, 4], [125 / 256, 250 / 256, 4]]], dtype=torch.float64)
    torch.testing.assert_close(ndc, expected, rtol=1e-5, atol=1e-5)  # it adds 1e-5 to depth


def test_projection_with_distortion():
    """OpenCV's model, with pixels in place of the image plane, written out."""
    (x, y), (k1, k2, p1, p2, k3) = (0.6, -0.8), (0.1, 0.2, 0.3, 0.4, 0.5)
    r2 = x**2 + y**2
    radial = 1 + k1 * r2 + k2 * r2**2 + k3 * r2**3
    expected_x = x * radial + 2 * p1 * x * y + p2 * (r2 + 2 * x**2)
    expected_y = y * radial + p1 * (r2 + 2 * y**2) + 2 * p2 * x * y
    point = torch.tensor([[[x, y, 1 - 1e-5]]], dtype=torch.float64)
    ndc = srf.projection(point, torch.eye(3, 4)[None], [[k1, k2, p1, p2, k3]], orig_size=2)
    assert ndc[0, 0, :2].tolist() == pytest.approx([expected_x - 1, expected_y - 1])


@pytest.mark.parametrize("depth", [-1e-5, 0.0, float(np.float32(-1e-5)), 1e-30, 1e-12, -3.0])
def test_points_at_the_camera_s_plane_do_no_harm(depth):
    """They are not drawn, and no gradient is NaN."""
    matrix = torch.tensor([[[50.0, 0, 9, 0], [0, 50, 9, 0], [0, 0, 1, 0]]])
    vertices = torch.tensor([[[0.0, 0, 2], [1, 0, 2], [1, 1, depth]]], requires_grad=True)
    bend = torch.full((1, 5), 0.1)
    for seen in (
        srf.projection(vertices, matrix, bend, 18),
        srf.perspective(vertices),
    ):
        colors = torch.ones(1, 1, 1, 3)
        image = srf.soft_rasterize(seen[:, None], colors, image_size=4, near=0.1)
        assert (image == 0).all()
        (grad,) = torch.autograd.grad(image.sum(), vertices)
        assert (grad == 0).all()


def test_cameras_refuse_what_does_not_fit():
    vertices = torch.zeros(2, 4, 3)
    with pytest.raises(ValueError, match="P must have shape"):
        sr.Projection(None)
    with pytest.raises(ValueError, match="P must have shape"):
        sr.SoftRenderer(P=torch.zeros(3, 4))
    with pytest.raises(ValueError, match="to have eyes"):
        sr.Transform(P=np.zeros((1, 3, 4))).set_eyes_from_angles(1, 2, 3)
    with pytest.raises(ValueError, match="angle must be above 0"):
        srf.perspective(vertices, 90)
    with pytest.raises(ValueError, match=r"eye must have shape \(2 or 1, 3\)"):
        srf.look_at(vertices, torch.zeros(3, 3))
    with pytest.raises(ValueError, match=r"eye must have shape \(3,\)"):
        srf.look_at(vertices, [1, 2])
    with pytest.raises(ValueError, match="vertices must have shape"):
        srf.look_at(vertices[0], [1, 2, 3])


def test_transforming_leaves_the_mesh_as_it_is():
    vertices, faces = icosphere()
    mesh = sr.Mesh(vertices, faces)
    moved = sr.Transform("look_at")(mesh)
    assert mesh.vertices is vertices
    assert (moved.vertices == sr.LookAt()(vertices)).all()


def test_camera_that_looks_in_a_direction():
    vertices, _ = icosphere()
    eye, direction = (1, 0.5, -3), (-0.2, 0.1, 1)
    transform = sr.Transform("look", viewing_angle=20, eye=eye, camera_direction=direction)
    expected = srf.perspective(srf.look(vertices, eye, direction), 20)
    assert (transform.transformer(vertices) == expected).all()


def test_eyes():
    transform = sr.Transform("look_at", viewing_angle=45)
    assert transform.eyes == pytest.approx([0, 0, -2])
    transform.set_eyes([1, 2, 3])
    assert transform.eyes == [1, 2, 3]
    transform.set_eyes_from_angles(2, 0, 90)
    assert transform.eyes == pytest.approx((2, 0, 0))
