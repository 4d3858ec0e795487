"""That nothing is drawn because of near or far is said, once, and nothing else is."""

import warnings

import numpy as np
import pytest
import torch

import taichi_softras as sr
from taichi_softras.cameras import depths

CAMERA = sr.LookAtCamera(eye=(0, 0, 0.9))
"""Of a cube with sides from 0.4 to 1.4 before it."""

NOTHING_DRAWN = "nothing is drawn: all vertices have depths from 0.4 to 1.4"


@pytest.fixture(autouse=True)
def nothing_told(monkeypatch):
    monkeypatch.setattr(depths, "_TOLD", set())


@pytest.fixture(params=["taichi", "torch"])
def cube(request):
    return sr.cube().to_taichi() if request.param == "taichi" else sr.cube().to_torch()


def draw(arrays, near, far, camera=CAMERA, **options):
    vertices, faces, colors = arrays
    settings = sr.RasterizerSettings(height=8, width=8, near=near, far=far, sigma=1e-3)
    image = sr.render(vertices, faces, colors, camera, settings, **options)
    alpha = sr.render_silhouette(vertices, faces, camera, settings, **options)
    return image, alpha


@pytest.mark.parametrize("clip", [True, False])
@pytest.mark.parametrize(
    ("near", "far", "words"),
    [
        (2.0, 100.0, "nearer than near, with near=2 and far=100"),
        (0.1, 0.3, "behind far, with near=0.1 and far=0.3"),
    ],
)
def test_nothing_in_range_is_said(near, far, words, clip, cube):
    with pytest.warns(UserWarning, match=f"{NOTHING_DRAWN}, {words}") as told:
        image, alpha = draw(cube, near, far, clip=clip)
    assert len(told) == 1  # by render alone, which came first
    assert "sr.depth_range(vertices, camera)" in str(told[0].message)
    assert told[0].filename == __file__
    for array in (image, alpha):
        numbers = array.numpy() if torch.is_tensor(array) else array.to_numpy()
        assert (numbers == 0).all()


def test_silhouettes_alone_are_warned_of(cube):
    settings = sr.RasterizerSettings(height=8, width=8)
    far_off = sr.LookAtCamera(eye=(0, 0, 500))
    with pytest.warns(UserWarning, match="behind far") as told:
        sr.render_silhouette(*cube[:2], far_off, settings)
    assert told[0].filename == __file__


def test_a_mesh_behind_the_camera_is_said_to_be(cube):
    away = sr.LookAtCamera(eye=(0, 0, 4), at=(0, 0, 9))
    with pytest.warns(UserWarning, match=r"behind the camera, .* Turn the camera towards them"):
        draw(cube, 1.0, 100.0, away)


def test_each_range_is_warned_of_once(cube):
    for near in (2.0, 3.0):
        with pytest.warns(UserWarning, match=f"near={near:g}"):
            draw(cube, near, 100.0)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        draw(cube, 2.0, 100.0)
        draw(cube, 2.0, 100.0, sr.LookAtCamera(eye=(0, 0, 0.8)))


@pytest.mark.parametrize(
    ("near", "far", "camera"),
    [
        (1.3, 100.0, CAMERA),  # the far side of the cube is in range
        (0.1, 0.5, CAMERA),  # the near side
        (0.5, 1.0, CAMERA),  # only what lies between vertices
        (1.0, 100.0, sr.LookAtCamera(eye=(50, 0, 3), at=(50, 0, 0))),  # beside the picture
    ],
)
def test_nothing_else_is_warned_of(near, far, camera, cube):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        draw(cube, near, far, camera)


@pytest.mark.parametrize("vertices", [np.zeros((1, 0, 3)), np.full((1, 3, 3), np.nan)])
def test_meshes_without_depths_are_not_warned_of(vertices):
    faces = torch.full((vertices.shape[1] // 3, 3), -1, dtype=torch.int32)
    arrays = torch.tensor(vertices), faces, torch.zeros(vertices.shape, dtype=torch.float64)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        draw(arrays, 2.0, 100.0)


def test_a_mesh_without_faces_is_not_warned_of():
    vertices, _, colors = sr.cube().to_torch()  # Taichi has no arrays without entries
    none = torch.zeros((0, 3), dtype=torch.int32)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        draw((vertices, none, colors), 2.0, 100.0)


def test_range_that_is_advised_draws(cube):
    near, far = sr.depth_range(cube[0], CAMERA)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        _, alpha = draw(cube, near, far)
    assert (alpha.numpy() if torch.is_tensor(alpha) else alpha.to_numpy()).max() > 0.5
