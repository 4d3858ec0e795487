"""The gradient by hand against Taichi's autodiff of the surrogate, its oracle."""

import pytest
import scenes
import torch
from closeness import assert_same_bits

import taichi_softras as sr
from taichi_softras.arrays.calls import apply
from taichi_softras.backend import ti
from taichi_softras.rasterizer._inputs import Inputs
from taichi_softras.rasterizer._operator import RasterizeOperator

NAMES = ("face_vertices", "colors", "background", "sigma", "gamma", "eps")


def inputs_of(**given):
    """Inputs of the operator: those given, and small stand-ins for the others."""
    ones = {"varyings": (1, 1, 3, 1), "attributes": (1, 1, 3, 1), "lighting": (1, 1)}
    arrays = {name: torch.zeros(shape, dtype=torch.float64) for name, shape in ones.items()}
    whole = {"face_items": [0], "face_sources": [[0]], "face_maps": [0], "maps": [[0, 1, 1, 0]]}
    arrays |= {name: torch.tensor(x, dtype=torch.int32) for name, x in whole.items()}
    return Inputs(**{**arrays, **given})


def gradients_of(inputs, settings, channels, weights, *, autodiff):
    """Gradients of a weighted sum of the image's pixels by every input."""
    leaves = [x.clone().requires_grad_() for x in inputs]
    num_items = inputs[0].shape[0]
    operator = RasterizeOperator(settings, ti.f64, channels, num_items, autodiff=autodiff)
    (image,) = apply(operator, inputs_of(**dict(zip(NAMES, leaves))))
    image.backward(weights[: image.numel()].reshape(image.shape))
    return {name: leaf.grad for name, leaf in zip(NAMES, leaves)}


def random_inputs(kind, rng, channels, *, num_items=2, items_of_colors=1):
    faces = scenes.random_faces(kind, rng, num_items)
    colors = scenes.random_colors(6, max(channels, 1), rng, items_of_colors)
    background = torch.rand(1, 1, 1, max(channels, 1), generator=rng, dtype=torch.float64)
    softness = ([0.01, 0.04], [0.05], [0.2])
    return [faces, colors, background, *(torch.tensor(x, dtype=torch.float64) for x in softness)]


@pytest.mark.parametrize("perspective_correct", [True, False])
@pytest.mark.parametrize(("channels", "items_of_colors"), [(0, 1), (3, 1), (3, 2), (5, 1)])
@pytest.mark.parametrize("kind", scenes.KINDS)
def test_equals_autodiff(kind, channels, items_of_colors, perspective_correct, rng):
    settings = sr.RasterizerSettings(
        height=40, width=56, near=1.0, far=10.0, perspective_correct=perspective_correct
    )
    inputs = random_inputs(kind, rng, channels, items_of_colors=items_of_colors)
    weights = torch.randn(2 * 40 * 56 * (channels + 1), generator=rng, dtype=torch.float64)
    arguments = (inputs, settings, channels, weights)
    found = gradients_of(*arguments, autodiff=False)
    expected = gradients_of(*arguments, autodiff=True)
    for name in NAMES:
        scale = expected[name].abs().max()
        # Where faces cover everything sigma changes next to nothing: 1e-14, by rounding alone.
        atol = 1e-11 * scale + 1e-13
        torch.testing.assert_close(found[name], expected[name], rtol=0, atol=atol)


def test_large_faces_are_cut_into_chunks_that_add_up(rng):
    # 70 x 90 pixels are several chunks of whole rows; the last one is not full.
    settings = sr.RasterizerSettings(height=70, width=90, near=1.0, far=10.0)
    inputs = random_inputs("covering", rng, 3)
    weights = torch.randn(2 * 70 * 90 * 4, generator=rng, dtype=torch.float64)
    found = gradients_of(inputs, settings, 3, weights, autodiff=False)
    expected = gradients_of(inputs, settings, 3, weights, autodiff=True)
    for name in ("face_vertices", "colors"):
        torch.testing.assert_close(found[name], expected[name], rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize("color", ["softmax", "hard"])
@pytest.mark.parametrize("channels", [3, 5])
@pytest.mark.parametrize("kind", ["overlapping", "tilted", "covering"])
def test_equals_autodiff_where_faces_hide_each_other(kind, channels, color, rng):
    """Large faces, by blocks: of colour and alpha, of alpha alone, and none."""
    settings = sr.RasterizerSettings(height=40, width=56, near=1.0, far=10.0, color=color)
    inputs = random_inputs(kind, rng, channels)
    inputs[3:5] = (torch.tensor([x], dtype=torch.float64) for x in (1e-3, 1e-3))
    weights = torch.randn(2 * 40 * 56 * (channels + 1), generator=rng, dtype=torch.float64)
    found = gradients_of(inputs, settings, channels, weights, autodiff=False)
    expected = gradients_of(inputs, settings, channels, weights, autodiff=True)
    for name in NAMES:
        atol = 1e-11 * expected[name].abs().max() + 1e-13
        torch.testing.assert_close(found[name], expected[name], rtol=0, atol=atol)


def test_hidden_face_has_a_gradient_by_alpha_alone(rng):
    """Its colour counts for nothing, not just for little; its edge shows in alpha as before."""
    faces = torch.tensor([[[[-0.5, -0.5, 5], [0.9, -0.4, 5], [0.0, 0.6, 5]]]], dtype=torch.float64)
    front = torch.tensor([[-3.0, -3, 2], [5, -3, 2], [0, 6, 2]], dtype=torch.float64)
    faces = torch.cat([faces, front[None, None]], dim=1)
    softness = (torch.tensor([x], dtype=torch.float64) for x in (1e-3, 1e-3, 0.2))
    background = torch.zeros(1, 1, 1, 3, dtype=torch.float64)
    inputs = [faces, scenes.random_colors(2, 3, rng), background, *softness]
    settings = sr.RasterizerSettings(height=40, width=56, near=1.0, far=10.0, alpha="sum")
    weights = torch.randn(40 * 56 * 4, generator=rng, dtype=torch.float64)
    found = gradients_of(inputs, settings, 3, weights, autodiff=False)
    expected = gradients_of(inputs, settings, 3, weights, autodiff=True)
    assert (found["colors"][:, 0] == 0).all()
    assert (found["face_vertices"][:, 0, :, 2] == 0).all()
    assert (found["colors"][:, 1] != 0).all()
    torch.testing.assert_close(found["face_vertices"], expected["face_vertices"])
    assert found["face_vertices"][0, 0].abs().max() > 1e-3


@pytest.mark.parametrize("color", ["softmax", "hard"])
@pytest.mark.parametrize(
    "shape",
    [(1, 1, 1, 3), (2, 1, 1, 3), (1, 40, 1, 3), (1, 1, 56, 3), (2, 40, 56, 3), (1, 7, 9, 3)],
)
def test_background_equals_autodiff(shape, color, rng):
    """Whatever the background's size, that is stretched over the image."""
    settings = sr.RasterizerSettings(height=40, width=56, near=1.0, far=10.0, color=color)
    inputs = random_inputs("overlapping", rng, 3)
    inputs[2] = torch.rand(shape, generator=rng, dtype=torch.float64)
    inputs[4] = torch.tensor([0.05, 0.1], dtype=torch.float64)
    weights = torch.randn(2 * 40 * 56 * 4, generator=rng, dtype=torch.float64)
    found = gradients_of(inputs, settings, 3, weights, autodiff=False)
    expected = gradients_of(inputs, settings, 3, weights, autodiff=True)
    for name in ("background", "gamma", "eps"):
        torch.testing.assert_close(found[name], expected[name], rtol=1e-11, atol=1e-12)


def test_same_bits_on_repeat(rng):
    settings = sr.RasterizerSettings(height=64, width=64, near=1.0, far=10.0)
    inputs = random_inputs("overlapping", rng, 3)
    weights = torch.randn(2 * 64 * 64 * 4, generator=rng, dtype=torch.float64)
    first, *others = (gradients_of(inputs, settings, 3, weights, autodiff=False) for _ in range(4))
    for other in others:
        for name in NAMES:
            assert_same_bits(first[name], other[name])
