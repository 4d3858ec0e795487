"""The drop-in's light, by hand."""

import pytest
import torch
from softras_shapes import icosphere

import taichi_softras.soft_renderer as sr
import taichi_softras.soft_renderer.functional as srf


def test_light_by_hand():
    dark = torch.zeros(1, 2, 3)
    ambient = srf.ambient_lighting(dark, 0.5, (1, 0.5, 0))
    assert ambient.tolist() == [[[0.5, 0.25, 0]] * 2]
    normals = torch.tensor([[[0.0, 1, 0], [0, -1, 0]]])
    lit = srf.directional_lighting(ambient, normals, 0.5, (0, 1, 1), (0, 2, 0))  # not normalised
    assert lit.tolist() == [[[0.5, 1.25, 1], [0.5, 0.25, 0]]]
    assert (dark == 0).all()


@pytest.mark.parametrize("texture_type", ["surface", "vertex"])
def test_lighting_leaves_the_mesh_as_it_is(texture_type):
    mesh = sr.Mesh(*icosphere(3), texture_res=2, texture_type=texture_type)
    lighting = sr.Lighting(texture_type, 0.25, (1, 1, 1), 0.5, (1, 1, 0), (0, 0, 1))
    lit, again = lighting(mesh), lighting(mesh)
    assert (mesh.textures == 1).all()
    assert (lit.textures == again.textures).all()
    normals = mesh.vertex_normals if texture_type == "vertex" else mesh.surface_normals
    cosine = normals[..., 2:].clamp(min=0)
    expected = 0.25 + 0.5 * cosine * torch.tensor([1.0, 1, 0])
    expected = expected if texture_type == "vertex" else expected[:, :, None].expand(-1, -1, 4, -1)
    torch.testing.assert_close(lit.textures, expected)


def test_lights_of_a_batch():
    mesh = sr.Mesh(*icosphere(2))
    colors = torch.eye(3)[:2]
    lit = sr.Lighting(color_ambient=colors, intensity_directionals=0.0)(mesh)
    assert (lit.textures == colors.double()[:, None, None] / 2).all()


def test_light_on_what_has_no_colour_is_refused():
    mesh = sr.Mesh(*icosphere(), texture_type="vertex")
    with pytest.raises(ValueError, match="light_mode must be the mesh's texture_type, 'vertex'"):
        sr.Lighting()(mesh)
    with pytest.raises(ValueError, match="texture_type must be the mesh's, 'vertex'"):
        sr.SoftRasterizer()(mesh)
