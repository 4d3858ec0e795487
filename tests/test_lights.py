"""Normals and light against a few lines of PyTorch, SoftRas's numbers, and cases made by hand."""

import math
from pathlib import Path

import numpy as np
import pytest
import reference
import scenes
import torch

import taichi_softras as sr

GOLDEN = Path(__file__).parent / "golden"


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
    assert_same(normals, sr.vertex_normals(vertices, kept), atol=0)
    normals.square().sum().backward()
    assert spoilt.grad.isfinite().all()


def test_a_vertex_that_is_not_finite_spoils_one_item_only(rng):
    vertices, faces = scenes.bumpy_octahedron(rng, num_items=3)
    spoilt = vertices.clone()
    spoilt[1, 5, 1] = math.nan
    normals, expected = sr.vertex_normals(spoilt, faces), sr.vertex_normals(vertices, faces)
    assert (normals[[0, 2]] == expected[[0, 2]]).all()
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


@pytest.mark.parametrize("items", [(1, 1, 1), (2, 1, 1), (1, 2, 1), (1, 1, 2), (2, 2, 2)], ids=str)
def test_shade_matches_reference(items, rng):
    def rand(*shape):
        return torch.randn(*shape, generator=rng, dtype=torch.float64)

    colors, normals = (rand(n, 7, 3) for n in items[:2])
    parts = [rand(items[2], 3) for _ in range(3)]
    lit = sr.shade(colors, normals, sr.Light(*parts))
    assert lit.shape == (max(items), 7, 3)
    assert_same(lit, reference.shade(colors, normals, *parts))


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
    assert (sr.shade(colors, vertices.float(), sr.Light()) == first).all()
    assert (colors == kept).all()


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


@pytest.mark.parametrize(
    ("call", "error", "words"),
    [
        (lambda x, f: sr.shade(x[..., :2], x, sr.Light()), ValueError, "colors must have shape"),
        (lambda x, f: sr.shade(x, x.float(), sr.Light()), TypeError, "normals must be float64"),
        (
            lambda x, f: sr.shade(x, x, sr.Light(diffuse=torch.ones(1, 3))),
            TypeError,
            "diffuse must be float64",
        ),
        (
            lambda x, f: sr.shade(
                x.repeat(2, 1, 1), x, sr.Light(ambient=torch.ones(3, 3).double())
            ),
            ValueError,
            "colors must have shape",
        ),
        (
            lambda x, f: sr.render(x, f, x[..., :2], sr.LookAtCamera((0, 0, 3)), None, light=1),
            ValueError,
            "colors must have shape",
        ),
        (lambda x, f: sr.vertex_normals(x, f + 9), ValueError, "faces must have indices from"),
    ],
)
def test_functions_refuse(call, error, words):
    with pytest.raises(error, match=words):
        call(*scenes.octahedron())
