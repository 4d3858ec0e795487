"""Normals and light against a few lines of PyTorch, SoftRas's numbers, and cases made by hand."""

import math
from pathlib import Path

import gradients
import numpy as np
import pytest
import reference
import scenes
import taichi as ti
import torch
from closeness import assert_near, assert_same_bits

import taichi_softras as sr
from taichi_softras.lights import packing
from taichi_softras.lights.kernels.reflection import shading_func

GOLDEN = Path(__file__).parents[1] / "golden"


def assert_same(actual, expected, atol=1e-13):
    torch.testing.assert_close(actual, expected, rtol=0, atol=atol)


@pytest.mark.parametrize("num_items", [1, 3])
def test_normals_match_reference(num_items, rng):
    vertices, faces = scenes.bumpy_octahedron(rng, num_items)
    expected = reference.vertex_normals(vertices, faces.long())
    assert_same(sr.vertex_normals(vertices, faces), expected)
    shared = sr.vertex_normals(vertices, faces[None].repeat(num_items, 1, 1))
    assert_same(shared, expected)


def test_normals_match_softras():
    arrays = np.load(GOLDEN / "mesh_normals.npz")
    vertices, faces = torch.tensor(arrays["vertices"]), torch.tensor(arrays["faces"])
    expected = torch.tensor(arrays["vertex_normals"])
    assert_same(sr.vertex_normals(vertices, faces), expected, atol=1e-4)


def test_normals_point_outward():
    vertices, faces = scenes.octahedron()
    assert_same(sr.vertex_normals(vertices, faces), vertices)


def test_faces_of_each_item(rng):
    """One mesh under two lists of faces: the second is turned inside out."""
    vertices, faces = scenes.bumpy_octahedron(rng)
    normals = sr.vertex_normals(vertices, torch.stack([faces, faces.flip(1)]))
    assert_same(normals[0], -normals[1])


def test_vertices_without_normals_get_zero():
    vertices = torch.tensor([[[0.0, 0, 0], [1, 0, 0], [2, 0, 0], [9, 9, 9]]], requires_grad=True)
    normals = sr.vertex_normals(vertices, torch.tensor([[0, 1, 2]]))
    assert (normals == 0).all()
    normals.sum().backward()
    assert vertices.grad.isfinite().all()


@pytest.mark.parametrize("number", [math.nan, math.inf])
def test_faces_that_are_not_finite_do_not_count(number, rng):
    vertices, faces = scenes.bumpy_octahedron(rng)
    spoilt = vertices.clone()
    spoilt[0, 5, 1] = number
    kept = faces[(faces != 5).all(1)]
    spoilt.requires_grad_()
    normals = sr.vertex_normals(spoilt, faces)
    assert_near(normals, sr.vertex_normals(vertices, kept))
    normals.square().sum().backward()
    assert spoilt.grad.isfinite().all()


def test_a_vertex_that_is_not_finite_spoils_one_item_only(rng):
    vertices, faces = scenes.bumpy_octahedron(rng, num_items=3)
    spoilt = vertices.clone()
    spoilt[1, 5, 1] = math.nan
    normals, expected = sr.vertex_normals(spoilt, faces), sr.vertex_normals(vertices, faces)
    assert_near(normals[[0, 2]], expected[[0, 2]])
    assert normals.isfinite().all()
    ndc = sr.project(spoilt, sr.LookAtCamera((0, 0, 4)), 1.0)
    assert (ndc[1, 5] == 0).all()
    assert (ndc[:, :5, 2] > 0).all()


@pytest.mark.parametrize("size", [1e-12, 1e-9, 1e-4, 1e-2, 1.0, 1e4, 1e9], ids="{:.0e}".format)
def test_normals_are_of_length_one_or_zero(size, rng):
    vertices, faces = scenes.bumpy_octahedron(rng)
    lengths = sr.vertex_normals(size * vertices, faces).norm(dim=-1)
    expected = torch.full_like(lengths, float(size > 1e-5))
    torch.testing.assert_close(lengths, expected, rtol=0, atol=1e-12)


# --- Light against the reference ---------------------------------------------------------------

KINDS = {
    "ambient": ("ambient",),
    "directional": ("directional", "directional", "directional"),
    "point": ("point", "point"),
    "spherical_harmonics": ("spherical_harmonics",),
    "all": ("point", "ambient", "spherical_harmonics", "directional", "point"),
}
PART_SHAPES = {
    "ambient": {"color": (3,)},
    "directional": {"color": (3,), "direction": (3,)},
    "point": {"color": (3,), "position": (3,), "attenuation": (3,)},
    "spherical_harmonics": {"coefficients": (9, 3)},
}
CLASSES = {
    "ambient": sr.AmbientLight,
    "directional": sr.DirectionalLight,
    "point": sr.PointLight,
    "spherical_harmonics": sr.SphericalHarmonicsLight,
}


def normal(rng, *shape):
    return torch.randn(*shape, generator=rng, dtype=torch.float64)


def light_inputs(kinds, rng, num_items=1):
    """Arrays of lights, by the number of the light and the name of the part: "0 color"."""
    inputs = {}
    for i, kind in enumerate(kinds):
        for name, shape in PART_SHAPES[kind].items():
            inputs[f"{i} {name}"] = normal(rng, num_items, *shape)
            if name in ("color", "attenuation"):
                inputs[f"{i} {name}"] = inputs[f"{i} {name}"].abs() + 0.1
            if name == "position":
                inputs[f"{i} {name}"] *= 3
    return inputs


def gloss_inputs(rng, num_items=1):
    return {
        "specular": normal(rng, num_items, 3).abs(),
        "shininess": 3 + normal(rng, num_items).abs(),
        "eye": 4 * normal(rng, num_items, 3),
    }


def lighting_of(kinds, inputs, **options):
    """Take what lights are made of out of ``inputs``; return it as lights."""
    lights = tuple(
        CLASSES[kind](**{name: inputs.pop(f"{i} {name}") for name in PART_SHAPES[kind]})
        for i, kind in enumerate(kinds)
    )
    gloss = {name: inputs.pop(name) for name in ("specular", "shininess") if name in inputs}
    return sr.Lighting(lights=lights, **gloss, **options)


def reference_shade(kinds, inputs, two_sided=False):
    inputs = dict(inputs)
    lights = [
        (kind, *(inputs.pop(f"{i} {name}") for name in PART_SHAPES[kind]))
        for i, kind in enumerate(kinds)
    ]
    return reference.shade(inputs.pop("colors"), lights=lights, two_sided=two_sided, **inputs)


def shade(kinds, inputs, two_sided=False):
    inputs = dict(inputs)
    lighting = lighting_of(kinds, inputs, two_sided=two_sided)
    colors, normals = inputs.pop("colors"), inputs.pop("normals")
    return sr.shade(colors, normals, lighting, **inputs)


def shade_inputs(kinds, glossy, rng, items=(1, 1, 1, 1)):
    return {
        "colors": normal(rng, items[0], 7, 3),
        "normals": normal(rng, items[1], 7, 3),
        "positions": normal(rng, items[2], 7, 3),
        **light_inputs(kinds, rng, items[3]),
        **(gloss_inputs(rng, items[3]) if glossy else {}),
    }


ITEMS = [(1, 1, 1, 1), (3, 1, 1, 1), (1, 3, 1, 1), (1, 1, 3, 1), (1, 1, 1, 3), (2, 2, 2, 2)]


@pytest.mark.parametrize("items", ITEMS, ids=str)
def test_shade_matches_reference_for_any_items(items, rng):
    inputs = shade_inputs(KINDS["all"], True, rng, items)
    lit = shade(KINDS["all"], inputs)
    assert lit.shape == (max(items), 7, 3)
    assert_same(lit, reference_shade(KINDS["all"], inputs), atol=1e-11)


@pytest.mark.parametrize("two_sided", [False, True], ids=["one_sided", "two_sided"])
@pytest.mark.parametrize("glossy", [False, True], ids=["matt", "glossy"])
@pytest.mark.parametrize("name", KINDS)
def test_shade_matches_reference(name, glossy, two_sided, rng):
    inputs = shade_inputs(KINDS[name], glossy, rng)
    lit = shade(KINDS[name], inputs, two_sided)
    expected = reference_shade(KINDS[name], inputs, two_sided)
    assert_same(lit, expected.expand_as(lit), atol=1e-11)


def face_inputs(kinds, glossy, rng, items=(1, 1, 1)):
    return {
        "colors": normal(rng, items[0], 5, 3, 3),
        "points": normal(rng, items[1], 5, 3, 3),
        **light_inputs(kinds, rng, items[2]),
        **(gloss_inputs(rng, items[2]) if glossy else {}),
    }


def shade_faces(kinds, inputs, two_sided=False):
    inputs = dict(inputs)
    lighting = lighting_of(kinds, inputs, two_sided=two_sided)
    return sr.shade_faces(inputs["colors"], inputs["points"], lighting, eye=inputs.get("eye"))


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
    assert_same(lit.flatten(1, 2), expected, atol=1e-11)


def test_face_normals_match_reference(rng):
    points = normal(rng, 3, 5, 3, 3)
    p, q, r = points.unbind(2)
    expected = torch.nn.functional.normalize(torch.linalg.cross(q - p, r - p), dim=-1)
    assert_same(sr.face_normals(points), expected)


def test_face_normals_point_outward():
    vertices, faces = scenes.octahedron()
    points = sr.gather(vertices, faces)
    assert ((sr.face_normals(points) * points.mean(2)).sum(-1) > 0).all()


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
    assert_same(lit, expected[..., None].expand_as(lit))


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
        assert_same(lit, torch.full_like(lit, expected))


def test_highlight_by_hand():
    """Light from 60 degrees, eye above: the bisector is 30 degrees off the normal."""
    up = torch.tensor([[[0.0, 1, 0]]]).double()
    light = sr.DirectionalLight((1, 2, 0), (math.sqrt(3), 1, 0))
    lighting = sr.Lighting(lights=(light,), specular=(0.5, 0.5, 0.5), shininess=4.0)
    place = torch.tensor([[[7.0, 0, 0]]]).double()
    lit = sr.shade(torch.zeros_like(up), up, lighting, positions=place, eye=(7, 9, 0))
    gloss = 0.5 * 0.75**2
    assert_same(lit[0, 0], torch.tensor([gloss, 2 * gloss, 0]).double())


def test_two_sided_light_is_the_same_from_behind(rng):
    inputs = shade_inputs(KINDS["all"], True, rng)
    front = shade(KINDS["all"], inputs, two_sided=True)
    back = shade(KINDS["all"], {**inputs, "normals": -inputs["normals"]}, two_sided=True)
    assert_same(front, back, atol=1e-12)
    assert (front - shade(KINDS["all"], inputs)).abs().max() > 0.1


def test_light_by_hand():
    normals = torch.tensor([[[0.0, 1, 0], [0, -1, 0], [1, 0, 0], [0, 0.6, 0.8]]]).double()
    colors = torch.ones(1, 4, 3, dtype=torch.float64)
    light = sr.Light(ambient=(0.25, 0.5, 0), diffuse=(0.5, 0.5, 1), direction=(0, 9, 0))
    expected = [[0.75, 1, 1], [0.25, 0.5, 0], [0.25, 0.5, 0], [0.55, 0.8, 0.6]]
    assert_same(sr.shade(colors, normals, light)[0], torch.tensor(expected).double(), 1e-7)


def test_lighting_changes_no_color_it_is_given(rng):
    colors = torch.rand(1, 6, 3, generator=rng)
    vertices, _ = scenes.octahedron()
    kept = colors.clone()
    first = sr.shade(colors, vertices.float(), sr.Light())
    assert_same_bits(sr.shade(colors, vertices.float(), sr.Light()), first)
    assert (colors == kept).all()


# --- Gradients ---------------------------------------------------------------------------------


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


@pytest.mark.gradcheck
def test_gradients_of_face_normals(rng):
    points = normal(rng, 2, 5, 3, 3)
    gradients.assert_gradients_match(sr.face_normals, {"face_points": points}, rng)


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
    assert_same(total.detach()[0], expected.detach(), atol=1e-9)
    sum_fragments.grad(*arrays, weights, total)
    for name, array in zip(("colors", "normals", "positions"), arrays):
        assert_same(array.grad, points[name].grad, atol=1e-9)
    found = torch.autograd.grad(numbers, [*lights_of(lighting), eye], arrays[3].grad)
    names = [f"{i} {name}" for i, kind in enumerate(kinds) for name in PART_SHAPES[kind]]
    for name, grad in zip([*names, "specular", "shininess", "eye"], found):
        torch.testing.assert_close(grad, leaves[name].grad, rtol=1e-9, atol=1e-9, msg=name)


def lights_of(lighting):
    for light in lighting.lights:
        yield from vars(light).values()
    yield from (lighting.specular, lighting.shininess)


# --- Ugly inputs ------------------------------------------------------------------------------

DTYPES = pytest.mark.parametrize("dtype", [torch.float32, torch.float64], ids=str)
TWO_SIDED = pytest.mark.parametrize("two_sided", [False, True], ids=["one_sided", "two_sided"])


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


def test_face_normals_of_faces_that_are_not_finite(rng):
    points = normal(rng, 1, 3, 3, 3)
    points[0, 1, 2, 0] = math.nan
    points[0, 2] = points[0, 2, :1]
    points.requires_grad_()
    normals = sr.face_normals(points)
    assert (normals[0, 1:] == 0).all()
    normals.sum().backward()
    assert points.grad.isfinite().all()
    assert (points.grad[0, 0] != 0).any()


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


# --- Refusals ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("option", "words"),
    [
        ({"ambient": 0.5}, "ambient must be an array or 3 finite numbers, got 0.5"),
        ({"diffuse": (1, 2)}, "diffuse must be an array or 3 finite numbers"),
        ({"direction": (0, 0, math.nan)}, "direction must be an array or 3 finite numbers"),
        ({"direction": (0, 0, 0)}, "direction must not be zero"),
    ],
)
def test_light_refuses(option, words):
    with pytest.raises(ValueError, match=words):
        sr.Light(**option)


ARRAY = torch.ones(1, 3, dtype=torch.float64)
AMBIENT = sr.AmbientLight((1, 1, 1))


@pytest.mark.parametrize(
    ("make", "error", "words"),
    [
        (lambda: sr.AmbientLight((1, 2)), ValueError, "color must be an array or 3 finite"),
        (lambda: sr.AmbientLight(math.nan), ValueError, "color must be an array or 3 finite"),
        (lambda: sr.DirectionalLight((1, 1, 1), (0, 0, 0)), ValueError, "must not be zero"),
        (
            lambda: sr.DirectionalLight(ARRAY, [(0, 1, 0), (0, 0, 0)]),
            ValueError,
            "direction must not be zero",
        ),
        (lambda: sr.PointLight((1, 1, 1), (0, 1)), ValueError, "position must be an array or 3"),
        (
            lambda: sr.PointLight((1, 1, 1), (0, 1, 0), (0, 0, 0)),
            ValueError,
            "attenuation must have none below 0, and not all 0",
        ),
        (
            lambda: sr.PointLight((1, 1, 1), (0, 1, 0), (1, -1, 0)),
            ValueError,
            "attenuation must have none below 0",
        ),
        (
            lambda: sr.SphericalHarmonicsLight(np.zeros((3, 9))),
            ValueError,
            "coefficients must be an array or 9 x 3 finite numbers",
        ),
        (lambda: sr.Lighting(lights=()), ValueError, "lights must not be empty"),
        (lambda: sr.Lighting(lights=AMBIENT), TypeError, "lights must be a tuple of lights, got A"),
        (lambda: sr.Lighting(lights=(sr.Light(),)), TypeError, "must be a tuple of lights"),
        (lambda: sr.Lighting(lights=(AMBIENT,), two_sided=1), TypeError, "two_sided must be True"),
        (
            lambda: sr.Lighting(lights=(AMBIENT,), shading="phong"),
            ValueError,
            "shading must be one",
        ),
        (lambda: sr.Lighting(lights=(AMBIENT,), shininess=0), ValueError, "must be above 0, got 0"),
        (lambda: sr.Lighting(lights=(AMBIENT,), specular=1), ValueError, "specular must be an arr"),
    ],
)
def test_lights_refuse(make, error, words):
    with pytest.raises(error, match=words):
        make()


POINT = sr.Lighting(lights=(sr.PointLight((1, 1, 1), (0, 9, 0)),))
GLOSSY = sr.Lighting(lights=(sr.DirectionalLight((1, 1, 1), (0, 1, 0)),), specular=ARRAY)


@pytest.mark.parametrize(
    ("call", "error", "words"),
    [
        (lambda x: sr.shade(x, x, POINT), ValueError, "positions are needed for point lights"),
        (lambda x: sr.shade(x, x, GLOSSY), ValueError, "positions are needed"),
        (lambda x: sr.shade(x, x, GLOSSY, positions=x), ValueError, "eye is needed for a specular"),
        (
            lambda x: sr.shade(x, x, POINT, positions=x[:, :2]),
            ValueError,
            "positions must have shape",
        ),
        (lambda x: sr.shade(x, x, POINT, positions=1), TypeError, "positions must be a torch"),
        (
            lambda x: sr.shade(x, x, GLOSSY, positions=x, eye=(1, 2)),
            ValueError,
            "eye must be an array or 3 finite numbers",
        ),
        (
            lambda x: sr.shade(x, x, GLOSSY, positions=x, eye=ARRAY.float()),
            TypeError,
            "eye must be float64",
        ),
        (lambda x: sr.shade(x, x, 1), TypeError, "light must be a Lighting or a Light, got int"),
        (
            lambda x: sr.shade(x, x, sr.Lighting(lights=(sr.SphericalHarmonicsLight(ARRAY),))),
            ValueError,
            r"lights\[0\].coefficients must have shape \(B or 1, 9, 3\)",
        ),
        (
            lambda x: sr.shade(
                x,
                x,
                sr.Lighting(
                    lights=(sr.AmbientLight([[1] * 3] * 2), sr.AmbientLight([[1] * 3] * 3))
                ),
            ),
            ValueError,
            r"lights\[0\].color must have shape \(3 or 1, 3\)",
        ),
        (lambda x: sr.face_normals(x), ValueError, "face_points must have shape"),
        (
            lambda x: sr.shade_faces(x[:, None], x[:, None, :3], sr.Light()),
            ValueError,
            "face_colors must have shape",
        ),
        (
            lambda x: sr.shade_faces(x[:, None, :3], x[:, None], sr.Light()),
            ValueError,
            "face_points must have shape",
        ),
        (
            lambda x: sr.shade_faces(x[:, None, :3], x[:, None, :3].float(), sr.Light()),
            TypeError,
            "face_points must be float64",
        ),
        (
            lambda x: sr.shade_faces(x[:, None, :3], x[:, None, :3], GLOSSY),
            ValueError,
            "eye is needed",
        ),
    ],
)
def test_shading_refuses(call, error, words):
    vertices, _ = scenes.octahedron()
    with pytest.raises(error, match=words):
        call(vertices)


@pytest.mark.parametrize(
    ("call", "error", "words"),
    [
        (lambda x, f: sr.shade(x[..., :2], x, sr.Light()), ValueError, "colors must have shape"),
        (lambda x, f: sr.shade(x, x.float(), sr.Light()), TypeError, "normals must be float64"),
        (
            lambda x, f: sr.shade(x, x, sr.Light(diffuse=torch.ones(1, 3))),
            TypeError,
            r"lights\[1\].color must be float64",
        ),
        (
            lambda x, f: sr.shade(
                x.repeat(2, 1, 1), x, sr.Light(ambient=torch.ones(3, 3).double())
            ),
            ValueError,
            "colors must have shape",
        ),
        (
            lambda x, f: sr.render(
                *(x, f, x[..., :2], sr.LookAtCamera((0, 0, 3))),
                sr.RasterizerSettings(height=2, width=2),
                light=sr.Light(),
            ),
            ValueError,
            "colors must have shape",
        ),
        (lambda x, f: sr.vertex_normals(x, f + 9), ValueError, "faces must have indices from"),
    ],
)
def test_functions_refuse(call, error, words):
    with pytest.raises(error, match=words):
        call(*scenes.octahedron())
