"""The size of a mesh has no say on its normals, its light and its losses of shape."""

import gradients
import numpy as np
import pytest
import scenes
import torch

import taichi_softras as sr

SIZES = [1e-12, 1e-7, 1e-3, 1e4]
TOLERANCE = {torch.float32: 2e-5, torch.float64: 1e-12}
LIGHT = sr.Light(direction=(1, 2, 3))


def normals_of_vertices(vertices, faces):
    return sr.vertex_normals(vertices, faces)


def normals_of_faces(vertices, faces):
    return sr.face_normals(sr.gather(vertices, faces))


def light_of_faces(vertices, faces):
    points = sr.gather(vertices, faces)
    return sr.shade_faces(torch.full_like(points, 0.7), points, LIGHT)


def flattening(vertices, faces):
    return sr.flattening_loss(vertices, sr.mesh_topology(faces, vertices))


def normal_consistency(vertices, faces):
    return sr.normal_consistency_loss(vertices, sr.mesh_topology(faces, vertices))


SHAPES = [normals_of_vertices, normals_of_faces, light_of_faces, flattening, normal_consistency]


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64], ids=str)
@pytest.mark.parametrize("measure", SHAPES)
def test_size_has_no_say(measure, dtype, rng):
    """Nor on the gradient, but that it grows as the mesh shrinks."""
    vertices, faces = scenes.bumpy_octahedron(rng)

    def value_and_slope(size):
        leaf = (vertices * size).to(dtype).requires_grad_()
        value = measure(leaf, faces)
        weights = torch.linspace(-1, 1, value.numel(), dtype=dtype).reshape(value.shape)
        (value * weights).sum().backward() if value.ndim else value.backward()
        return value.detach(), leaf.grad * size

    expected = value_and_slope(1.0)
    for size in SIZES:
        for found, wanted in zip(value_and_slope(size), expected):
            torch.testing.assert_close(found, wanted, rtol=0, atol=TOLERANCE[dtype])


@pytest.mark.parametrize("size", SIZES[:2])
def test_cotangents_have_no_size(size, rng):
    """The loss itself is as large as the mesh's square."""
    vertices, faces = scenes.bumpy_octahedron(rng)
    topology = sr.mesh_topology(faces, vertices)
    expected = sr.laplacian_loss(vertices, topology, weights="cotangent")
    for dtype in (torch.float32, torch.float64):
        small = (vertices * size).to(dtype)
        topology = sr.mesh_topology(faces, small)
        found = sr.laplacian_loss(small, topology, weights="cotangent").double() / size**2
        torch.testing.assert_close(found, expected, rtol=1e-4, atol=0)


@pytest.mark.gradcheck
@pytest.mark.parametrize("size", [1e-7, 1.0])
@pytest.mark.parametrize("measure", SHAPES)
def test_gradients_match_finite_differences_at_any_size(measure, size, rng):
    vertices, faces = scenes.bumpy_octahedron(rng)

    def of_the_shape(vertices):
        return measure(size * vertices, faces)

    gradients.assert_gradients_match(of_the_shape, {"vertices": vertices}, rng)


@pytest.mark.parametrize("size", [1e-7, 1.0])
@pytest.mark.parametrize("measure", SHAPES)
def test_rounding_is_no_area(measure, size):
    """Three points in a line, as far as float64 can tell, and faces that cancel: no gradient."""
    line = np.array([[0.1, 0.2, 0.3]]) * [[1], [3], [7]]
    spike = np.array([[0.1, 0.7, 0.2], [0.3, 0.1, 0.9], [0.8, 0.4, 0.2]])
    points = torch.tensor(np.concatenate((line, spike)) * size)[None].requires_grad_()
    faces = torch.tensor([[0, 1, 2], [3, 4, 5], [3, 5, 4]], dtype=torch.int32)
    measure(points, faces).sum().backward()
    assert points.grad.isfinite().all()
    assert (points.grad[0, :3] == 0).all()
    assert points.grad.abs().max() * size < 10


def test_positions_too_large_for_float32_are_refused():
    far = sr.icosphere(0).vertices * np.float32(2.0**33)
    faces = sr.icosphere(0).faces
    message = r"vertices must be under 2\*\*30 in float32, got .*e\+09: scale them down"
    with pytest.raises(ValueError, match=message):
        sr.Mesh(far, faces)
    with pytest.raises(ValueError, match=r"vertices must be under 2\*\*250 in float64"):
        sr.Mesh(far.astype(np.float64) * 1e70, faces)
    mesh = sr.Mesh(far.astype(np.float64), faces)
    assert mesh.normalized().vertices.max() == 0.5
    for change in (mesh.to_taichi, lambda: mesh.to_torch(dtype=torch.float32)):
        with pytest.raises(ValueError, match=r"vertices must be under 2\*\*30 in float32"):
            change()


def test_positions_that_float32_spoils_are_said():
    far = sr.icosphere(0).vertices + np.array([500000.0, 4600000.0, 0.0])
    mesh = sr.Mesh(far, sr.icosphere(0).faces)
    for change in (mesh.to_taichi, lambda: mesh.to_torch(dtype=torch.float32)):
        with pytest.warns(UserWarning, match="vertices lose their shape in float32"):
            change()
    assert mesh.to_torch()[0].dtype == torch.float64
    assert len(mesh.normalized().to_taichi()) == 3
