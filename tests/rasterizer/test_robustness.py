"""What must never break an image or a gradient: extreme softness, bad faces, bad vertices."""

import math

import numpy as np
import pytest
import scenes
import torch
from closeness import assert_near

import taichi_softras as sr

NAN, INF = math.nan, math.inf
BAD_NUMBERS = [NAN, INF, -INF]


def settings_of(height=6, width=7, **options):
    options = {"near": 1.0, "far": 10.0, "sigma": 1e-2, "gamma": 1e-1, **options}
    return sr.RasterizerSettings(height=height, width=width, **options)


def draw(faces, colors, settings, **inputs):
    """Draw with every input differentiable, backpropagate, and return image and gradients."""
    dtype = faces.dtype
    given = {"face_vertices": faces, "colors": colors}
    for name in ("sigma", "gamma", "eps"):
        given[name] = torch.tensor([getattr(settings, name)], dtype=dtype)
    given["background"] = torch.full((1, 1, 1, colors.shape[3]), 0.5, dtype=dtype)
    given.update(inputs)
    leaves = {name: x.detach().clone().requires_grad_() for name, x in given.items()}
    vertices, colors = leaves.pop("face_vertices"), leaves.pop("colors")
    image = sr.rasterize(vertices, colors, settings, **leaves)
    weights = torch.linspace(-1, 2, image.numel(), dtype=dtype).reshape(image.shape)
    image.backward(weights)
    leaves = {"face_vertices": vertices, "colors": colors, **leaves}
    return image.detach(), {name: x.grad for name, x in leaves.items()}


def assert_finite(image, grads):
    assert image.isfinite().all()
    for name, grad in grads.items():
        assert grad.isfinite().all(), name


# --- Extreme softness -------------------------------------------------------------------------


@pytest.mark.parametrize(
    "gamma", [1e-12, *(10.0**k for k in range(-8, 2))], ids="gamma={:.0e}".format
)
def test_float32_is_finite_for_any_softness(gamma, rng):
    for sigma in (10.0**k for k in range(-8, 2)):
        for kind in ("tilted", "slivers", "clipped", "covering"):
            faces = scenes.random_faces(kind, rng).float()
            colors = scenes.random_colors(6, 3, rng).float()
            image, grads = draw(faces, colors, settings_of(sigma=sigma, gamma=gamma, eps=1e-3))
            assert_finite(image, grads)
            assert image.min() >= 0
            assert image.max() <= 1 + 1e-6


@pytest.mark.parametrize("eps", [-1e3, -1.0, 0.0, 1.0, 1e3])
def test_float32_is_finite_for_any_eps(eps, rng):
    faces = scenes.random_faces("tilted", rng).float()
    colors = scenes.random_colors(6, 3, rng).float()
    for gamma in (1e-8, 1e-4, 1.0):
        assert_finite(*draw(faces, colors, settings_of(gamma=gamma, eps=eps)))


@pytest.mark.parametrize("cutoff", [1e-30, 1e-45, 1e-300, 0.4999])
def test_float32_is_finite_for_any_cutoff(cutoff, rng):
    faces = scenes.random_faces("tilted", rng).float()
    colors = scenes.random_colors(6, 3, rng).float()
    for sigma in (1e-1, 1e-3):
        assert_finite(*draw(faces, colors, settings_of(sigma=sigma, coverage_cutoff=cutoff)))


def test_a_far_plane_far_away_stays_finite(rng):
    faces = scenes.random_faces("tilted", rng).float()
    colors = scenes.random_colors(6, 3, rng).float()
    assert_finite(*draw(faces, colors, settings_of(near=1e-6, far=1e6, gamma=1e-8)))


# --- Degenerate faces -------------------------------------------------------------------------

DEGENERATE = {
    "two_equal": [[-0.5, -0.3], [-0.5, -0.3], [0.4, 0.5]],
    "three_equal": [[0.1, 0.2], [0.1, 0.2], [0.1, 0.2]],
    "collinear": [[-0.5, -0.5], [0.1, 0.1], [0.6, 0.6]],
    "horizontal": [[-0.5, 0.0], [0.1, 0.0], [0.6, 0.0]],
    "sliver": [[-0.5, -0.5], [0.1, 0.1 + 1e-7], [0.6, 0.6]],
    "needle": [[-0.5, 0.0], [0.5, 0.0], [0.5, 1e-7]],
    "speck": [[0.0, 0.0], [1e-7, 0.0], [0.0, 1e-7]],
    # One whose barycentric coordinates, over an area that is too small, would count far pixels in.
    "speck_beside_a_pixel": [[-1e-4, -1e-4], [-1e-4 + 1e-7, -1e-4], [-1e-4, -1e-4 + 1e-7]],
    "on_a_pixel": [[0.0, 0.0], [0.0, 0.0], [0.0, 0.0]],
}


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64], ids=str)
@pytest.mark.parametrize("name", DEGENERATE)
def test_degenerate_faces(name, dtype):
    corners = torch.tensor(DEGENERATE[name], dtype=dtype)
    for depths in ([5.0, 5.0, 5.0], [2.0, 5.0, 9.0]):
        depths = torch.tensor(depths, dtype=dtype)[:, None]
        faces = torch.cat([corners, depths], dim=-1)[None, None]
        colors = torch.ones(1, 1, 3, 3, dtype=dtype)
        for sigma in (1e-8, 1e-4, 1e-1):
            image, grads = draw(faces, colors, settings_of(9, 9, sigma=sigma))
            assert_finite(image, grads)
            assert image[..., 3].max() <= 0.5 + 1e-6


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64], ids=str)
@pytest.mark.parametrize("size", [1e-12, 1e4, 1e8, 1e15, 1e18, 1e25, 1e37], ids="{:.0e}".format)
def test_faces_of_any_size(size, dtype):
    corners = torch.tensor([[-1.0, -0.7], [1.0, -0.5], [0.1, 0.8]], dtype=dtype) * size
    depths = torch.tensor([[3.0], [4.0], [5.0]], dtype=dtype)
    faces = torch.cat([corners, depths], dim=-1)[None, None]
    image, grads = draw(faces, torch.ones(1, 1, 3, 3, dtype=dtype), settings_of())
    assert_finite(image, grads)


@pytest.mark.parametrize("depth", [1e-3, 1e-12, 1e-18, 1e-25, 1e-37], ids="{:.0e}".format)
def test_corners_next_to_the_camera(depth):
    faces = torch.tensor([[[[-0.5, -0.5, depth], [0.9, -0.5, 5.0], [0.1, 0.8, 6.0]]]])
    image, grads = draw(faces, torch.ones(1, 1, 3, 3), settings_of(near=0.5))
    assert_finite(image, grads)


# --- Faces that are not finite ----------------------------------------------------------------


def without(array, f):
    return torch.cat([array[:, :f], array[:, f + 1 :]], dim=1)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64], ids=str)
@pytest.mark.parametrize("where", ["x", "y", "z", "color"])
@pytest.mark.parametrize("number", BAD_NUMBERS, ids=str)
def test_a_face_that_is_not_finite_is_left_out(number, where, dtype, rng):
    faces = scenes.random_faces("tilted", rng).to(dtype)
    colors = scenes.random_colors(6, 3, rng).to(dtype)
    expected, expected_grads = draw(without(faces, 2), without(colors, 2), settings_of())
    if where == "color":
        colors[0, 2, 1, 2] = number
    else:
        faces[0, 2, 1, "xyz".index(where)] = number
    image, grads = draw(faces, colors, settings_of())
    assert_near(image, expected, 64)
    for name, grad in grads.items():
        if name in ("face_vertices", "colors"):
            assert (grad[:, 2] == 0).all(), name
            grad = without(grad, 2)
        torch.testing.assert_close(grad, expected_grads[name], rtol=1e-5, atol=1e-6, msg=name)


@pytest.mark.parametrize("number", BAD_NUMBERS, ids=str)
def test_a_silhouette_leaves_out_faces_that_are_not_finite(number, rng):
    faces = scenes.random_faces("overlapping", rng)
    expected = sr.rasterize_silhouette(without(faces, 0), settings_of())
    faces[0, 0, 2, 0] = number
    faces.requires_grad_()
    alpha = sr.rasterize_silhouette(faces, settings_of())
    assert_near(alpha, expected, 64)
    alpha.sum().backward()
    assert faces.grad.isfinite().all()
    assert (faces.grad[:, 0] == 0).all()


@pytest.mark.parametrize("where", ["x", "color"])
def test_other_items_keep_a_face_that_is_not_finite_in_one(where, rng):
    faces = scenes.random_faces("tilted", rng, num_items=3)
    colors = scenes.random_colors(6, 3, rng, num_items=3)
    expected = sr.rasterize(faces, colors, settings_of())
    if where == "color":
        colors[1, 2, 0, 1] = NAN
    else:
        faces[1, 2, 0, 0] = NAN
    image = sr.rasterize(faces, colors, settings_of())
    assert_near(image[[0, 2]], expected[[0, 2]], 64)
    alone = sr.rasterize(without(faces, 2)[1:2], without(colors, 2)[1:2], settings_of())
    assert_near(image[1], alone[0], 64)


def scene_inputs(rng):
    vertices, faces = scenes.bumpy_octahedron(rng)
    # One more face, whose third vertex is of no other face: the one to be spoilt.
    extra = torch.tensor([[[1.5, 0.3, 0.2]]], dtype=torch.float64)
    vertices = torch.cat([vertices, extra], dim=1)
    inputs = {
        "vertices": vertices,
        "colors": torch.rand(1, 7, 3, generator=rng, dtype=torch.float64),
        "eye": torch.tensor([[1.0, 2.0, 4.0]], dtype=torch.float64),
        "fov": torch.tensor([50.0], dtype=torch.float64),
        "ambient": torch.tensor([[0.3, 0.4, 0.5]], dtype=torch.float64),
        "diffuse": torch.tensor([[0.6, 0.5, 0.4]], dtype=torch.float64),
        "direction": torch.tensor([[0.3, 1.0, 0.7]], dtype=torch.float64),
        "sigma": torch.tensor([1e-2], dtype=torch.float64),
    }
    return inputs, faces, torch.cat([faces, torch.tensor([[0, 2, 6]], dtype=torch.int32)])


def render(inputs, faces, *, without_last=False, clip=True):
    """Render with everything differentiable; return the image and the gradients.

    Without the last face if so asked, though it counts for the normals.
    """
    leaves = {name: x.detach().clone().requires_grad_() for name, x in inputs.items()}
    vertices, colors, sigma = (leaves[name] for name in ("vertices", "colors", "sigma"))
    camera = sr.LookAtCamera(leaves["eye"], fov_degrees=leaves["fov"])
    light = sr.Light(leaves["ambient"], leaves["diffuse"], leaves["direction"])
    settings = settings_of()
    if without_last:
        lit = sr.shade(colors, sr.vertex_normals(vertices, faces), light)
        faces = faces[:-1]
        corners = sr.gather(sr.project(vertices, camera, settings.aspect), faces)
        image = sr.rasterize(corners, sr.gather(lit, faces), settings, sigma=sigma)
    else:
        options = {"light": light, "sigma": sigma, "clip": clip}
        image = sr.render(vertices, faces, colors, camera, settings, **options)
    weights = torch.linspace(-1, 2, image.numel(), dtype=image.dtype).reshape(image.shape)
    image.backward(weights)
    return image.detach(), {name: x.grad for name, x in leaves.items()}


@pytest.mark.parametrize("number", BAD_NUMBERS, ids=str)
def test_render_leaves_out_a_vertex_that_is_not_finite(number, rng):
    """The image and the gradients of the mesh without that vertex's face, but for rounding."""
    inputs, faces, all_faces = scene_inputs(rng)
    expected, expected_grads = render(inputs, faces)
    inputs["vertices"][0, 6, 1] = number
    image, grads = render(inputs, all_faces)
    assert_near(image, expected, 64)
    for name, grad in grads.items():
        torch.testing.assert_close(grad, expected_grads[name], rtol=1e-12, atol=1e-12, msg=name)


@pytest.mark.parametrize("number", BAD_NUMBERS, ids=str)
def test_render_leaves_out_a_color_that_is_not_finite(number, rng):
    """Its face is not drawn, but still turns the normals of the others."""
    inputs, _, faces = scene_inputs(rng)
    expected, expected_grads = render(inputs, faces, without_last=True)
    inputs["colors"][0, 6, 1] = number
    image, grads = render(inputs, faces)
    assert_near(image, expected, 64)
    for name, grad in grads.items():
        torch.testing.assert_close(grad, expected_grads[name], rtol=1e-12, atol=1e-12, msg=name)


def test_a_vertex_behind_the_camera_takes_its_faces_along(rng):
    inputs, faces, all_faces = scene_inputs(rng)
    inputs["vertices"][0, 6] = torch.tensor([3.0, 5.0, 9.0])
    inputs["diffuse"] *= 0  # its face still turns the normals of the others
    expected, expected_grads = render(inputs, faces, clip=False)
    image, grads = render(inputs, all_faces, clip=False)
    assert_near(image, expected, 64)
    for name in ("vertices", "colors", "eye", "fov", "sigma"):
        torch.testing.assert_close(grads[name], expected_grads[name], rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("place", [1e10, -1e19, 3e38])
@pytest.mark.parametrize("shading", ["vertex", "face", "fragment"])
def test_huge_coordinates_are_as_good_as_infinite(shading, place, rng):
    """Of a vertex: neither image nor gradients hold what is not a number."""
    inputs, _, all_faces = scene_inputs(rng)
    inputs["vertices"][0, 6, 1] = place
    vertices, colors = (inputs[name].float().requires_grad_() for name in ("vertices", "colors"))
    lights = (sr.AmbientLight((0.5, 0.5, 0.5)), sr.PointLight((1.0, 1.0, 1.0), (0.0, 2.0, 0.0)))
    lighting = sr.Lighting(lights=lights, specular=(0.5, 0.5, 0.5), shading=shading)
    camera = sr.LookAtCamera((0.0, 1.0, 4.0))
    image = sr.render(
        vertices, all_faces, colors, camera, settings_of(), light=lighting, normals="view"
    )
    image.sum().backward()
    assert_finite(image, {"vertices": vertices.grad, "colors": colors.grad})
    assert image[..., -1].max() > 0.5


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64], ids=str)
@pytest.mark.parametrize("depth", [0.0, 1e-30, -1e-30, 1e-9, -1e-9])
def test_vertices_in_the_plane_of_the_camera(depth, dtype):
    vertices = torch.tensor(
        [[[0, 0, -depth], [1, 0.5, -depth], [0, 1, -3], [1, 1, -3], [0, 0, -3]]],
        dtype=dtype,
        requires_grad=True,
    )
    eye = torch.zeros(1, 3, dtype=dtype, requires_grad=True)
    camera = sr.LookAtCamera(eye, at=(0, 0, -3), fov_degrees=60.0)
    faces = torch.tensor([[0, 1, 2], [2, 3, 4], [0, 2, 4]], dtype=torch.int32)
    colors = torch.ones(1, 5, 3, dtype=dtype)
    image = sr.render(vertices, faces, colors, camera, settings_of(), light=sr.Light())
    assert image.isfinite().all()
    assert image[..., 3].max() > 0.5
    image.sum().backward()
    assert vertices.grad.isfinite().all()
    assert eye.grad.isfinite().all()


@pytest.mark.parametrize("distance", [1e6, 1e12, 1e18, 1e30], ids="{:.0e}".format)
def test_a_vertex_very_far_away_spoils_nothing_but_its_faces(distance, rng):
    """In float32 the squares of such coordinates overflow."""
    inputs, _, all_faces = scene_inputs(rng)
    inputs = {name: x.float() for name, x in inputs.items()}
    inputs["vertices"][0, 6] = torch.tensor([distance, 0.0, -distance])
    assert_finite(*render(inputs, all_faces))


def test_the_whole_mesh_behind_the_camera_is_the_background(rng):
    vertices, faces = scenes.bumpy_octahedron(rng)
    camera = sr.LookAtCamera((0, 0, 4), at=(0, 0, 9))
    vertices.requires_grad_()
    image = sr.render(vertices, faces, vertices, camera, settings_of(), background=0.25)
    assert (image == image.new_tensor([0.25, 0.25, 0.25, 0])).all()
    image.sum().backward()
    assert (vertices.grad == 0).all()


# --- Sizes at the ends of their ranges --------------------------------------------------------


def test_no_faces_in_pytorch():
    faces, colors = torch.zeros(1, 0, 3, 3), torch.zeros(1, 0, 3, 3)
    image, grads = draw(faces, colors, settings_of())
    assert (image[..., :3] == 0.5).all()
    assert (image[..., 3] == 0).all()
    assert_finite(image, grads)
    assert float(grads["background"].sum()) != 0


def test_no_faces_through_render():
    vertices = torch.zeros(1, 4, 3, requires_grad=True)
    faces = torch.zeros(0, 3, dtype=torch.int64)
    camera = sr.LookAtCamera((0, 0, 4))
    image = sr.render(vertices, faces, vertices, camera, settings_of(), light=sr.Light())
    alpha = sr.render_silhouette(vertices, faces, camera, settings_of())
    (image.sum() + alpha.sum()).backward()
    assert (vertices.grad == 0).all()


def test_no_vertices():
    vertices = torch.zeros(1, 0, 3)
    faces = torch.zeros(0, 3, dtype=torch.int32)
    alpha = sr.render_silhouette(vertices, faces, sr.LookAtCamera((0, 0, 4)), settings_of())
    assert (alpha == 0).all()


def test_no_faces_in_taichi():
    """Taichi has no empty ndarrays; it says so."""
    with pytest.raises(Exception, match="shape"):
        sr.from_numpy(np.zeros((0, 3), np.int32))


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64], ids=str)
def test_one_pixel(dtype, rng):
    faces = scenes.random_faces("covering", rng, num_faces=2).to(dtype)
    colors = scenes.random_colors(2, 3, rng).to(dtype)
    image, grads = draw(faces, colors, settings_of(1, 1))
    assert_finite(image, grads)
    assert image[0, 0, 0, 3] > 0.9


@pytest.mark.parametrize(("height", "width"), [(3, 4096), (4096, 3)])
def test_long_images(height, width):
    """The right or upper half is covered, to the pixel, in float32."""
    corners = [[0.0, -9], [9, 0], [0, 9]] if width > height else [[-9.0, 0], [9, 0], [0, 9]]
    faces = torch.tensor([[[[x, y, 5.0] for x, y in corners]]])
    colors = torch.ones(1, 1, 3, 1)
    image, grads = draw(faces, colors, settings_of(height, width, sigma=1e-8))
    assert_finite(image, grads)
    alpha = image[0, ..., 1] if width > height else image[0, ..., 1].T.flip(1)
    hard = alpha[:, torch.arange(4096).sub(2047.5).abs() > 1]
    assert (hard[:, :2047] == 0).all()
    assert (hard[:, 2047:] == 1).all()


def test_a_face_many_times_over(rng):
    """Alpha of 10 000 faces on one spot: no cap on faces per pixel."""
    face = scenes.random_faces("covering", rng, num_faces=1)
    face[..., 2] = 5
    faces = face.expand(1, 10_000, 3, 3)
    colors = torch.ones(1, 1, 1, 1, dtype=torch.float64).expand(1, 10_000, 3, 1)
    image = sr.rasterize(faces, colors, settings_of(2, 2, gamma=1e-3))
    assert (image[..., 1] == 1).all()
    torch.testing.assert_close(image[..., 0], torch.ones_like(image[..., 0]))


# --- Batches and indices ----------------------------------------------------------------------


def test_batches_must_agree(rng):
    vertices, faces = scenes.bumpy_octahedron(rng, num_items=2)
    camera = sr.LookAtCamera(sr.orbit_eyes(4, 0, [0, 10, 20]))
    with pytest.raises(ValueError, match="vertices must have shape"):
        sr.render_silhouette(vertices, faces, camera, settings_of())
    for function in (sr.vertex_normals, sr.gather):
        with pytest.raises(ValueError, match=r"must have shape \(3 or 1, 6"):
            function(vertices, faces.repeat(3, 1, 1))


@pytest.mark.parametrize("index", [-2, 6, 2**31 - 1])
def test_face_indices_out_of_range_are_refused(index, rng):
    vertices, faces = scenes.bumpy_octahedron(rng)
    faces[3, 1] = index
    camera = sr.LookAtCamera((0, 0, 4))
    with pytest.raises(ValueError, match="faces must have indices from 0 to 5, or -1, got"):
        sr.render_silhouette(vertices, faces, camera, settings_of())


@pytest.mark.parametrize("index", [-1, 6, 2**31 - 1, -(2**31)])
def test_face_indices_out_of_range_are_left_out_in_taichi(index, rng):
    """Where looking at them would cost waiting for the device."""
    vertices, faces = scenes.bumpy_octahedron(rng)
    camera = sr.LookAtCamera((0, 1, 4))
    options = {"light": sr.Light()}
    good = sr.render(
        *(scenes.to_taichi(x) for x in (vertices, without(faces[None], 3)[0], vertices)),
        *(camera, settings_of()),
        **options,
    )
    faces[3, 1] = index
    bad = sr.render(
        *(scenes.to_taichi(x) for x in (vertices, faces, vertices)),
        *(camera, settings_of()),
        **options,
    )
    assert_near(bad.to_numpy(), good.to_numpy(), 64)
