"""Colours that photographs show come back from textures, and what is hidden takes none."""

from dataclasses import replace

import numpy as np
import photographed
import pytest

import taichi_softras as sr
from taichi_softras.reconstruction import drawing
from taichi_softras.reconstruction.sampling import PhotoSampler, color_vertices

BALL = photographed.colorful(sr.icosphere(4))


@pytest.fixture(scope="module")
def captures():
    return photographed.photograph(BALL, 12, height=96, width=128)


@pytest.fixture(scope="module")
def baked(captures):
    return sr.bake_texture(BALL.with_colors(None), captures, size=256)


def test_vertices_have_the_colors_of_photographs(captures):
    sampler = PhotoSampler(BALL, captures, np.ones(12))
    found = color_vertices(BALL.with_colors(None), sampler)
    assert np.abs(found.colors - BALL.colors).mean() < 0.02
    assert np.abs(found.colors - BALL.colors).max() < 0.15


def test_texture_draws_the_photographs(baked, captures):
    agreements = sr.measure_agreement(baked, captures)
    assert min(a.psnr for a in agreements) > 30
    assert baked.materials[0].image.shape == (256, 256, 3)
    assert baked.num_faces == BALL.num_faces


def test_places_of_the_texture_do_not_overlap(baked):
    """Areas in the image add up to what is covered, and are as those of the surface."""
    u, v, w = baked.face_uvs.astype(float).swapaxes(0, 1)
    sides, ends = v - u, w - u
    areas = np.abs(sides[:, 0] * ends[:, 1] - sides[:, 1] * ends[:, 0]) / 2
    assert 0.3 < areas.sum() < 1
    a, b, c = baked.vertices[baked.faces].swapaxes(0, 1)
    real = np.linalg.norm(np.cross(b - a, c - a), axis=1) / 2
    assert np.quantile(areas / real, 0.9) < 3 * np.quantile(areas / real, 0.1)


def test_depths_may_be_coarser_than_photographs(monkeypatch):
    """And their size no multiple of the photographs': 34 rows for 100."""
    monkeypatch.setattr(drawing, "MOST_ROWS", 30)
    captures = photographed.photograph(BALL, 12, height=100, width=130)
    depths, factor = drawing.draw_depths(BALL, captures)
    assert depths.shape == (12, 34, 44)
    assert factor == 3
    colors, weights = PhotoSampler(BALL, captures, np.ones(12)).sample(
        BALL.vertices, 2 * BALL.vertices
    )
    assert (weights > 0).all()
    assert np.abs(colors - BALL.colors).max() < 0.1


def test_exposures_are_taken_out(captures):
    gains = np.linspace(0.7, 1.2, 12)
    pictures = captures.pictures * gains[:, None, None, None]
    uneven = replace(captures, pictures=np.clip(pictures, 0, 255).astype(np.uint8))
    sampler = PhotoSampler(BALL, uneven, gains)
    found = color_vertices(BALL, sampler)
    assert np.abs(found.colors - BALL.colors).mean() < 0.02
    assert (
        np.abs(
            color_vertices(BALL, PhotoSampler(BALL, uneven, np.ones(12))).colors - BALL.colors
        ).mean()
        > 0.03
    )


def two_balls():
    """A red ball before a green one, seen from the front only."""
    ball = sr.icosphere(3)
    count = ball.num_vertices
    points = np.concatenate([ball.vertices * 1.4, ball.vertices - np.array([0, 0, 1.6])])
    faces = np.concatenate([ball.faces, ball.faces + count])
    return sr.Mesh(points, faces, [[0.9, 0.1, 0.1]] * count + [[0.1, 0.8, 0.1]] * count), count


def test_what_is_hidden_does_not_take_the_color_of_what_hides_it():
    mesh, count = two_balls()
    eyes = np.array([[0.0, 0, 6], [0.6, 0, 6], [4, 0, 5], [-4, 0, 5]])
    captures = photographed.photograph(mesh, height=96, width=96, eyes=eyes)
    colors, weights = PhotoSampler(mesh, captures, np.ones(4)).sample(
        mesh.vertices, np.concatenate([sr.icosphere(3).vertices * 2] * 2)
    )
    back = weights[count:] > 0
    assert 0.1 < back.mean() < 0.6
    assert np.abs(colors[count:][back] - [0.1, 0.8, 0.1]).max() < 0.05
    front = weights[:count] > 0
    errors = np.abs(colors[:count][front] - [0.9, 0.1, 0.1]).max(axis=1)
    assert (errors < 0.05).mean() > 0.9  # at its rim pixels show both


def test_unseen_places_blend_what_is_around():
    half = sr.icosphere(3).with_colors([[0.8, 0.4, 0.2]] * 642)
    eyes = np.array([[0.0, 0, 4], [1, 0, 4]])
    captures = photographed.photograph(half, height=64, width=64, eyes=eyes)
    baked = sr.bake_texture(half, captures, size=64)
    assert np.abs(baked.colors - [0.8, 0.4, 0.2]).max() < 0.02
    assert np.abs(baked.materials[0].image - [0.8, 0.4, 0.2]).max() < 0.02


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"size": 2}, "size must be at least 4"),
        ({"gains": [1.0]}, "gains must be 12 numbers above 0"),
        ({"gains": np.zeros(12)}, "gains must be 12 numbers above 0"),
        ({"mesh": sr.Mesh(BALL.vertices, BALL.faces[:0])}, "mesh must have faces, got none"),
        ({"mesh": BALL.with_vertices(BALL.vertices + 1e3)}, "some vertex must be in front"),
    ],
)
def test_refuses(captures, arguments, message):
    given = {"mesh": BALL, **arguments}
    one = captures.select([0]) if "mesh" in arguments else captures
    with pytest.raises(ValueError, match=message):
        sr.bake_texture(given.pop("mesh"), one, **given)
