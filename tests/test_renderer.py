"""Whole scenes: textures, lights, depth, normals, clipping, meshes of several sizes."""

import gradients
import numpy as np
import pytest
import reference
import scenes
import torch
from closeness import assert_near, assert_within
from scenes import random_image, uniform

import taichi_softras as sr
from taichi_softras.backend import ti
from taichi_softras.cameras.projection import eyes_of
from taichi_softras.lights.packing import pack_lighting
from taichi_softras.meshes.incidence import gather
from taichi_softras.rasterizer.rasterization import FragmentLights
from taichi_softras.reference import (
    aggregate_colors,
    find_fragments,
    pixel_centers,
    rasterize,
    sample_texture,
)


def assert_same(actual, expected, atol=1e-12):
    assert_within(actual, expected, atol)


HARD = {"coverage": "hard", "alpha": "hard", "color": "hard"}


def settings_of(height, width, **options):
    options = {"near": 0.5, "far": 10.0, "sigma": 1e-2, "gamma": 1e-1, **options}
    return sr.RasterizerSettings(height=height, width=width, **options)


def lighting_of(rng, shading):
    """A light of every kind, and highlights."""
    lights = (
        sr.AmbientLight(uniform(rng, 1, 3)),
        sr.DirectionalLight(uniform(rng, 2, 3), uniform(rng, 1, 3, low=-1)),
        sr.PointLight(uniform(rng, 1, 3), uniform(rng, 1, 3, low=2, high=3)),
    )
    return sr.Lighting(lights=lights, specular=uniform(rng, 1, 3), shininess=4.0, shading=shading)


def scene_of(rng, num_items=2):
    vertices, faces = scenes.bumpy_octahedron(rng, num_items)
    camera = sr.LookAtCamera(eye=((0.5, 1.0, 3.0), (2.0, 0.5, 2.0)), fov_degrees=50.0)
    return vertices, faces, uniform(rng, 1, 6, 3), camera


# --- Light ------------------------------------------------------------------------------------


def test_fragments_are_lit_as_the_formulas_say(rng):
    """Albedo, normal and position of every fragment, lit by the reference."""
    faces, colors = scenes.random_faces("tilted", rng, 2), scenes.random_colors(6, 3, rng)
    normals, positions = (2 * scenes.random_colors(6, 3, rng) - 1 for _ in range(2))
    parts = [uniform(rng, 1, 3) for _ in range(5)]
    eye, specular, shininess = 5 * uniform(rng, 1, 3), uniform(rng, 1, 3), torch.tensor([6.0])
    lighting = sr.Lighting(
        lights=(
            sr.AmbientLight(parts[0]),
            sr.DirectionalLight(parts[1], parts[2]),
            sr.PointLight(parts[3], parts[4], ((1.0, 0.1, 0.2),)),
        ),
        specular=specular,
        shininess=shininess.double(),
    )
    numbers = pack_lighting(lighting, faces, eye=eye)
    lights = FragmentLights(lighting.kinds, numbers, normals, positions)
    options = settings_of(7, 8)
    image = sr.rasterize(faces, colors, options, lights=lights)

    found = find_fragments(faces, options)
    values = [
        sample_texture(x, found.weights).reshape(2, -1, 3) for x in (colors, normals, positions)
    ]
    attenuation = torch.tensor([[1.0, 0.1, 0.2]], dtype=torch.float64)
    lit = reference.shade(
        *values[:2],
        [
            ("ambient", parts[0]),
            ("directional", parts[1], parts[2]),
            ("point", parts[3], parts[4], attenuation),
        ],
        positions=values[2],
        eye=eye,
        specular=specular,
        shininess=shininess,
    ).reshape(2, 7, 8, 6, 3)
    assert_same(image[..., :3], aggregate_colors(found, lit, options), atol=1e-9)


@pytest.mark.parametrize("texture", [False, True])
def test_shadings_agree_where_they_must(texture, rng):
    """A plane has one normal; under a directional light all shadings are one."""
    vertices, faces, colors = sr.plane().to_torch(dtype=torch.float64)
    if texture:
        uvs = gather(vertices[..., :2].contiguous(), faces) + 0.5
        colors = sr.UVTexture(uvs, uniform(rng, 1, 4, 4, 3))
    camera = sr.LookAtCamera(eye=(0.3, 0.4, 2.0))
    light = sr.Light(ambient=(0.2, 0.1, 0.3), direction=(0.1, 0.5, 1.0)).lighting
    images = [
        sr.render(
            *(vertices, faces, colors, camera, settings_of(9, 9)),
            light=sr.Lighting(lights=light.lights, shading=shading),
        )
        for shading in ("vertex", "face", "fragment")
    ]
    assert images[0][..., :3].max() > 0.1
    assert_same(images[1], images[0])
    assert_same(images[2], images[0])


def test_flat_and_textured_equal_flat_and_coloured(rng):
    """Texels that are all of one colour, and vertices of that colour."""
    vertices, faces, colors, camera = scene_of(rng)
    colors = torch.ones_like(colors) * torch.tensor([0.2, 0.5, 0.9])
    texture = sr.SurfaceTexture(torch.ones(1, 8, 4, 3) * torch.tensor([0.2, 0.5, 0.9]))
    texture = sr.SurfaceTexture(texture.texels.double())
    lighting = lighting_of(rng, "face")
    images = [
        sr.render(vertices, faces, x, camera, settings_of(9, 9), light=lighting)
        for x in (colors, texture)
    ]
    assert_same(images[1], images[0])


@pytest.mark.gradcheck
@pytest.mark.parametrize("shading", ["vertex", "face", "fragment"])
def test_lit_gradients_match_finite_differences(shading, rng):
    vertices, faces, colors, _ = scene_of(rng)
    lighting = lighting_of(rng, shading)
    leaves = {
        "vertices": vertices,
        "colors": colors,
        "eye": torch.tensor([[0.5, 1.0, 3.0]], dtype=torch.float64),
        "position": lighting.lights[2].position,
        "direction": lighting.lights[1].direction,
        "specular": lighting.specular,
        "attributes": uniform(rng, 1, 6, 2),
    }

    def draw(vertices, colors, eye, position, direction, specular, attributes):
        lights = (
            lighting.lights[0],
            sr.DirectionalLight(lighting.lights[1].color, direction),
            sr.PointLight(lighting.lights[2].color, position),
        )
        return sr.render(
            *(vertices, faces, colors, sr.LookAtCamera(eye=eye, fov_degrees=50.0)),
            settings_of(6, 7, coverage_cutoff=1e-20),
            light=sr.Lighting(lights=lights, specular=specular, shininess=4.0, shading=shading),
            attributes=attributes,
            depth=True,
            normals="view",
        )

    gradients.assert_gradients_match(draw, leaves, rng)


# --- Further channels -------------------------------------------------------------------------


def test_channels_are_in_the_order_documented(rng):
    vertices, faces, colors, camera = scene_of(rng)
    attributes = uniform(rng, 1, 6, 2)
    options = settings_of(10, 9)
    everything = sr.render(
        *(vertices, faces, colors, camera, options),
        attributes=attributes,
        depth=True,
        normals="world",
        background=(0.1, 0.2, 0.3),
    )
    assert everything.shape == (2, 10, 9, 3 + 2 + 1 + 3 + 1)
    plain = sr.render(vertices, faces, colors, camera, options, background=(0.1, 0.2, 0.3))
    assert_same(everything[..., [0, 1, 2, -1]], plain)
    assert_same(
        everything[..., 3:5], sr.render(vertices, faces, attributes, camera, options)[..., :2]
    )
    normals = sr.vertex_normals(vertices, faces)
    assert_same(everything[..., 6:9], sr.render(vertices, faces, normals, camera, options)[..., :3])
    depths = gather(sr.project(vertices, camera, options.aspect), faces)[..., 2:].contiguous()
    face_vertices = gather(sr.project(vertices, camera, options.aspect), faces)
    expected = sr.rasterize(face_vertices, depths, options, background=options.far)
    assert_same(everything[..., 5], expected[..., 0])


def test_normals_in_the_view_frame_are_turned(rng):
    vertices, faces, colors, camera = scene_of(rng)
    scene = (vertices, faces, colors, camera, settings_of(8, 8))
    world = sr.render(*scene, normals="world")[..., 3:6]
    view = sr.render(*scene, normals="view")[..., 3:6]
    rotation = camera.view_matrix(vertices)[:, :3, :3]
    assert_same(view, torch.einsum("bij,bhwj->bhwi", rotation, world))


def test_eyes_of_cameras(rng):
    eye = uniform(rng, 3, 3, low=1, high=2).requires_grad_()
    assert_same(eyes_of(sr.LookAtCamera(eye), eye), eye.detach())
    assert torch.autograd.gradcheck(lambda x: eyes_of(sr.LookAtCamera(x), x), [eye])


def test_an_orthographic_camera_interpolates_affinely(rng):
    vertices, faces, colors, _ = scene_of(rng)
    camera = sr.PosedCamera(sr.LookAt(eye=(0.5, 1.0, 3.0)), sr.Orthographic(1.5))
    found = sr.render(vertices, faces, colors, camera, settings_of(8, 8), depth=True)
    face_vertices = gather(sr.project(vertices, camera, 1.0), faces)
    options = settings_of(8, 8, orthographic=True)
    expected = rasterize(
        face_vertices,
        gather(colors, faces),
        options,
        attributes=face_vertices[..., 2:],
        background=torch.tensor([0.0, 0, 0, 10]),
    )
    assert_same(found, expected)


# --- Clipping ---------------------------------------------------------------------------------


def ground(rng):
    """Two triangles under the camera and behind it, and the camera, which looks along them."""
    corners = [[-9.0, -1.0, 9.0], [9.0, -1.0, 9.0], [9.0, -1.0, -9.0], [-9.0, -1.0, -9.0]]
    vertices = torch.tensor([corners], dtype=torch.float64)
    vertices = vertices + 0.1 * uniform(rng, 1, 4, 3) * torch.tensor([1.0, 0.0, 1.0])
    faces = torch.tensor([[0, 1, 2], [0, 2, 3]], dtype=torch.int32)
    pose = sr.Look(eye=(0.2, 0.3, 1.0), direction=(0.1, -0.4, -1.0))
    return vertices, faces, sr.PosedCamera(pose, sr.Perspective(70.0))


def ground_seen(camera, options):
    """Where rays through pixels meet the ground, (H, W, 3), and which do."""
    like = torch.zeros(1, dtype=torch.float64)
    view = camera.view_matrix(like)[0]
    slope = np.tan(np.radians(35.0))
    points = pixel_centers(options, like) * slope
    rays = torch.cat([points, torch.ones_like(points[..., :1])], dim=-1) @ view[:3, :3]
    eye = -view[:3, :3].T @ view[:3, 3]
    t = (-1.0 - eye[1]) / rays[..., 1]
    return eye + t[..., None] * rays, (t > options.near * 1.001) & (t < 8)


@pytest.mark.parametrize("kind", ["vertex", "uv", "surface"])
def test_a_face_through_the_near_plane_is_drawn_where_it_is(kind, rng):
    vertices, faces, camera = ground(rng)
    options = settings_of(24, 24, **HARD)
    colors = vertices  # its place in the world is a vertex's colour
    if kind == "uv":
        # A ramp of texels: the colour is u. The places span a whole number of texels.
        ramp = (torch.arange(64, dtype=torch.float64) + 0.5) / 64
        uvs = (gather(vertices, faces)[..., :2] + 10) / 20
        colors = sr.UVTexture(uvs, ramp[None, None, :, None])
    elif kind == "surface":
        colors = sr.SurfaceTexture(torch.arange(2 * 16, dtype=torch.float64).reshape(1, 2, 16, 1))
    image = sr.render(vertices, faces, colors, camera, options)
    places, seen = ground_seen(camera, options)
    assert seen.sum() > 200
    assert (image[0, ..., -1][seen] == 1).all()
    if kind == "vertex":
        assert_same(image[0, ..., :3][seen], places[seen], atol=1e-9)
    elif kind == "uv":
        assert_same(image[0, ..., 0][seen], ((places[..., 0] + 10) / 20)[seen], atol=1e-9)
    else:
        # The same ground, cut up so finely that what is behind the camera is whole faces.
        a, b, c = (vertices[0, i] for i in (0, 1, 2))
        first = torch.linalg.solve(torch.stack([a, b, c], dim=1), places[seen].T).T
        inside = (first > 1e-6).all(-1)
        found = image[0, ..., 0][seen][inside]
        col, row = (first[inside][:, :2] * 4).floor().long().clamp(0, 3).T
        lower = first[inside][:, :2].sum(-1) * 4 - col - row <= 1
        index = torch.where(lower, row * 4 + col, (3 - row) * 4 + 3 - col)
        assert (found == index.double()).double().mean() > 0.99


def test_without_clipping_such_faces_are_left_out(rng):
    vertices, faces, camera = ground(rng)
    for draw in (
        sr.render_silhouette(vertices, faces, camera, settings_of(8, 8), clip=False),
        sr.render(vertices, faces, vertices, camera, settings_of(8, 8), clip=False)[..., -1],
    ):
        assert (draw == 0).all()
    assert sr.render_silhouette(vertices, faces, camera, settings_of(8, 8)).max() > 0.9


@pytest.mark.gradcheck
def test_clipped_gradients_match_finite_differences(rng):
    vertices, faces, camera = ground(rng)
    texture = random_image(rng)
    leaves = {
        "vertices": vertices,
        "uvs": uniform(rng, 1, 2, 3, 2),
        "texels": texture.texels[:1],
        "attributes": uniform(rng, 1, 4, 2),
    }
    lighting = lighting_of(rng, "fragment")
    lights = (lighting.lights[0], lighting.lights[2])

    def draw(vertices, uvs, texels, attributes):
        return sr.render(
            *(vertices, faces, sr.UVTexture(uvs, texels), camera),
            settings_of(6, 7, coverage_cutoff=1e-20),
            light=sr.Lighting(lights=lights, shading="fragment"),
            attributes=attributes,
            depth=True,
        )

    gradients.assert_gradients_match(draw, leaves, rng)


# --- Meshes of several sizes --------------------------------------------------------------------


def test_stacked_meshes_equal_separate_calls():
    meshes = [sr.icosphere(1), sr.cube(), sr.plane()]
    vertices, faces, colors = sr.stack_meshes(meshes).to_torch()
    eyes = ((0.0, 1.0, 3.0), (2.0, 1.0, 2.0), (-1.0, 1.0, 3.0))
    options = settings_of(12, 13)
    scene = (vertices, faces, colors, sr.LookAtCamera(eye=eyes), options)
    image = sr.render(*scene, light=sr.Light(), normals="world")
    for b, mesh in enumerate(meshes):
        camera = sr.LookAtCamera(eye=eyes[b])
        one = sr.render(*mesh.to_torch(), camera, options, light=sr.Light(), normals="world")
        assert_near(image[b : b + 1], one, 64)


def test_stacked_meshes_are_refused_if_there_are_none():
    with pytest.raises(ValueError, match="meshes must be at least 1"):
        sr.stack_meshes([])


# --- Both front ends ----------------------------------------------------------------------------


def test_tape_equals_torch(rng):
    vertices, faces, camera = ground(rng)
    uvs, texels = uniform(rng, 1, 2, 3, 2), uniform(rng, 1, 3, 4, 3)
    light = sr.Lighting(lights=(sr.PointLight((1.0, 0.9, 0.8), (0.0, 2.0, 0.0)),), shading="face")
    options = settings_of(8, 9)

    def draw(vertices, faces, uvs, texels):
        texture = sr.UVTexture(uvs, texels)
        return sr.render(vertices, faces, texture, camera, options, light=light, normals="view")

    leaves = [x.clone().requires_grad_() for x in (vertices, uvs, texels)]
    image = draw(leaves[0], faces, *leaves[1:])
    sr.image_loss(image, torch.zeros_like(image)).sum().backward()
    arrays = [scenes.to_taichi(x, needs_grad=True) for x in leaves]
    loss = ti.ndarray(ti.f64, 1, needs_grad=True)
    with ti.ad.Tape(loss=loss):
        drawn = draw(arrays[0], sr.from_numpy(faces.numpy()), *arrays[1:])
        sr.add_to_loss(loss, sr.image_loss(drawn, sr.from_numpy(np.zeros(drawn.shape))))
    np.testing.assert_allclose(drawn.to_numpy(), image.detach().numpy(), rtol=0, atol=1e-12)
    for array, leaf in zip(arrays, leaves):
        np.testing.assert_allclose(array.grad.to_numpy(), leaf.grad.numpy(), rtol=0, atol=1e-10)


@pytest.mark.parametrize(
    ("changes", "error", "message"),
    [
        ({"normals": "object"}, ValueError, "normals must be one of None, 'world', 'view'"),
        ({"attributes": torch.zeros(1, 5, 2)}, ValueError, "attributes must have shape"),
        ({"background": (0.0, 1.0), "depth": True}, ValueError, "a number or 3 numbers"),
        ({"light": "sun"}, TypeError, "light must be"),
        ({"colors": torch.zeros(1, 5, 3)}, ValueError, "colors must have shape"),
        (
            {"colors": sr.SurfaceTexture(torch.zeros(1, 8, 4, 2)), "light": sr.Light()},
            ValueError,
            "colors must be red, green and blue to be lit, got 2",
        ),
        ({"faces": torch.tensor([[0, 1, -2]])}, ValueError, "indices from 0 to 5, or -1"),
    ],
)
def test_refusals(changes, error, message):
    vertices, faces = scenes.octahedron()
    scene = {
        "vertices": vertices.float(),
        "faces": faces,
        "colors": torch.zeros(1, 6, 3),
        "camera": sr.LookAtCamera(eye=(0, 1, 3)),
        "settings": settings_of(4, 4),
        **changes,
    }
    with pytest.raises(error, match=message):
        sr.render(**scene)
