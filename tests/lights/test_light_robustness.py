"""Light where numbers are zero, huge, tiny or not finite."""

import math

import pytest
import torch
from closeness import assert_near
from light_cases import (
    DTYPES,
    KINDS,
    TWO_SIDED,
    face_inputs,
    lighting_of,
    normal,
    reference_shade,
    shade,
    shade_faces,
    shade_inputs,
)

import taichi_softras as sr


def lit_and_gradients(function, kinds, inputs, **options):
    leaves = {name: x.detach().clone().requires_grad_() for name, x in inputs.items()}
    lit = function(kinds, leaves, **options)
    torch.where(lit.isfinite(), lit, 0).sum().backward()
    return lit.detach(), {name: leaf.grad for name, leaf in leaves.items()}


def assert_finite(lit, grads):
    assert lit.isfinite().all()
    wrong = [name for name, grad in grads.items() if not grad.isfinite().all()]
    assert not wrong


def in_dtype(inputs, dtype):
    return {name: x.to(dtype) for name, x in inputs.items()}


@TWO_SIDED
@DTYPES
def test_normals_of_length_zero_get_ambient_light(dtype, two_sided, rng):
    kinds = ("ambient", "directional", "point")
    inputs = in_dtype(shade_inputs(kinds, True, rng), dtype)
    inputs["normals"][0, 3] = 0
    lit, grads = lit_and_gradients(shade, kinds, inputs, two_sided=two_sided)
    assert_finite(lit, grads)
    assert_near(lit[0, 3], inputs["colors"][0, 3] * inputs["0 color"][0])


@TWO_SIDED
def test_normals_of_length_zero_get_the_mean_of_the_environment(two_sided, rng):
    kinds = ("spherical_harmonics",)
    inputs = shade_inputs(kinds, False, rng)
    inputs["normals"][0, 3] = 0
    lit, grads = lit_and_gradients(shade, kinds, inputs, two_sided=two_sided)
    del grads["positions"]
    assert_finite(lit, grads)
    directions = torch.nn.functional.normalize(normal(rng, 1, 2000, 3), dim=-1)
    directions = torch.cat([directions, -directions], dim=1)
    lighting = lighting_of(kinds, dict(inputs), two_sided=two_sided)
    around = sr.shade(inputs["colors"][:, 3:4].expand(1, 4000, 3), directions, lighting).mean(1)
    assert (lit[0, 3] - around[0]).abs().max() < 0.05 * around.abs().max()


@TWO_SIDED
@pytest.mark.parametrize("attenuation", [(1, 0, 0), (0, 1, 0), (0, 0, 1)], ids=str)
@DTYPES
def test_light_at_the_very_point(dtype, attenuation, two_sided, rng):
    kinds = ("ambient", "point")
    inputs = in_dtype(shade_inputs(kinds, True, rng), dtype)
    inputs["1 attenuation"][0] = torch.tensor(attenuation)
    inputs["positions"][0, 2] = inputs["1 position"][0]
    lit, grads = lit_and_gradients(shade, kinds, inputs, two_sided=two_sided)
    assert_finite(lit, grads)
    assert_near(lit[0, 2], inputs["colors"][0, 2] * inputs["0 color"][0])


@DTYPES
@pytest.mark.parametrize("distance", [1e-30, 1e-15, 1e-8, 1e8, 1e15, 1e18, 1e25, 1e37])
def test_light_at_any_distance(distance, dtype, rng):
    """In float32 the squares of such distances overflow, or vanish."""
    kinds = ("point", "point")
    inputs = in_dtype(shade_inputs(kinds, True, rng), dtype)
    inputs["0 position"] *= distance
    inputs["positions"][0, 2] *= distance
    inputs["0 attenuation"][0] = torch.tensor([1.0, 0.0, 0.0])
    inputs["1 attenuation"][0] = torch.tensor([0.0, 0.0, 1.0])
    assert_finite(*lit_and_gradients(shade, kinds, inputs))


def test_attenuation_of_nothing_stays_finite(rng):
    inputs = shade_inputs(("point",), True, rng)
    inputs["0 attenuation"] *= 0
    assert_finite(*lit_and_gradients(shade, ("point",), in_dtype(inputs, torch.float32)))


@TWO_SIDED
@DTYPES
def test_eye_in_awkward_places(dtype, two_sided, rng):
    """At the very point, where the bisector is 0, and behind a surface that is lit."""
    kinds = ("directional",)
    inputs = in_dtype(shade_inputs(kinds, True, rng), dtype)
    inputs["normals"][:] = torch.tensor([0.0, 1, 0])
    inputs["0 direction"][0] = torch.tensor([0.0, 4, 3])
    inputs["eye"][0] = 0
    inputs["positions"][0, :3] = torch.tensor([[0.0, 0, 0], [0, 4, 3], [0, 4, -3]])
    lit, grads = lit_and_gradients(shade, kinds, inputs, two_sided=two_sided)
    assert_finite(lit, grads)
    expected = inputs["colors"][0, 1] * inputs["0 color"][0] * 0.8
    torch.testing.assert_close(lit[0, 1], expected)


@DTYPES
@pytest.mark.parametrize("shininess", [1e-3, 0.5, 1.0, 1e3, 1e6], ids="{:.0e}".format)
def test_highlights_of_any_sharpness(shininess, dtype, rng):
    kinds = ("directional", "point")
    inputs = in_dtype(shade_inputs(kinds, True, rng, (1, 1, 1, 1)), dtype)
    inputs["shininess"][:] = shininess
    lit, grads = lit_and_gradients(shade, kinds, inputs)
    assert_finite(lit, grads)
    expected = reference_shade(kinds, {name: x.double() for name, x in inputs.items()})
    accuracy = {"rtol": 1e-3, "atol": 1e-3} if dtype == torch.float32 else {}
    torch.testing.assert_close(lit, expected.to(dtype), **accuracy)


def test_no_highlight_where_the_light_is_behind(rng):
    """Nor where the bisector is, which is what a power of 0 or less would let through."""
    up = torch.tensor([[[0.0, 1, 0]]]).double()
    for towards, eye in (((3, -0.1, 0), (-1, 3, 0)), ((3, 0.1, 0), (1, -9, 0))):
        lighting = sr.Lighting(
            lights=(sr.DirectionalLight((1, 1, 1), towards),), specular=(1, 1, 1), shininess=1e-6
        )
        lit = sr.shade(torch.zeros_like(up), up, lighting, positions=0 * up, eye=eye)
        assert (lit == 0).all()


@pytest.mark.parametrize("where", ["colors", "normals", "positions"])
@pytest.mark.parametrize("number", [math.nan, math.inf, -math.inf], ids=str)
def test_vertices_that_are_not_finite_spoil_nothing_else(number, where, rng):
    kinds = KINDS["all"]
    inputs = shade_inputs(kinds, True, rng, (3, 3, 3, 1))
    points = ("colors", "normals", "positions")
    keep = torch.ones(3, 7, dtype=bool)
    keep[1, 4] = False
    spoilt = {name: x.clone() for name, x in inputs.items()}
    spoilt[where][1, 4, 2] = number
    lit, grads = lit_and_gradients(shade, kinds, spoilt)
    assert_near(lit[keep], shade(kinds, inputs)[keep])
    assert not lit[1, 4].isfinite().all()
    blank = {name: x.clone() for name, x in inputs.items()}
    for name in points:
        blank[name][1, 4] = 0
    blank["positions"][1, 4] = 1
    _, expected = lit_and_gradients(shade_but_one, kinds, blank)
    for name, grad in grads.items():
        if name in points:
            grad, expected[name] = grad[keep], expected[name][keep]
        torch.testing.assert_close(grad, expected[name], rtol=1e-12, atol=1e-12, msg=name)


def shade_but_one(kinds, inputs):
    lit = shade(kinds, inputs)
    keep = torch.ones_like(lit)
    keep[1, 4] = 0
    return lit * keep


@pytest.mark.parametrize("where", ["colors", "points"])
@pytest.mark.parametrize("number", [math.nan, math.inf], ids=str)
def test_faces_that_are_not_finite_spoil_nothing_else(number, where, rng):
    kinds = KINDS["all"]
    inputs = face_inputs(kinds, True, rng, (3, 3, 1))
    expected = shade_faces(kinds, inputs)
    inputs[where][1, 4, 0, 2] = number
    lit, grads = lit_and_gradients(shade_faces, kinds, inputs)
    keep = torch.ones(3, 5, dtype=bool)
    keep[1, 4] = False
    assert_near(lit[keep], expected[keep])
    assert not lit[1, 4].isfinite().all()
    assert all(grad.isfinite().all() for grad in grads.values())
    assert (grads["points"][keep] != 0).any()


@pytest.mark.parametrize("thickness", [0.0, 1e-12, 1e-7], ids="{:.0e}".format)
@DTYPES
def test_slivers(thickness, dtype, rng):
    kinds = KINDS["all"]
    inputs = in_dtype(face_inputs(kinds, True, rng), dtype)
    p, q = inputs["points"][0, :, 0], inputs["points"][0, :, 1]
    inputs["points"][0, :, 2] = (p + q) / 2 + thickness
    assert_finite(*lit_and_gradients(shade_faces, kinds, inputs))


@pytest.mark.parametrize("count", [0, 1])
def test_few_vertices_and_faces(count, rng):
    kinds = KINDS["all"]
    inputs = shade_inputs(kinds, True, rng)
    for name in ("colors", "normals", "positions"):
        inputs[name] = inputs[name][:, :count]
    lit, grads = lit_and_gradients(shade, kinds, inputs)
    assert lit.shape == (1, count, 3)
    assert_finite(lit, grads)
    inputs = face_inputs(kinds, True, rng)
    for name in ("colors", "points"):
        inputs[name] = inputs[name][:, :count]
    lit, grads = lit_and_gradients(shade_faces, kinds, inputs)
    assert lit.shape == (1, count, 3, 3)
    assert_finite(lit, grads)
    assert sr.face_normals(inputs["points"]).shape == (1, count, 3)
