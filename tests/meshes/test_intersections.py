"""Where meshes go through themselves, against exact arithmetic; and smoothing there."""

from itertools import combinations

import numpy as np
import pytest

import taichi_softras as sr


def volume(a, b, c, d):
    """Six times the volume of a tetrahedron, exactly."""
    (x, y, z), (u, v, w), (p, q, r) = ([e - f for e, f in zip(corner, a)] for corner in (b, c, d))
    return x * (v * r - w * q) - y * (u * r - w * p) + z * (u * q - v * p)


def exact_pairs(mesh):
    """All pairs of faces, by their definition and in whole numbers, which are exact."""
    points = [[int(float(x) * 2**80) for x in point] for point in mesh.vertices]

    def pierces(face, other):
        a, b, c = (points[i] for i in other)
        for i, j in zip(face, np.roll(face, -1)):
            if i in other or j in other:
                continue
            p, q = points[i], points[j]
            if volume(p, a, b, c) * volume(q, a, b, c) >= 0:
                continue
            sides = [volume(p, q, *side) for side in ((a, b), (b, c), (c, a))]
            if min(sides) > 0 or max(sides) < 0:
                return True
        return False

    return [
        (i, j)
        for (i, f), (j, g) in combinations(enumerate(mesh.faces.tolist()), 2)
        if pierces(f, g) or pierces(g, f)
    ]


def soup(seed, count, scale=1.0):
    """Triangles anywhere, of sizes that differ by a factor of thousands; some share vertices."""
    rng = np.random.default_rng(seed)
    sizes = 10 ** rng.uniform(-3, 0.3, (count, 1, 1))
    corners = rng.uniform(-1, 1, (count, 1, 3)) * 0.3 + sizes * rng.normal(size=(count, 3, 3))
    faces = np.arange(3 * count).reshape(-1, 3)
    borrowed = rng.random(count) < 0.3
    faces[borrowed, 0] = rng.integers(0, 3 * count, borrowed.sum())
    return sr.Mesh((corners.reshape(-1, 3) * scale).astype(np.float32), faces)


@pytest.mark.parametrize("scale", [1.0, 1e-4, 1e5])
def test_finds_what_exact_arithmetic_finds(scale):
    mesh = soup(3, 60, scale)
    expected = exact_pairs(mesh)
    assert len(expected) > 30
    assert [tuple(pair) for pair in sr.self_intersections(mesh)] == expected


def test_finds_the_ring_in_which_spheres_meet():
    ball = sr.icosphere(0)
    both = sr.Mesh(
        np.concatenate([ball.vertices, ball.vertices + np.float32([0.31, 0.11, 0.07])]),
        np.concatenate([ball.faces, ball.faces + ball.num_vertices]),
    )
    pairs = sr.self_intersections(both)
    assert [tuple(pair) for pair in pairs] == exact_pairs(both)
    # Each is of either sphere, and the ring goes all round.
    assert ((pairs < ball.num_faces).sum(axis=1) == 1).all()


@pytest.mark.parametrize(
    "mesh", [sr.icosphere(3), sr.cube(), sr.torus(), sr.Mesh(np.zeros((4, 3)), [[0, 1, 2]])]
)
def test_whole_meshes_have_none(mesh):
    assert sr.self_intersections(mesh).shape == (0, 2)
    assert sr.untangle(mesh) is mesh


def test_no_faces_have_none():
    assert sr.self_intersections(sr.Mesh(np.zeros((3, 3)), np.zeros((0, 3), int))).shape == (0, 2)


def test_large_meshes_are_looked_through_by_parts(monkeypatch):
    mesh = soup(5, 60)
    whole = sr.self_intersections(mesh)
    monkeypatch.setattr("taichi_softras.meshes.intersections.MOST_PAIRS", 7)
    np.testing.assert_array_equal(sr.self_intersections(mesh), whole)


def test_a_fold_is_smoothed_and_the_rest_stays():
    ball = sr.icosphere(3)
    points = ball.vertices.copy()
    spike = np.argmax(points[:, 0])
    points[spike] = [-0.75, 0.011, 0.017]  # through the other side
    spiked = ball.with_vertices(points)
    assert len(sr.self_intersections(spiked)) > 0
    smooth = sr.untangle(spiked)
    assert len(sr.self_intersections(smooth)) == 0
    changed = (smooth.vertices != points).any(axis=1)
    assert changed[spike]
    assert changed.mean() < 0.25


def test_seams_of_textures_hold():
    ball = sr.icosphere(3)
    points = ball.vertices.copy()
    points[np.argmax(points[:, 0])] = [-0.75, 0.011, 0.017]
    whole = sr.untangle(ball.with_vertices(points))
    # The same, each face with corners of its own, as where each has its own part of a texture.
    apart = sr.Mesh(
        points[ball.faces].reshape(-1, 3), np.arange(3 * len(ball.faces)).reshape(-1, 3)
    )
    np.testing.assert_array_equal(
        sr.self_intersections(apart), sr.self_intersections(ball.with_vertices(points))
    )
    smooth = sr.untangle(apart)
    np.testing.assert_allclose(
        smooth.vertices[smooth.faces], whole.vertices[whole.faces], atol=1e-6
    )


def test_rounds_are_checked():
    with pytest.raises(ValueError, match="rounds must be at least 1, got 0"):
        sr.untangle(sr.cube(), rounds=0)
