"""Drawing with gradients to everything, for tests of inputs at the ends of their ranges."""

import math

import torch

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
