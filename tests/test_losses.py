"""Losses against a few lines of PyTorch, SoftRas's own numbers, and cases made by hand."""

from pathlib import Path

import numpy as np
import pytest
import reference
import scenes
import taichi as ti
import torch

import taichi_softras as sr

GOLDEN = Path(__file__).parent / "golden"


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
    topology = sr.MeshTopology(
        whole.edges, whole.inverse_degrees, torch.tensor(hinges, dtype=torch.int32)
    )
    loss = sr.flattening_loss(vertices, topology)
    # It adds 1e-6 to squared lengths, which are about 1e-2 here.
    assert float(loss) == pytest.approx(expected, rel=1e-3)
    assert float(sr.flattening_loss(vertices, whole)) > 1.02 * expected


def test_topology_of_an_open_mesh():
    """Two triangles of a square, and a vertex without faces."""
    faces = np.array([[0, 1, 2], [2, 1, 3]])
    topology = sr.mesh_topology(faces, torch.zeros(1, 5, 3, dtype=torch.float64))
    assert topology.edges.tolist() == [[0, 1], [0, 2], [1, 2], [1, 3], [2, 3]]
    assert topology.inverse_degrees.tolist() == [1 / 2, 1 / 3, 1 / 3, 1 / 2, 0]
    assert topology.hinges.tolist() in ([[1, 2, 0, 3]], [[2, 1, 3, 0]])
    assert topology.edges.dtype == topology.hinges.dtype == torch.int32


def test_topology_pairs_each_face_with_the_next_at_an_edge():
    faces = np.array([[0, 1, 2], [0, 1, 3], [0, 1, 4]])
    topology = sr.mesh_topology(faces, torch.zeros(1, 5, 3))
    assert len(topology.hinges) == 2


@pytest.mark.parametrize("faces", [np.zeros((0, 3), int), np.zeros((2, 3), int)], ids=len)
def test_losses_of_meshes_without_edges_are_zero(faces):
    vertices = torch.ones(1, 4, 3, requires_grad=True)
    topology = sr.mesh_topology(faces, vertices)
    loss = sr.laplacian_loss(vertices, topology) + sr.flattening_loss(vertices, topology)
    loss.backward()
    assert loss.tolist() == [0]
    assert (vertices.grad == 0).all()


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


# --- Refusals ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("call", "error", "words"),
    [
        (lambda x: sr.silhouette_loss(x[0], x), ValueError, "alpha must have shape"),
        (lambda x: sr.silhouette_loss(x, x[:, :2]), ValueError, "target must have shape"),
        (lambda x: sr.silhouette_loss(x, x[:2]), ValueError, "target must have shape"),
        (lambda x: sr.silhouette_loss(x, x.double()), TypeError, "target must be float32"),
        (lambda x: sr.silhouette_loss(x, 0.0), TypeError, "target must be a torch.Tensor"),
        (lambda x: sr.image_loss(x, x), ValueError, "image must have shape"),
        (lambda x: sr.image_loss(x[None], x[None, :2]), ValueError, "target must have shape"),
    ],
)
def test_image_losses_refuse(call, error, words):
    with pytest.raises(error, match=words):
        call(torch.zeros(3, 4, 5))


@pytest.mark.parametrize("loss", [sr.laplacian_loss, sr.flattening_loss])
def test_mesh_losses_refuse_another_mesh(loss, rng):
    vertices, faces = scenes.bumpy_octahedron(rng)
    topology = sr.mesh_topology(faces.numpy(), vertices)
    with pytest.raises(ValueError, match="inverse_degrees must have shape"):
        loss(vertices[:, :5], topology)
    with pytest.raises(TypeError, match="inverse_degrees must be float32, got float64"):
        loss(vertices.float(), topology)


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
    with pytest.raises(ValueError, match=r"term must have shape \(1\), got \(2,\)"):
        sr.add_to_loss(loss, ti.ndarray(ti.f64, 2))
