"""Image maps under minification: pyramids, footprints, colours between levels, and gradients."""

import itertools
from dataclasses import replace

import gradients
import numpy as np
import pytest
import scenes
import torch
from scenes import random_like, uniform

import taichi_softras as sr
from taichi_softras import reference
from taichi_softras.arrays.bridge import to_numpy
from taichi_softras.backend import ti
from taichi_softras.rasterizer._pyramids import build_pyramid

MAPS = torch.tensor(
    [[2, 13, 16, 0], [210, 1, 9, 1], [219, 8, 5, 2], [2, 16, 13, 3 + 3 * 2 + 1], [259, 1, 1, 0]],
    dtype=torch.int32,
)
"""Of odd and even sizes, a row, a single texel, two maps of the same texels; some are in none."""
NUM_TEXELS = 261
FACE_MAPS = torch.tensor([0, 2, 1, 3, 4, 0], dtype=torch.int32)


def settings_of(height, width, **options):
    options = {"near": 1.0, "far": 10.0, "sigma": 1e-2, "gamma": 1e-1, **options}
    return sr.RasterizerSettings(height=height, width=width, **options)


def random_texture(rng, num_items=1, spread=1.0):
    uvs = uniform(rng, 1, 6, 3, 2, low=0.5 - spread, high=0.5 + spread)
    texels = uniform(rng, num_items, 1, NUM_TEXELS, 3)
    return sr.UVTexture(uvs, texels, MAPS, FACE_MAPS, mipmaps=True)


def covering(depths=(2.0, 2.0, 2.0)):
    """One face over the whole image, and the coordinates of a map that fits into the image."""
    corners = torch.tensor([[-1.0, -1.0], [3.0, -1.0], [-1.0, 3.0]], dtype=torch.float64)
    depth = torch.tensor(depths, dtype=torch.float64)[:, None]
    return torch.cat([corners, depth], dim=1)[None, None], ((corners + 1) / 2)[None, None]


def assert_same(actual, expected, atol=1e-12):
    torch.testing.assert_close(actual, expected, rtol=0, atol=atol)


# --- Pyramids ---------------------------------------------------------------------------------


def areas(size):
    """What part of each of ``size`` texels half as many, rounded down, are: rows sum to 1."""
    half = max(size // 2, 1)
    parts = np.zeros((half, size))
    for i in range(half):
        low, high = i * size / half, (i + 1) * size / half
        for s in range(size):
            parts[i, s] = max(min(high, s + 1) - max(low, s), 0) / (high - low)
    return parts


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_levels_are_means_of_areas(dtype, rng):
    texture = random_texture(rng, num_items=2)
    texture = replace(texture, texels=texture.texels.to(dtype))
    pyramid, table = (to_numpy(x) for x in build_pyramid(texture))
    np.testing.assert_array_equal(pyramid[:, 0, :NUM_TEXELS], texture.texels[:, 0].numpy())
    assert table.shape == (5, 4 * 5)  # 16, 8, 4, 2, 1
    for levels in table.reshape(5, 5, 4):
        images = []
        for first, height, width, wrap in levels:
            assert wrap == levels[0, 3]
            part = pyramid[:, 0, first : first + height * width]
            images.append(part.reshape(2, height, width, 3))
        for image, smaller in itertools.pairwise(images):
            down, right = (areas(size) for size in image.shape[1:3])
            expected = np.einsum("ih,jw,bhwc->bijc", down, right, image)
            np.testing.assert_allclose(
                smaller, expected, atol=1e-6 if dtype.itemsize == 4 else 1e-14
            )
        mean = images[0].mean(axis=(1, 2))
        np.testing.assert_allclose(images[-1][:, 0, 0], mean, atol=1e-6)
    ends = (table[:, 0::4] + table[:, 1::4] * table[:, 2::4])[:, 1:]
    assert ends.max() == pyramid.shape[2]
    assert len(np.unique(table[:, 4::4])) == 20  # only level 0 has texels of several maps


def test_gradient_of_a_pyramid_is_its_adjoint(rng):
    texture = random_texture(rng, num_items=2)
    texels = texture.texels.requires_grad_()
    pyramid, _ = build_pyramid(texture)
    weights = random_like(pyramid, rng)
    kept = weights.clone()
    (found,) = torch.autograd.grad((pyramid * weights).sum(), texels)
    assert torch.equal(weights, kept)
    other = random_like(texels, rng)
    moved, _ = build_pyramid(replace(texture, texels=other))
    assert float((found * other).sum()) == pytest.approx(float((moved * weights).sum()), abs=1e-12)


def test_one_texel_has_no_other_level(rng):
    faces, uvs = covering()
    texels = uniform(rng, 1, 1, 1, 3)
    pyramid, table = build_pyramid(sr.UVTexture(uvs, texels, mipmaps=True))
    assert_same(pyramid, texels)
    assert to_numpy(table).tolist() == [[0, 1, 1, 0]]
    options = settings_of(3, 4, sigma=1e-9, gamma=1e-6)
    image = sr.rasterize(faces, sr.UVTexture(50 * uvs, texels, mipmaps=True), options)
    assert_same(image[..., :3], texels.expand(1, 3, 4, 3), atol=1e-8)


# --- Levels -----------------------------------------------------------------------------------


@pytest.mark.parametrize("size", [(8, 8), (32, 64), (4, 24)])
def test_a_pixel_is_the_mean_of_the_texels_under_it(size, rng):
    """Four times four texels a pixel are one of level 2, whose centre is the pixel's."""
    faces, uvs = covering()
    texels = uniform(rng, 1, *size, 3)
    height, width = size[0] // 4, size[1] // 4
    options = settings_of(height, width, sigma=1e-9, gamma=1e-6)
    image = sr.rasterize(faces, sr.UVTexture(uvs, texels, mipmaps=True), options)
    means = texels.reshape(1, height, 4, width, 4, 3).mean((2, 4))
    assert_same(image[..., :3], means, atol=1e-8)


def test_between_levels_colours_are_mixed():
    """Three texels to a pixel are log2(3) - 1 of the way from level 1 to level 2."""
    faces, uvs = covering()
    # Squares of 2 x 2 texels are 0 or 1, as in a game of chess: so is level 1; level 2 is 1/2.
    squares = torch.tensor([[1.0, 0.0], [0.0, 1.0]], dtype=torch.float64).repeat(12, 12)
    texels = (
        squares.repeat_interleave(2, 0).repeat_interleave(2, 1)[None, ..., None].repeat(1, 1, 1, 3)
    )
    # The lower left pixel has its centre 1.5 texels from the corner; moved to 1, that of a square.
    texture = sr.UVTexture(uvs - 0.5 / 48, texels, mipmaps=True)
    image = sr.rasterize(faces, texture, settings_of(16, 16, sigma=1e-9, gamma=1e-6))
    between = np.log2(3) - 1
    assert float(image[0, 15, 0, 0]) == pytest.approx(between * 0.5, abs=1e-8)
    # Two pixels farther are six texels, which is three squares.
    assert float(image[0, 15, 2, 0]) == pytest.approx(1 - between * 0.5, abs=1e-8)


@pytest.mark.parametrize("wrap", [0, 1, 2, 3 + 3 * 1 + 2])
def test_magnified_maps_are_the_same(wrap, rng):
    """But for the rounding of a sum of eight terms, four of them 0."""
    faces, uvs = covering((2.0, 3.0, 1.5))
    maps = torch.tensor([[0, 5, 7, wrap]], dtype=torch.int32)
    texture = sr.UVTexture(2.5 * uvs - 0.7, uniform(rng, 1, 5, 7, 3), maps)
    options = settings_of(64, 80)
    plain = sr.rasterize(faces, texture, options)
    assert_same(sr.rasterize(faces, replace(texture, mipmaps=True), options), plain, atol=1e-13)


@pytest.mark.parametrize("spread", [0.3, 3.0, 30.0])
@pytest.mark.parametrize("kind", ["tilted", "slivers", "tiny"])
def test_matches_reference(kind, spread, rng):
    """From magnified to the last level, on faces that are seen well, and on ones that aren't."""
    faces = scenes.random_faces(kind, rng, num_items=2)
    texture = random_texture(rng, num_items=2, spread=spread)
    options = settings_of(9, 12, supersampling=2)
    assert_same(
        sr.rasterize(faces, texture, options, background=0.2),
        reference.rasterize(faces, texture, options, background=0.2),
    )


@pytest.mark.parametrize("orthographic", [False, True])
@pytest.mark.parametrize("perspective_correct", [False, True])
def test_changes_are_differences_of_neighbours(orthographic, perspective_correct):
    """What a footprint is made of: affine weights change alike everywhere, others nearly so."""
    faces, _ = covering((2.0, 3.0, 4.0))
    options = settings_of(
        40, 60, orthographic=orthographic, perspective_correct=perspective_correct
    )
    found = reference.find_fragments(faces, options)
    changes = reference.find_changes(faces, options, found)[0, :, :, 0]
    weights = found.weights[0, :, :, 0]
    atol = 5e-5 if perspective_correct and not orthographic else 1e-14
    right = (weights[1:-1, 2:] - weights[1:-1, :-2]) / 2
    assert_same(changes[1:-1, 1:-1, :, 0], right, atol=atol)
    up = (weights[:-2, 1:-1] - weights[2:, 1:-1]) / 2
    assert_same(changes[1:-1, 1:-1, :, 1], up, atol=atol)
    assert float(changes.abs().max()) > 1e-3


@pytest.mark.parametrize("place", [1e30, 3e38])
def test_places_far_away_are_harmless(place, rng):
    faces = scenes.random_faces("overlapping", rng).float()
    texture = random_texture(rng)
    texture.face_uvs[0, 2, 0] = place
    texture.face_uvs[0, 3] = -place
    single = replace(texture, face_uvs=texture.face_uvs.float(), texels=texture.texels.float())
    assert sr.rasterize(faces, single, settings_of(8, 8)).isfinite().all()


# --- Gradients --------------------------------------------------------------------------------


@pytest.mark.gradcheck
@pytest.mark.parametrize(
    "options",
    [
        {},
        {"color": "hard", "perspective_correct": False},
        {"orthographic": True, "interpolation": "clipped"},
    ],
    ids=str,
)
@pytest.mark.parametrize("kind", ["tilted", "overlapping"])
def test_gradients_match_finite_differences(kind, options, rng):
    settings = settings_of(6, 7, coverage_cutoff=1e-20, **options)
    given = random_texture(rng)
    leaves = {
        "face_vertices": scenes.random_faces(kind, rng, num_items=2),
        "face_uvs": given.face_uvs,
        "texels": given.texels,
        "gamma": torch.tensor([0.1], dtype=torch.float64),
    }

    def draw(face_vertices, face_uvs, texels, gamma):
        texture = replace(given, face_uvs=face_uvs, texels=texels)
        return sr.rasterize(face_vertices, texture, settings, gamma=gamma)

    gradients.assert_gradients_match(draw, leaves, rng)


@pytest.mark.gradcheck
def test_gradients_through_the_level_alone(rng):
    """A map that has one colour from level 1 on shows how much of that is seen."""
    faces, uvs = covering((2.0, 2.5, 3.0))
    faces = faces + 0.1 * random_like(faces, rng)
    texels = torch.zeros(1, 16, 16, 3, dtype=torch.float64)
    texels[:, ::2, ::2] = 1.0  # level 1 on is 1/4 all over

    def draw(face_vertices, face_uvs):
        texture = sr.UVTexture(face_uvs, texels, mipmaps=True)
        return sr.rasterize(face_vertices, texture, settings_of(10, 11))

    errors = gradients.assert_gradients_match(
        draw, {"face_vertices": faces, "face_uvs": uvs * 0.9}, rng
    )
    assert set(errors) == {"face_vertices", "face_uvs"}


def test_every_texel_under_a_pixel_has_a_gradient(rng):
    """Where without mipmaps at most four have."""
    faces, uvs = covering()
    texels = uniform(rng, 1, 64, 64, 3)
    reached = []
    for mipmaps in (False, True):
        leaf = texels.clone().requires_grad_()
        texture = sr.UVTexture(uvs, leaf, mipmaps=mipmaps)
        sr.rasterize(faces, texture, settings_of(8, 8)).sum().backward()
        reached.append(float((leaf.grad != 0).any(-1).double().mean()))
    assert reached == [pytest.approx(4 / 64), 1.0]


def test_gradients_on_a_tape(rng):
    faces, given = scenes.random_faces("tilted", rng), random_texture(rng)
    leaves = [x.clone().requires_grad_() for x in (faces, given.face_uvs, given.texels)]
    texture = replace(given, face_uvs=leaves[1], texels=leaves[2])
    image = sr.rasterize(leaves[0], texture, settings_of(8, 8))
    sr.image_loss(image, torch.zeros_like(image)).sum().backward()

    arrays = [scenes.to_taichi(x, needs_grad=True) for x in leaves]
    whole = [sr.from_numpy(x.numpy()) for x in (MAPS, FACE_MAPS)]
    loss = ti.ndarray(ti.f64, 1, needs_grad=True)
    with ti.ad.Tape(loss=loss):
        texture = sr.UVTexture(arrays[1], arrays[2], *whole, mipmaps=True)
        image = sr.rasterize(arrays[0], texture, settings_of(8, 8))
        zeros = sr.from_numpy(np.zeros(image.shape))
        sr.add_to_loss(loss, sr.image_loss(image, zeros))
    for array, leaf in zip(arrays, leaves):
        np.testing.assert_allclose(array.grad.to_numpy(), leaf.grad.numpy(), rtol=0, atol=1e-11)


# --- From meshes, and refusals ----------------------------------------------------------------


def test_a_mesh_gives_a_texture_with_mipmaps(rng):
    plane = sr.plane()
    mesh = replace(
        plane,
        face_uvs=(plane.vertices[:, :2] + 0.5)[plane.faces],
        face_materials=np.zeros(plane.num_faces, dtype=np.int32),
        materials=(sr.Material("noise", image=uniform(rng, 64, 64, 3).float().numpy()),),
    )
    vertices, faces, _ = mesh.to_torch()
    camera = sr.LookAtCamera(eye=(0, 0, 2), fov_degrees=40)
    settings = sr.RasterizerSettings(height=8, width=8, near=1, far=3)
    texture = mesh.texture("torch", mipmaps=True)
    assert texture.mipmaps
    smooth = sr.render(vertices, faces, texture, camera, settings)[0, 2:6, 2:6, :3]
    rough = sr.render(mesh, camera, settings, framework="torch")[0, 2:6, 2:6, :3]
    assert float(smooth.std()) < 0.3 * float(rough.std())


def test_refusals(rng):
    with pytest.raises(TypeError, match="mipmaps must be True or False, got 'yes'"):
        replace(random_texture(rng), mipmaps="yes")
    weights = uniform(rng, 1, 2, 2, 6, 3)
    with pytest.raises(ValueError, match="changes must be given"):
        reference.sample_texture(random_texture(rng), weights)
