"""Sigma, gamma and eps that can't be worked with: refused where seen, harmless elsewhere."""

import numpy as np
import pytest
import scenes
import torch

import taichi_softras as sr
from taichi_softras.rasterizer import _softness
from taichi_softras.rasterizer._softness import SMALLEST_SOFTNESS
from taichi_softras.rasterizer.settings import RasterizerSettings

SIZE = {"height": 5, "width": 6, "near": 1.0, "far": 10.0}
SETTINGS = RasterizerSettings(**SIZE, sigma=1e-2, gamma=1e-1)
NAN, INF = float("nan"), float("inf")


def draw(faces, colors, settings=SETTINGS, **softness):
    return sr.rasterize(faces, colors, settings, **softness)


@pytest.fixture
def faces(rng):
    return scenes.random_faces("overlapping", rng)


@pytest.fixture
def colors(rng):
    return scenes.random_colors(6, 3, rng)


@pytest.mark.parametrize("convert", [lambda x: x, scenes.to_taichi], ids=["torch", "taichi"])
@pytest.mark.parametrize(
    ("name", "value", "words"),
    [
        ("sigma", 0.0, "sigma must be above 0, at least 7.9e-31 in this precision, got"),
        ("sigma", -1e-4, "sigma must be above 0"),
        ("sigma", 1e-38, "sigma must be above 0, at least 7.9e-31"),
        ("sigma", NAN, "sigma must be finite, got"),
        ("gamma", 0.0, "gamma must be above 0"),
        ("gamma", INF, "gamma must be finite"),
        ("eps", NAN, "eps must be finite"),
    ],
)
def test_arrays_that_are_seen_are_refused(name, value, words, convert, faces, colors):
    arrays = [convert(x.float()) for x in (faces.repeat(2, 1, 1, 1), colors)]
    softness = {name: convert(torch.tensor([0.1, value]))}
    with pytest.raises(ValueError, match=words):
        draw(*arrays, **softness)


def test_settings_too_small_for_float32_are_for_float64(faces, colors):
    settings = RasterizerSettings(**SIZE, sigma=1e-38, gamma=1e-38)
    with pytest.raises(ValueError, match="sigma must be above 0, at least"):
        draw(faces.float(), colors.float(), settings)
    with pytest.raises(ValueError, match="sigma must be above 0"):
        sr.rasterize_silhouette(faces.float(), settings)
    with pytest.raises(ValueError, match="sigma must be above 0"):
        sr.summarize_fragments(faces.float(), settings)
    assert draw(faces, colors, settings).isfinite().all()


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64], ids=str)
def test_the_least_softness_is_finite(dtype, faces, colors):
    least = SMALLEST_SOFTNESS[sr.from_numpy(np.zeros(1, str(dtype)[6:])).dtype]
    leaves = [faces.to(dtype), colors.to(dtype), torch.tensor([least], dtype=dtype)]
    leaves.append(leaves[2].clone())
    for leaf in leaves:
        leaf.requires_grad_()
    image = draw(*leaves[:2], sigma=leaves[2], gamma=leaves[3])
    image.square().sum().backward()
    assert image.isfinite().all()
    assert all(leaf.grad.isfinite().all() for leaf in leaves)


@pytest.mark.parametrize("value", [0.0, -1e-4, NAN, INF, -INF, 1e-38])
@pytest.mark.parametrize("name", ["sigma", "gamma"])
def test_arrays_that_are_not_seen_count_as_the_least(name, value, monkeypatch, faces, colors):
    """As on a GPU, which is not waited for: nothing spreads to other items."""
    least = SMALLEST_SOFTNESS[sr.from_numpy(np.zeros(1, "f4")).dtype]
    faces, colors = faces.float(), colors.float()
    leaves = {"faces": faces.clone().requires_grad_(), "colors": colors.clone().requires_grad_()}
    leaves[name] = torch.tensor([0.1, value], requires_grad=True)

    def loss_of(faces, colors, **softness):
        return draw(faces.expand(2, -1, -1, -1), colors, **softness).square().sum(dim=(1, 2, 3))

    monkeypatch.setattr(_softness, "on_host", lambda array: None)
    losses = loss_of(**leaves)
    losses.sum().backward()
    assert all(leaf.grad.isfinite().all() for leaf in leaves.values())
    assert leaves[name].grad[1] == 0

    wanted = {key: leaf.detach().clone().requires_grad_() for key, leaf in leaves.items()}
    with torch.no_grad():
        wanted[name][1] = least
    expected = loss_of(**wanted)
    expected.sum().backward()
    assert (losses == expected).all()
    for key, leaf in leaves.items():
        found, right = (x[:1] if key == name else x for x in (leaf.grad, wanted[key].grad))
        torch.testing.assert_close(found, right, rtol=1e-5, atol=1e-6)


def test_an_eps_that_is_not_seen_counts_as_0(monkeypatch, faces, colors):
    eps = torch.tensor([NAN], dtype=torch.float64, requires_grad=True)
    monkeypatch.setattr(_softness, "on_host", lambda array: None)
    image = draw(faces, colors, eps=eps)
    image.sum().backward()
    assert (image == draw(faces, colors, eps=torch.zeros(1, dtype=torch.float64))).all()
    assert eps.grad == 0
