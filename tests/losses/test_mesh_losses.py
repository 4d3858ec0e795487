"""Losses of meshes against a few lines of PyTorch, numbers of SoftRas, and cases made by hand."""

import dataclasses
from functools import partial

import gradients
import numpy as np
import pytest
import reference
import scenes
import torch
from hypothesis import given
from hypothesis import strategies as st
from loss_cases import GOLDEN, anything, assert_same, total

import taichi_softras as sr
from taichi_softras.backend import ti

MESH_LOSSES = {
    "laplacian": sr.laplacian_loss,
    "cotangent": partial(sr.laplacian_loss, weights="cotangent"),
    "flattening": sr.flattening_loss,
    "normal consistency": sr.normal_consistency_loss,
    "edge length": partial(sr.edge_length_loss, target_length=0.4),
}


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
