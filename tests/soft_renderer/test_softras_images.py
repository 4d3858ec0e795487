"""The drop-in's images: channels, culling, texels, and their gradients."""

import numpy as np
import pytest
import torch
from softras_shapes import big_triangle, icosphere
from torch.autograd import gradcheck

import taichi_softras.soft_renderer as sr
import taichi_softras.soft_renderer.functional as srf
from taichi_softras.soft_renderer.functional.obj_files import texel_centers, texel_index


def test_channels_come_first():
    red = torch.tensor([[[[1.0, 0.25, 0.5]]]], dtype=torch.float64)
    image = srf.soft_rasterize(big_triangle(), red, 4, background_color=[0.1, 0.2, 0.3])
    assert image.shape == (1, 4, 4, 4)
    assert image.is_contiguous()
    assert image[0, :, 1, 3].tolist() == pytest.approx([1, 0.25, 0.5, 1])
    assert image[0, :, 1, 0].tolist() == pytest.approx([0.1, 0.2, 0.3, 0])


def test_back_faces_are_left_out_of_colours_only():
    """SoftRas's front faces are clockwise in the image, y up."""
    white = torch.ones(1, 1, 1, 3, dtype=torch.float64)
    front, back = (
        srf.soft_rasterize(big_triangle(turn), white, 4, fill_back=False)[0, :, 1, 3].tolist()
        for turn in (1, -1)
    )
    assert front == pytest.approx([1, 1, 1, 1])
    assert back == pytest.approx([0, 0, 0, 1])
    filled = srf.soft_rasterize(big_triangle(-1), white, 4, fill_back=True)
    assert filled[0, :, 1, 3].tolist() == pytest.approx([1, 1, 1, 1])


@pytest.mark.parametrize("texture_res", [1, 2, 3])
def test_texels_are_where_softras_has_them(texture_res):
    """Pixels at the middles of texels have their colours."""
    triangle = torch.tensor([[-0.8, -0.9, 2], [0.7, -0.6, 2], [-0.1, 0.9, 2]], dtype=torch.float64)
    texels = torch.rand(texture_res**2, 3, dtype=torch.float64)
    weights = torch.tensor(texel_centers(texture_res))
    assert (texel_index(*weights.T[:2].numpy(), texture_res) == np.arange(texture_res**2)).all()
    for texel, point in zip(texels, weights @ triangle):
        # An image of one pixel, whose centre is the origin.
        face = triangle - torch.tensor([*point[:2], 0])
        image = srf.soft_rasterize(face[None, None], texels[None, None], image_size=1)
        torch.testing.assert_close(image[0, :3, 0, 0], texel)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_texels_beyond_an_edge_are_those_at_the_edge(dtype, rng):
    """There the first two coordinates add up to 1, but for rounding."""
    face = torch.tensor([[[[-1, 0, 2], [1, 0, 2], [0.2, -1, 2]]]], dtype=dtype)
    texels = torch.eye(3, dtype=dtype)[[2, 0, 1, 2]][None, None]  # red, green; blue at corner 2
    image = srf.soft_rasterize(face, texels, 128, sigma_val=0.1, far=3, gamma_val=1e-2)
    above = image[0, :3, 40:64]
    # Where barycentric coordinates are clipped is not quite below a pixel: not in the middle.
    assert (above[0, :, :40] > 0.999).all()
    assert (above[1, :, -40:] > 0.999).all()


def test_anti_aliasing_averages_four_pixels():
    vertices, faces = icosphere()
    mesh = sr.Mesh(vertices * 0.5 + torch.tensor([0, 0, 2.0]), faces)
    options = {"near": 1, "far": 10, "sigma_val": 1e-3}
    smooth = sr.SoftRasterizer(6, anti_aliasing=True, **options)(mesh)
    twice = sr.SoftRasterizer(12, **options)(mesh)
    torch.testing.assert_close(smooth, twice.reshape(1, 4, 6, 2, 6, 2).mean((3, 5)))


def test_rendering_leaves_the_mesh_as_it_is():
    vertices, faces = icosphere(2)
    mesh = sr.Mesh(vertices, faces)
    renderer = sr.SoftRenderer(image_size=8, camera_mode="look_at")
    renderer.transform.set_eyes_from_angles(torch.tensor([3.0, 3.5]), 10.0, torch.tensor([0, 90]))
    first = renderer.render_mesh(mesh)
    assert mesh.vertices is vertices
    assert (mesh.textures == 1).all()
    assert (renderer.render_mesh(mesh) == first).all()
    assert (renderer(vertices, faces) == first).all()
    assert (renderer(vertices, faces, mode="silhouettes") == first).all()


def test_softness_can_be_changed():
    mesh = sr.Mesh(*icosphere())
    renderer = sr.SoftRenderer(image_size=8, camera_mode="look_at")
    sharp = renderer.render_mesh(mesh)
    renderer.set_sigma(np.float64(1e-2))
    renderer.set_gamma(np.float64(1e-1))
    assert (renderer.rasterizer.sigma_val, renderer.rasterizer.gamma_val) == (1e-2, 1e-1)
    given = sr.SoftRenderer(image_size=8, camera_mode="look_at", sigma_val=1e-2, gamma_val=1e-1)
    assert (renderer.render_mesh(mesh) == given.render_mesh(mesh)).all()
    assert (renderer.render_mesh(mesh) - sharp).abs().max() > 0.01


def test_types_agree(device):
    for dtype in (torch.float32, torch.float64):
        vertices, faces = icosphere(dtype=dtype)
        renderer = sr.SoftRenderer(image_size=4, camera_mode="look_at")
        image = renderer(vertices.to(device), faces.to(device))
        assert (image.dtype, image.device.type) == (dtype, device.type)


@pytest.mark.gradcheck
@pytest.mark.parametrize(
    ("options", "texture_type"),
    [
        ({}, "surface"),
        ({}, "vertex"),
        ({"dist_func": "barycentric", "aggr_func_alpha": "sum"}, "vertex"),
        ({"aggr_func_rgb": "hard", "anti_aliasing": True, "camera_mode": "look"}, "surface"),
    ],
    ids=str,
)
def test_gradients_of_renderings(options, texture_type, rng):
    """Through light, camera and rasterizer, by vertices and textures: SoftRas's are not these."""
    vertices = torch.tensor([[-0.9, -0.5, 0.1], [0.1, 0.8, -0.2], [0.9, -0.6, 0.2], [1, 0.5, 0.4]])
    faces = torch.tensor([[0, 1, 2], [2, 1, 3]])
    shape = (1, 4, 3) if texture_type == "vertex" else (1, 2, 4, 3)
    textures = torch.rand(shape, generator=rng, dtype=torch.float64).requires_grad_()
    options = {
        "camera_mode": "look_at",
        "sigma_val": 3e-2,
        "gamma_val": 0.1,
        "near": 1,
        "far": 5,
        "dist_eps": 1e-12,
        "light_directions": (0.3, 0.4, -0.8),
        **options,
    }
    renderer = sr.SoftRenderer(image_size=4, **options)
    inputs = (vertices.double()[None].requires_grad_(), textures)
    assert gradcheck(lambda v, t: renderer(v, faces, t, texture_type=texture_type), inputs)
