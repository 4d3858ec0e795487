"""Vertices by way of a smoothing matrix, in both frameworks, against dense linear algebra."""

import gradients
import numpy as np
import pytest
import torch

import taichi_softras as sr
from taichi_softras.backend import ti

MESH = sr.icosphere(1)


def dense_matrix(smoothness):
    """I + smoothness L, L the number of neighbours less the neighbours, face by face."""
    matrix = np.zeros((MESH.num_vertices,) * 2)
    for a, b in MESH.faces[:, [0, 1, 1, 2, 2, 0]].reshape(-1, 2):
        matrix[a, b] = -1
        matrix[b, a] = -1
    matrix -= np.diag(matrix.sum(axis=1))
    return np.eye(MESH.num_vertices) + smoothness * matrix


@pytest.mark.parametrize("smoothness", [0.0, 7.0])
def test_encode_and_decode(smoothness, numpy_rng):
    steps = sr.LargeSteps(MESH.faces, MESH.num_vertices, smoothness)
    matrix = dense_matrix(smoothness)
    points = numpy_rng.normal(size=(MESH.num_vertices, 3))
    np.testing.assert_allclose(steps.encode(points), matrix @ points, atol=1e-12)
    values = torch.tensor(numpy_rng.normal(size=(2, MESH.num_vertices, 3)))
    wanted = np.linalg.solve(matrix, values.numpy())
    np.testing.assert_allclose(steps.decode(values), wanted, atol=1e-12)


@pytest.mark.gradcheck
def test_gradient_matches_finite_differences(rng):
    steps = sr.LargeSteps(MESH.faces, MESH.num_vertices, 3.0)
    values = torch.randn(2, MESH.num_vertices, 3, generator=rng, dtype=torch.float64)
    gradients.assert_gradients_match(lambda values: steps.decode(values), {"values": values}, rng)


def test_taichi_gives_the_same(numpy_rng):
    steps = sr.LargeSteps(MESH.faces, MESH.num_vertices, 3.0)
    numbers = (
        steps.encode(MESH.vertices)[None] + numpy_rng.normal(size=(1, MESH.num_vertices, 3)) / 9
    )
    target = numpy_rng.random((1, 8, 8, 3))
    camera, settings = (
        sr.LookAtCamera((0, 0, 4)),
        sr.RasterizerSettings(height=8, width=8, sigma=1e-2),
    )

    def picture(values, colors, faces):
        return sr.render(steps.decode(values), faces, colors, camera, settings)

    values = torch.tensor(numbers, requires_grad=True)
    colors = torch.full((1, 1, 2), 0.5, dtype=torch.float64)
    faces = torch.tensor(MESH.faces)
    wanted = sr.image_loss(picture(values, colors, faces), torch.tensor(target))
    wanted.backward()
    given = sr.from_numpy(numbers, needs_grad=True)
    loss = ti.ndarray(ti.f64, 1, needs_grad=True)
    with ti.ad.Tape(loss=loss):
        image = picture(given, sr.from_numpy(colors.numpy()), sr.from_numpy(MESH.faces))
        sr.add_to_loss(loss, sr.image_loss(image, sr.from_numpy(target)))
    np.testing.assert_allclose(loss.to_numpy(), wanted.detach(), rtol=1e-12)
    np.testing.assert_allclose(given.grad.to_numpy(), values.grad, rtol=1e-9, atol=1e-14)
    assert values.grad.abs().max() > 1e-4


def test_one_step_moves_a_neighbourhood():
    steps = sr.LargeSteps(MESH.faces, MESH.num_vertices, 10.0)
    values = torch.tensor(steps.encode(MESH.vertices)[None], requires_grad=True)
    steps.decode(values)[0, 0, 0].backward()
    moved = steps.decode(values.grad)[0, :, 0]
    assert moved[0] == moved.max()
    assert (moved > 0).all()


@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        ((MESH.faces, 3), ValueError, "faces must have indices from 0 to 2"),
        ((MESH.faces, MESH.num_vertices, -1.0), ValueError, "smoothness must be at least 0"),
        ((MESH.faces, 2.5), TypeError, "num_vertices must be an int"),
    ],
)
def test_refuses(arguments, error, message):
    with pytest.raises(error, match=message):
        sr.LargeSteps(*arguments)


def test_refuses_vertices_of_another_mesh():
    steps = sr.LargeSteps(MESH.faces, MESH.num_vertices)
    with pytest.raises(ValueError, match=r"vertices must have shape \(42, 3\), got \(3, 3\)"):
        steps.encode(np.zeros((3, 3)))
    with pytest.raises(ValueError, match=r"values must have shape \(B, 42, 3\), got \(1, 3, 3\)"):
        steps.decode(torch.zeros(1, 3, 3))
