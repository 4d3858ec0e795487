"""Gradients of light, against finite differences and between the front ends."""

import gradients
import numpy as np
import pytest
import scenes
import torch
from closeness import assert_near, assert_within
from light_cases import (
    KINDS,
    PART_SHAPES,
    face_inputs,
    lighting_of,
    normal,
    reference_shade,
    shade,
    shade_faces,
    shade_inputs,
)

import taichi_softras as sr
from taichi_softras.backend import ti
from taichi_softras.lights import packing
from taichi_softras.lights.kernels.reflection import shading_func


@pytest.mark.gradcheck
@pytest.mark.parametrize("items", [(1, 1, 1, 1), (2, 2, 2, 1), (1, 1, 1, 2)], ids=str)
@pytest.mark.parametrize("two_sided", [False, True], ids=["one_sided", "two_sided"])
def test_gradients_of_shade(items, two_sided, rng):
    """By everything that a picture depends on: colours, normals, positions, lights, gloss, eye."""
    kinds = KINDS["all"]
    inputs = shade_inputs(kinds, True, rng, items)
    errors = gradients.assert_gradients_match(lambda **x: shade(kinds, x, two_sided), inputs, rng)
    assert len(errors) == 16


@pytest.mark.gradcheck
@pytest.mark.parametrize("name", KINDS)
def test_gradients_of_matt_light(name, rng):
    inputs = shade_inputs(KINDS[name], False, rng)
    if "point" not in KINDS[name]:
        del inputs["positions"]
    gradients.assert_gradients_match(lambda **x: shade(KINDS[name], x), inputs, rng)


@pytest.mark.gradcheck
@pytest.mark.parametrize("items", [(1, 1, 1), (2, 1, 1), (1, 2, 2)], ids=str)
def test_gradients_of_shade_faces(items, rng):
    kinds = KINDS["all"]
    inputs = face_inputs(kinds, True, rng, items)
    gradients.assert_gradients_match(lambda **x: shade_faces(kinds, x), inputs, rng)


@pytest.mark.parametrize("faces", [False, True], ids=["vertices", "faces"])
def test_tape_equals_pytorch(faces, rng):
    kinds = KINDS["all"]
    inputs = (face_inputs if faces else shade_inputs)(kinds, True, rng)
    function = shade_faces if faces else shade
    leaves = {name: x.clone().requires_grad_() for name, x in inputs.items()}
    expected = function(kinds, leaves)
    expected.square().mean().backward()
    arrays = {name: scenes.to_taichi(x, needs_grad=True) for name, x in inputs.items()}
    lit = function(kinds, arrays)
    assert_near(lit.to_numpy(), expected)

    loss = sr.from_numpy(np.zeros(1), needs_grad=True)
    with ti.ad.Tape(loss):
        lit = function(kinds, arrays)
        if faces:
            mean_square(lit, loss)
        else:
            mean_square_3d(lit, loss)
    for name, leaf in leaves.items():
        found = arrays[name].grad.to_numpy()
        assert np.abs(found).max() > 0, name
        np.testing.assert_allclose(found, leaf.grad.numpy(), rtol=1e-11, atol=1e-12, err_msg=name)


@pytest.mark.parametrize("faces", [False, True], ids=["vertices", "faces"])
def test_gradients_in_float32_are_those_in_float64(faces, rng):
    kinds = KINDS["all"]
    inputs = (face_inputs if faces else shade_inputs)(kinds, True, rng)
    function = shade_faces if faces else shade
    gradients_of = {}
    for dtype in (torch.float64, torch.float32):
        leaves = {name: x.to(dtype, copy=True).requires_grad_() for name, x in inputs.items()}
        function(kinds, leaves).square().mean().backward()
        gradients_of[dtype] = {name: leaf.grad.double() for name, leaf in leaves.items()}
    for name, expected in gradients_of[torch.float64].items():
        found = gradients_of[torch.float32][name]
        assert (found - expected).abs().max() < 1e-4 * expected.abs().max(), name


@ti.kernel
def mean_square(lit: ti.types.ndarray(ti.f64, 4), loss: ti.types.ndarray(ti.f64, 1)):
    for i in ti.grouped(lit):
        loss[0] += lit[i] * lit[i] / (lit.shape[0] * lit.shape[1] * 9)


@ti.kernel
def mean_square_3d(lit: ti.types.ndarray(ti.f64, 3), loss: ti.types.ndarray(ti.f64, 1)):
    for i in ti.grouped(lit):
        loss[0] += lit[i] * lit[i] / (lit.shape[0] * lit.shape[1] * 3)


def test_gradients_in_an_inner_loop(rng):
    """As a rasterizer calls it: once per fragment, in a loop that Taichi differentiates."""
    kinds = KINDS["all"]
    num_items, num_fragments = 2, 100
    inputs = shade_inputs(kinds, True, rng)
    points = {
        name: normal(rng, num_items, num_fragments, 3).requires_grad_()
        for name in ("colors", "normals", "positions")
    }
    weights = normal(rng, num_items, num_fragments)
    leaves = {name: x.clone().requires_grad_() for name, x in inputs.items()} | points
    expected = (reference_shade(kinds, leaves) * weights[..., None]).sum()
    expected.backward()

    lights = {name: leaf.detach() for name, leaf in leaves.items()}
    eye = lights["eye"].requires_grad_()
    del lights["eye"]
    for x in lights.values():
        x.requires_grad_()
    lighting = lighting_of(kinds, lights)
    numbers = packing.pack_lighting(lighting, weights, eye=eye)
    shade_point = shading_func(lighting.kinds, ti.f64)
    array3 = ti.types.ndarray(ti.f64, 3)
    array2 = ti.types.ndarray(ti.f64, 2)

    @ti.kernel
    def sum_fragments(
        colors: array3,
        normals: array3,
        positions: array3,
        numbers: array2,
        weights: array2,
        total: ti.types.ndarray(ti.f64, 1),
    ):
        for b in range(weights.shape[0]):
            for f in range(weights.shape[1]):
                if weights[b, f] != 0:
                    color = ti.Vector([colors[b, f, c] for c in range(3)])
                    normal = ti.Vector([normals[b, f, c] for c in range(3)])
                    position = ti.Vector([positions[b, f, c] for c in range(3)])
                    lit = shade_point(numbers, b, color, normal, position)
                    total[0] += weights[b, f] * lit.sum()

    def leaf(x):
        array = x.detach().clone().requires_grad_()
        array.grad = torch.zeros_like(array)
        return array

    arrays = [leaf(points[name]) for name in ("colors", "normals", "positions")]
    arrays.append(leaf(numbers))
    total = torch.zeros(1, dtype=torch.float64).requires_grad_()
    total.grad = torch.ones(1, dtype=torch.float64)
    sum_fragments(*arrays, weights, total)
    assert_within(total.detach()[0], expected.detach(), atol=1e-9)
    sum_fragments.grad(*arrays, weights, total)
    for name, array in zip(("colors", "normals", "positions"), arrays):
        assert_within(array.grad, points[name].grad, atol=1e-9)
    found = torch.autograd.grad(numbers, [*lights_of(lighting), eye], arrays[3].grad)
    names = [f"{i} {name}" for i, kind in enumerate(kinds) for name in PART_SHAPES[kind]]
    for name, grad in zip([*names, "specular", "shininess", "eye"], found):
        torch.testing.assert_close(grad, leaves[name].grad, rtol=1e-9, atol=1e-9, msg=name)


def lights_of(lighting):
    for light in lighting.lights:
        yield from vars(light).values()
    yield from (lighting.specular, lighting.shininess)
