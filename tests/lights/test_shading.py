"""Light on vertices and faces against a few lines of PyTorch, and cases made by hand."""

import math

import pytest
import reference
import scenes
import torch
from closeness import assert_near, assert_same_bits, assert_within
from light_cases import (
    ITEMS,
    KINDS,
    face_inputs,
    normal,
    reference_shade,
    shade,
    shade_faces,
    shade_inputs,
)

import taichi_softras as sr
from taichi_softras.lights import packing


@pytest.mark.parametrize("items", ITEMS, ids=str)
def test_shade_matches_reference_for_any_items(items, rng):
    inputs = shade_inputs(KINDS["all"], True, rng, items)
    lit = shade(KINDS["all"], inputs)
    assert lit.shape == (max(items), 7, 3)
    assert_within(lit, reference_shade(KINDS["all"], inputs), atol=1e-11)


@pytest.mark.parametrize("two_sided", [False, True], ids=["one_sided", "two_sided"])
@pytest.mark.parametrize("glossy", [False, True], ids=["matt", "glossy"])
@pytest.mark.parametrize("name", KINDS)
def test_shade_matches_reference(name, glossy, two_sided, rng):
    inputs = shade_inputs(KINDS[name], glossy, rng)
    lit = shade(KINDS[name], inputs, two_sided)
    expected = reference_shade(KINDS[name], inputs, two_sided)
    assert_within(lit, expected.expand_as(lit), atol=1e-11)


@pytest.mark.parametrize("items", [(1, 1, 1), (3, 1, 1), (1, 3, 1), (1, 1, 3)], ids=str)
def test_shade_faces_matches_reference(items, rng):
    """Each corner as a vertex that has its face's normal, and is at its centroid."""
    inputs = face_inputs(KINDS["all"], True, rng, items)
    lit = shade_faces(KINDS["all"], inputs)
    points = inputs.pop("points")
    p, q, r = points.unbind(2)
    normals = torch.linalg.cross(q - p, r - p)
    expected = reference_shade(
        KINDS["all"],
        {
            **inputs,
            "colors": inputs["colors"].flatten(1, 2),
            "normals": normals.repeat_interleave(3, dim=1),
            "positions": points.mean(2).repeat_interleave(3, dim=1),
        },
    )
    assert lit.shape == (max(items), 5, 3, 3)
    assert_within(lit.flatten(1, 2), expected, atol=1e-11)


@pytest.mark.parametrize("radiance", [0.0, 1.7], ids="{}".format)
def test_irradiance_of_a_linear_environment(radiance, rng):
    """``radiance + slope . w`` from direction ``w``: pi times the first, 2 pi / 3 the second."""
    slope = torch.tensor([0.3, -0.7, 1.1]).double()
    coefficients = torch.zeros(1, 9, 3).double()
    coefficients[:, 0] = radiance * math.sqrt(4 * math.pi)
    coefficients[:, 1:4] = math.sqrt(4 * math.pi / 3) * slope[[1, 2, 0], None]
    normals = torch.nn.functional.normalize(normal(rng, 1, 6, 3), dim=-1)
    lighting = sr.Lighting(lights=(sr.SphericalHarmonicsLight(coefficients),))
    lit = sr.shade(torch.ones_like(normals), normals, lighting)
    expected = math.pi * radiance + 2 * math.pi / 3 * (normals @ slope)
    assert_within(lit, expected[..., None].expand_as(lit))


def test_harmonics_stand_for_directional_lights(rng):
    """Nine coefficients hold most of what several lights give to a matt surface."""
    directions = torch.nn.functional.normalize(normal(rng, 8, 3), dim=-1)
    colors = torch.rand(8, 3, generator=rng, dtype=torch.float64)
    coefficients = torch.einsum("nk,nc->kc", reference.harmonics(directions), colors)[None]
    environment = sr.Lighting(lights=(sr.SphericalHarmonicsLight(coefficients),))
    lights = tuple(map(sr.DirectionalLight, colors.tolist(), directions.tolist()))
    normals = torch.nn.functional.normalize(normal(rng, 1, 200, 3), dim=-1)
    white = torch.ones_like(normals)
    exact = sr.shade(white, normals, sr.Lighting(lights=lights))
    lit = sr.shade(white, normals, environment)
    assert (lit - exact).abs().mean() < 0.1 * exact.mean()


def test_the_short_form_is_an_ambient_and_a_directional_light(rng):
    inputs = shade_inputs(("ambient", "directional"), False, rng)
    light = sr.Light(inputs["0 color"], inputs["1 color"], inputs["1 direction"])
    lit = sr.shade(inputs["colors"], inputs["normals"], light)
    assert_near(lit, shade(("ambient", "directional"), inputs))


def test_numbers_stand_for_arrays(rng):
    """Plain, nested for several items, or mixed with arrays: the light is the same."""
    kinds = KINDS["all"]
    inputs = shade_inputs(kinds, True, rng, (2, 2, 2, 2))
    expected = shade(kinds, inputs)
    points = ("colors", "normals", "positions")
    plain = {name: x if name in points else x.tolist() for name, x in inputs.items()}
    assert_near(shade(kinds, plain), expected)
    for name in ("0 position", "1 color", "2 coefficients", "shininess", "eye"):
        assert_near(shade(kinds, {**plain, name: inputs[name]}), expected)
        one = {key: x if key in points else x[0] for key, x in plain.items()}
        mixed = shade(kinds, {**one, name: inputs[name]})
        assert mixed.shape == expected.shape
        assert_near(mixed[0], expected[0])


def test_plain_numbers_take_no_kernel(monkeypatch):
    def refuse(*_):
        raise AssertionError("nothing to copy")

    monkeypatch.setattr(packing, "apply", refuse)
    like = torch.zeros(1, dtype=torch.float64)
    numbers = packing.pack_lighting(sr.Light().lighting, like)
    assert numbers.tolist() == [[0.45] * 3 + [0.6] * 3 + [0.4, 1.0, 0.6]]


@pytest.mark.parametrize("strided", ["colors", "normals", "positions", "2 coefficients"])
def test_memory_layout_does_not_matter(strided, rng):
    kinds = KINDS["all"]
    inputs = shade_inputs(kinds, True, rng)
    expected = shade(kinds, inputs)
    inputs[strided] = inputs[strided].mT.contiguous().mT
    assert not inputs[strided].is_contiguous()
    assert_same_bits(shade(kinds, inputs), expected)


def test_attenuation_by_hand():
    """Straight above a floor, at a height of 2: divided by 1, by 1 + 2, by 4."""
    position = torch.tensor([[[0.0, 1, 0]]]).double()
    up = torch.tensor([[[0.0, 5, 0]]]).double()
    for attenuation, expected in (((1, 0, 0), 6.0), ((1, 1, 0), 2.0), ((0, 0, 1), 1.5)):
        light = sr.PointLight((6, 6, 6), (0, 3, 0), attenuation)
        lighting = sr.Lighting(lights=(light,))
        lit = sr.shade(torch.ones_like(up), up, lighting, positions=position)
        assert_within(lit, torch.full_like(lit, expected))


def test_highlight_by_hand():
    """Light from 60 degrees, eye above: the bisector is 30 degrees off the normal."""
    up = torch.tensor([[[0.0, 1, 0]]]).double()
    light = sr.DirectionalLight((1, 2, 0), (math.sqrt(3), 1, 0))
    lighting = sr.Lighting(lights=(light,), specular=(0.5, 0.5, 0.5), shininess=4.0)
    place = torch.tensor([[[7.0, 0, 0]]]).double()
    lit = sr.shade(torch.zeros_like(up), up, lighting, positions=place, eye=(7, 9, 0))
    gloss = 0.5 * 0.75**2
    assert_within(lit[0, 0], torch.tensor([gloss, 2 * gloss, 0]).double())


def test_two_sided_light_is_the_same_from_behind(rng):
    inputs = shade_inputs(KINDS["all"], True, rng)
    front = shade(KINDS["all"], inputs, two_sided=True)
    back = shade(KINDS["all"], {**inputs, "normals": -inputs["normals"]}, two_sided=True)
    assert_within(front, back, atol=1e-12)
    assert (front - shade(KINDS["all"], inputs)).abs().max() > 0.1


def test_light_by_hand():
    normals = torch.tensor([[[0.0, 1, 0], [0, -1, 0], [1, 0, 0], [0, 0.6, 0.8]]]).double()
    colors = torch.ones(1, 4, 3, dtype=torch.float64)
    light = sr.Light(ambient=(0.25, 0.5, 0), diffuse=(0.5, 0.5, 1), direction=(0, 9, 0))
    expected = [[0.75, 1, 1], [0.25, 0.5, 0], [0.25, 0.5, 0], [0.55, 0.8, 0.6]]
    assert_within(sr.shade(colors, normals, light)[0], torch.tensor(expected).double(), 1e-7)


def test_lighting_changes_no_color_it_is_given(rng):
    colors = torch.rand(1, 6, 3, generator=rng)
    vertices, _ = scenes.octahedron()
    kept = colors.clone()
    first = sr.shade(colors, vertices.float(), sr.Light())
    assert_same_bits(sr.shade(colors, vertices.float(), sr.Light()), first)
    assert (colors == kept).all()
