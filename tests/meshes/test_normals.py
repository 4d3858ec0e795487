"""Normals of vertices and of faces against a few lines of PyTorch, and numbers of SoftRas."""

import math
from pathlib import Path

import gradients
import numpy as np
import pytest
import reference
import scenes
import torch
from closeness import assert_near, assert_within

import taichi_softras as sr

GOLDEN = Path(__file__).parents[1] / "golden"


@pytest.mark.parametrize("num_items", [1, 3])
def test_normals_match_reference(num_items, rng):
    vertices, faces = scenes.bumpy_octahedron(rng, num_items)
    expected = reference.vertex_normals(vertices, faces.long())
    assert_within(sr.vertex_normals(vertices, faces), expected)
    shared = sr.vertex_normals(vertices, faces[None].repeat(num_items, 1, 1))
    assert_within(shared, expected)


def test_normals_match_softras():
    arrays = np.load(GOLDEN / "mesh_normals.npz")
    vertices, faces = torch.tensor(arrays["vertices"]), torch.tensor(arrays["faces"])
    expected = torch.tensor(arrays["vertex_normals"])
    assert_within(sr.vertex_normals(vertices, faces), expected, atol=1e-4)


def test_normals_point_outward():
    vertices, faces = scenes.octahedron()
    assert_within(sr.vertex_normals(vertices, faces), vertices)


def test_faces_of_each_item(rng):
    """One mesh under two lists of faces: the second is turned inside out."""
    vertices, faces = scenes.bumpy_octahedron(rng)
    normals = sr.vertex_normals(vertices, torch.stack([faces, faces.flip(1)]))
    assert_within(normals[0], -normals[1])


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
def test_normals_are_of_length_one(size, rng):
    vertices, faces = scenes.bumpy_octahedron(rng)
    lengths = sr.vertex_normals(size * vertices, faces).norm(dim=-1)
    torch.testing.assert_close(lengths, torch.ones_like(lengths), rtol=0, atol=1e-12)


def test_face_normals_match_reference(rng):
    points = torch.randn(3, 5, 3, 3, generator=rng, dtype=torch.float64)
    p, q, r = points.unbind(2)
    expected = torch.nn.functional.normalize(torch.linalg.cross(q - p, r - p), dim=-1)
    assert_within(sr.face_normals(points), expected)


def test_face_normals_point_outward():
    vertices, faces = scenes.octahedron()
    points = sr.gather(vertices, faces)
    assert ((sr.face_normals(points) * points.mean(2)).sum(-1) > 0).all()


@pytest.mark.gradcheck
def test_gradients_of_face_normals(rng):
    points = torch.randn(2, 5, 3, 3, generator=rng, dtype=torch.float64)
    gradients.assert_gradients_match(sr.face_normals, {"face_points": points}, rng)


def test_face_normals_of_faces_that_are_not_finite(rng):
    points = torch.randn(1, 3, 3, 3, generator=rng, dtype=torch.float64)
    points[0, 1, 2, 0] = math.nan
    points[0, 2] = points[0, 2, :1]
    points.requires_grad_()
    normals = sr.face_normals(points)
    assert (normals[0, 1:] == 0).all()
    normals.sum().backward()
    assert points.grad.isfinite().all()
    assert (points.grad[0, 0] != 0).any()
