"""Faces that are left out, as if they were not there: not finite, behind, or none."""

import pytest
import scenes
import torch
from closeness import assert_near
from drawn_with_gradients import BAD_NUMBERS, NAN, assert_finite, draw, settings_of

import taichi_softras as sr


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


@pytest.mark.filterwarnings("ignore:nothing is drawn")  # once a process, and tests share it
def test_the_whole_mesh_behind_the_camera_is_the_background(rng):
    vertices, faces = scenes.bumpy_octahedron(rng)
    camera = sr.LookAtCamera((0, 0, 4), at=(0, 0, 9))
    vertices.requires_grad_()
    image = sr.render(vertices, faces, vertices, camera, settings_of(), background=0.25)
    assert (image == image.new_tensor([0.25, 0.25, 0.25, 0])).all()
    image.sum().backward()
    assert (vertices.grad == 0).all()


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
