"""The drop-in's losses, by hand."""

import numpy as np
import pytest
import torch
from softras_shapes import icosphere
from torch.autograd import gradcheck

import taichi_softras.soft_renderer as sr


def test_laplacian_loss_by_hand():
    """A square of two triangles, and a vertex without faces."""
    faces = torch.tensor([[0, 1, 2], [2, 1, 3]])
    vertices = torch.tensor([[0.0, 0, 0], [1, 0, 0], [0, 1, 0], [1, 1, 0], [7, 7, 7]])
    loss = sr.LaplacianLoss(vertices, faces)
    # The corners on the diagonal have three neighbours, the others two.
    deltas = torch.tensor([[-1 / 2, -1 / 2], [2 / 3, -2 / 3], [-2 / 3, 2 / 3], [1 / 2, 1 / 2]])
    expected = float(deltas.square().sum())
    assert loss(vertices[None]).tolist() == pytest.approx([expected])
    batch = torch.stack((vertices, 2 * vertices, 0 * vertices))
    assert loss(batch).tolist() == pytest.approx([expected, 4 * expected, 0])
    averaging = sr.LaplacianLoss(vertices, faces, average=True)
    assert averaging(batch).item() == pytest.approx(5 / 3 * expected)


def test_flatten_loss_by_hand():
    plane = torch.tensor([[0.0, 0, 0], [1, 0, 0], [0.5, 1, 0], [0.5, -1, 0]])
    folded = torch.tensor([[0.0, 0, 0], [1, 0, 0], [0.5, 1, 0], [0.5, 0, 1]])
    batch = torch.stack((plane, folded))
    loss = sr.FlattenLoss(torch.tensor([[0, 1, 2], [1, 0, 3]]))
    assert loss(batch).tolist() == pytest.approx([0, 1], abs=1e-4)
    averaging = sr.FlattenLoss(np.array([[0, 1, 2], [1, 0, 3]]), average=True)
    assert averaging(batch).item() == pytest.approx(0.5, abs=1e-4)


def test_flatten_loss_leaves_out_third_sides():
    folded = torch.tensor([[[0.0, 0, 0], [1, 0, 0], [0.5, 1, 0], [0.5, 0, 1]]])
    third = sr.FlattenLoss(torch.tensor([[1, 2, 0], [0, 3, 1]]))  # (0, 1) is the last side of both
    assert third(folded).tolist() == [0]
    open_faces = sr.FlattenLoss(torch.tensor([[0, 1, 2]]))
    assert open_faces(folded).tolist() == [0]
    assert sr.FlattenLoss(np.zeros((0, 3), dtype=int))(folded).tolist() == [0]


@pytest.mark.gradcheck
def test_gradients_of_losses(rng):
    vertices, faces = icosphere(2)
    vertices = vertices + torch.rand(vertices.shape, generator=rng, dtype=torch.float64) / 5
    assert gradcheck(sr.LaplacianLoss(vertices[0], faces[0]), vertices.requires_grad_())
    assert gradcheck(sr.FlattenLoss(faces[0]), vertices)


def test_losses_have_no_state():
    vertices, faces = icosphere()
    assert not sr.LaplacianLoss(vertices[0], faces[0]).state_dict()
    assert not sr.FlattenLoss(faces[0]).state_dict()


def test_flatten_loss_survives_faces_without_area():
    vertices = torch.zeros(1, 4, 3, requires_grad=True)
    loss = sr.FlattenLoss(torch.tensor([[0, 1, 2], [1, 0, 3]]))(vertices)
    loss.sum().backward()
    assert loss.isfinite().all()
    assert vertices.grad.isfinite().all()
