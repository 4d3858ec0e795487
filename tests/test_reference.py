"""The method in PyTorch: against numbers by hand, SoftRas's own, and finite differences.

That the rasterizer draws the same is tested where the rasterizer is.
"""

import json
from pathlib import Path

import numpy as np
import pytest
import scenes
import torch

import taichi_softras as sr
from taichi_softras import reference

GOLDEN = Path(__file__).parent / "golden"
CASES = [
    case
    for case in json.loads((GOLDEN / "index.json").read_text())
    if case["compare"] == "image" and case["double_sided"] and "soup12" in case["name"]
]
TRIANGLE = torch.tensor(
    [[[[-0.5, -0.5, 2.0], [0.5, -0.5, 2.0], [-0.5, 0.5, 4.0]]]], dtype=torch.float64
)


def settings_of(height, width, **options):
    options = {"near": 1.0, "far": 10.0, "sigma": 1e-2, "gamma": 1e-1, **options}
    return sr.RasterizerSettings(height=height, width=width, **options)


def assert_same(found, expected, atol=1e-12):
    torch.testing.assert_close(found, expected, rtol=0, atol=atol)


def numbers(*values):
    return torch.tensor(values, dtype=torch.float64)


# --- By hand ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("interpolation", "beside"), [("nearest", (0.25, 0.75, 0.0)), ("clipped", (0.4, 0.6, 0.0))]
)
def test_a_pixel_is_what_the_formulas_say(interpolation, beside):
    """Those at (-0.25, -0.25), inside by 1/4, and (0.25, 0.25), outside by sqrt(1/8).

    And that at (0.25, -0.75), by 1/4 below the edge from the first corner to the second.
    """
    settings = settings_of(4, 4, sigma=0.1, gamma=0.5, eps=0.25, interpolation=interpolation)
    colors = numbers([[1.0, 0, 0], [0, 1.0, 0], [0, 0, 1.0]])[None]
    image = reference.rasterize(TRIANGLE, colors, settings, background=0.5)[0]
    for (row, col), s, weights in (
        ((2, 1), 0.25**2, (0.5, 0.25, 0.25)),
        ((1, 2), -((0.25 * 2**0.5) ** 2), (0.0, 0.5, 0.5)),
        ((3, 2), -(0.25**2), beside),
    ):
        cover = 1 / (1 + np.exp(-s / 0.1))
        depth = 1 / np.dot(weights, 1 / np.array([2.0, 2.0, 4.0]))
        color = np.multiply(weights, 1 / np.array([2.0, 2.0, 4.0])) * depth
        share = cover * np.exp((10 - depth) / 9 / 0.5)
        total = share + np.exp(0.25 / 0.5)
        expected = (share * color + np.exp(0.25 / 0.5) * 0.5) / total
        assert_same(image[row, col], numbers(*expected, cover))


def test_two_faces_cover_as_if_they_were_independent():
    settings = settings_of(4, 4, sigma=0.1)
    alone = reference.rasterize_silhouette(TRIANGLE, settings)
    twice = reference.rasterize_silhouette(TRIANGLE.repeat(1, 2, 1, 1), settings)
    assert_same(twice, 1 - (1 - alone) ** 2)
    mean = settings_of(4, 4, sigma=0.1, alpha="sum", coverage_cutoff=1e-12)
    assert_same(reference.rasterize_silhouette(TRIANGLE.repeat(1, 2, 1, 1), mean), alone, atol=1e-3)


def test_maps_have_row_0_on_top_and_v_upwards():
    """At the centre of its first texel a map has that texel's colour; between two, their mean."""
    texels = numbers([[[1.0], [2.0], [3.0]], [[4.0], [5.0], [6.0]]])[0][None]
    uvs = numbers([[[1 / 6, 0.75], [3 / 6, 0.25], [4 / 6, 0.75]]])
    at_corners = torch.eye(3, dtype=torch.float64).reshape(1, 1, 3, 1, 3)
    found = reference.sample_texture(sr.UVTexture(uvs, texels), at_corners)
    assert_same(found[0, 0, :, 0, 0], numbers(1.0, 5.0, 2.5))


def test_texels_lie_below_and_above_the_diagonals_of_cells():
    texture = sr.SurfaceTexture(torch.arange(4.0).double().reshape(1, 1, 4, 1))
    weights = numbers([0.2, 0.2, 0.6], [0.7, 0.2, 0.1], [0.2, 0.7, 0.1], [0.4, 0.4, 0.2])
    found = reference.sample_texture(texture, weights.reshape(1, 1, 4, 1, 3))
    assert found.flatten().tolist() == [0, 1, 2, 3]


@pytest.mark.parametrize(("near", "far", "drawn"), [(1, 10, True), (3, 10, False), (1, 2, False)])
def test_what_is_outside_the_depth_range_is_left_out(near, far, drawn):
    settings = settings_of(4, 4, near=near, far=far)
    alpha = reference.rasterize_silhouette(TRIANGLE, settings)
    assert (alpha[0, 2, 1] > 0.5) == drawn


# --- By SoftRas -------------------------------------------------------------------------------


@pytest.mark.parametrize("case", CASES, ids=lambda case: case["name"])
def test_matches_softras(case):
    arrays = np.load(GOLDEN / f"{case['name']}.npz")
    faces, colors = (
        torch.tensor(arrays[f"face_{name}"]).double() for name in ("vertices", "textures")
    )
    settings = settings_of(
        24,
        24,
        **{key: case[key] for key in ("near", "far", "sigma", "gamma")},
        eps=2 * case["eps"],  # SoftRas's code counts it twice
        coverage_cutoff=case["dist_eps"],
        perspective_correct=False,
        interpolation="clipped",
    )
    image = reference.rasterize(faces, colors, settings, background=case["background"])
    assert_same(image.permute(0, 3, 1, 2), torch.tensor(arrays["image"]), atol=1e-6)


# --- Options ----------------------------------------------------------------------------------


def test_samples_are_averaged_and_backgrounds_stretched(rng):
    faces, colors = scenes.random_faces("tilted", rng, 2), scenes.random_colors(6, 2, rng)
    settings = settings_of(5, 8, supersampling=3)
    inputs = {
        "attributes": scenes.random_colors(6, 1, rng, 2),
        "background": torch.rand(1, 2, 5, 3, generator=rng, dtype=torch.float64),
    }
    found = reference.rasterize(faces, colors, settings, **inputs)
    assert_same(found, sr.rasterize(faces, colors, settings, **inputs))
    alpha = reference.rasterize_silhouette(faces, settings)
    assert_same(alpha, sr.rasterize_silhouette(faces, settings))


def test_float32_stays_float32(rng):
    faces, colors = scenes.random_faces("tilted", rng), scenes.random_colors(6, 3, rng)
    settings = settings_of(6, 7)
    single = reference.rasterize(faces.float(), colors.float(), settings)
    assert single.dtype == torch.float32
    assert_same(single.double(), reference.rasterize(faces, colors, settings), atol=1e-4)


@pytest.mark.parametrize("place", ["corner", "color", "uv"])
def test_a_face_that_is_not_finite_is_left_out_of_image_and_gradient(place, rng):
    faces, colors = scenes.random_faces("overlapping", rng), scenes.random_colors(6, 3, rng)
    uvs = torch.rand(1, 6, 3, 2, generator=rng, dtype=torch.float64)
    texels = torch.rand(1, 3, 4, 3, generator=rng, dtype=torch.float64)
    {"corner": faces, "color": colors, "uv": uvs}[place][0, 2, 1, 0] = torch.nan
    leaves = [x.requires_grad_() for x in (faces, colors, uvs)]
    kept = torch.arange(6) != 2
    faces, others, places = (x[:, kept] for x in leaves)
    settings = settings_of(6, 7)
    if place == "uv":
        image = reference.rasterize(leaves[0], sr.UVTexture(leaves[2], texels), settings)
        expected = reference.rasterize(faces, sr.UVTexture(places, texels), settings)
    else:
        image = reference.rasterize(*leaves[:2], settings)
        expected = reference.rasterize(faces, others, settings)
    assert_same(image, expected)
    image.sum().backward()
    for x in leaves:
        assert x.grad is None or x.grad.isfinite().all()


# --- Gradients --------------------------------------------------------------------------------


@pytest.mark.gradcheck
@pytest.mark.parametrize(
    "options",
    [
        {},
        {"interpolation": "clipped"},
        {"coverage": "barycentric", "perspective_correct": False},
    ],
)
def test_gradients_match_finite_differences(options, rng):
    settings = settings_of(3, 4, **options, coverage_cutoff=1e-20)
    inputs = (
        scenes.random_faces("overlapping", rng, num_faces=3),
        scenes.random_colors(3, 2, rng),
        torch.rand(1, 1, 1, 2, generator=rng, dtype=torch.float64),
        *(numbers(0.03), numbers(0.2), numbers(0.01)),
    )

    def draw(faces, colors, background, sigma, gamma, eps):
        softness = {"sigma": sigma, "gamma": gamma, "eps": eps}
        return reference.rasterize(faces, colors, settings, background=background, **softness)

    assert torch.autograd.gradcheck(draw, [x.requires_grad_() for x in inputs], atol=1e-6)


@pytest.mark.gradcheck
def test_gradients_of_a_map_match_finite_differences(rng):
    uvs = torch.rand(1, 3, 3, 2, generator=rng, dtype=torch.float64).requires_grad_()
    texels = torch.rand(1, 2, 3, 2, generator=rng, dtype=torch.float64).requires_grad_()
    faces = scenes.random_faces("overlapping", rng, num_faces=3).requires_grad_()

    def draw(faces, uvs, texels):
        return reference.rasterize(faces, sr.UVTexture(uvs, texels), settings_of(3, 4))

    assert torch.autograd.gradcheck(draw, [faces, uvs, texels], atol=1e-6)


def test_softras_leaves_out_what_is_interpolated(rng):
    colors, weights = scenes.random_colors(6, 3, rng), torch.randn(1, 9, 13, 4, generator=rng)
    settings = settings_of(9, 13)

    def differentiate(interpolation_gradient):
        faces = scenes.random_faces("tilted", torch.Generator().manual_seed(1)).requires_grad_()
        leaf = colors.clone().requires_grad_()
        image = reference.rasterize(
            faces, leaf, settings, interpolation_gradient=interpolation_gradient
        )
        image.backward(weights.double())
        return image.detach(), leaf.grad, faces.grad

    (image, of_colors, exact), found = differentiate(True), differentiate(False)
    assert_same(found[0], image)
    assert_same(found[1], of_colors)
    assert_same(found[2][..., 2], exact[..., 2])
    missing = (found[2] - exact)[..., :2].norm() / exact[..., :2].norm()
    assert missing > 0.05
    # Alpha is of coverage alone: of it, nothing is missing.
    faces = scenes.random_faces("tilted", rng).requires_grad_()
    gradients = [
        torch.autograd.grad(
            reference.rasterize(faces, colors, settings, interpolation_gradient=kept)[..., 3].sum(),
            faces,
        )[0]
        for kept in (True, False)
    ]
    assert_same(*gradients)


# --- Refusals ---------------------------------------------------------------------------------


def test_what_can_not_be_drawn_is_refused():
    settings = settings_of(2, 2)
    with pytest.raises(TypeError, match=r"float32 or float64, got torch\.int64"):
        reference.rasterize_silhouette(torch.zeros(1, 1, 3, 3, dtype=torch.int64), settings)
    with pytest.raises(TypeError, match="float32 or float64, got ndarray"):
        reference.rasterize_silhouette(np.zeros((1, 1, 3, 3)), settings)
    with pytest.raises(ValueError, match=r"shape \(B, F, 3, 3\), got \(1, 3, 3\)"):
        reference.rasterize_silhouette(torch.zeros(1, 3, 3), settings)


def test_members_of_ones_own_are_refused(monkeypatch):
    from taichi_softras.rasterizer import families

    monkeypatch.setitem(families.ALPHAS, "mine", families.ALPHAS["prod"])
    with pytest.raises(ValueError, match=r"alpha must be one of .*, got 'mine'"):
        reference.rasterize_silhouette(TRIANGLE, settings_of(2, 2, alpha="mine"))
