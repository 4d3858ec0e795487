"""The drop-in's meshes: their arrays, normals and copies."""

import numpy as np
import pytest
import torch
from softras_shapes import icosphere

import taichi_softras.soft_renderer as sr


def test_mesh_of_arrays():
    mesh = sr.Mesh(np.eye(3), np.array([[0, 1, 2], [2, 1, 0]]), texture_res=2)
    assert (mesh.batch_size, mesh.num_vertices, mesh.num_faces, mesh.texture_res) == (1, 3, 2, 2)
    assert (mesh.vertices.dtype, mesh.faces.dtype) == (torch.float32, torch.int32)
    assert mesh.textures.shape == mesh.face_textures.shape == (1, 2, 4, 3)
    assert (mesh.textures == 1).all()
    assert (mesh.face_vertices[0, 1] == torch.eye(3).flip(0)).all()
    assert torch.allclose(mesh.surface_normals[0, 0], torch.full((3,), 3**-0.5))


def test_mesh_with_colours_of_vertices():
    colors = torch.rand(3, 3, dtype=torch.float64)
    faces = torch.tensor([[2, 0, 1]])
    mesh = sr.Mesh(torch.eye(3).double(), faces, colors, texture_type="vertex")
    assert mesh.texture_res == 1
    assert (mesh.face_textures[0, 0] == colors[[2, 0, 1]]).all()
    white = sr.Mesh(torch.eye(3).double(), faces, texture_type="vertex")
    assert white.textures.shape == (1, 3, 3)
    assert white.textures.dtype == torch.float64


def test_normals_of_three_meshes():
    """``torch.cross`` without ``dim`` takes the first dimension of size 3, here the batch's."""
    vertices, faces = icosphere(3)
    mesh = sr.Mesh(vertices, faces)
    middles = mesh.face_vertices.mean(2)
    expected = middles / middles.norm(dim=-1, keepdim=True)
    torch.testing.assert_close(mesh.surface_normals, expected)
    torch.testing.assert_close(mesh.vertex_normals, vertices / vertices.norm(dim=-1, keepdim=True))


def test_face_without_area_has_no_normal():
    vertices = torch.zeros(1, 3, 3, requires_grad=True)
    normals = sr.Mesh(vertices, torch.tensor([[0, 1, 2]])).surface_normals
    assert (normals == 0).all()
    normals.sum().backward()
    assert vertices.grad.isfinite().all()


def test_reset_returns_to_the_mesh_as_it_was_made():
    vertices, faces = icosphere()
    mesh = sr.Mesh(vertices, faces)
    mesh.vertices = vertices * 2
    mesh.textures = mesh.textures * 0
    mesh.fill_back_()
    mesh.fill_back_()
    assert mesh.num_faces == 40
    assert mesh.textures.shape == (1, 40, 1, 3)
    assert (mesh.faces[:, 20:] == faces.flip(-1)).all()
    mesh.reset_()
    assert mesh.vertices is vertices
    assert mesh.num_faces == 20
    assert (mesh.textures == 1).all()


@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        (([[0.0, 0.0]], [[0, 0, 0]]), ValueError, "vertices must have shape"),
        ((np.eye(3), [[0, 1, 3]]), ValueError, "faces must have indices from 0 to 2"),
        ((np.eye(3), torch.zeros(1, 3)), TypeError, "faces must be int32 or int64"),
        ((np.eye(3), [[0, 1, 2]], torch.ones(1, 3, 3)), ValueError, "R \\* R texels per face"),
        ((np.eye(3), [[0, 1, 2]], torch.ones(2, 4, 3)), ValueError, "textures must have shape"),
        (
            (np.eye(3), [[0, 1, 2]], torch.ones(1, 1, 3).double()),
            TypeError,
            "textures must be float32, got float64",
        ),
        ((np.zeros((2, 3, 3)), np.zeros((3, 1, 3), int)), ValueError, "must have shape"),
    ],
)
def test_meshes_that_do_not_fit_are_refused(arguments, error, message):
    with pytest.raises(error, match=message):
        sr.Mesh(*arguments)
