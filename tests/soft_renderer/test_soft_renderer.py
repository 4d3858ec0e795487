"""The drop-in for SoftRas: its interface, its conventions, and programs written for it."""

import inspect
import itertools
import math
import sys

import numpy as np
import pytest
import torch
from PIL import Image
from torch.autograd import gradcheck

import taichi_softras as native
import taichi_softras.soft_renderer as sr
import taichi_softras.soft_renderer.functional as srf
from taichi_softras.soft_renderer.functional.obj_files import texel_centers, texel_index


def icosphere(num_items=1, level=0, dtype=torch.float64):
    vertices, faces, _ = native.icosphere(level).to_torch(dtype=dtype)
    scales = torch.linspace(1, 0.8, num_items, dtype=dtype)[:, None, None]
    return vertices * scales, faces.expand(num_items, -1, -1)


# --- Interface --------------------------------------------------------------------------------

RASTERIZER_DEFAULTS = {
    "image_size": 256,
    "background_color": (0, 0, 0),
    "near": 1,
    "far": 100,
    "fill_back": True,
    "eps": 1e-3,
    "sigma_val": 1e-5,
    "dist_func": "euclidean",
    "dist_eps": 1e-4,
    "gamma_val": 1e-4,
    "aggr_func_rgb": "softmax",
    "aggr_func_alpha": "prod",
    "texture_type": "surface",
}
CAMERA_DEFAULTS = {
    "camera_mode": "projection",
    "P": None,
    "dist_coeffs": None,
    "orig_size": 512,
    "perspective": True,
    "viewing_angle": 30,
    "viewing_scale": 1.0,
    "eye": None,
    "camera_direction": (0, 0, 1),
}
LIGHT_DEFAULTS = {
    "light_mode": "surface",
    "light_intensity_ambient": 0.5,
    "light_color_ambient": (1, 1, 1),
    "light_intensity_directionals": 0.5,
    "light_color_directionals": (1, 1, 1),
    "light_directions": (0, 1, 0),
}


def with_anti_aliasing(defaults):
    items = list(defaults.items())
    return dict([*items[:4], ("anti_aliasing", False), *items[4:]])


@pytest.mark.parametrize(
    ("function", "expected"),
    [
        (srf.soft_rasterize, RASTERIZER_DEFAULTS),
        (sr.SoftRasterizer, {**with_anti_aliasing(RASTERIZER_DEFAULTS), "fill_back": False}),
        (sr.Transform, CAMERA_DEFAULTS),
        (
            sr.SoftRenderer,
            with_anti_aliasing(RASTERIZER_DEFAULTS) | CAMERA_DEFAULTS | LIGHT_DEFAULTS,
        ),
    ],
    ids=lambda value: getattr(value, "__name__", ""),
)
def test_arguments_are_softras_s_in_its_order(function, expected):
    parameters = inspect.signature(function).parameters.values()
    found = {p.name: p.default for p in parameters if p.default is not p.empty}
    assert list(found.items()) == list(expected.items())


@pytest.mark.parametrize(
    ("make", "word"),
    [
        (lambda: sr.SoftRasterizer(dist_func="euclid"), "dist_func"),
        (lambda: sr.SoftRasterizer(aggr_func_rgb="mean"), "aggr_func_rgb"),
        (lambda: sr.SoftRasterizer(aggr_func_alpha="max"), "aggr_func_alpha"),
        (lambda: sr.SoftRasterizer(texture_type="uv"), "texture_type"),
        (lambda: sr.SoftRenderer(camera_mode="orbit"), "camera_mode"),
        (lambda: sr.SoftRenderer(camera_mode="look", light_mode="face"), "light_mode"),
        (lambda: sr.SoftRenderer(camera_mode="look").set_texture_mode("uv"), "mode"),
        (lambda: sr.Mesh(*icosphere(), texture_type="uv"), "texture_type"),
        (lambda: srf.load_obj("mesh.obj", texture_type="uv"), "texture_type"),
        (lambda: srf.save_obj("mesh.obj", *icosphere(), texture_type="uv"), "texture_type"),
    ],
)
def test_unknown_words_are_refused(make, word):
    with pytest.raises(ValueError, match=f"^{word} must be one of"):
        make()


# --- Meshes -----------------------------------------------------------------------------------


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
        ((np.eye(3), [[0, 1, 2]], torch.ones(1, 1, 3).double()), TypeError, "torch.float32"),
        ((np.zeros((2, 3, 3)), np.zeros((3, 1, 3), int)), ValueError, "must have shape"),
    ],
)
def test_meshes_that_do_not_fit_are_refused(arguments, error, message):
    with pytest.raises(error, match=message):
        sr.Mesh(*arguments)


# --- Cameras ----------------------------------------------------------------------------------


def test_points_from_angles():
    front, right = ([2, 0, 0], [2, 0, 90])
    assert srf.get_points_from_angles(*front) == pytest.approx((0, 0, -2))
    assert srf.get_points_from_angles(*right) == pytest.approx((2, 0, 0))
    assert srf.get_points_from_angles(2, math.pi / 2, 0, degrees=False) == pytest.approx((0, 2, 0))
    expected = torch.tensor([[0.0, 0, -2.5], [2.5, 0, 0]])
    points = srf.get_points_from_angles(torch.tensor([2.5, 2.5]), 0.0, np.array([0.0, 90.0]))
    torch.testing.assert_close(points, expected, atol=1e-6, rtol=0)
    points = srf.get_points_from_angles(2.5, 0, torch.tensor([0, 90]))  # whole degrees
    torch.testing.assert_close(points, expected, atol=1e-6, rtol=0)


def test_worlds_are_left_handed():
    """From the negative z axis the x axis points right; in a right-handed world it points left."""
    point = torch.tensor([[[1.0, 2.0, 0.5]]])
    assert srf.look_at(point, [0, 0, -3]).flatten().tolist() == pytest.approx([1, 2, 3.5])
    assert srf.look(point, [0, 0, -3], [0, 0, 1]).flatten().tolist() == pytest.approx([1, 2, 3.5])
    camera = native.LookAtCamera(eye=(0, 0, -3), fov_degrees=90)
    assert native.project(point, camera, 1.0)[0, 0, 0] < 0


@pytest.mark.parametrize("num_items", [1, 2, 3])
def test_cameras_of_a_batch_are_those_of_its_items(num_items, rng):
    """Three used to be a batch of its own kind in SoftRas: see `test_normals_of_three_meshes`."""
    vertices = torch.rand(num_items, 5, 3, generator=rng, dtype=torch.float64)
    eyes = 3 + torch.rand(num_items, 3, generator=rng, dtype=torch.float64)
    ups = torch.rand(num_items, 3, generator=rng, dtype=torch.float64)
    for function in (
        lambda v, e, u: srf.look_at(v, e, (0, 0.1, 0), u),
        lambda v, e, u: srf.look(v, e, -e + 0.1, u),
    ):
        together = function(vertices, eyes, ups)
        for b in range(num_items):
            one = function(vertices[b : b + 1], eyes[b], ups[b])
            torch.testing.assert_close(together[b : b + 1], one)
            shared = function(vertices[:1], eyes, ups)[b : b + 1]
            torch.testing.assert_close(shared, function(vertices[:1], eyes[b], ups[b]))


def test_views_keep_lengths_and_do_not_turn_the_image_upside_down(rng):
    points = torch.rand(1, 4, 3, generator=rng, dtype=torch.float64)
    seen = srf.look_at(points, (2, 1, -3))
    distances = torch.cdist(points, points)
    torch.testing.assert_close(torch.cdist(seen, seen), distances)
    higher = srf.look_at(points + torch.tensor([0, 0.1, 0]), (2, 1, -3))
    assert (higher[..., 1] > seen[..., 1]).all()


@pytest.mark.gradcheck
def test_gradients_of_cameras(rng):
    vertices = torch.rand(2, 4, 3, generator=rng, dtype=torch.float64).requires_grad_()
    eye = torch.tensor([[2.0, 1, -3], [1, 2, -3]], dtype=torch.float64, requires_grad=True)
    matrix = torch.rand(2, 3, 4, generator=rng, dtype=torch.float64) + 1
    matrix.requires_grad_()
    bend = (torch.rand(2, 5, generator=rng, dtype=torch.float64) / 10).requires_grad_()
    assert gradcheck(lambda v, e: srf.perspective(srf.look_at(v, e), 20.0), (vertices, eye))
    assert gradcheck(lambda v, e: srf.orthogonal(srf.look(v, e, (1, 0, 1)), 0.7), (vertices, eye))
    assert gradcheck(lambda *x: srf.projection(*x, 2.0), (vertices, matrix, bend))


def test_projection_without_distortion():
    matrix = [[[500.0, 0, 256, 0], [0, 500, 256, 0], [0, 0, 1, 0]]]
    points = torch.tensor([[[0.0, 0, 4], [1, 2, 4]]], dtype=torch.float64)
    ndc = srf.projection(points, torch.tensor(matrix), orig_size=512)
    expected = torch.tensor([[[0.0, 0, 4], [125 / 256, 250 / 256, 4]]], dtype=torch.float64)
    torch.testing.assert_close(ndc, expected, rtol=1e-5, atol=1e-5)  # it adds 1e-5 to depth


def test_projection_with_distortion():
    """OpenCV's model, with pixels in place of the image plane, written out."""
    (x, y), (k1, k2, p1, p2, k3) = (0.6, -0.8), (0.1, 0.2, 0.3, 0.4, 0.5)
    r2 = x**2 + y**2
    radial = 1 + k1 * r2 + k2 * r2**2 + k3 * r2**3
    expected_x = x * radial + 2 * p1 * x * y + p2 * (r2 + 2 * x**2)
    expected_y = y * radial + p1 * (r2 + 2 * y**2) + 2 * p2 * x * y
    point = torch.tensor([[[x, y, 1 - 1e-5]]], dtype=torch.float64)
    ndc = srf.projection(point, torch.eye(3, 4)[None], [[k1, k2, p1, p2, k3]], orig_size=2)
    assert ndc[0, 0, :2].tolist() == pytest.approx([expected_x - 1, expected_y - 1])


@pytest.mark.parametrize("depth", [-1e-5, 0.0, float(np.float32(-1e-5)), 1e-30, 1e-12, -3.0])
def test_points_at_the_camera_s_plane_do_no_harm(depth):
    """They are not drawn, and no gradient is NaN."""
    matrix = torch.tensor([[[50.0, 0, 9, 0], [0, 50, 9, 0], [0, 0, 1, 0]]])
    vertices = torch.tensor([[[0.0, 0, 2], [1, 0, 2], [1, 1, depth]]], requires_grad=True)
    bend = torch.full((1, 5), 0.1)
    for seen in (
        srf.projection(vertices, matrix, bend, 18),
        srf.perspective(vertices),
    ):
        colors = torch.ones(1, 1, 1, 3)
        image = srf.soft_rasterize(seen[:, None], colors, image_size=4, near=0.1)
        assert (image == 0).all()
        (grad,) = torch.autograd.grad(image.sum(), vertices)
        assert (grad == 0).all()


def test_cameras_refuse_what_does_not_fit():
    vertices = torch.zeros(2, 4, 3)
    with pytest.raises(ValueError, match="P must have shape"):
        sr.Projection(None)
    with pytest.raises(ValueError, match="P must have shape"):
        sr.SoftRenderer(P=torch.zeros(3, 4))
    with pytest.raises(ValueError, match="to have eyes"):
        sr.Transform(P=np.zeros((1, 3, 4))).set_eyes_from_angles(1, 2, 3)
    with pytest.raises(ValueError, match="angle must be above 0"):
        srf.perspective(vertices, 90)
    with pytest.raises(ValueError, match=r"eye must have shape \(2 or 1, 3\)"):
        srf.look_at(vertices, torch.zeros(3, 3))
    with pytest.raises(ValueError, match=r"eye must have shape \(3,\)"):
        srf.look_at(vertices, [1, 2])
    with pytest.raises(ValueError, match="vertices must have shape"):
        srf.look_at(vertices[0], [1, 2, 3])


def test_transforming_leaves_the_mesh_as_it_is():
    vertices, faces = icosphere()
    mesh = sr.Mesh(vertices, faces)
    moved = sr.Transform("look_at")(mesh)
    assert mesh.vertices is vertices
    assert (moved.vertices == sr.LookAt()(vertices)).all()


def test_camera_that_looks_in_a_direction():
    vertices, _ = icosphere()
    eye, direction = (1, 0.5, -3), (-0.2, 0.1, 1)
    transform = sr.Transform("look", viewing_angle=20, eye=eye, camera_direction=direction)
    expected = srf.perspective(srf.look(vertices, eye, direction), 20)
    assert (transform.transformer(vertices) == expected).all()


def test_eyes():
    transform = sr.Transform("look_at", viewing_angle=45)
    assert transform.eyes == pytest.approx([0, 0, -2])
    transform.set_eyes([1, 2, 3])
    assert transform.eyes == [1, 2, 3]
    transform.set_eyes_from_angles(2, 0, 90)
    assert transform.eyes == pytest.approx((2, 0, 0))


# --- Light ------------------------------------------------------------------------------------


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


# --- Images -----------------------------------------------------------------------------------


def big_triangle(turn=1, depth=2.0):
    """A face that fills the right half of the image: (1, 1, 3, 3), clockwise in it."""
    corners = [[0.0, -9.0, depth], [0.0, 9.0, depth], [9.0, 0.0, depth]][::turn]
    return torch.tensor([[corners]], dtype=torch.float64)


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


# --- Losses -----------------------------------------------------------------------------------


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


# --- Files ------------------------------------------------------------------------------------

PAINTED = """
# a square and a triangle
mtllib "paint one".mtl
v 0 0 0 1 0 0
v 2 0 0 0 1 0
v 2 1 0
v 0 1 0 0 0 1
v 0 0 4
vt 0 0
vt 1 0
vt 1 1 \\
0
vt 0 1
usemtl checker board
f 1/1 2/2/7 3/3//
f -5/-4 -3/-2 -2/4
usemtl red
f 1 2 5
usemtl nothing
f 1//1 2//1 5//1
"""
MATERIALS = """
newmtl red
Kd 1 0.5 0
newmtl checker board
Kd 0 0 0
map_Kd -boost 2 board.png
"""


@pytest.fixture
def painted(tmp_path):
    (tmp_path / "mesh.obj").write_text(PAINTED.replace('"paint one"', "paint one"))
    (tmp_path / "paint one.mtl").write_text(MATERIALS)
    # Red grows to the right, green upward, 0 and 1 at the middles of the outer pixels.
    ramp = np.arange(256, dtype=np.uint8)
    board = np.stack(np.broadcast_arrays(ramp[None], ramp[::-1, None], np.uint8(51)), axis=2)
    Image.fromarray(board).save(tmp_path / "board.png")
    return tmp_path / "mesh.obj"


def test_load_obj_keeps_the_file_s_order(painted):
    vertices, faces = srf.load_obj(painted)
    assert vertices.tolist() == [[0, 0, 0], [2, 0, 0], [2, 1, 0], [0, 1, 0], [0, 0, 4]]
    assert faces.tolist() == [[0, 1, 2], [0, 2, 3], [0, 1, 4], [0, 1, 4]]
    assert (vertices.dtype, faces.dtype) == (torch.float32, torch.int32)


def test_load_obj_cuts_polygons_into_fans(tmp_path):
    (tmp_path / "mesh.obj").write_text("v 0 0 0\n" * 5 + "f 1 2 3 4 5\n")
    assert srf.load_obj(tmp_path / "mesh.obj")[1].tolist() == [[0, 1, 2], [0, 2, 3], [0, 3, 4]]


def test_load_obj_normalises(painted):
    vertices, _ = srf.load_obj(painted, normalization=True)
    assert vertices.amin(0).tolist() == [-0.5, -0.25, -1]
    assert vertices.amax(0).tolist() == [0.5, 0.25, 1]


def test_load_obj_samples_textures(painted):
    mesh = sr.Mesh.from_obj(painted, load_texture=True, texture_res=3)
    assert mesh.textures.shape == (1, 4, 9, 3)
    assert mesh.texture_res == 3
    corners = torch.tensor([[[0.0, 0], [1, 0], [1, 1]], [[0, 0], [1, 1], [0, 1]]])
    expected = torch.tensor(texel_centers(3)).float() @ corners
    torch.testing.assert_close(mesh.textures[0, :2, :, :2], expected)
    torch.testing.assert_close(mesh.textures[0, :2, :, 2], torch.full((2, 9), 0.2))
    assert mesh.textures[0, 2].tolist() == [[1, 0.5, 0]] * 9
    assert (mesh.textures[0, 3] == 1).all()


@pytest.mark.parametrize(("option", "place"), [("-boost 2", (2 / 3, 1 / 3)), ("-clamp on", (1, 0))])
def test_textures_repeat_or_end(painted, option, place):
    text = painted.read_text().replace("vt 1 0\n", "vt 4 0\n").replace("vt 1 1 ", "vt 4 -2 ")
    painted.write_text(text)
    library = painted.with_name("paint one.mtl")
    library.write_text(library.read_text().replace("-boost 2", option))
    textures = srf.load_obj(painted, load_texture=True, texture_res=1)[2]
    # The middle of the first face is at u = 8 / 3 and v = -2 / 3.
    torch.testing.assert_close(textures[0, 0, :2], torch.tensor(place).float(), rtol=0, atol=1e-5)


def test_load_obj_reads_colours_of_vertices(painted):
    mesh = sr.Mesh.from_obj(painted, load_texture=True, texture_type="vertex")
    white = [1, 1, 1]
    assert mesh.textures[0].tolist() == [[1, 0, 0], [0, 1, 0], white, [0, 0, 1], white]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "which has no faces"),
        ("v 0 0 0\nf 1 1 2\n", "vertices up to 1"),
        ("v 0 0 0\nf 1 1 0\n", "vertices from 1"),
        ("v 0 0\nf 1 1 1\n", "readable as OBJ"),
        ("v 0 0 nan\nf 1 1 1\n", "finite"),
        ("v 0 0 zero\nf 1 1 1\n", "zero"),
        ("v 0 0 0\nf 1 1 1.5\n", "1.5"),
    ],
)
def test_files_that_hold_no_mesh_are_refused(tmp_path, text, message):
    (tmp_path / "mesh.obj").write_text(text)
    with pytest.raises(ValueError, match=message):
        srf.load_obj(tmp_path / "mesh.obj")


def test_missing_files(painted):
    with pytest.raises(FileNotFoundError, match=r"none\.obj"):
        srf.load_obj(painted.with_name("none.obj"))
    (painted.parent / "board.png").unlink()
    textures = srf.load_obj(painted, load_texture=True)[2]
    assert (textures[:2] == 0).all()  # the material's colour, in place of its image


@pytest.mark.parametrize("texture_res", [1, 2, 5])
def test_surface_textures_survive_a_file(tmp_path, texture_res, rng):
    vertices, faces = icosphere(dtype=torch.float32)
    shades = torch.randint(256, (1, 20, texture_res**2, 3), generator=rng) / 255
    mesh = sr.Mesh(vertices, faces, shades)
    mesh.save_obj(tmp_path / "mesh.obj", save_texture=True, texture_res_out=16 * texture_res)
    assert sorted(file.suffix for file in tmp_path.iterdir()) == [".mtl", ".obj", ".png"]
    read = sr.Mesh.from_obj(tmp_path / "mesh.obj", load_texture=True, texture_res=texture_res)
    assert (read.vertices == mesh.vertices).all()
    assert (read.faces == mesh.faces).all()
    torch.testing.assert_close(read.textures, mesh.textures, rtol=0, atol=1e-5)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_colours_of_vertices_survive_a_file(tmp_path, dtype, rng):
    vertices, faces = icosphere(dtype=dtype)
    colors = torch.rand(vertices.shape, generator=rng, dtype=dtype)
    mesh = sr.Mesh(vertices / 3, faces, colors.requires_grad_(), texture_type="vertex")
    mesh.save_obj(tmp_path / "mesh.obj", save_texture=True)
    read = sr.Mesh.from_obj(tmp_path / "mesh.obj", load_texture=True, texture_type="vertex")
    assert (read.vertices == mesh.vertices.float()).all()
    assert (read.textures == colors.float()).all()


def test_save_obj_refuses_what_does_not_fit(tmp_path):
    vertices, faces = icosphere(2)
    with pytest.raises(ValueError, match="alone"):
        sr.Mesh(vertices, faces).save_obj(tmp_path / "mesh.obj")
    with pytest.raises(ValueError, match=r"end in \.obj"):
        srf.save_obj(tmp_path / "mesh.ply", vertices[0], faces[0])
    with pytest.raises(ValueError, match="finite"):
        srf.save_obj(tmp_path / "mesh.obj", vertices[0] * math.nan, faces[0])
    with pytest.raises(ValueError, match=r"vertices must have shape \(V, 3\)"):
        srf.save_obj(tmp_path / "mesh.obj", vertices, faces[0])
    with pytest.raises(ValueError, match="texture_res must be at least 4"):
        srf.save_obj(tmp_path / "mesh.obj", vertices[0], faces[0], texture_res=3)
    assert not list(tmp_path.iterdir())


# --- Voxels -----------------------------------------------------------------------------------


def box(low, high):
    """The twelve triangles of a box: (1, 12, 3, 3)."""
    corners = torch.tensor(list(itertools.product(*zip(low, high))), dtype=torch.float32)
    sides = [(0, 1, 3, 2), (4, 6, 7, 5), (0, 4, 5, 1), (2, 3, 7, 6), (0, 2, 6, 4), (1, 5, 7, 3)]
    faces = [face for a, b, c, d in sides for face in ((a, b, c), (a, c, d))]
    return corners[torch.tensor(faces)][None]


def test_boxes_are_filled():
    voxels = srf.voxelization(box((0.15, 0.25, 0.35), (0.75, 0.85, 0.55)), 10)
    assert (voxels.shape, voxels.dtype) == ((1, 10, 10, 10), torch.int32)
    expected = torch.zeros(1, 10, 10, 10, dtype=torch.int32)
    expected[0, 1:8, 2:9, 3:6] = 1
    assert (voxels == expected).all()


def test_voxels_can_be_the_unit():
    whole = srf.voxelization(box((1.5, 2.5, 3.5), (7.5, 8.5, 5.5)), 10, normalize=True)
    assert (whole == srf.voxelization(box((0.15, 0.25, 0.35), (0.75, 0.85, 0.55)), 10)).all()


def test_open_boxes_are_not_filled():
    closed = box((0.15, 0.15, 0.15), (0.85, 0.85, 0.85))
    voxels = srf.voxelization(closed[:, 2:], 10)  # without its left side
    assert voxels[0, 5, 5, 5] == 0
    assert voxels[0, 8, 5, 5] == 1
    assert srf.voxelization(closed, 10)[0, 5, 5, 5] == 1


def test_batches_and_strange_faces_are_voxelized():
    small, large = box((0.35,) * 3, (0.65,) * 3), box((-0.5,) * 3, (1.5,) * 3)
    broken = box((0.15,) * 3, (0.85,) * 3)
    broken[0, 0, 0, 0] = math.nan
    voxels = srf.voxelization(torch.cat((small, large, broken, 0 * small)), 10)
    assert voxels.sum((1, 2, 3)).tolist()[:2] == [64, 0]
    assert voxels[2, 4, 4, 4] == 0  # it has a hole
    assert srf.voxelization(torch.zeros(1, 0, 3, 3), 4).sum() == 0


# --- Programs written for SoftRas -------------------------------------------------------------

RENDERING = """
import numpy as np
import soft_renderer as sr

mesh = sr.Mesh.from_obj(source, load_texture=True, texture_res=5, texture_type="surface")
renderer = sr.SoftRenderer(camera_mode="look_at", image_size=32)

pictures = []
for azimuth in (0, 120):
    mesh.reset_()
    renderer.transform.set_eyes_from_angles(2.732, 30, azimuth)
    images = renderer.render_mesh(mesh)
    pictures.append((255 * images.detach().cpu().numpy()[0].transpose((1, 2, 0))).astype(np.uint8))

renderer.transform.set_eyes_from_angles(2.732, 30, 45)
for power in np.arange(-4, -2, 1.0):
    mesh.reset_()
    renderer.set_gamma(10**power)
    renderer.set_sigma(10 ** (power - 1))
    images = renderer.render_mesh(mesh)
    pictures.append((255 * images.detach().cpu().numpy()[0].transpose((1, 2, 0))).astype(np.uint8))

mesh.reset_()
mesh.save_obj(target, save_texture=True)
"""

DEFORMING = """
import torch
import torch.nn as nn
import soft_renderer as sr
import soft_renderer.functional as srf


class Model(nn.Module):
    def __init__(self, template):
        super().__init__()
        self.template_mesh = sr.Mesh.from_obj(template)
        self.register_buffer("vertices", self.template_mesh.vertices * 0.5)
        self.register_buffer("faces", self.template_mesh.faces)
        self.displace = nn.Parameter(torch.zeros_like(self.template_mesh.vertices))
        self.laplacian_loss = sr.LaplacianLoss(self.vertices[0].cpu(), self.faces[0].cpu())
        self.flatten_loss = sr.FlattenLoss(self.faces[0].cpu())

    def forward(self, batch_size):
        vertices = self.vertices + torch.tanh(self.displace)
        losses = self.laplacian_loss(vertices).mean(), self.flatten_loss(vertices).mean()
        vertices, faces = (x.repeat(batch_size, 1, 1) for x in (vertices, self.faces))
        return sr.Mesh(vertices, faces), *losses


distances, elevations = torch.full((4,), 2.732), torch.full((4,), 30.0)
azimuths = torch.tensor([0.0, 90.0, 180.0, 270.0])
renderer = sr.SoftRenderer(
    image_size=32, sigma_val=1e-4, aggr_func_rgb="hard", camera_mode="look_at", viewing_angle=15
)
renderer.transform.set_eyes(srf.get_points_from_angles(distances, elevations, azimuths))
model = Model(source)
wanted = sr.Mesh(model.vertices * torch.tensor([1.0, 1.5, 0.7]), model.faces)
with torch.no_grad():
    images_gt = renderer.render_mesh(sr.Mesh(wanted.vertices.repeat(4, 1, 1), wanted.faces))

transform, lighting, rasterizer = renderer.transform, sr.Lighting(), renderer.rasterizer
optimizer = torch.optim.Adam(model.parameters(), 0.02, betas=(0.5, 0.99))
history = []
for step in range(8):
    mesh, laplacian_loss, flatten_loss = model(4)
    images_pred = rasterizer(transform(lighting(mesh)))
    predicted, given = images_pred[:, 3], images_gt[:, 3]
    overlap = (predicted * given).sum((1, 2))
    union = (predicted + given - predicted * given).sum((1, 2)) + 1e-6
    loss = 1 - (overlap / union).mean() + 0.03 * laplacian_loss + 0.0003 * flatten_loss
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    history.append(loss.item())
    if step == 4:
        renderer.set_sigma(3e-5)

corners = srf.face_vertices(mesh.vertices, mesh.faces).data * (32 - 1) / 32 + 0.5
voxels = srf.voxelization(corners, 32, False).cpu().numpy().transpose(0, 2, 1, 3)[:, :, :, ::-1]
model(1)[0].save_obj(target, save_texture=False)
"""


@pytest.fixture
def as_soft_renderer(monkeypatch):
    """Have ``import soft_renderer`` find the drop-in, as a program that was not changed needs."""
    monkeypatch.setitem(sys.modules, "soft_renderer", sr)
    monkeypatch.delitem(sys.modules, "soft_renderer.functional", raising=False)
    before = set(sys.modules)
    yield
    for name in set(sys.modules) - before:
        if name.startswith("soft_renderer."):
            del sys.modules[name]


def run(program, **names):
    exec(compile(program, "program.py", "exec"), names)
    return names


def test_program_that_renders(as_soft_renderer, painted, tmp_path):
    names = run(RENDERING, source=painted, target=tmp_path / "saved.obj")
    pictures = np.stack(names["pictures"])
    assert pictures.shape == (4, 32, 32, 4)
    assert (pictures[..., 3].max((1, 2)) > 250).all()
    assert (pictures.std((1, 2)).max(1) > 20).all()
    saved = sr.Mesh.from_obj(tmp_path / "saved.obj", load_texture=True, texture_res=5)
    assert saved.textures.shape == (1, 4, 25, 3)
    assert (saved.vertices == names["mesh"].vertices).all()


def test_program_that_deforms(as_soft_renderer, tmp_path):
    native.write_mesh(native.icosphere(2), tmp_path / "sphere.obj")
    names = run(DEFORMING, source=tmp_path / "sphere.obj", target=tmp_path / "saved.obj")
    history = names["history"]
    assert history[-1] < 0.8 * history[0]
    saved = srf.load_obj(tmp_path / "saved.obj")[0]
    torch.testing.assert_close(saved, names["model"](1)[0].vertices[0].detach())
    assert 0.02 < names["voxels"].mean() < 0.5


def test_functional_can_be_imported_by_its_old_name(as_soft_renderer):
    names = run("import soft_renderer.functional as srf\nfrom soft_renderer import Mesh")
    assert names["srf"].soft_rasterize is srf.soft_rasterize
    assert names["Mesh"] is sr.Mesh
