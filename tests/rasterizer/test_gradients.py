"""Gradients against finite differences in float64, by every input that has one.

Images are small, sigma and gamma moderate and the cut-off low: a finite step must move the image by
more than rounding does, and cross no kink and no cut.
"""

import gradients
import numpy as np
import pytest
import scenes
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

import taichi_softras as sr
from taichi_softras import reference
from taichi_softras.backend import ti

pytestmark = pytest.mark.gradcheck

SIZES = [(8, 8), (5, 11), (10, 4)]


def settings_of(height, width, **options):
    options = {"near": 1.0, "far": 10.0, "sigma": 3e-2, "coverage_cutoff": 1e-12, **options}
    return sr.RasterizerSettings(height=height, width=width, **options)


def numbers(*values):
    return torch.tensor(values, dtype=torch.float64)


def rasterize_inputs(kind, rng, *, num_items=1, channels=3):
    """Everything that `rasterize` differentiates by; each item with a softness of its own."""
    return {
        "face_vertices": scenes.random_faces(kind, rng, num_items),
        "colors": scenes.random_colors(6, channels, rng, num_items),
        "background": torch.rand(1, 1, 1, channels, generator=rng, dtype=torch.float64),
        "sigma": numbers(3e-2, 1e-2)[:num_items],
        "gamma": numbers(0.1, 0.3)[:num_items],
        "eps": numbers(0.4, 0.2)[:num_items],
    }


def draw(settings):
    def rasterize(face_vertices=None, x=None, y=None, z=None, **inputs):
        if face_vertices is None:
            face_vertices = torch.stack([x, y, z], dim=-1)
        return sr.rasterize(face_vertices, inputs.pop("colors"), settings, **inputs)

    return rasterize


# --- The rasterizer ---------------------------------------------------------------------------


@pytest.mark.parametrize("perspective_correct", [True, False], ids=["perspective", "affine"])
@pytest.mark.parametrize(("height", "width"), SIZES)
@pytest.mark.parametrize("kind", scenes.KINDS)
def test_rasterize(kind, height, width, perspective_correct, rng):
    settings = settings_of(height, width, perspective_correct=perspective_correct)
    inputs = rasterize_inputs(kind, rng, num_items=2)
    x, y, z = inputs.pop("face_vertices").unbind(-1)
    gradients.assert_gradients_match(draw(settings), {"x": x, "y": y, "z": z, **inputs}, rng)


@pytest.mark.parametrize("channels", [1, 5, 9])
def test_rasterize_any_number_of_channels(channels, rng):
    inputs = rasterize_inputs("tilted", rng, channels=channels)
    gradients.assert_gradients_match(draw(settings_of(6, 7)), inputs, rng)


@pytest.mark.parametrize("background_shape", [(1, 1, 1, 3), (2, 6, 1, 3), (2, 6, 7, 3)], ids=str)
def test_rasterize_shared_inputs(background_shape, rng):
    """Of one item for all: their gradients are sums over the items, and over pixels."""
    inputs = rasterize_inputs("overlapping", rng)
    inputs["face_vertices"] = scenes.random_faces("overlapping", rng, num_items=2)
    inputs["background"] = torch.rand(background_shape, generator=rng, dtype=torch.float64)
    gradients.assert_gradients_match(draw(settings_of(6, 7)), inputs, rng)


def test_rasterize_with_culling(rng):
    inputs = rasterize_inputs("overlapping", rng, num_items=2)
    gradients.assert_gradients_match(draw(settings_of(6, 7, cull="back")), inputs, rng)


@pytest.mark.parametrize("softness", [(1e-3, 1e-2), (0.3, 1.0)], ids=["hard", "soft"])
@pytest.mark.parametrize("kind", ["overlapping", "tilted"])
def test_rasterize_hard_and_soft(kind, softness, rng):
    inputs = rasterize_inputs(kind, rng)
    inputs["sigma"], inputs["gamma"] = (numbers(x) for x in softness)
    gradients.assert_gradients_match(draw(settings_of(8, 8)), inputs, rng)


@pytest.mark.parametrize("wanted", ["face_vertices", "colors", "background", "eps"])
def test_gradient_by_one_input_alone(wanted, rng):
    """Each is the same as when all are asked for."""
    inputs = rasterize_inputs("tilted", rng)
    for x in inputs.values():
        x.requires_grad_()
    image = draw(settings_of(6, 7))(**inputs)
    weights = scenes.random_like(image, rng)
    image.backward(weights)
    alone = {name: x.detach().requires_grad_(name == wanted) for name, x in inputs.items()}
    draw(settings_of(6, 7))(**alone).backward(weights)
    torch.testing.assert_close(alone[wanted].grad, inputs[wanted].grad, rtol=1e-13, atol=1e-13)
    assert all(x.grad is None for name, x in alone.items() if name != wanted)


@pytest.mark.parametrize("kind", scenes.KINDS)
def test_rasterize_equals_the_gradient_of_the_reference(kind, rng):
    """Number by number, where a random direction might let a small one slip."""
    settings = settings_of(9, 12, coverage_cutoff=1e-4)
    inputs = rasterize_inputs(kind, rng, num_items=2)
    inputs["sigma"] = numbers(3e-3, 3e-2)
    found, expected = (
        {name: x.clone().requires_grad_() for name, x in inputs.items()} for _ in range(2)
    )
    image = draw(settings)(**found)
    weights = scenes.random_like(image, rng)
    image.backward(weights)
    reference.rasterize(
        expected["face_vertices"],
        expected["colors"],
        settings,
        **{name: expected[name] for name in ("background", "sigma", "gamma", "eps")},
    ).backward(weights)
    for name in inputs:
        # Behind what covers everything, a gradient may be nothing but rounding of alpha from 1.
        size = max(float(expected[name].grad.abs().max()), 1e-4)
        torch.testing.assert_close(
            found[name].grad, expected[name].grad, rtol=1e-10, atol=1e-13 * size, msg=name
        )


@pytest.mark.parametrize(("height", "width"), SIZES)
@pytest.mark.parametrize("kind", scenes.KINDS)
def test_silhouette(kind, height, width, rng):
    settings = settings_of(height, width)
    faces = scenes.random_faces(kind, rng, num_items=2)

    def silhouette(x, y, sigma):
        return sr.rasterize_silhouette(
            torch.stack([x, y, faces[..., 2]], dim=-1), settings, sigma=sigma
        )

    inputs = {"x": faces[..., 0], "y": faces[..., 1], "sigma": numbers(3e-2, 1e-1)}
    gradients.assert_gradients_match(silhouette, inputs, rng)


def test_silhouette_does_not_depend_on_depth(rng):
    faces = scenes.random_faces("tilted", rng).requires_grad_()
    sr.rasterize_silhouette(faces, settings_of(8, 8)).sum().backward()
    assert (faces.grad[..., 2] == 0).all()
    assert (faces.grad[..., :2] != 0).any()


def test_gradcheck_of_rasterize(rng):
    inputs = rasterize_inputs("tilted", rng)
    inputs["face_vertices"] = inputs["face_vertices"][:, :2]
    inputs["colors"] = inputs["colors"][:, :2]
    names = list(inputs)

    def function(*values):
        return draw(settings_of(3, 4))(**dict(zip(names, values)))

    values = [inputs[name].clone().requires_grad_() for name in names]
    assert torch.autograd.gradcheck(function, values, eps=1e-6, atol=1e-6)


def test_gradcheck_of_silhouette(rng):
    faces = scenes.random_faces("overlapping", rng, num_items=2, num_faces=2).requires_grad_()
    sigma = numbers(0.05).requires_grad_()

    def function(faces, sigma):
        return sr.rasterize_silhouette(faces, settings_of(4, 5), sigma=sigma)

    assert torch.autograd.gradcheck(function, (faces, sigma), eps=1e-6, atol=1e-6)


@settings(max_examples=25, deadline=None, derandomize=True, database=None)
@given(
    seed=st.integers(0, 2**31 - 1),
    kind=st.sampled_from(scenes.KINDS),
    height=st.integers(1, 9),
    width=st.integers(1, 9),
    sigma=st.floats(1e-3, 0.3),
    gamma=st.floats(1e-2, 3.0),
    eps=st.floats(-0.2, 1.2),
)
def test_any_scene(seed, kind, height, width, sigma, gamma, eps):
    rng = torch.Generator().manual_seed(seed)
    inputs = rasterize_inputs(kind, rng)
    inputs.update(sigma=numbers(sigma), gamma=numbers(gamma), eps=numbers(eps))
    gradients.assert_gradients_match(draw(settings_of(height, width)), inputs, rng)


# --- The vertex stage -------------------------------------------------------------------------


@pytest.mark.parametrize("num_items", [1, 2])
def test_look_at_camera(num_items, rng):
    vertices, _ = scenes.bumpy_octahedron(rng, num_items)

    def project(vertices, eye, at, up, fov):
        return sr.project(vertices, sr.LookAtCamera(eye, at, up, fov), aspect=1.5)

    inputs = {
        "vertices": vertices,
        "eye": numbers([1.0, 2.0, 4.0], [-2.0, 3.0, 1.0])[:2],
        "at": numbers([0.1, -0.2, 0.3]),
        "up": numbers([0.2, 1.0, -0.1]),
        "fov": numbers(40.0, 60.0),
    }
    gradients.assert_gradients_match(project, inputs, rng)


@pytest.mark.parametrize("num_items", [1, 2])
def test_matrix_camera(num_items, rng):
    vertices, _ = scenes.bumpy_octahedron(rng)

    def project(vertices, view, projection):
        return sr.project(vertices, sr.MatrixCamera(view, projection), aspect=1.0)

    view, projection = torch.eye(4, dtype=torch.float64).repeat(2, num_items, 1, 1)
    view[:, 2, 3] = 4
    projection[:, 3] = numbers(0.1, 0.2, 1.0, 0.3)
    view, projection = (x + 0.1 * scenes.random_like(x, rng) for x in (view, projection))
    inputs = {"vertices": vertices, "view": view, "projection": projection}
    gradients.assert_gradients_match(project, inputs, rng)


@pytest.mark.parametrize("face_items", [0, 1, 2])
def test_vertex_normals(face_items, rng):
    vertices, faces = scenes.bumpy_octahedron(rng, num_items=1 if face_items == 2 else 2)
    if face_items:
        faces = faces.repeat(face_items, 1, 1)
    gradients.assert_gradients_match(
        lambda vertices: sr.vertex_normals(vertices, faces), {"vertices": vertices}, rng
    )


@pytest.mark.parametrize("light_items", [1, 2])
def test_shade(light_items, rng):
    def shade(colors, normals, **light):
        return sr.shade(colors, normals, sr.Light(**light))

    inputs = {
        "colors": torch.rand(2, 7, 3, generator=rng, dtype=torch.float64),
        "normals": torch.randn(1, 7, 3, generator=rng, dtype=torch.float64),
        **{
            name: torch.rand(light_items, 3, generator=rng, dtype=torch.float64)
            for name in ("ambient", "diffuse", "direction")
        },
    }
    gradients.assert_gradients_match(shade, inputs, rng)


@pytest.mark.parametrize("face_items", [0, 1, 2])
@pytest.mark.parametrize("num_items", [1, 2])
def test_gather(num_items, face_items, rng):
    _, faces = scenes.octahedron()
    if face_items:
        faces = torch.stack([faces, faces.flip(0)])[:face_items]
    values = torch.randn(num_items, 6, 4, generator=rng, dtype=torch.float64)
    gradients.assert_gradients_match(
        lambda values: sr.gather(values, faces), {"values": values}, rng
    )


# --- Losses -----------------------------------------------------------------------------------


@pytest.mark.parametrize("target_items", [1, 3])
def test_silhouette_loss(target_items, rng):
    inputs = {
        "alpha": torch.rand(3, 5, 7, generator=rng, dtype=torch.float64),
        "target": torch.rand(target_items, 5, 7, generator=rng, dtype=torch.float64),
    }
    gradients.assert_gradients_match(sr.silhouette_loss, inputs, rng)


@pytest.mark.parametrize("target_items", [1, 3])
def test_image_loss(target_items, rng):
    inputs = {
        "image": torch.rand(3, 5, 7, 4, generator=rng, dtype=torch.float64),
        "target": torch.rand(target_items, 5, 7, 4, generator=rng, dtype=torch.float64),
    }
    gradients.assert_gradients_match(sr.image_loss, inputs, rng)


@pytest.mark.parametrize("loss", [sr.laplacian_loss, sr.flattening_loss])
def test_mesh_losses(loss, rng):
    vertices, faces = scenes.open_mesh(rng, num_items=2)
    topology = sr.mesh_topology(faces.numpy(), vertices)
    gradients.assert_gradients_match(
        lambda vertices: loss(vertices, topology), {"vertices": vertices}, rng
    )


# --- All together -----------------------------------------------------------------------------


def chain_inputs(rng):
    vertices, faces = scenes.bumpy_octahedron(rng)
    inputs = {
        "vertices": vertices,
        "colors": torch.rand(1, 6, 3, generator=rng, dtype=torch.float64),
        "eye": numbers([1.0, 2.0, 4.0], [-2.0, 1.0, 3.0]),
        "fov": numbers(40.0),
        "ambient": numbers([0.3, 0.4, 0.5]),
        "diffuse": numbers([0.6, 0.5, 0.4]),
        "direction": numbers([0.3, 1.0, 0.7]),
        "background": numbers(0.2, 0.3, 0.4).reshape(1, 1, 1, 3),
        "sigma": numbers(3e-2),
        "gamma": numbers(5e-2),
        "eps": numbers(0.5),
    }
    return faces, inputs


def chain(faces, *, vertices, colors, eye, fov, ambient, diffuse, direction, **softness):
    """Render with everything differentiable."""
    return sr.render(
        vertices,
        faces,
        colors,
        sr.LookAtCamera(eye, fov_degrees=fov),
        settings_of(7, 9),
        light=sr.Light(ambient, diffuse, direction),
        **softness,
    )


def test_render(rng):
    faces, inputs = chain_inputs(rng)
    gradients.assert_gradients_match(lambda **x: chain(faces, **x), inputs, rng)


def test_render_silhouette(rng):
    faces, inputs = chain_inputs(rng)

    def render(vertices, eye, sigma):
        camera = sr.LookAtCamera(eye)
        return sr.render_silhouette(vertices, faces, camera, settings_of(7, 9), sigma=sigma)

    inputs = {name: inputs[name] for name in ("vertices", "eye", "sigma")}
    gradients.assert_gradients_match(render, inputs, rng)


def test_tape_equals_pytorch(rng):
    """The same kernels under Taichi's tape: equal up to the order of atomic additions."""
    faces, inputs = chain_inputs(rng)
    target = torch.rand(2, 7, 9, 4, generator=rng, dtype=torch.float64)
    outline = (target[..., 3] > 0.5).double()

    leaves = {name: x.clone().requires_grad_() for name, x in inputs.items()}
    topology = sr.mesh_topology(faces.numpy(), leaves["vertices"])
    camera = sr.LookAtCamera(leaves["eye"])
    alpha = sr.render_silhouette(leaves["vertices"], faces, camera, settings_of(7, 9))
    expected = (
        sr.image_loss(chain(faces, **leaves), target)
        + 0.5 * sr.silhouette_loss(alpha, outline)
        + 0.1 * sr.laplacian_loss(leaves["vertices"], topology)
        + 0.01 * sr.flattening_loss(leaves["vertices"], topology)
    )
    expected.backward()

    arrays = {name: scenes.to_taichi(x, needs_grad=True) for name, x in inputs.items()}
    faces, target, outline = (scenes.to_taichi(x) for x in (faces, target, outline))
    topology = sr.mesh_topology(faces.to_numpy(), arrays["vertices"])
    loss = sr.from_numpy(np.zeros(1), needs_grad=True)
    with ti.ad.Tape(loss):
        sr.add_to_loss(loss, sr.image_loss(chain(faces, **arrays), target))
        camera = sr.LookAtCamera(arrays["eye"])
        alpha = sr.render_silhouette(arrays["vertices"], faces, camera, settings_of(7, 9))
        sr.add_to_loss(loss, sr.silhouette_loss(alpha, outline), 0.5)
        sr.add_to_loss(loss, sr.laplacian_loss(arrays["vertices"], topology), 0.1)
        sr.add_to_loss(loss, sr.flattening_loss(arrays["vertices"], topology), 0.01)

    np.testing.assert_allclose(loss.to_numpy(), expected.detach().numpy(), rtol=1e-14)
    for name, leaf in leaves.items():
        grad = leaf.grad.numpy()
        np.testing.assert_allclose(
            arrays[name].grad.to_numpy(), grad, rtol=1e-11, atol=1e-13 * abs(grad).max()
        )
