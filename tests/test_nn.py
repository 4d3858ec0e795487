"""The PyTorch module: the functions, with parameters."""

import pytest
import scenes
import torch
from closeness import assert_same_bits

import taichi_softras as sr
from taichi_softras.nn import SoftRenderer

SETTINGS = sr.RasterizerSettings(height=6, width=7, near=1.0, far=10.0, sigma=1e-2, gamma=0.1)
CAMERA = sr.LookAtCamera((1.0, 2.0, 4.0))


@pytest.mark.parametrize("light", [None, sr.Light()], ids=["unlit", "lit"])
def test_draws_as_render_does(light, rng):
    vertices, faces = scenes.bumpy_octahedron(rng)
    renderer = SoftRenderer(SETTINGS, light=light, background=(0.1, 0.2, 0.3))
    image = renderer(vertices, faces, CAMERA, colors=vertices)
    expected = sr.render(
        vertices, faces, vertices, CAMERA, SETTINGS, light=light, background=(0.1, 0.2, 0.3)
    )
    assert_same_bits(image, expected)
    assert list(renderer.parameters()) == []


def test_draws_silhouettes_without_colors(rng):
    vertices, faces = scenes.bumpy_octahedron(rng)
    alpha = SoftRenderer(SETTINGS)(vertices, faces, CAMERA)
    assert_same_bits(alpha, sr.render_silhouette(vertices, faces, CAMERA, SETTINGS))


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64], ids=str)
def test_softness_can_be_learnt(dtype, rng):
    vertices, faces = scenes.bumpy_octahedron(rng)
    vertices = vertices.to(dtype)
    renderer = SoftRenderer(SETTINGS, learn_softness=True)
    assert [name for name, _ in renderer.named_parameters()] == ["log_softness"]
    image = renderer(vertices, faces, CAMERA, colors=vertices)
    expected = sr.render(vertices, faces, vertices, CAMERA, SETTINGS)
    torch.testing.assert_close(image.detach(), expected, rtol=1e-5, atol=1e-5)
    image.square().sum().backward()
    grad = renderer.log_softness.grad.clone()
    assert grad.isfinite().all()
    assert (grad != 0).all()
    renderer.zero_grad()
    renderer(vertices, faces, CAMERA).sum().backward()
    assert renderer.log_softness.grad[0] != 0
    assert renderer.log_softness.grad[1] == 0  # a silhouette knows no gamma


def test_state_can_be_saved(rng):
    renderer = SoftRenderer(SETTINGS, learn_softness=True)
    other = SoftRenderer(sr.RasterizerSettings(height=6, width=7, sigma=0.5), learn_softness=True)
    other.load_state_dict(renderer.state_dict())
    assert (other.log_softness == renderer.log_softness).all()
