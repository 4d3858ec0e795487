"""Textures, attributes, packed faces and supersampling: values and gradients."""

from dataclasses import replace

import gradients
import numpy as np
import pytest
import scenes
import torch
from scenes import random_image, uniform

import taichi_softras as sr
from taichi_softras import reference
from taichi_softras.arrays.corners import concatenate
from taichi_softras.backend import ti
from taichi_softras.rasterizer._operator import RasterizeOperator

MAPS = torch.tensor(
    [[0, 3, 4, 0], [12, 1, 1, 0], [13, 2, 5, 1], [0, 3, 4, 2], [13, 2, 5, 3 + 3 * 2 + 1]],
    dtype=torch.int32,
)
"""Of repeated, clamped and mirrored texels; the last is mirrored along u and clamped along v."""
BAD_WRAP = torch.tensor([[0, 3, 4, 12]], dtype=torch.int32)
FACE_MAPS = torch.tensor([0, 2, 1, 3, 4, 0], dtype=torch.int32)


def settings_of(height, width, **options):
    options = {"near": 1.0, "far": 10.0, "sigma": 1e-2, "gamma": 1e-1, **options}
    return sr.RasterizerSettings(height=height, width=width, **options)


def assert_same(actual, expected, atol=1e-12):
    torch.testing.assert_close(actual, expected, rtol=0, atol=atol)


def random_surface(rng, resolution=3, num_items=1, channels=3):
    return sr.SurfaceTexture(uniform(rng, num_items, 6, resolution**2, channels))


def random_maps(rng, num_items=1, channels=3):
    """Three maps of several sizes, seen far beyond their borders."""
    uvs = uniform(rng, num_items, 6, 3, 2, low=-1.7, high=2.4)
    texels = uniform(rng, num_items, 1, 23, channels)
    return sr.UVTexture(uvs, texels, MAPS, FACE_MAPS)


def random_mipmaps(rng, num_items=1, channels=3):
    """The same, in pyramids: the footprints of pixels are from parts of a texel to whole maps."""
    return replace(random_maps(rng, num_items, channels), mipmaps=True)


TEXTURES = {
    "surface": random_surface,
    "maps": random_maps,
    "image": random_image,
    "mipmaps": random_mipmaps,
}


# --- Values -----------------------------------------------------------------------------------


@pytest.mark.parametrize("perspective_correct", [True, False])
@pytest.mark.parametrize("kind", scenes.KINDS)
@pytest.mark.parametrize("texture", TEXTURES)
def test_matches_reference(texture, kind, perspective_correct, rng):
    faces = scenes.random_faces(kind, rng, num_items=2)
    colors = TEXTURES[texture](rng)
    options = settings_of(9, 11, perspective_correct=perspective_correct)
    image = sr.rasterize(faces, colors, options, background=0.2)
    assert_same(image, reference.rasterize(faces, colors, options, background=0.2))


@pytest.mark.parametrize("channels", [1, 5])
@pytest.mark.parametrize("texture", TEXTURES)
def test_any_number_of_channels(texture, channels, rng):
    faces = scenes.random_faces("tilted", rng, num_items=2)
    colors = TEXTURES[texture](rng, channels=channels)
    image = sr.rasterize(faces, colors, settings_of(8, 8))
    assert_same(image, reference.rasterize(faces, colors, settings_of(8, 8)))


def test_texels_of_a_face_lie_as_documented():
    """The lower left half of the image; the first weight grows to the right, the second upwards."""
    corners = [[1.0, -1.0, 2.0], [-1.0, 1.0, 2.0], [-1.0, -1.0, 2.0]]
    faces = torch.tensor(corners, dtype=torch.float64)[None, None]
    texels = torch.arange(4, dtype=torch.float64).reshape(1, 1, 4, 1)
    options = settings_of(4, 4, color="hard")
    image = sr.rasterize(faces, sr.SurfaceTexture(texels), options, background=9.0)
    assert image[0, ..., 0].tolist() == [[9, 9, 9, 9], [2, 9, 9, 9], [0, 3, 9, 9], [0, 0, 1, 9]]


def test_images_are_upright():
    """Row 0 of an image is on top, at v = 1."""
    corners = [[-1.0, -1.0], [3.0, -1.0], [-1.0, 3.0]]
    faces = torch.tensor([[*corner, 2.0] for corner in corners], dtype=torch.float64)[None, None]
    uvs = (faces[..., :2] + 1) / 2
    image = torch.arange(6.0, dtype=torch.float64).reshape(1, 2, 3, 1)
    options = settings_of(2, 3, sigma=1e-9, gamma=1e-6)
    drawn = sr.rasterize(faces, sr.UVTexture(uvs, image), options)
    assert_same(drawn[..., :1], image, atol=1e-9)


ALONG = {
    "repeat": [1, 2, 4] * 3,
    "clamp": [1, 1, 1, 1, 2, 4, 4, 4, 4],
    "mirror": [4, 2, 1, 1, 2, 4, 4, 2, 1],
}
"""Three texels, 1, 2 and 4, from one width of them before the first to one after the last."""


@pytest.mark.parametrize("along_v", ALONG)
@pytest.mark.parametrize("along_u", ALONG)
def test_beyond_the_border(along_u, along_v):
    """Products of a row and a column of texels, seen from -1 to 2 at their centres."""
    corners = [[-1.0, -1.0], [3.0, -1.0], [-1.0, 3.0]]
    faces = torch.tensor([[*corner, 2.0] for corner in corners], dtype=torch.float64)[None, None]
    uvs = (faces[..., :2] + 1) / 2 * 3 - 1
    row = torch.tensor([1.0, 2.0, 4.0], dtype=torch.float64)
    texels = (row.flip(0)[:, None] * row).reshape(1, 3, 3, 1)  # row 0 is on top, v upwards
    code = sr.Material(wrap=(along_u, along_v)).wrap_code
    maps = torch.tensor([[0, 3, 3, code]], dtype=torch.int32)
    options = settings_of(9, 9, sigma=1e-9, gamma=1e-6)
    drawn = sr.rasterize(faces, sr.UVTexture(uvs, texels, maps), options)[0, ..., 0]
    up = torch.tensor(ALONG[along_v], dtype=torch.float64).flip(0)
    expected = up[:, None] * torch.tensor(ALONG[along_u], dtype=torch.float64)
    assert_same(drawn, expected, atol=1e-8)


@pytest.mark.parametrize("place", [1e30, -1e30])
def test_places_far_away_are_harmless(place, rng):
    faces = scenes.random_faces("overlapping", rng)
    texture = random_maps(rng)
    texture.face_uvs[0, 2] = place
    assert sr.rasterize(faces, texture, settings_of(8, 8)).isfinite().all()


def test_a_face_whose_place_is_not_finite_is_left_out(rng):
    faces = scenes.random_faces("overlapping", rng)
    texture = random_maps(rng)
    texture.face_uvs[0, 5, 1, 0] = float("nan")
    fewer = sr.UVTexture(texture.face_uvs[:, :5], texture.texels, MAPS, FACE_MAPS[:5])
    expected = sr.rasterize(faces[:, :5], fewer, settings_of(8, 8))
    assert_same(sr.rasterize(faces, texture, settings_of(8, 8)), expected)


# --- Gradients --------------------------------------------------------------------------------


@pytest.mark.gradcheck
@pytest.mark.parametrize("color", ["softmax", "hard"])
@pytest.mark.parametrize("kind", ["overlapping", "tilted", "covering", "slivers"])
def test_map_gradients_match_finite_differences(kind, color, rng):
    options = settings_of(6, 7, coverage_cutoff=1e-20, color=color)
    given = random_maps(rng)
    leaves = {
        "face_vertices": scenes.random_faces(kind, rng, num_items=2),
        "face_uvs": given.face_uvs / 4,  # slow enough that few steps cross a texel's centre
        "texels": given.texels,
        "attributes": scenes.random_colors(6, 2, rng),
    }

    def draw(face_vertices, face_uvs, texels, attributes):
        texture = sr.UVTexture(face_uvs, texels, MAPS, FACE_MAPS)
        return sr.rasterize(face_vertices, texture, options, attributes=attributes)

    gradients.assert_gradients_match(draw, leaves, rng)


@pytest.mark.gradcheck
@pytest.mark.parametrize("color", ["softmax", "hard"])
def test_surface_gradients_match_finite_differences(color, rng):
    options = settings_of(6, 7, coverage_cutoff=1e-20, color=color)
    leaves = {
        "face_vertices": scenes.random_faces("tilted", rng, num_items=2),
        "texels": random_surface(rng).texels,
    }

    def draw(face_vertices, texels):
        return sr.rasterize(face_vertices, sr.SurfaceTexture(texels), options)

    gradients.assert_gradients_match(draw, leaves, rng)


@pytest.mark.parametrize("texture", TEXTURES)
def test_gradient_by_hand_equals_autodiff(texture, rng, monkeypatch):
    faces = scenes.random_faces("tilted", rng, num_items=2)
    given = TEXTURES[texture](rng)
    weights = uniform(rng, 2, 16, 20, 4)

    def gradients_of():
        leaves = [faces.clone().requires_grad_(), given.texels.clone().requires_grad_()]
        colors = sr.SurfaceTexture(leaves[1])
        if isinstance(given, sr.UVTexture):
            leaves.append(given.face_uvs.clone().requires_grad_())
            colors = replace(given, face_uvs=leaves[2], texels=leaves[1])
        sr.rasterize(leaves[0], colors, settings_of(16, 20)).backward(weights)
        return [leaf.grad for leaf in leaves]

    found = gradients_of()
    monkeypatch.setattr(RasterizeOperator, "_autodiff", True)
    for gradient, expected in zip(found, gradients_of()):
        assert_same(gradient, expected, atol=1e-11 * float(expected.abs().max()))


def test_gradients_on_a_tape(rng):
    """The same gradients on Taichi's side, which has no views of arrays."""
    faces, given = scenes.random_faces("overlapping", rng), random_maps(rng)
    leaves = [x.clone().requires_grad_() for x in (faces, given.face_uvs, given.texels)]
    texture = sr.UVTexture(leaves[1], leaves[2], MAPS, FACE_MAPS)
    image = sr.rasterize(leaves[0], texture, settings_of(8, 8, supersampling=2))
    sr.image_loss(image, torch.zeros_like(image)).sum().backward()

    arrays = [scenes.to_taichi(x, needs_grad=True) for x in leaves]
    whole = [sr.from_numpy(x.numpy()) for x in (MAPS, FACE_MAPS)]
    loss = ti.ndarray(ti.f64, 1, needs_grad=True)
    with ti.ad.Tape(loss=loss):
        texture = sr.UVTexture(arrays[1], arrays[2], *whole)
        image = sr.rasterize(arrays[0], texture, settings_of(8, 8, supersampling=2))
        zeros = sr.from_numpy(np.zeros(image.shape))
        sr.add_to_loss(loss, sr.image_loss(image, zeros))
    for array, leaf in zip(arrays, leaves):
        np.testing.assert_allclose(array.grad.to_numpy(), leaf.grad.numpy(), rtol=0, atol=1e-11)


# --- Attributes -------------------------------------------------------------------------------


@pytest.mark.parametrize("count", [1, 4, 6])
@pytest.mark.parametrize("texture", ["vertex", *TEXTURES])
def test_attributes_have_the_weights_of_colours(texture, count, rng):
    faces = scenes.random_faces("tilted", rng, num_items=2)
    colors = scenes.random_colors(6, 3, rng) if texture == "vertex" else TEXTURES[texture](rng)
    attributes = scenes.random_colors(6, count, rng, num_items=2)
    background = [0.1 * c for c in range(3 + count)]
    inputs = {"attributes": attributes, "background": background}
    image = sr.rasterize(faces, colors, settings_of(8, 9), **inputs)
    background = torch.tensor(background, dtype=torch.float64)
    inputs["background"] = background
    assert_same(image, reference.rasterize(faces, colors, settings_of(8, 9), **inputs))


def test_depth_is_an_attribute(rng):
    """Interpolated with 1 / depth, the corners' depths are the fragment's depth."""
    faces = scenes.random_faces("tilted", rng)
    options = settings_of(9, 9, gamma=1e-6)
    image = sr.rasterize(faces, faces[..., 2:].contiguous(), options, background=10.0)
    found = reference.find_fragments(faces, options)
    nearest = torch.where(found.shown, found.depth, 10.0).amin(-1)
    seen = nearest < 9.9
    assert_same(image[..., 0][seen], nearest[seen], atol=1e-4)


# --- Packed faces -----------------------------------------------------------------------------


def test_packed_faces_equal_separate_calls(rng):
    faces = scenes.random_faces("overlapping", rng, num_faces=9)
    colors = scenes.random_colors(9, 3, rng)
    items = torch.tensor([0, 0, 2, 2, 2, 2, 0, -1, 2], dtype=torch.int32)
    sigma = torch.tensor([0.01, 0.02, 0.05], dtype=torch.float64)
    weights = uniform(rng, 3, 7, 9, 4)
    for options in (settings_of(7, 9), settings_of(7, 9, alpha="sum")):
        leaves = [x.clone().requires_grad_() for x in (faces, colors, sigma)]
        image = sr.rasterize(
            *leaves[:2], options, sigma=leaves[2], face_items=items, num_items=3, background=0.5
        )
        image.backward(weights)
        for b in range(3):
            chosen = items == b
            parts = [x[:, chosen].clone().requires_grad_() for x in (faces, colors)]
            own_sigma = sigma[b : b + 1].clone().requires_grad_()
            part = sr.rasterize(*parts, options, sigma=own_sigma, background=0.5)
            assert_same(image[b : b + 1], part)
            part.backward(weights[b : b + 1])
            for leaf, own in zip(leaves, parts):
                assert_same(leaf.grad[:, chosen], own.grad)
            assert_same(leaves[2].grad[b : b + 1], own_sigma.grad)
        assert (leaves[0].grad[:, items < 0] == 0).all()
    alpha = sr.rasterize_silhouette(
        faces, settings_of(7, 9), sigma=sigma, face_items=items, num_items=3
    )
    assert_same(alpha, sr.rasterize(
        faces, colors, settings_of(7, 9), sigma=sigma, face_items=items, num_items=3
    )[..., -1])  # fmt: skip


# --- Supersampling ----------------------------------------------------------------------------


@pytest.mark.parametrize("factor", [2, 3])
def test_supersampling_is_the_mean_of_samples(factor, rng):
    faces = scenes.random_faces("tilted", rng, num_items=2)
    colors = scenes.random_colors(6, 3, rng)
    options = settings_of(5, 6, supersampling=factor)
    large = settings_of(5 * factor, 6 * factor)
    samples = sr.rasterize(faces, colors, large)
    expected = samples.reshape(2, 5, factor, 6, factor, 4).mean((2, 4))
    assert_same(sr.rasterize(faces, colors, options), expected)
    alpha = sr.rasterize_silhouette(faces, options)
    assert_same(alpha, expected[..., -1])


@pytest.mark.gradcheck
def test_supersampled_gradients_match_finite_differences(rng):
    options = settings_of(4, 5, supersampling=2, coverage_cutoff=1e-20)
    leaves = {
        "face_vertices": scenes.random_faces("tilted", rng),
        "background": uniform(rng, 1, 4, 5, 3),
    }
    colors = scenes.random_colors(6, 3, rng)

    def draw(face_vertices, background):
        return sr.rasterize(face_vertices, colors, options, background=background)

    gradients.assert_gradients_match(draw, leaves, rng)


# --- Refusals ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("make", "error", "message"),
    [
        (lambda t: {"colors": sr.SurfaceTexture(torch.zeros(1, 6, 5, 3))}, ValueError, "R \\* R"),
        (
            lambda t: {"colors": sr.SurfaceTexture(torch.zeros(1, 5, 4, 3))},
            ValueError,
            "texels must",
        ),
        (lambda t: {"colors": sr.UVTexture(t, torch.zeros(1, 0, 2, 3))}, ValueError, "at least 1"),
        (
            lambda t: {"colors": sr.UVTexture(t[:, :5], torch.zeros(1, 2, 2, 3))},
            ValueError,
            "face_uvs must have shape",
        ),
        (
            lambda t: {"colors": sr.UVTexture(t, torch.zeros(1, 1, 22, 3), MAPS, FACE_MAPS)},
            ValueError,
            "maps must be at least 1, within the 22 texels",
        ),
        (
            lambda t: {"colors": sr.UVTexture(t, torch.zeros(1, 1, 23, 3), MAPS)},
            ValueError,
            "face_maps must be given with 5 maps",
        ),
        (
            lambda t: {"colors": sr.UVTexture(t, torch.zeros(1, 1, 23, 3), MAPS, FACE_MAPS + 1)},
            ValueError,
            "face_maps must be from 0 to 4, got 1 to 5",
        ),
        (
            lambda t: {"colors": sr.UVTexture(t, torch.zeros(1, 1, 23, 3), BAD_WRAP)},
            ValueError,
            "maps must wrap by numbers from 0 to 11, got 12 to 12",
        ),
        (lambda t: {"attributes": torch.zeros(1, 5, 3, 2)}, ValueError, "attributes must have"),
        (lambda t: {"attributes": torch.zeros(1, 6, 3, 0)}, ValueError, "at least 1 channel"),
        (lambda t: {"num_items": 2}, ValueError, "face_items must be given"),
        (
            lambda t: {"face_items": torch.zeros(6, dtype=torch.int32)},
            ValueError,
            "num_items must be given",
        ),
        (lambda t: {"face_items": torch.zeros(6), "num_items": 1}, TypeError, "face_items must be"),
    ],
)
def test_refusals(make, error, message):
    inputs = {
        "face_vertices": torch.zeros(1, 6, 3, 3),
        "colors": torch.zeros(1, 6, 3, 3),
        "settings": settings_of(4, 4),
        **make(torch.zeros(1, 6, 3, 2)),
    }
    with pytest.raises(error, match=message):
        sr.rasterize(**inputs)


def test_concatenate_shares_items_and_faces(rng):
    parts = [uniform(rng, 2, 1, 3, 2), uniform(rng, 1, 4, 3, 1)]
    expected = torch.cat([parts[0].expand(-1, 4, -1, -1), parts[1].expand(2, -1, -1, -1)], dim=-1)
    assert_same(concatenate(parts), expected)
    assert torch.autograd.gradcheck(
        lambda *x: concatenate(x), [x.clone().requires_grad_() for x in parts]
    )
