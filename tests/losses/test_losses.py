"""Losses against a few lines of PyTorch, SoftRas's own numbers, and cases made by hand."""

import dataclasses
import itertools
from functools import partial
from pathlib import Path

import gradients
import numpy as np
import pytest
import reference
import scenes
import taichi as ti
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

import taichi_softras as sr
from taichi_softras.arrays.calls import apply_kernel
from taichi_softras.arrays.launcher import kernel

GOLDEN = Path(__file__).parents[1] / "golden"

MESH_LOSSES = {
    "laplacian": sr.laplacian_loss,
    "cotangent": partial(sr.laplacian_loss, weights="cotangent"),
    "flattening": sr.flattening_loss,
    "normal consistency": sr.normal_consistency_loss,
    "edge length": partial(sr.edge_length_loss, target_length=0.4),
}

anything = settings(max_examples=25, deadline=None, derandomize=True, database=None)


def assert_same(actual, expected):
    torch.testing.assert_close(actual, expected.reshape(1), rtol=1e-13, atol=1e-13)


@pytest.mark.parametrize("target_items", [1, 3])
def test_silhouette_loss_matches_reference(target_items, rng):
    alpha = torch.rand(3, 5, 7, generator=rng, dtype=torch.float64)
    target = torch.rand(target_items, 5, 7, generator=rng, dtype=torch.float64)
    assert_same(sr.silhouette_loss(alpha, target), reference.silhouette_loss(alpha, target))


def test_silhouette_loss_by_hand():
    mask = torch.zeros(2, 4, 4, dtype=torch.float64)
    mask[:, :2] = 1
    half = mask.clone()
    half[1, :1] = 0
    assert sr.silhouette_loss(mask, mask).tolist() == [0]
    assert sr.silhouette_loss(mask, 1 - mask).tolist() == [1]
    assert sr.silhouette_loss(half, mask).tolist() == [0.25]
    empty = torch.zeros(2, 4, 4, dtype=torch.float64, requires_grad=True)
    loss = sr.silhouette_loss(empty, torch.zeros_like(mask))
    assert loss.tolist() == [0]
    loss.backward()
    assert empty.grad.isfinite().all()


def test_silhouette_loss_matches_softras():
    arrays = np.load(GOLDEN / "loss_iou.npz")
    predict, target = (torch.tensor(arrays[name]) for name in ("predict", "target"))
    loss = sr.silhouette_loss(predict, target)
    assert 1 - float(loss) == pytest.approx(float(arrays["out"]), abs=1e-4)


@pytest.mark.parametrize("target_items", [1, 3])
def test_image_loss_is_the_mean_square(target_items, rng):
    image = torch.rand(3, 5, 7, 4, generator=rng, dtype=torch.float64)
    target = torch.rand(target_items, 5, 7, 4, generator=rng, dtype=torch.float64)
    assert_same(sr.image_loss(image, target), (image - target).square().mean())


@pytest.mark.parametrize("num_items", [1, 3])
def test_mesh_losses_match_reference(num_items, rng):
    vertices, faces = scenes.open_mesh(rng, num_items)
    topology = sr.mesh_topology(faces.numpy(), vertices)
    expected = reference.laplacian_loss(vertices, faces.numpy())
    assert_same(sr.laplacian_loss(vertices, topology), expected)
    expected = reference.flattening_loss(vertices, faces.tolist())
    assert_same(sr.flattening_loss(vertices, topology), expected)


def golden_mesh(name):
    arrays = np.load(GOLDEN / f"{name}.npz")
    return torch.tensor(arrays["vertices"]), arrays["faces"][0], float(arrays["out"][0])


def test_laplacian_loss_matches_softras():
    vertices, faces, expected = golden_mesh("loss_laplacian")
    loss = sr.laplacian_loss(vertices, sr.mesh_topology(faces, vertices))
    assert float(loss) == pytest.approx(expected, rel=1e-4)


def test_flattening_loss_matches_softras():
    """With its list of edges: each side (0, 1) and (1, 2) of a face, but none (2, 0)."""
    vertices, faces, expected = golden_mesh("loss_flatten")
    listed = {tuple(sorted(side)) for side in [*faces[:, :2].tolist(), *faces[:, 1:].tolist()]}
    whole = sr.mesh_topology(faces, vertices)
    hinges = [hinge for hinge in whole.hinges.tolist() if tuple(sorted(hinge[:2])) in listed]
    topology = dataclasses.replace(whole, hinges=torch.tensor(hinges, dtype=torch.int32))
    loss = sr.flattening_loss(vertices, topology)
    # It adds 1e-6 to squared lengths, which are about 1e-2 here.
    assert float(loss) == pytest.approx(expected, rel=1e-3)
    assert float(sr.flattening_loss(vertices, whole)) > 1.02 * expected


def test_topology_of_an_open_mesh():
    """Two triangles of a square, and a vertex without faces."""
    faces = np.array([[0, 1, 2], [2, 1, 3]])
    topology = sr.mesh_topology(faces, torch.zeros(1, 5, 3, dtype=torch.float64))
    assert topology.edges.tolist() == [[0, 1], [0, 2], [1, 2], [1, 3], [2, 3]]
    assert topology.face_edges.tolist() == [[2, 1, 0], [3, 4, 2]]
    assert topology.inverse_degrees.tolist() == [[1 / 2, 1 / 3, 1 / 3, 1 / 2, 0]]
    assert topology.hinges.tolist() == [[1, 2, 0, 3]]
    assert topology.face_pairs.tolist() == [[0, 1]]
    for indices in (topology.faces, topology.edges, topology.face_edges, topology.hinges):
        assert indices.dtype == torch.int32


@pytest.mark.parametrize("num_faces", [2, 3, 5])
def test_topology_pairs_all_faces_at_an_edge(num_faces):
    faces = np.array([[0, 1, 2 + f] if f % 2 else [1, 0, 2 + f] for f in range(num_faces)])
    topology = sr.mesh_topology(faces, torch.zeros(1, 7, 3))
    pairs = {tuple(sorted(pair)) for pair in topology.face_pairs.tolist()}
    assert pairs == set(itertools.combinations(range(num_faces), 2))
    assert len(topology.hinges) == len(pairs)
    for (i, j, k, other), (f, g) in zip(topology.hinges.tolist(), topology.face_pairs.tolist()):
        assert [i, j, k] in np.stack([np.roll(faces[f], -n) for n in range(3)]).tolist()
        assert {i, j, other} == set(faces[g].tolist())


def test_topology_of_faces_from_anywhere(rng):
    vertices, faces = scenes.open_mesh(rng)
    expected = sr.mesh_topology(faces.numpy(), vertices)
    for same in (faces, faces.long(), scenes.to_taichi(faces), faces.tolist()):
        assert (sr.mesh_topology(same, vertices).hinges == expected.hinges).all()


def test_topology_with_a_face_that_is_a_line():
    """Its side from a vertex to itself is no edge; the others are."""
    topology = sr.mesh_topology([[0, 1, 1], [0, 1, 2]], torch.zeros(1, 3, 3))
    assert topology.edges.tolist() == [[0, 1], [0, 2], [1, 2]]
    assert topology.face_edges.tolist() == [[-1, 0, 0], [2, 1, 0]]


@pytest.mark.parametrize("faces", [np.zeros((0, 3), int), np.zeros((2, 3), int)], ids=len)
def test_losses_of_meshes_without_edges_are_zero(faces):
    vertices = torch.ones(1, 4, 3, requires_grad=True)
    topology = sr.mesh_topology(faces, vertices)
    loss = sum(loss(vertices, topology) for loss in MESH_LOSSES.values())
    colors = torch.ones(1, len(faces), 3, requires_grad=True)
    loss = loss + sr.color_laplacian_loss(colors, topology)
    loss.backward()
    assert loss.tolist() == [0]
    assert (vertices.grad == 0).all()
    assert (colors.grad == 0).all()


def fold(angle):
    """Two triangles that meet along the x axis, one of them turned by ``angle`` degrees."""
    angle = np.radians(angle)
    corners = [[0, 0, 0], [1, 0, 0], [0.5, 1, 0], [0.5, -np.cos(angle), np.sin(angle)]]
    vertices = torch.tensor([corners], dtype=torch.float64, requires_grad=True)
    return vertices, sr.mesh_topology(np.array([[0, 1, 2], [1, 0, 3]]), vertices)


@pytest.mark.parametrize(("angle", "expected"), [(0, 0), (60, 0.25), (90, 1), (180, 4)])
def test_flattening_loss_by_hand(angle, expected):
    vertices, topology = fold(angle)
    loss = sr.flattening_loss(vertices, topology)
    assert float(loss.detach()) == pytest.approx(expected, abs=1e-12)
    loss.backward()
    assert vertices.grad.isfinite().all()


def test_flattening_ignores_faces_without_area():
    vertices = torch.tensor([[[0.0, 0, 0], [1, 0, 0], [2, 0, 0], [0, 1, 0]]], requires_grad=True)
    topology = sr.mesh_topology(np.array([[0, 1, 2], [1, 0, 3]]), vertices)
    loss = sr.flattening_loss(vertices, topology)
    loss.backward()
    assert loss.tolist() == [0]
    assert vertices.grad.isfinite().all()


def test_add_to_loss_adds():
    loss, term = (sr.from_numpy(np.array([x])) for x in (2.0, 3.0))
    sr.add_to_loss(loss, term, 0.5)
    sr.add_to_loss(loss, term)
    assert loss.to_numpy().tolist() == [6.5]
    assert term.to_numpy().tolist() == [3.0]


# --- More of meshes ---------------------------------------------------------------------------


@pytest.mark.parametrize("num_items", [1, 3])
def test_cotangent_laplacian_matches_reference(num_items, rng):
    """Values and gradients: the reference's weights are constants, too."""
    vertices, faces = scenes.open_mesh(rng, num_items)
    found, expected = (vertices.clone().requires_grad_() for _ in range(2))
    topology = sr.mesh_topology(faces.numpy(), vertices)
    loss = sr.laplacian_loss(found, topology, weights="cotangent", reduction="none")
    wanted = reference.cotangent_laplacian_losses(expected, faces.numpy())
    torch.testing.assert_close(loss, wanted, rtol=1e-12, atol=1e-12)
    weights = torch.arange(1.0, num_items + 1, dtype=torch.float64)
    loss.backward(weights)
    wanted.backward(weights)
    torch.testing.assert_close(found.grad, expected.grad, rtol=1e-12, atol=1e-12)


def test_cotangent_laplacian_of_a_flat_fan():
    """Its centre is where it should be, however uneven the fan; what is left is the border's."""
    angles = np.radians([0, 50, 130, 200, 300])
    ring = np.stack([np.cos(angles), np.sin(angles), 0 * angles], axis=1)
    vertices = torch.tensor(np.concatenate([[[0.1, 0.2, 0]], ring])[None])
    faces = np.array([[0, 1 + k, 1 + (k + 1) % 5] for k in range(5)])
    deltas = reference.cotangent_deltas(vertices, faces)
    assert deltas[0, 0].norm() < 1e-15
    topology = sr.mesh_topology(faces, vertices)
    loss = sr.laplacian_loss(vertices, topology, weights="cotangent")
    assert_same(loss, deltas[:, 1:].square().sum())


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64], ids=str)
@pytest.mark.parametrize("width", [1e-3, 1e-12, 1e-25, 0.0])
def test_losses_of_slivers_are_finite(width, dtype):
    corners = [[0, 0, 0], [1, 0, 0], [0.5, width, 0], [0.5, -width, 0], [0.5, 0, width]]
    vertices = torch.tensor([corners], dtype=dtype, requires_grad=True)
    topology = sr.mesh_topology([[0, 1, 2], [1, 0, 3], [0, 1, 4], [2, 2, 3]], vertices)
    for name, measure in MESH_LOSSES.items():
        loss = measure(vertices, topology)
        (gradient,) = torch.autograd.grad(loss, vertices)
        assert loss.isfinite().all(), name
        assert gradient.isfinite().all(), name


def test_slivers_do_not_weigh_more_than_the_sharpest_corner():
    """A vertex between two neighbours, the one opposite a corner far sharper than the other's."""
    corners = [[0, 0, 0], [1, 0, 0], [1, 1e-5, 0.1e-5], [1.0, -1, 0], [1.002, 0, 0]]
    vertices = torch.tensor([corners], dtype=torch.float64)
    faces = np.array([[0, 1, 2], [3, 4, 1]])
    topology = sr.mesh_topology(faces, vertices)
    loss = sr.laplacian_loss(vertices, topology, weights="cotangent", reduction="none")
    expected = reference.cotangent_laplacian_losses(vertices, faces)
    torch.testing.assert_close(loss, expected, rtol=1e-9, atol=1e-12)
    # Vertex 1 is drawn to 4 by about 500 of 1500; without the bound, by next to nothing.
    pull = reference.cotangent_deltas(vertices, faces)[0, 1].norm()
    assert float(pull) == pytest.approx(0.002 * 500 / 1524, rel=1e-2)


def test_obtuse_angles_weigh_nothing():
    """A kite whose common edge is far from Delaunay: it has no say, rather than less than none."""
    corners = [[-1, 0, 0], [1, 0, 0], [0, 0.1, 0], [0, -0.1, 0]]
    vertices = torch.tensor([corners], dtype=torch.float64)
    topology = sr.mesh_topology([[0, 1, 2], [1, 0, 3]], vertices)
    loss = sr.laplacian_loss(vertices, topology, weights="cotangent")
    # Each vertex then has two neighbours that weigh the same, by symmetry.
    assert float(loss) == pytest.approx(2 * 1 + 2 * 0.01)


@pytest.mark.parametrize("num_items", [1, 3])
def test_normal_consistency_matches_reference(num_items, rng):
    vertices, faces = scenes.open_mesh(rng, num_items)
    faces = torch.cat([faces, torch.tensor([[0, 2, 6]])])  # a third face at an edge
    topology = sr.mesh_topology(faces, vertices)
    found = sr.normal_consistency_loss(vertices, topology, reduction="none")
    expected = reference.normal_consistency_losses(vertices, faces.tolist())
    torch.testing.assert_close(found, expected, rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize(("angle", "expected"), [(0, 0), (60, 0.5), (90, 1), (180, 2)])
def test_normal_consistency_by_hand(angle, expected):
    vertices, topology = fold(angle)
    loss = sr.normal_consistency_loss(vertices, topology)
    assert float(loss.detach()) == pytest.approx(expected, abs=1e-12)


def test_edge_length_by_hand():
    vertices = torch.tensor([[[0, 0, 0], [3, 0, 0], [0, 4, 0]], [[0, 0, 0]] * 3]).double()
    vertices.requires_grad_()
    topology = sr.mesh_topology([[0, 1, 2]], vertices)
    lengths = sr.edge_length_loss(vertices, topology, reduction="none")
    assert lengths.tolist() == pytest.approx([50 / 3, 0])
    errors = sr.edge_length_loss(vertices, topology, 4.0, reduction="none")
    assert errors.tolist() == pytest.approx([(1 + 0 + 1) / 3, 16])
    assert sr.edge_length_loss(vertices, topology, 4.0).tolist() == pytest.approx(
        [(2 / 3 + 16) / 2]
    )
    errors.sum().backward()
    assert vertices.grad.isfinite().all()
    assert (vertices.grad[1] == 0).all()


def test_color_laplacian_by_hand():
    """Three faces in a row: colours differ over two edges."""
    topology = sr.mesh_topology([[0, 1, 2], [2, 1, 3], [2, 3, 4]], torch.zeros(1, 5, 3).double())
    colors = torch.tensor([[[1.0, 0, 0], [0, 0, 0.5], [0, 0, 0]], [[1.0, 1, 1]] * 3]).double()
    losses = sr.color_laplacian_loss(colors, topology, reduction="none")
    assert losses.tolist() == pytest.approx([(1.25 + 0.25) / 2, 0])
    assert sr.color_laplacian_loss(colors[..., :1], topology).tolist() == pytest.approx([0.25])


@pytest.mark.gradcheck
@pytest.mark.parametrize("num_items", [1, 3])
@pytest.mark.parametrize("name", [name for name in MESH_LOSSES if name != "cotangent"])
def test_gradients_of_mesh_losses(name, num_items, rng):
    vertices, faces = scenes.open_mesh(rng, num_items)
    topology = sr.mesh_topology(faces, vertices)
    gradients.assert_gradients_match(
        lambda vertices: MESH_LOSSES[name](vertices, topology, reduction="none"),
        {"vertices": vertices},
        rng,
    )


@pytest.mark.gradcheck
@pytest.mark.parametrize("channels", [1, 3, 12])
def test_gradients_of_color_laplacian(channels, rng):
    vertices, faces = scenes.open_mesh(rng)
    topology = sr.mesh_topology(faces, vertices)
    colors = torch.rand(2, len(faces), channels, generator=rng, dtype=torch.float64)
    gradients.assert_gradients_match(
        lambda colors: sr.color_laplacian_loss(colors, topology, reduction="none"),
        {"colors": colors},
        rng,
    )


@pytest.mark.parametrize("reduction", ["mean", "none"])
@pytest.mark.parametrize("name", MESH_LOSSES)
def test_mesh_losses_on_a_tape(name, reduction, rng):
    """Value and gradient are PyTorch's, for ndarrays and for a tensor that is not contiguous."""
    vertices, faces = scenes.open_mesh(rng, num_items=3)
    strided = vertices.transpose(0, 2).contiguous().transpose(0, 2).requires_grad_()
    measure = MESH_LOSSES[name]
    expected = measure(strided, sr.mesh_topology(faces, strided), reduction=reduction)
    expected.sum().backward()

    array = scenes.to_taichi(vertices, needs_grad=True)
    topology = sr.mesh_topology(faces, array)
    loss = ti.ndarray(ti.f64, 1, needs_grad=True)
    with ti.ad.Tape(loss):
        found = measure(array, topology, reduction=reduction)
        sr.add_to_loss(loss, found if reduction == "mean" else total(found))
    np.testing.assert_allclose(found.to_numpy(), expected.detach(), rtol=1e-12)
    np.testing.assert_allclose(array.grad.to_numpy(), strided.grad, rtol=1e-10, atol=1e-14)


def total(losses):
    """Add up an ndarray of losses: (1,)."""
    return apply_kernel(lambda _: sum_kernel, (losses,), (1,))


@kernel
def sum_kernel(
    values: ti.types.ndarray(dtype=ti.f64, ndim=1), result: ti.types.ndarray(dtype=ti.f64, ndim=1)
):
    for i in range(values.shape[0]):
        result[0] += values[i]


@anything
@given(seed=st.integers(0, 2**31 - 1))
def test_mesh_losses_do_not_change_with_the_frame(seed):
    """They are the same wherever the mesh is, and however it is turned."""
    rng = torch.Generator().manual_seed(seed)
    vertices, faces = scenes.open_mesh(rng)
    turn, _ = torch.linalg.qr(torch.randn(3, 3, generator=rng, dtype=torch.float64))
    moved = vertices @ turn + torch.randn(3, generator=rng, dtype=torch.float64)
    topology = sr.mesh_topology(faces, vertices)
    for name, loss in MESH_LOSSES.items():
        before, after = (float(loss(x, topology)) for x in (vertices, moved))
        assert after == pytest.approx(before, rel=1e-9), name


# --- Several views ----------------------------------------------------------------------------


@pytest.mark.parametrize("target_items", [1, 3])
def test_silhouette_loss_of_views(target_items, rng):
    """Views are averaged, item by item."""
    alpha = torch.rand(3, 4, 5, 7, generator=rng, dtype=torch.float64)
    target = torch.rand(target_items, 4, 5, 7, generator=rng, dtype=torch.float64)
    losses = sr.silhouette_loss(alpha, target, reduction="none")
    both = (alpha * target).sum((2, 3))
    either = (alpha + target - alpha * target).sum((2, 3))
    torch.testing.assert_close(losses, (1 - both / either).mean(1), rtol=1e-13, atol=1e-13)
    assert_same(sr.silhouette_loss(alpha, target), losses.mean())
    lists = (list(x.unbind(1)) for x in (alpha, target))
    listed = sr.multiview_silhouette_loss(*lists, reduction="none")
    torch.testing.assert_close(listed, losses, rtol=1e-13, atol=1e-13)


def test_multiview_loss_of_views_of_several_sizes(rng):
    """As reconstruction is trained: two predictions, each drawn by two cameras."""
    sizes = [(4, 5), (4, 5), (6, 3), (6, 3)]
    alphas = [torch.rand(2, *s, generator=rng, dtype=torch.float64) for s in sizes]
    targets = [torch.rand(2, *s, generator=rng, dtype=torch.float64) for s in sizes]
    expected = sum(reference.silhouette_loss(a, t) for a, t in zip(alphas, targets)) / 4
    assert_same(sr.multiview_silhouette_loss(alphas, targets), expected)


@pytest.mark.parametrize("reduction", ["mean", "none"])
def test_image_loss_per_item(reduction, rng):
    image = torch.rand(3, 5, 7, 4, generator=rng, dtype=torch.float64)
    target = torch.rand(3, 5, 7, 4, generator=rng, dtype=torch.float64)
    expected = (image - target).square().mean((1, 2, 3))
    expected = expected if reduction == "none" else expected.mean().reshape(1)
    found = sr.image_loss(image, target, reduction=reduction)
    torch.testing.assert_close(found, expected, rtol=1e-13, atol=1e-13)


@pytest.mark.gradcheck
@pytest.mark.parametrize("reduction", ["mean", "none"])
@pytest.mark.parametrize("target_items", [1, 3])
def test_gradients_of_silhouette_loss_of_views(target_items, reduction, rng):
    inputs = {
        "alpha": torch.rand(3, 2, 5, 7, generator=rng, dtype=torch.float64),
        "target": torch.rand(target_items, 2, 5, 7, generator=rng, dtype=torch.float64),
    }

    def measure(alpha, target):
        listed = sr.multiview_silhouette_loss(
            [alpha[:, 0], alpha[:, 1, 1:]], [target[:, 0], target[:, 1, 1:]], reduction=reduction
        )
        return listed + sr.silhouette_loss(alpha, target, reduction=reduction)

    gradients.assert_gradients_match(measure, inputs, rng)


def test_silhouette_losses_on_a_tape(rng):
    alphas = [torch.rand(3, 4, 5, generator=rng, dtype=torch.float64) for _ in range(2)]
    targets = [torch.rand(1, 4, 5, generator=rng, dtype=torch.float64) for _ in range(2)]
    leaves = [x.clone().requires_grad_() for x in alphas]
    expected = sr.multiview_silhouette_loss(leaves, targets)
    expected = expected + sr.silhouette_loss(torch.stack(leaves, 1), torch.stack(targets, 1))
    expected.backward()

    arrays = [scenes.to_taichi(x, needs_grad=True) for x in alphas]
    views = scenes.to_taichi(torch.stack(alphas, 1), needs_grad=True)
    loss = ti.ndarray(ti.f64, 1, needs_grad=True)
    with ti.ad.Tape(loss):
        wanted = [scenes.to_taichi(x) for x in targets]
        sr.add_to_loss(loss, sr.multiview_silhouette_loss(arrays, wanted))
        sr.add_to_loss(loss, sr.silhouette_loss(views, scenes.to_taichi(torch.stack(targets, 1))))
    assert loss[0] == pytest.approx(float(expected.detach()), rel=1e-12)
    for view, (array, leaf) in enumerate(zip(arrays, leaves)):
        both = array.grad.to_numpy() + views.grad.to_numpy()[:, view]
        np.testing.assert_allclose(both, leaf.grad, rtol=1e-10, atol=1e-14)


@anything
@given(seed=st.integers(0, 2**31 - 1), num_items=st.integers(1, 3))
def test_silhouette_loss_is_between_zero_and_one(seed, num_items):
    rng = torch.Generator().manual_seed(seed)
    alpha, target = torch.rand(2, num_items, 3, 4, generator=rng, dtype=torch.float64)
    losses = sr.silhouette_loss(alpha, target, reduction="none")
    assert ((losses >= 0) & (losses <= 1)).all()
    torch.testing.assert_close(losses, sr.silhouette_loss(target, alpha, reduction="none"))
    mask = alpha.round()
    assert sr.silhouette_loss(mask, mask).tolist() == [0]


# --- Refusals ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("call", "error", "words"),
    [
        (lambda x: sr.silhouette_loss(x[0], x), ValueError, "alpha must have shape"),
        (
            lambda x: sr.silhouette_loss(x[..., None], x[..., None]),
            ValueError,
            "without a dimension",
        ),
        (lambda x: sr.silhouette_loss(x, x[:, :2]), ValueError, "target must have shape"),
        (lambda x: sr.silhouette_loss(x, x[:2]), ValueError, "target must have shape"),
        (lambda x: sr.silhouette_loss(x, x.double()), TypeError, "target must be float32"),
        (lambda x: sr.silhouette_loss(x, 0.0), TypeError, "target must be a torch.Tensor"),
        (lambda x: sr.silhouette_loss(x, x, reduction="sum"), ValueError, "reduction must be one"),
        (lambda x: sr.silhouette_loss(x[None], x), ValueError, "target must have shape"),
        (lambda x: sr.multiview_silhouette_loss([x], []), ValueError, "got 1 and 0"),
        (lambda x: sr.multiview_silhouette_loss([], []), ValueError, "got 0 and 0"),
        (lambda x: sr.multiview_silhouette_loss([x, x[:2]], [x, x]), ValueError, r"alphas\[1\]"),
        (lambda x: sr.multiview_silhouette_loss([x, x], [x, x[:2]]), ValueError, r"targets\[1\]"),
        (lambda x: sr.image_loss(x, x), ValueError, "image must have shape"),
        (lambda x: sr.image_loss(x[None], x[None, :2]), ValueError, "target must have shape"),
    ],
)
def test_image_losses_refuse(call, error, words):
    with pytest.raises(error, match=words):
        call(torch.zeros(3, 4, 5))


@pytest.mark.parametrize("loss", MESH_LOSSES.values(), ids=MESH_LOSSES)
def test_mesh_losses_refuse_another_mesh(loss, rng):
    vertices, faces = scenes.bumpy_octahedron(rng)
    topology = sr.mesh_topology(faces.numpy(), vertices)
    with pytest.raises(ValueError, match="inverse_degrees must have shape"):
        loss(vertices[:, :5], topology)
    with pytest.raises(TypeError, match="inverse_degrees must be float32, got float64"):
        loss(vertices.float(), topology)


def test_mesh_losses_refuse_options(rng):
    vertices, faces = scenes.bumpy_octahedron(rng)
    topology = sr.mesh_topology(faces, vertices)
    with pytest.raises(ValueError, match="weights must be one of 'uniform', 'cotangent'"):
        sr.laplacian_loss(vertices, topology, weights="cot")
    with pytest.raises(ValueError, match="target_length must be at least 0, got -1"):
        sr.edge_length_loss(vertices, topology, -1.0)
    for loss in MESH_LOSSES.values():
        with pytest.raises(ValueError, match="reduction must be one of 'mean', 'none', got 'sum'"):
            loss(vertices, topology, reduction="sum")
    with pytest.raises(
        ValueError, match=r"face_colors must have shape \(B, 8, C\), got \(1, 6, 3\)"
    ):
        sr.color_laplacian_loss(vertices, topology)


@pytest.mark.parametrize(
    ("faces", "words"),
    [
        (np.zeros((2, 4), int), r"faces must be integers of shape \(F, 3\)"),
        (np.zeros((2, 3)), r"faces must be integers of shape \(F, 3\)"),
        (np.array([[0, 1, 6]]), "faces must have indices from 0 to 5, got 0 to 6"),
        (np.array([[0, 1, -1]]), "faces must have indices from 0 to 5, got -1 to 1"),
    ],
    ids=str,
)
def test_topology_refuses(faces, words):
    with pytest.raises(ValueError, match=words):
        sr.mesh_topology(faces, torch.zeros(1, 6, 3))


def test_add_to_loss_refuses():
    loss = sr.from_numpy(np.zeros(1))
    with pytest.raises(TypeError, match=r"term must be a ti\.ndarray, got Tensor"):
        sr.add_to_loss(loss, torch.zeros(1))
    with pytest.raises(TypeError, match="term must be float64, got float32"):
        sr.add_to_loss(loss, sr.from_numpy(np.zeros(1, np.float32)))
    with pytest.raises(ValueError, match=r"term must have shape \(1,\), got \(2,\)"):
        sr.add_to_loss(loss, ti.ndarray(ti.f64, 2))
