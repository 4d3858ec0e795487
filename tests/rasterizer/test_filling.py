"""Texels filled in, against the method in NumPy."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from scenes import to_taichi, uniform
from test_mipmaps import areas

import taichi_softras as sr

PADDING = {0: "wrap", 1: "edge", 2: "symmetric"}
UVS = torch.zeros(1, 1, 3, 2, dtype=torch.float64)


def enlarged(image, height, width, wraps):
    """Interpolate an image bilinearly at the centres of more texels; wraps along v and along u."""
    for axis, (size, wrap) in enumerate(zip((height, width), wraps)):
        padding = [(1, 1) if k == axis else (0, 0) for k in range(3)]
        padded = np.pad(image, padding, mode=PADDING[wrap])
        x = (np.arange(size) + 0.5) * image.shape[axis] / size + 0.5
        low = np.floor(x).astype(int)
        part = (x - low).reshape([-1 if k == axis else 1 for k in range(3)])
        image = (1 - part) * padded.take(low, axis) + part * padded.take(low + 1, axis)
    return image


def filled(image, weights, wraps):
    """As `sr.fill_texels`, of one image (H, W, C) of which something is known."""
    height, width = weights.shape
    weighted, known = weights[..., None] * image, weights[..., None]
    levels = [(weighted, known)]
    while max(known.shape) > 1:
        down, right = areas(known.shape[0]), areas(known.shape[1])
        weighted, known = (np.einsum("ih,jw,hwc->ijc", down, right, x) for x in levels[-1])
        levels.append((weighted, known))
    color = weighted / known
    for weighted, known in levels[-2::-1]:
        share = np.minimum(known * height * width / known.size, 1)
        own = weighted / np.where(known > 0, known, 1)
        color = share * own + (1 - share) * enlarged(color, *known.shape[:2], wraps)
    return color


@pytest.mark.parametrize(("code", "wraps"), [(0, (0, 0)), (1, (1, 1)), (2, (2, 2)), (5, (2, 0))])
@pytest.mark.parametrize("size", [(8, 8), (13, 16), (1, 9), (7, 3)])
def test_matches_the_method_in_numpy(size, code, wraps, rng):
    texels = uniform(rng, 2, *size, 3)
    weights = uniform(rng, 2, *size) * 3 * (uniform(rng, 2, *size) > 0.7)
    weights[:, 0, 2] = 0.5  # something is known
    maps = torch.tensor([[0, *size, code]], dtype=torch.int32)
    found = sr.fill_texels(sr.UVTexture(UVS, texels, maps), weights)
    for b in range(2):
        expected = filled(texels[b].numpy(), weights[b].numpy(), wraps)
        np.testing.assert_allclose(found[b].numpy(), expected, rtol=0, atol=1e-13)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_what_is_known_stays_and_the_rest_is_between(dtype, rng):
    texels = uniform(rng, 1, 32, 24, 3).to(dtype)
    known = uniform(rng, 32, 24) < 0.05
    unread = texels.clone()
    unread[:, ~known] = float("nan")
    found = sr.fill_texels(sr.UVTexture(UVS.to(dtype), unread), known[None].to(dtype))
    assert torch.equal(found[:, known], texels[:, known])
    assert found.dtype == dtype
    low, high = texels[0, known].amin(0), texels[0, known].amax(0)
    assert ((found >= low - 1e-6) & (found <= high + 1e-6)).all()


def test_gaps_are_filled_smoothly(rng):
    """A slope of which one texel in twenty is known is found, nearer than by the nearest texel."""
    rows, cols = torch.meshgrid(*2 * [torch.linspace(0, 1, 64, dtype=torch.float64)], indexing="ij")
    image = torch.stack([rows, cols, rows * cols], dim=-1)[None]
    known = uniform(rng, 64, 64) < 0.05
    texture = sr.UVTexture(UVS, image, torch.tensor([[0, 64, 64, 1]], dtype=torch.int32))
    found = sr.fill_texels(texture, known[None].double())
    places = torch.stack([rows, cols], dim=-1)
    nearest = torch.cdist(places[~known], places[known]).argmin(dim=1)
    by_nearest = (image[0, known][nearest] - image[0, ~known]).square().mean()
    error = (found - image)[0, ~known].square().mean()
    assert error < by_nearest / 1.5
    assert error.sqrt() < 0.05


def test_maps_are_filled_each_on_its_own(rng):
    """One of which nothing is known, of one texel, and what is in none, stay as they are."""
    texels = uniform(rng, 1, 1, 40, 2)
    maps = torch.tensor([[0, 3, 4, 1], [12, 2, 4, 1], [20, 1, 1, 0], [30, 2, 5, 0]])
    weights = torch.zeros(1, 1, 40, dtype=torch.float64)
    weights[0, 0, [3, 33]] = 1.0
    texture = sr.UVTexture(UVS, texels, maps.int())
    found = sr.fill_texels(texture, weights)
    assert (found[0, 0, :12] - texels[0, 0, 3]).abs().max() < 1e-14
    assert (found[0, 0, 30:40] - texels[0, 0, 33]).abs().max() < 1e-14
    assert torch.equal(found[0, 0, 12:30], texels[0, 0, 12:30])
    only = replace(texture, maps=maps[2:3].int())
    assert torch.equal(sr.fill_texels(only, weights), texels)
    half = torch.full_like(weights, 0.5)
    assert torch.equal(sr.fill_texels(only, half), texels)


def test_taichi_arrays_and_weights_of_all_items(rng):
    texels, weights = uniform(rng, 2, 5, 6, 3), (uniform(rng, 1, 5, 6) > 0.5).double()
    expected = sr.fill_texels(sr.UVTexture(UVS, texels), weights)
    texture = sr.UVTexture(to_taichi(UVS), to_taichi(texels))
    found = sr.fill_texels(texture, to_taichi(weights)).to_numpy()
    np.testing.assert_array_equal(found, expected.numpy())


@pytest.mark.parametrize(
    ("weights", "error", "message"),
    [
        (torch.ones(1, 4, 5), TypeError, "weights must be float64"),
        (torch.ones(1, 4, 4).double(), ValueError, "weights must have shape"),
        (-torch.ones(1, 4, 5).double(), ValueError, "at least 0"),
        (torch.full((1, 4, 5), float("nan")).double(), ValueError, "weights must be finite"),
    ],
)
def test_refusals(weights, error, message):
    texture = sr.UVTexture(UVS, torch.zeros(1, 4, 5, 3, dtype=torch.float64))
    with pytest.raises(error, match=message):
        sr.fill_texels(texture, weights)
    weights = torch.ones(1, 4, 5, dtype=torch.float64)
    texture.texels[0, 1, 1] = float("inf")
    with pytest.raises(ValueError, match="texels must be finite where"):
        sr.fill_texels(texture, weights)
    outside = replace(texture, maps=torch.tensor([[8, 4, 5, 0]], dtype=torch.int32))
    with pytest.raises(ValueError, match="within the 20 texels"):
        sr.fill_texels(outside, weights)
