"""Distances of sets of points and of surfaces, against all pairs, and by hand."""

import gradients
import numpy as np
import pytest
import scenes
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

import taichi_softras as sr
from taichi_softras.backend import ti

anything = settings(max_examples=25, deadline=None, derandomize=True, database=None)


def random_points(rng, num_items, num_points):
    return torch.randn(num_items, num_points, 3, generator=rng, dtype=torch.float64)


def chamfer_of_all_pairs(points, others, *, squared=True, two_sided=True):
    """Item by item, by looking at every pair of points."""
    squares = (points[:, :, None] - others[:, None]).square().sum(-1)
    distances = squares if squared else squares.sqrt()
    there = distances.amin(2).mean(1)
    return there + distances.amin(1).mean(1) if two_sided else there


# --- Points -----------------------------------------------------------------------------------


@pytest.mark.parametrize("two_sided", [True, False])
@pytest.mark.parametrize("squared", [True, False])
@pytest.mark.parametrize("items", [(1, 1), (3, 3), (1, 3), (3, 1)], ids=str)
def test_chamfer_matches_all_pairs(items, squared, two_sided, rng):
    options = {"squared": squared, "two_sided": two_sided}
    points, others = random_points(rng, items[0], 7), random_points(rng, items[1], 5)
    found, expected = ([x.clone().requires_grad_() for x in (points, others)] for _ in range(2))
    losses = sr.chamfer_distance(*found, reduction="none", **options)
    wanted = chamfer_of_all_pairs(*expected, **options)
    torch.testing.assert_close(losses, wanted, rtol=1e-12, atol=1e-12)
    mean = sr.chamfer_distance(*found, **options)
    torch.testing.assert_close(mean, wanted.mean().reshape(1), rtol=1e-12, atol=1e-12)
    mean.backward()
    wanted.mean().backward()
    for leaf, other in zip(found, expected):
        torch.testing.assert_close(leaf.grad, other.grad, rtol=1e-12, atol=1e-12)


def test_chamfer_by_hand():
    points = torch.tensor([[[0.0, 0, 0], [1, 0, 0]]])
    others = torch.tensor([[[0.0, 2, 0]]])
    assert sr.chamfer_distance(points, others).tolist() == [(4 + 5) / 2 + 4]
    assert sr.chamfer_distance(points, others, two_sided=False).tolist() == [4.5]
    assert sr.chamfer_distance(others, points, two_sided=False, squared=False).tolist() == [2]


@pytest.mark.gradcheck
@pytest.mark.parametrize("squared", [True, False])
def test_gradients_of_chamfer(squared, rng):
    inputs = {"points": random_points(rng, 3, 6), "others": random_points(rng, 1, 8)}

    def measure(points, others):
        return sr.chamfer_distance(points, others, squared=squared, reduction="none")

    gradients.assert_gradients_match(measure, inputs, rng)


@pytest.mark.parametrize("squared", [True, False])
def test_points_in_one_place_have_no_gradient(squared):
    points = torch.ones(1, 4, 3, requires_grad=True)
    loss = sr.chamfer_distance(points, torch.ones(1, 2, 3), squared=squared)
    loss.backward()
    assert loss.tolist() == [0]
    assert (points.grad == 0).all()


@anything
@given(
    seed=st.integers(0, 2**31 - 1),
    sizes=st.tuples(st.integers(1, 9), st.integers(1, 9)),
    squared=st.booleans(),
)
def test_chamfer_is_symmetric_and_the_same_in_any_frame(seed, sizes, squared):
    rng = torch.Generator().manual_seed(seed)
    points, others = (random_points(rng, 2, n) for n in sizes)
    there, back = (
        sr.chamfer_distance(*pair, squared=squared) for pair in [(points, others), (others, points)]
    )
    torch.testing.assert_close(there, back, rtol=1e-12, atol=1e-12)
    turn, _ = torch.linalg.qr(torch.randn(3, 3, generator=rng, dtype=torch.float64))
    moved = [x @ turn + torch.tensor([3.0, -1.0, 2.0]).double() for x in (points, others)]
    torch.testing.assert_close(
        sr.chamfer_distance(*moved, squared=squared), there, rtol=1e-9, atol=1e-9
    )
    assert sr.chamfer_distance(points, points, squared=squared).tolist() == [0]


def test_chamfer_of_empty_sets():
    none, some = torch.zeros(2, 0, 3), torch.zeros(2, 3, 3)
    assert sr.chamfer_distance(none, none, reduction="none").tolist() == [0, 0]
    with pytest.raises(ValueError, match="must both have points, or neither, got 0 and 3"):
        sr.chamfer_distance(none, some)


def test_chamfer_refuses(rng):
    points = random_points(rng, 3, 4)
    with pytest.raises(ValueError, match=r"others must have shape \(3 or 1, 4, 3\)"):
        sr.chamfer_distance(points, points[:2])
    with pytest.raises(TypeError, match="others must be float64, got float32"):
        sr.chamfer_distance(points, points.float())
    with pytest.raises(ValueError, match="points must have shape"):
        sr.chamfer_distance(points[..., :2], points)
    with pytest.raises(ValueError, match="reduction must be one of"):
        sr.chamfer_distance(points, points, reduction="sum")
    broken = points.clone()
    broken[1, 2, 0] = float("nan")
    with pytest.raises(ValueError, match="others must be finite, got 1 not"):
        sr.chamfer_distance(points, broken)


# --- Surfaces ---------------------------------------------------------------------------------


def test_samples_are_on_the_surface_and_evenly_spread():
    """Of a square of two triangles, and of a third that is cut off it and far smaller."""
    corners = [[0, 0, 0], [1, 0, 0], [1, 1, 0], [0, 1, 0], [5, 0, 0], [5.2, 0, 0], [5, 0.2, 0]]
    vertices = torch.tensor([corners], dtype=torch.float64)
    faces = [[0, 0, 1], [0, 1, 2], [0, 2, 3], [4, 5, 6], [3, 3, 3]]
    points = sr.sample_surface(vertices, faces, 20000, seed=0)[0].numpy()
    assert (points[:, 2] == 0).all()
    small = points[points[:, 0] > 2]
    assert len(small) / 20000 == pytest.approx(0.02 / 1.02, abs=4e-3)
    assert ((small - [5, 0, 0])[:, :2].sum(1) <= 0.2 + 1e-12).all()
    square = points[points[:, 0] < 2]
    counts = np.histogram2d(square[:, 0], square[:, 1], bins=4, range=[[0, 1], [0, 1]])[0]
    assert counts.sum() == len(square)
    np.testing.assert_allclose(counts / len(square), 1 / 16, atol=8e-3)


def test_samples_depend_on_the_seed_and_the_item(rng):
    vertices, faces = scenes.bumpy_octahedron(rng)
    twice = vertices.repeat(2, 1, 1)
    points = sr.sample_surface(twice, faces, 10, seed=0)
    assert (points == sr.sample_surface(twice, faces.numpy(), 10, seed=0)).all()
    assert (points != sr.sample_surface(twice, faces, 10, seed=1)).all()
    assert (points[0] != points[1]).all()
    assert sr.sample_surface(twice, faces, 0).shape == (2, 0, 3)


@pytest.mark.parametrize("convert", [lambda x: x, scenes.to_taichi], ids=["torch", "taichi"])
def test_samples_are_fresh_unless_seeded(convert, rng):
    vertices, faces = scenes.bumpy_octahedron(rng)
    array = convert(vertices)
    first, second = (scenes.to_numpy(sr.sample_surface(array, faces, 10)) for _ in range(2))
    assert (first != second).all()
    args = (array, faces, array, faces, 10)
    assert sr.mesh_chamfer_distance(*args, seed=None)[0] == 0  # the same points on both surfaces
    args = (array, faces, convert(1.3 * vertices), faces, 10)
    distances = {float(sr.mesh_chamfer_distance(*args, seed=None)[0]) for _ in range(3)}
    assert len(distances) == 3


def test_fresh_samples_follow_the_generator_of_pytorch(rng):
    vertices, faces = scenes.bumpy_octahedron(rng)
    state = torch.random.get_rng_state()
    first = sr.sample_surface(vertices, faces, 10)
    torch.random.set_rng_state(state)
    assert (sr.sample_surface(vertices, faces, 10) == first).all()


def test_samples_of_each_item_are_on_its_own_faces():
    """Of two faces, the one has no area in the first item, the other none in the second."""
    vertices = torch.zeros(2, 6, 3)
    vertices[0, :3] = vertices[1, 3:] = torch.eye(3)
    points = sr.sample_surface(vertices, [[0, 1, 2], [3, 4, 5]], 20)
    torch.testing.assert_close(points.sum(-1), torch.ones(2, 20))


@pytest.mark.gradcheck
def test_gradients_of_samples_by_frozen_weights(rng):
    """Every point is a weighted mean of three vertices; the sum of its weights is one."""
    vertices, faces = scenes.bumpy_octahedron(rng, num_items=3)
    leaf = vertices.clone().requires_grad_()
    points = sr.sample_surface(leaf, faces, 5)
    for item, point, axis in [(0, 0, 0), (1, 3, 1), (2, 4, 2)]:
        (gradient,) = torch.autograd.grad(points[item, point, axis], leaf, retain_graph=True)
        weights = gradient[item, :, axis]
        assert (weights >= 0).all()
        assert float(weights.sum()) == pytest.approx(1)
        assert set(weights.nonzero().flatten().tolist()) in [set(face.tolist()) for face in faces]
        torch.testing.assert_close(weights @ vertices[item], points[item, point].detach())
        assert gradient.count_nonzero() == 3


@pytest.mark.parametrize("squared", [True, False])
def test_mesh_chamfer_of_parallel_squares(squared):
    square = sr.plane(segments=2)
    vertices = torch.tensor(square.vertices[None], dtype=torch.float64)
    moved = vertices + torch.tensor([0, 0, 0.5], dtype=torch.float64)
    distance = sr.mesh_chamfer_distance(vertices, square.faces, moved, square.faces, 100)
    assert distance.tolist() == pytest.approx([2 * 0.25])
    same = sr.mesh_chamfer_distance(
        vertices, square.faces, vertices, square.faces, 100, squared=squared
    )
    assert same.tolist() == [0]


def test_mesh_chamfer_does_not_depend_on_the_triangulation():
    """The same square in coarse and in fine: what is left falls with the number of points."""
    coarse, fine = sr.plane(), sr.plane(segments=7)
    arrays = [(torch.tensor(mesh.vertices[None]), mesh.faces) for mesh in (coarse, fine)]
    few, many = (float(sr.mesh_chamfer_distance(*arrays[0], *arrays[1], n)) for n in (100, 10000))
    assert 0 < many < few / 50


def test_mesh_chamfer_on_a_tape(rng):
    vertices, faces = scenes.bumpy_octahedron(rng, num_items=3)
    others, _ = scenes.bumpy_octahedron(rng)
    leaves = [x.clone().requires_grad_() for x in (vertices, others)]
    expected = sr.mesh_chamfer_distance(leaves[0], faces, leaves[1], faces, 50, squared=False)
    expected.backward()

    arrays = [scenes.to_taichi(x, needs_grad=True) for x in (vertices, others)]
    indices = scenes.to_taichi(faces)
    loss = ti.ndarray(ti.f64, 1, needs_grad=True)
    with ti.ad.Tape(loss):
        distance = sr.mesh_chamfer_distance(
            arrays[0], indices, arrays[1], indices, 50, squared=False
        )
        sr.add_to_loss(loss, distance)
    assert loss[0] == pytest.approx(float(expected.detach()), rel=1e-12)
    for array, leaf in zip(arrays, leaves):
        np.testing.assert_allclose(array.grad.to_numpy(), leaf.grad, rtol=1e-10, atol=1e-14)


def test_sample_surface_refuses(rng):
    vertices, faces = scenes.bumpy_octahedron(rng)
    with pytest.raises(ValueError, match="faces must have indices from 0 to 5, got 0 to 6"):
        sr.sample_surface(vertices, [[0, 1, 6]], 3)
    for flat in (np.zeros((0, 3), int), [[0, 0, 1]]):
        with pytest.raises(ValueError, match="faces must have area"):
            sr.sample_surface(vertices, flat, 3)
    with pytest.raises(ValueError, match="num_points must be at least 0"):
        sr.sample_surface(vertices, faces, -1)
    broken = vertices.clone()
    broken[0, 2, 0] = float("nan")
    with pytest.raises(ValueError, match="vertices must be finite"):
        sr.sample_surface(broken, faces, 3)
