"""What is kept with a tensor of faces, until someone writes to it."""

import gc

import numpy as np
import pytest
import torch
from closeness import assert_same_bits

import taichi_softras as sr
from taichi_softras.arrays.counts import num_launches
from taichi_softras.meshes import incidence
from taichi_softras.meshes.incidence import know_faces


def tetrahedron(dtype=torch.int64):
    return torch.tensor([[0, 1, 2], [0, 2, 3], [0, 3, 1], [1, 3, 2]], dtype=dtype)


def test_faces_are_converted_once():
    faces = tetrahedron()
    first, its_incidence = know_faces(faces, num_vertices=4)
    assert first.dtype == torch.int32
    assert torch.equal(first, faces.int())
    again, same_incidence = know_faces(faces, num_vertices=4)
    assert again is first
    assert same_incidence is its_incidence


def test_int32_is_taken_as_it_is():
    faces = tetrahedron(torch.int32)
    for _ in range(2):
        assert know_faces(faces, num_vertices=4)[0] is faces


@pytest.mark.parametrize("dtype", [torch.int32, torch.int64])
@pytest.mark.parametrize("writer", ["torch", "numpy"])
def test_writing_to_faces_is_noticed(writer, dtype):
    """By NumPy too, which shares their memory and which PyTorch knows nothing of."""
    numbers = tetrahedron(dtype).numpy().copy()
    faces = torch.from_numpy(numbers)
    _, before = know_faces(faces, num_vertices=4)
    if writer == "torch":
        faces[0] = torch.tensor([3, 2, 1])
    else:
        numbers[0] = [3, 2, 1]
    after, other = know_faces(faces, num_vertices=4)
    assert after[0].tolist() == [3, 2, 1]
    assert other is not before
    numbers[1, 1] = 4
    with pytest.raises(ValueError, match="from 0 to 3, or -1, got 0 to 4"):
        know_faces(faces, num_vertices=4)


def test_another_number_of_vertices_is_looked_at_anew():
    faces = tetrahedron()
    _, before = know_faces(faces, num_vertices=4)
    assert know_faces(faces, num_vertices=5)[1] is not before
    with pytest.raises(ValueError, match="from 0 to 2"):
        know_faces(faces, num_vertices=3)


def test_nothing_is_kept_of_faces_that_are_gone():
    gc.collect()
    before = len(incidence._known_faces)
    faces = tetrahedron(torch.int32)
    for i in range(3):  # also of some that changed
        faces[0, 0] = i
        know_faces(faces, num_vertices=4)
    assert len(incidence._known_faces) == before + 1
    del faces
    gc.collect()
    assert len(incidence._known_faces) == before


@pytest.mark.parametrize("writer", ["torch", "numpy"])
def test_gradients_follow_faces_that_change(writer):
    """The lists of corners at vertices are those of the faces of the call."""
    vertices = sr.icosphere(0).to_torch()[0]
    numbers = sr.icosphere(0).faces.copy()
    faces = torch.from_numpy(numbers)
    camera = sr.LookAtCamera((1.0, 2.0, 4.0))
    settings = sr.RasterizerSettings(height=9, width=8, sigma=1e-2)

    def gradient(faces):
        leaf = vertices.clone().requires_grad_()
        sr.render(leaf, faces, leaf, camera, settings, light=sr.Light()).square().sum().backward()
        return leaf.grad

    gradient(faces)
    changed = np.roll(numbers, 3, axis=0)[:, [1, 2, 0]]
    changed[0] = -1
    if writer == "torch":
        faces.copy_(torch.from_numpy(changed))
    else:
        numbers[:] = changed
    assert_same_bits(gradient(faces), gradient(faces.clone()))


def test_lists_made_in_inference_mode_serve_for_training():
    vertices, faces, _ = sr.icosphere(0).to_torch()
    with torch.inference_mode():
        sr.vertex_normals(vertices, faces)
    leaf = vertices.clone().requires_grad_()
    before = num_launches()
    sr.vertex_normals(leaf, faces).sum().backward()
    launches = num_launches() - before
    other = vertices.clone().requires_grad_()
    before = num_launches()
    sr.vertex_normals(other, faces.clone()).sum().backward()
    assert num_launches() - before > launches
    assert_same_bits(leaf.grad, other.grad)
