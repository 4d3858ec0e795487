"""Remeshed surfaces have edges of the length asked for, and are the surfaces they were."""

import numpy as np
import pytest

import taichi_softras as sr
from taichi_softras.meshes.edges import find_edges


def edge_lengths(mesh):
    edges, _ = find_edges(mesh.faces)
    return np.linalg.norm(mesh.vertices[edges[:, 0]] - mesh.vertices[edges[:, 1]], axis=1)


def sides_of_edges(mesh):
    """How often each edge is the side of a face, in one direction and in the other."""
    sides = mesh.faces[:, [0, 1, 1, 2, 2, 0]].reshape(-1, 2)
    return np.unique(sides, axis=0, return_counts=True)


def assert_closed(mesh, euler):
    sides, counts = sides_of_edges(mesh)
    assert (counts == 1).all()  # so windings agree, and no edge has more than two faces
    assert {tuple(side) for side in sides} == {tuple(side[::-1]) for side in sides}
    assert mesh.num_vertices - len(sides) // 2 + mesh.num_faces == euler
    assert (np.unique(mesh.faces) == np.arange(mesh.num_vertices)).all()


def volume(mesh):
    a, b, c = mesh.vertices[mesh.faces].astype(float).swapaxes(0, 1)
    return np.einsum("fi,fi->", a, np.cross(b, c)) / 6


def quality(mesh):
    """1 for equilateral triangles, 0 for flat ones."""
    corners = mesh.vertices[mesh.faces].astype(float)
    sides = np.linalg.norm(corners - np.roll(corners, 1, axis=1), axis=2)
    normals = np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0])
    return 2 * 3**0.5 * np.linalg.norm(normals, axis=1) / (sides**2).sum(axis=1)


@pytest.mark.parametrize("length", [0.1, 0.3])
def test_a_sphere_stays_a_sphere(length):
    mesh = sr.remesh(sr.icosphere(3, radius=1.0), length, rounds=5)
    assert_closed(mesh, 2)
    lengths = edge_lengths(mesh)
    assert 0.8 * length < lengths.mean() < 1.2 * length
    assert lengths.max() < 1.7 * length
    assert lengths.min() > 0.4 * length
    assert np.quantile(quality(mesh), 0.01) > 0.7
    assert volume(mesh) == pytest.approx(4 / 3 * np.pi, rel=0.08 if length == 0.3 else 0.02)


def test_a_torus_stays_a_torus():
    torus = sr.torus()
    mesh = sr.remesh(torus, 0.05, rounds=4)
    assert_closed(mesh, 0)
    assert volume(mesh) == pytest.approx(volume(torus), rel=0.06)


def test_what_is_thin_is_not_pinched_off():
    """A ring of three edges round a tube is no face: to collapse one would cut the tube."""
    tube = sr.torus(minor_radius=0.03, minor_segments=3)
    assert_closed(sr.remesh(tube, 0.15, rounds=4), 0)


def test_long_triangles_become_even():
    # Stretched by eight: seven times as long as wide.
    sphere = sr.icosphere(3, radius=1.0)
    stretched = sphere.with_vertices(sphere.vertices * (8, 1, 1))
    mesh = sr.remesh(stretched, 0.3, rounds=5)
    assert np.median(quality(stretched)) < 0.6
    assert np.median(quality(mesh)) > 0.9
    assert_closed(mesh, 2)


def test_lengths_may_vary_over_the_mesh():
    sphere = sr.icosphere(4, radius=1.0)
    mesh = sr.remesh(sphere, np.where(sphere.vertices[:, 0] > 0, 0.1, 0.3), rounds=5)
    assert_closed(mesh, 2)
    edges, _ = find_edges(mesh.faces)
    x = mesh.vertices[edges, 0].mean(axis=1)
    lengths = edge_lengths(mesh)
    assert lengths[x > 0.3].mean() == pytest.approx(0.1, rel=0.2)
    assert lengths[x < -0.3].mean() == pytest.approx(0.3, rel=0.2)


def test_borders_stay():
    square = sr.plane()
    mesh = sr.remesh(square, 0.2, rounds=4)
    for corner in square.vertices:
        assert (np.abs(mesh.vertices - corner).max(axis=1) < 1e-6).any()
    low, high = square.vertices.min(axis=0), square.vertices.max(axis=0)
    np.testing.assert_allclose(mesh.vertices.min(axis=0), low, atol=1e-6)
    np.testing.assert_allclose(mesh.vertices.max(axis=0), high, atol=1e-6)
    a, b, c = mesh.vertices[mesh.faces].swapaxes(0, 1)
    area = np.linalg.norm(np.cross(b - a, c - a), axis=1).sum() / 2
    wanted = np.prod((high - low)[high - low > 0])
    assert area == pytest.approx(wanted, rel=1e-5)


def test_colors_go_along():
    sphere = sr.icosphere(4, radius=1.0)
    mesh = sr.remesh(sphere.with_colors((sphere.vertices + 1) / 2), 0.2, rounds=3)
    assert np.abs(mesh.colors - (mesh.vertices + 1) / 2).max() < 0.03
    assert np.abs(mesh.colors - (mesh.vertices + 1) / 2).mean() < 0.01


def test_what_is_no_surface_is_left_alone():
    # Three faces at one edge, a face with a vertex twice, and a vertex of no face.
    points = [[0, 0, 0], [1, 0, 0], [0, 1, 0], [0, -1, 0], [0, 0, 1], [5, 5, 5]]
    mesh = sr.Mesh(points, [[0, 1, 2], [1, 0, 3], [0, 1, 4], [2, 2, 3]])
    found = sr.remesh(mesh, 10.0)
    assert (found.num_vertices, found.num_faces) == (5, 3)
    np.testing.assert_array_equal(found.vertices, mesh.vertices[:5])
    assert sr.remesh(sr.Mesh(points, np.zeros((0, 3), int)), 1.0).num_vertices == 0


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_keeps_the_type(dtype):
    sphere = sr.icosphere(1)
    mesh = sr.remesh(sr.Mesh(sphere.vertices.astype(dtype), sphere.faces), 0.3)
    assert mesh.vertices.dtype == mesh.colors.dtype == dtype


@pytest.mark.parametrize(
    ("length", "options", "error", "message"),
    [
        (0.0, {}, ValueError, "length must be finite and above 0"),
        (np.nan, {}, ValueError, "length must be finite and above 0"),
        (np.ones(3), {}, ValueError, r"length must be a number, or have shape \(12,\), got \(3,\)"),
        ("long", {}, TypeError, "length must be numbers"),
        (0.1, {"rounds": 0}, ValueError, "rounds must be at least 1"),
    ],
)
def test_refuses(length, options, error, message):
    with pytest.raises(error, match=message):
        sr.remesh(sr.icosphere(0), length, **options)
