"""Memory and graphs: what PyTorch and Taichi programs may rely on."""

import numpy as np
import pytest
import scenes
import torch
from closeness import assert_near, assert_same_bits
from torch import Tensor

import taichi_softras as sr
from taichi_softras.backend import ti

SETTINGS = sr.RasterizerSettings(height=6, width=7, near=1.0, far=10.0, sigma=1e-2, gamma=0.1)


CAMERA = sr.LookAtCamera((1.0, 2.0, 4.0))


@pytest.fixture
def faces(rng) -> Tensor:
    return scenes.random_faces("overlapping", rng).float()


@pytest.fixture
def colors(rng) -> Tensor:
    return scenes.random_colors(6, 3, rng).float()


# --- The graph --------------------------------------------------------------------------------


def test_no_gradient_where_none_was_asked_for(faces, colors):
    sigma = torch.tensor([1e-2])
    faces.requires_grad_()
    image = sr.rasterize(faces, colors, SETTINGS, sigma=sigma)
    assert faces.grad is None
    image.sum().backward()
    assert faces.grad is not None
    for other in (colors, sigma):
        assert other.grad is None
        assert not other.requires_grad


def test_outputs_need_no_gradient_when_no_input_does(faces, colors):
    assert not sr.rasterize(faces, colors, SETTINGS).requires_grad
    assert not sr.rasterize_silhouette(faces, SETTINGS).requires_grad
    vertices, triangles = scenes.octahedron()
    assert not sr.render(vertices, triangles, vertices, CAMERA, SETTINGS).requires_grad


def test_no_grad_is_respected(faces, colors):
    faces.requires_grad_()
    with torch.no_grad():
        assert not sr.rasterize(faces, colors, SETTINGS).requires_grad
    with torch.inference_mode():
        image = sr.rasterize(faces.detach(), colors, SETTINGS)
    assert image.isfinite().all()


SECOND_DERIVATIVES = {
    # of a scalar function, by the routes that PyTorch has
    "of_a_function_of_the_gradient": lambda f, x: penalty_of(f(x), x).backward(),
    "of_loss_and_penalty": lambda f, x: (f(x) + penalty_of(f(x), x)).backward(),
    "hessian": lambda f, x: torch.autograd.functional.hessian(f, x),
    "hessian_of_all_at_once": lambda f, x: torch.autograd.functional.hessian(f, x, vectorize=True),
    "hvp": lambda f, x: torch.autograd.functional.hvp(f, x, torch.ones_like(x)),
    "vhp": lambda f, x: torch.autograd.functional.vhp(f, x, torch.ones_like(x)),
    "jvp": lambda f, x: torch.autograd.functional.jvp(f, x, torch.ones_like(x)),
}


def penalty_of(loss: Tensor, x: Tensor) -> Tensor:
    (grad,) = torch.autograd.grad(loss, x, create_graph=True)
    return grad.square().sum()


@pytest.mark.parametrize("incoming", ["constant", "variable"])
@pytest.mark.parametrize("route", SECOND_DERIVATIVES)
def test_a_second_derivative_is_refused(route, incoming, faces, colors):
    """Also where the gradient that comes in is constant, as that of a sum or an affine loss."""

    def loss(x):
        image = sr.rasterize(x, colors, SETTINGS)
        return image.sum() if incoming == "constant" else image.square().sum()

    with pytest.raises(RuntimeError, match="taichi_softras has no second derivatives"):
        SECOND_DERIVATIVES[route](loss, faces.requires_grad_())


def test_second_derivatives_of_losses_are_refused(rng):
    vertices, triangles = scenes.bumpy_octahedron(rng)
    leaf = vertices.requires_grad_()
    alpha = sr.render_silhouette(leaf, triangles, CAMERA, SETTINGS)
    loss = sr.silhouette_loss(alpha, torch.ones_like(alpha))
    with pytest.raises(RuntimeError, match="taichi_softras has no second derivatives"):
        (loss + penalty_of(loss, leaf)).backward()


def test_a_gradient_with_a_graph_serves_as_a_constant(faces, colors):
    faces.requires_grad_()
    loss = sr.rasterize(faces, colors, SETTINGS).square().sum()
    (grad,) = torch.autograd.grad(loss, faces, create_graph=True)
    (plain,) = torch.autograd.grad(loss, faces, retain_graph=True)
    assert (grad.detach() == plain).all()
    (again,) = torch.autograd.grad(loss * grad.detach().square().sum(), faces)
    torch.testing.assert_close(again, plain * plain.square().sum(), rtol=1e-4, atol=1e-5)


def test_an_incoming_gradient_that_wants_one_gets_none(faces, colors):
    """Taichi allocates a ``.grad`` on whatever requires one."""
    faces.requires_grad_()
    image = sr.rasterize(faces, colors, SETTINGS)
    weights = torch.rand_like(image).requires_grad_()
    image.backward(weights)
    assert weights.grad is None


@pytest.mark.parametrize("changed", ["face_vertices", "colors", "sigma", "image"])
def test_writing_in_place_before_backward_is_noticed(changed, faces, colors):
    leaf = faces.requires_grad_()
    inputs = {"face_vertices": leaf * 1, "colors": colors, "sigma": torch.tensor([1e-2])}
    image = sr.rasterize(settings=SETTINGS, **inputs)
    loss = (image * 2).sum()
    with torch.no_grad():
        {**inputs, "image": image}[changed].add_(1)
    with pytest.raises(RuntimeError, match="modified by an inplace operation"):
        loss.backward()


def test_writing_in_place_to_a_strided_input_is_noticed(faces, colors):
    leaf = faces.requires_grad_()
    strided = (leaf * 1).transpose(0, 1).contiguous().transpose(0, 1).mT
    image = sr.rasterize(strided, colors, SETTINGS)
    with torch.no_grad():
        strided.add_(1)
    with pytest.raises(RuntimeError, match="modified by an inplace operation"):
        image.sum().backward()


def test_two_backward_passes_give_the_same_gradient(faces, colors):
    faces.requires_grad_()
    colors.requires_grad_()
    loss = sr.rasterize(faces, colors, SETTINGS).square().sum()
    first = torch.autograd.grad(loss, (faces, colors), retain_graph=True)
    second = torch.autograd.grad(loss, (faces, colors))
    for a, b in zip(first, second):
        torch.testing.assert_close(a, b, rtol=1e-5, atol=1e-6)


def test_gradients_accumulate_in_leaves(faces, colors):
    faces.requires_grad_()
    for _ in range(2):
        sr.rasterize(faces, colors, SETTINGS).sum().backward()
    (once,) = torch.autograd.grad(sr.rasterize(faces, colors, SETTINGS).sum(), faces)
    torch.testing.assert_close(faces.grad, 2 * once, rtol=1e-4, atol=1e-5)


def test_one_tensor_as_two_inputs(rng):
    """Vertices that are their own colours: the gradient is the sum of both."""
    vertices, faces = scenes.bumpy_octahedron(rng)
    both = vertices.clone().requires_grad_()
    sr.render(both, faces, both, CAMERA, SETTINGS).square().sum().backward()
    places, paints = (vertices.clone().requires_grad_() for _ in range(2))
    sr.render(places, faces, paints, CAMERA, SETTINGS).square().sum().backward()
    torch.testing.assert_close(both.grad, places.grad + paints.grad, rtol=1e-12, atol=1e-12)


def strided_versions(array: Tensor) -> dict[str, Tensor]:
    """The same numbers, laid out otherwise."""
    wide = torch.stack([array, array + 1], dim=-1)
    return {
        "every_second": wide[..., 0],
        "transposed": array.transpose(1, 2).contiguous().transpose(1, 2),
        "offset": torch.cat([array.flatten()[:1], array.flatten()])[1:].view(array.shape),
        "copied": array.clone(),
    }


# --- Memory -----------------------------------------------------------------------------------


@pytest.mark.parametrize("layout", ["every_second", "transposed", "offset"])
def test_layout_does_not_matter(layout, faces, colors):
    results = []
    for name in ("copied", layout):
        leaves = [strided_versions(x)[name].detach().requires_grad_() for x in (faces, colors)]
        image = sr.rasterize(*leaves, SETTINGS)
        image.square().sum().backward()
        results.append((image.detach(), *(x.grad for x in leaves)))
    assert_same_bits(results[0][0], results[1][0])
    for a, b in zip(results[0][1:], results[1][1:]):
        torch.testing.assert_close(a, b, rtol=1e-5, atol=1e-6)


def test_expanded_inputs(faces, colors):
    leaf = faces.requires_grad_()
    expanded = leaf.expand(3, -1, -1, -1)
    background = torch.tensor([0.25]).expand(3, 6, 7, 3)
    image = sr.rasterize(expanded, colors, SETTINGS, background=background)
    image.sum().backward()
    (once,) = torch.autograd.grad(sr.rasterize(leaf, colors, SETTINGS, background=0.25).sum(), leaf)
    torch.testing.assert_close(leaf.grad, 3 * once, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("how", ["sum", "transposed", "sliced"])
def test_incoming_gradients_of_any_layout(how, faces, colors):
    """That of ``sum()`` has strides of 0."""
    faces.requires_grad_()
    image = sr.rasterize(faces, colors, SETTINGS)
    weights = torch.ones_like(image)
    if how == "sum":
        loss = image.sum()
    elif how == "transposed":
        weights = torch.rand(7, 6, 4, 1)
        loss = (image.permute(2, 1, 3, 0) * weights).sum()
        weights = weights.permute(3, 1, 0, 2)
    else:
        weights = torch.zeros_like(image)
        weights[:, ::2, 1:, ::3] = 1
        loss = image[:, ::2, 1:, ::3].sum()
    (grad,) = torch.autograd.grad(loss, faces, retain_graph=True)
    (expected,) = torch.autograd.grad(image, faces, weights.contiguous())
    assert grad.abs().max() > 0
    torch.testing.assert_close(grad, expected, rtol=1e-4, atol=1e-5)


def test_nothing_given_is_written_to(faces, colors):
    softness = {"sigma": torch.tensor([1e-2]), "gamma": torch.tensor([0.1])}
    background = torch.full((1, 1, 1, 3), 0.5)
    inputs = [faces, colors, background, *softness.values()]
    before = [x.clone() for x in inputs]
    for x in inputs:
        x.requires_grad_()
    image = sr.rasterize(faces, colors, SETTINGS, background=background, **softness)
    drawn = image.detach().clone()
    weights = torch.rand_like(drawn)
    kept = weights.clone()
    image.backward(weights)
    assert (image.detach() == drawn).all()
    assert (weights == kept).all()
    assert not weights.requires_grad
    assert weights.grad is None
    for x, y in zip(inputs, before):
        assert (x.detach() == y).all()


@pytest.mark.parametrize("function", ["gather", "normals", "project", "loss"])
def test_no_vertex_stage_or_loss_writes_to_what_it_is_given(function, rng):
    vertices, faces = scenes.bumpy_octahedron(rng)
    before = vertices.clone()
    leaf = vertices.requires_grad_()
    output = {
        "gather": lambda: sr.gather(leaf, faces),
        "normals": lambda: sr.vertex_normals(leaf, faces),
        "project": lambda: sr.project(leaf, CAMERA, 1.0),
        "loss": lambda: sr.laplacian_loss(leaf, sr.mesh_topology(faces.numpy(), leaf)),
    }[function]()
    values = output.detach().clone()
    weights = torch.rand_like(values)
    kept = weights.clone()
    output.backward(weights)
    assert (leaf.detach() == before).all()
    assert (output.detach() == values).all()
    assert (weights == kept).all()


def test_images_are_the_same_bits_every_time(rng):
    faces = scenes.random_faces("offscreen", rng, num_items=2, num_faces=300).float()
    colors = scenes.random_colors(300, 3, rng).float()
    settings = sr.RasterizerSettings(height=40, width=40, near=1.0, far=10.0, sigma=1e-3, gamma=0.1)
    first = sr.rasterize(faces, colors, settings)
    for _ in range(5):
        assert_same_bits(sr.rasterize(faces, colors, settings), first)


@pytest.mark.parametrize("dtype", [torch.int32, torch.int64], ids=str)
def test_faces_of_either_integer_type(dtype):
    vertices, faces = scenes.octahedron()
    alpha = sr.render_silhouette(vertices, faces.to(dtype), CAMERA, SETTINGS)
    assert_same_bits(alpha, sr.render_silhouette(vertices, faces, CAMERA, SETTINGS))


def test_faces_may_be_strided(rng):
    vertices, faces = scenes.bumpy_octahedron(rng)
    strided = faces.T.contiguous().T
    alpha = sr.render_silhouette(vertices, strided, CAMERA, SETTINGS)
    assert_same_bits(alpha, sr.render_silhouette(vertices, faces, CAMERA, SETTINGS))


# --- Taichi's tapes ---------------------------------------------------------------------------


def test_ndarrays_without_gradients_get_none(faces, colors):
    arrays = [scenes.to_taichi(x) for x in (faces, colors)]
    image = sr.rasterize(*arrays, SETTINGS)
    assert image.grad is None
    expected = sr.rasterize(faces, colors, SETTINGS)
    assert_near(image.to_numpy(), expected, 64)


def test_a_tape_differentiates_by_what_has_a_gradient_only(faces, colors):
    vertices, paints = scenes.to_taichi(faces, needs_grad=True), scenes.to_taichi(colors)
    target = sr.from_numpy(np.zeros((1, 6, 7, 4), np.float32))
    loss = sr.from_numpy(np.zeros(1, np.float32), needs_grad=True)
    with ti.ad.Tape(loss):
        image = sr.rasterize(vertices, paints, SETTINGS)
        sr.add_to_loss(loss, sr.image_loss(image, target))
    assert paints.grad is None
    leaf = faces.requires_grad_()
    sr.rasterize(leaf, colors, SETTINGS).square().mean().backward()
    np.testing.assert_allclose(vertices.grad.to_numpy(), leaf.grad.numpy(), rtol=1e-3, atol=1e-6)


def test_gradients_of_ndarrays_accumulate(faces, colors):
    vertices, paints = scenes.to_taichi(faces, needs_grad=True), scenes.to_taichi(colors)
    target = sr.from_numpy(np.zeros((1, 6, 7, 4), np.float32))
    grads = []
    for _ in range(2):
        loss = sr.from_numpy(np.zeros(1, np.float32), needs_grad=True)
        with ti.ad.Tape(loss):
            image = sr.rasterize(vertices, paints, SETTINGS)
            sr.add_to_loss(loss, sr.image_loss(image, target))
        grads.append(vertices.grad.to_numpy())
    np.testing.assert_allclose(grads[1], 2 * grads[0], rtol=1e-3, atol=1e-6)


def test_from_numpy_copies_what_is_strided():
    numbers = np.arange(24, dtype=np.float64).reshape(4, 6)[::2, ::3]
    array = sr.from_numpy(numbers)
    assert array.grad is None
    assert (array.to_numpy() == numbers).all()
    assert sr.from_numpy(numbers, needs_grad=True).grad.to_numpy().max() == 0


def test_vectors_that_were_interrupted_while_made_vanish_quietly():
    """What they raised would be told of, and be an error here."""
    from taichi_softras.arrays.taichi_bridge import _Vectors

    made = _Vectors.__new__(_Vectors)
    del made
    made = _Vectors.__new__(_Vectors)
    made.arr = None
    del made
