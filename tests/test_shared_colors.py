"""Colours and attributes that all vertices of a mesh share."""

import gradients
import numpy as np
import pytest
import scenes
import torch

import taichi_softras as sr
from taichi_softras.backend import ti

SETTINGS = sr.RasterizerSettings(height=5, width=6, near=1.0, far=10.0, sigma=1e-2, gamma=1e-1)
CAMERA = sr.LookAtCamera(eye=((0.5, 1.0, 3.0), (2.0, 0.5, 2.0)), fov_degrees=50.0)


@pytest.mark.parametrize("shading", [None, "vertex", "face", "fragment"])
@pytest.mark.parametrize("num_items", [1, 2])
def test_one_color_for_all_vertices(num_items, shading, rng):
    vertices, faces = scenes.bumpy_octahedron(rng)
    shared = torch.rand(num_items, 1, 3, generator=rng, dtype=torch.float64)
    light = None
    if shading is not None:
        lights = (sr.DirectionalLight((0.5, 0.6, 0.7), (0, 1, 1)),)
        light = sr.Lighting(lights=lights, shading=shading)

    def draw(colors, attributes):
        return sr.render(
            vertices, faces, colors, CAMERA, SETTINGS, light=light, attributes=attributes
        )

    found = draw(shared, shared[..., :2])
    each = shared.expand(-1, 6, -1)
    torch.testing.assert_close(found, draw(each, each[..., :2]), rtol=0, atol=1e-14)


@pytest.mark.gradcheck
def test_gradients_of_one_color_for_all_vertices(rng):
    vertices, faces = scenes.bumpy_octahedron(rng)

    def draw(colors, attributes):
        return sr.render(vertices, faces, colors, CAMERA, SETTINGS, attributes=attributes)

    shared = torch.rand(1, 1, 3, generator=rng, dtype=torch.float64)
    gradients.assert_gradients_match(draw, {"colors": shared, "attributes": shared + 1}, rng)


def test_one_color_lights_vertices_of_taichi(rng):
    normals = scenes.random_like(torch.empty(2, 70, 3), rng)
    colors, target = torch.tensor([[[0.2, 0.5, 0.9]]]), torch.zeros(2, 70, 3, 1)
    leaf = colors.clone().requires_grad_()
    lit = sr.shade(leaf, normals, sr.Light())
    assert (lit == sr.shade(colors.expand(2, 70, 3), normals, sr.Light())).all()
    sr.image_loss(lit[..., None], target).backward()

    array = scenes.to_taichi(colors, needs_grad=True)
    loss = ti.ndarray(ti.f32, 1, needs_grad=True)
    with ti.ad.Tape(loss):
        lit = sr.shade(array, scenes.to_taichi(normals), sr.Light())
        corners = sr.gather(lit, sr.from_numpy(np.arange(69, dtype=np.int32).reshape(23, 3)))
        sr.add_to_loss(loss, sr.image_loss(corners, sr.from_numpy(np.zeros((1, 23, 3, 3), "f4"))))
    assert array.grad.to_numpy().shape == (1, 1, 3)
    assert (array.grad.to_numpy() > 0).all()
    assert (leaf.grad > 0).all()


def test_other_numbers_of_colors_are_refused(rng):
    vertices, faces = scenes.bumpy_octahedron(rng)
    for name in ("colors", "attributes"):
        arrays = {"colors": vertices, name: vertices[:, :2]}
        with pytest.raises(ValueError, match=rf"{name} must have shape \(1, 6 or 1, "):
            sr.render(vertices, faces, camera=CAMERA, settings=SETTINGS, **arrays)
