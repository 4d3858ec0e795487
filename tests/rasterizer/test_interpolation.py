"""What is seen of a face by a pixel beside it: the nearest point, or where clipped coordinates are.

Most tests of the rasterizer and its gradients are of the nearest point, which is the default.
"""

import gradients
import numpy as np
import pytest
import scenes
import torch
from scenes import random_image
from test_face_gradient import gradients_of, random_inputs

import taichi_softras as sr
from taichi_softras import reference

INTERPOLATIONS = ["nearest", "clipped"]


def settings_of(height, width, **options):
    options = {"near": 1.0, "far": 10.0, "sigma": 3e-2, "gamma": 1e-1, **options}
    return sr.RasterizerSettings(height=height, width=width, **options)


def numbers(*values):
    return torch.tensor(values, dtype=torch.float64)


# --- Values -----------------------------------------------------------------------------------

# A right angle at (-1/2, -1/2), whose long side goes through (1/4, 0), in the middle of pixels.
RIGHT_ANGLE = [[-0.5, -0.5, 2.0], [1.0, -0.5, 4.0], [-0.5, 0.5, 8.0]]


@pytest.mark.parametrize(
    ("place", "nearest", "clipped"),
    [
        ((0.0, -0.25), (5 / 12, 1 / 3, 1 / 4), (5 / 12, 1 / 3, 1 / 4)),  # inside
        ((0.25, -0.75), (1 / 2, 1 / 2, 0), (3 / 5, 2 / 5, 0)),  # below
        ((-0.75, -0.75), (1, 0, 0), (1, 0, 0)),  # beyond a corner
        ((0.75, 0.5), (0, 15 / 26, 11 / 26), (0, 5 / 11, 6 / 11)),  # beyond the long side
    ],
    ids=str,
)
def test_a_pixel_sees_the_point_of_the_face_that_the_formulas_say(place, nearest, clipped):
    x, y = place
    face = numbers(RIGHT_ANGLE)[None] - numbers(x, y, 0)  # the only pixel is at (0, 0)
    for interpolation, weights in (("nearest", nearest), ("clipped", clipped)):
        settings = settings_of(1, 1, sigma=1.0, interpolation=interpolation)
        # The corners' weights as colours: with perspective, w_k z / z_k.
        seen = sr.list_fragments(
            face, torch.eye(3, dtype=torch.float64)[None, None], settings, 0, 0
        )
        per_depth = np.array(weights) / [2, 4, 8]
        depth = 1 / per_depth.sum()
        assert seen.depth[0] == pytest.approx(depth, abs=1e-12)
        np.testing.assert_allclose(seen.color[0], per_depth * depth, atol=1e-12)


@pytest.mark.parametrize("kind", scenes.KINDS)
def test_clipped_matches_reference(kind, rng):
    faces = scenes.random_faces(kind, rng, num_items=2)
    colors = scenes.random_colors(6, 3, rng)
    settings = settings_of(9, 12, interpolation="clipped")
    expected = reference.rasterize(faces, colors, settings, background=0.5)
    found = sr.rasterize(faces, colors, settings, background=0.5)
    torch.testing.assert_close(found, expected, rtol=0, atol=1e-12)
    other = sr.rasterize(faces, colors, settings_of(9, 12), background=0.5)
    assert (other != found).any() or kind == "covering"


@pytest.mark.parametrize("interpolation", INTERPOLATIONS)
def test_nothing_jumps_where_a_pixel_enters_a_face(interpolation):
    """Over each side, and over a corner, by a hair."""
    settings = settings_of(1, 1, sigma=1.0, interpolation=interpolation)
    colors = torch.eye(3, dtype=torch.float64)[None, None].expand(8, 1, 3, 3)
    places = numbers([0.25, -0.5], [-0.5, 0.1], [0.25, 0.0], [-0.5, 0.5])
    moves = 1e-9 * numbers([0, 1], [1, 0], [-1, -1], [0.1, -1])
    points = torch.cat([places - moves, places + moves])
    faces = numbers(RIGHT_ANGLE).expand(8, 1, 3, 3).clone()
    faces[..., :2] -= points[:, None, None]
    outside, inside = sr.rasterize(faces, colors, settings)[:, 0, 0].chunk(2)
    torch.testing.assert_close(outside, inside, rtol=0, atol=1e-7)


def test_the_coverage_does_not_change_what_is_seen(rng):
    faces, colors = scenes.random_faces("tilted", rng), scenes.random_colors(6, 3, rng)
    by_distance = settings_of(8, 8)
    by_weight = settings_of(8, 8, coverage="barycentric")
    compared = 0
    for row, col in np.ndindex(8, 8):
        seen, other = (
            sr.list_fragments(faces, colors, x, row, col) for x in (by_distance, by_weight)
        )
        _, ours, theirs = np.intersect1d(seen.faces, other.faces, return_indices=True)
        np.testing.assert_allclose(seen.color[ours], other.color[theirs], atol=1e-12)
        np.testing.assert_allclose(seen.depth[ours], other.depth[theirs], atol=1e-12)
        compared += len(ours)
    assert compared > 30


# --- Thin faces -------------------------------------------------------------------------------


def panel_on_a_fan() -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """A white square just above a black disc that is cut into 58 thin faces from one corner."""
    angles = torch.arange(60) * (2 * torch.pi / 60)
    disc = torch.stack([0.5 * angles.cos(), 0 * angles, 0.5 * angles.sin()], dim=-1)
    square = torch.tensor(
        [[-0.3, 0.02, -0.3], [0.3, 0.02, -0.3], [0.3, 0.02, 0.3], [-0.3, 0.02, 0.3]]
    )
    fan = [[0, k, k + 1] for k in range(1, 59)]
    faces = torch.tensor([*fan, [60, 61, 62], [60, 62, 63]], dtype=torch.int32)
    colors = torch.cat([torch.zeros(60, 3), torch.ones(4, 3)])
    return torch.cat([disc, square])[None], faces, colors[None]


def test_thin_faces_behind_a_panel_do_not_shine_through():
    """With clipped coordinates they do: the softmax prefers what seems to be nearer."""
    size = 64
    vertices, faces, colors = panel_on_a_fan()
    camera = sr.LookAtCamera(sr.orbit_eyes(2.2, 20, -90), fov_degrees=30)
    # The square's far third, from just inside its borders, in pixels.
    across, along = torch.meshgrid(
        torch.linspace(-0.28, 0.28, 200), torch.linspace(0.1, 0.28, 100), indexing="ij"
    )
    points = torch.stack([along, torch.full_like(along, 0.02), across], dim=-1)
    far_third = sr.project(points.reshape(1, -1, 3), camera, aspect=1.0)[0]
    rows, cols = (
        ((1 - far_third[:, 1]) * size / 2).long(),
        ((1 + far_third[:, 0]) * size / 2).long(),
    )
    assert far_third[:, 2].min() > 2.2, "it is the far one"
    dark = {}
    for interpolation in INTERPOLATIONS:
        settings = sr.RasterizerSettings(
            height=size, width=size, near=1.0, far=4.0, interpolation=interpolation
        )
        image = sr.render(vertices, faces, colors, camera, settings, background=1.0)
        dark[interpolation] = (image[0, rows, cols, 0] < 0.5).double().mean()
    assert dark["nearest"] == 0
    assert dark["clipped"] > 0.1


# --- Gradients --------------------------------------------------------------------------------


@pytest.mark.parametrize("autodiff", [False, True], ids=["by hand", "autodiff"])
@pytest.mark.parametrize("order", [(0, 1, 2), (1, 2, 0), (1, 0, 2)], ids=str)
def test_a_face_whose_projection_has_no_area_has_a_small_gradient(order, autodiff):
    """Two corners at one x, y: with clipped coordinates the gradient is over 1e9."""
    corners = numbers([-0.5, -0.3, 3.0], [0.6, 0.4, 4.0], [0.6, 0.4, 6.0])
    inputs = [
        corners[list(order)][None, None],
        torch.eye(3, dtype=torch.float64)[list(order)][None, None],
        torch.zeros(1, 1, 1, 3, dtype=torch.float64),
        *(numbers(x) for x in (1e-3, 0.1, 0.1)),
    ]
    weights = numbers(1.0, 0.5, 1.0, 0.0).repeat(64 * 64)
    settings = settings_of(64, 64, sigma=1e-3)
    found = gradients_of(inputs, settings, 3, weights, autodiff=autodiff)
    largest = float(found["face_vertices"].abs().max())
    assert 10 < largest < 1e4


@pytest.mark.parametrize("kind", scenes.KINDS)
def test_clipped_gradients_by_hand_equal_autodiff(kind, rng):
    settings = settings_of(16, 20, interpolation="clipped")
    inputs = random_inputs(kind, rng, 3)
    weights = torch.randn(2 * 16 * 20 * 4, generator=rng, dtype=torch.float64)
    found = gradients_of(inputs, settings, 3, weights, autodiff=False)
    for name, gradient in gradients_of(inputs, settings, 3, weights, autodiff=True).items():
        atol = 1e-11 * float(gradient.abs().max()) + 1e-13
        torch.testing.assert_close(found[name], gradient, rtol=0, atol=atol, msg=name)


@pytest.mark.gradcheck
@pytest.mark.parametrize("kind", scenes.KINDS)
def test_clipped_gradients_match_finite_differences(kind, rng):
    settings = settings_of(8, 8, coverage_cutoff=1e-12, interpolation="clipped")
    x, y, z = scenes.random_faces(kind, rng).unbind(-1)
    inputs = {"x": x, "y": y, "z": z, "colors": scenes.random_colors(6, 3, rng)}
    inputs |= {"sigma": numbers(3e-2), "gamma": numbers(0.1)}

    def draw(x, y, z, colors, **softness):
        return sr.rasterize(torch.stack([x, y, z], dim=-1), colors, settings, **softness)

    gradients.assert_gradients_match(draw, inputs, rng)


@pytest.mark.gradcheck
@pytest.mark.parametrize("interpolation", INTERPOLATIONS)
def test_texture_and_attributes_of_slivers(interpolation, rng):
    """Where the point that is seen differs most."""
    settings = settings_of(6, 7, coverage_cutoff=1e-20, interpolation=interpolation)
    texture = random_image(rng)
    inputs = {
        "face_vertices": scenes.random_faces("slivers", rng),
        "uvs": texture.face_uvs[:1],
        "texels": texture.texels[:1],
        "attributes": scenes.random_colors(6, 2, rng),
    }

    def draw(face_vertices, uvs, texels, attributes):
        return sr.rasterize(
            face_vertices, sr.UVTexture(uvs, texels), settings, attributes=attributes
        )

    gradients.assert_gradients_match(draw, inputs, rng)
