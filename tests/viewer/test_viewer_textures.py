"""Textured meshes in the viewer."""

import dataclasses

import imageio.v3 as iio
import numpy as np
import pytest

import taichi_softras as sr
from taichi_softras.cli import main
from taichi_softras.viewer import Orbit, ViewedMesh, ViewerState, draw_frame
from taichi_softras.viewer.inspection import inspect
from taichi_softras.viewer.views import VIEWS

SIZE = 48
SOFT = sr.RasterizerSettings(height=1, width=1, sigma=1e-4, gamma=1e-3)
STATE = ViewerState(orbit=Orbit(azimuth=0.0, elevation=0.0, distance=2.5), settings=SOFT)


def painted_square():
    """A square with an image of four colours, and vertices of none of them."""
    square = sr.plane()
    image = np.array([[[1, 0, 0], [0, 1, 0]], [[0, 0, 1], [1, 1, 0]]], dtype=np.float32)
    return sr.Mesh(
        square.vertices,
        square.faces,
        np.full_like(square.vertices, 0.5),
        face_uvs=square.vertices[square.faces][..., :2] + 0.5,
        face_materials=np.zeros(square.num_faces, dtype=int),
        materials=(sr.Material("paint", image=image.repeat(32, 0).repeat(32, 1)),),
    )


@pytest.fixture(scope="module")
def square():
    return ViewedMesh(painted_square())


@pytest.mark.parametrize("blend", [True, False])
def test_textures_are_shown(blend, square):
    state = dataclasses.replace(STATE, blend=blend)
    rgb = VIEWS["color"](square.shot(state, SIZE, SIZE)).rgb
    quarters = rgb[[18, 18, 30, 30], [18, 30, 18, 30]]
    light = quarters.max()
    assert light > 0.5
    np.testing.assert_allclose(
        quarters, light * np.array([[1, 0, 0], [0, 1, 0], [0, 0, 1], [1, 1, 0]]), atol=0.02
    )


def test_difference_is_of_textures_too(square):
    soft = dataclasses.replace(STATE, settings=dataclasses.replace(SOFT, sigma=1e-2))
    rgb = VIEWS["difference"](square.shot(soft, SIZE, SIZE)).rgb
    assert np.ptp(rgb) > 0.1


@pytest.mark.parametrize("view", list(VIEWS))
def test_every_view_draws(view, square):
    state = dataclasses.replace(STATE, view=view, face=0, pixel=(0.4, 0.4), wireframe=True)
    assert np.ptp(draw_frame(square, state, SIZE, SIZE)) > 50


@pytest.mark.parametrize("place", [(0.3, 0.3), (0.6, 0.4), (0.42, 0.7), (0.26, 0.5), (0.02, 0.02)])
def test_inspected_colours_mix_to_what_is_drawn(place, square):
    state = dataclasses.replace(STATE, pixel=place, blend=False)
    shot = square.shot(state, SIZE, SIZE)
    fragments = inspect(shot)
    row, col = shot.pixel()
    mixed = fragments.mix(shot.background)
    np.testing.assert_allclose(mixed, VIEWS["color"](shot).rgb[row, col], atol=0.01)


def test_materials_without_an_image_are_shown():
    mesh = dataclasses.replace(
        painted_square(), face_uvs=None, materials=(sr.Material("blue", (0, 0, 1)),)
    )
    state = dataclasses.replace(STATE, pixel=(0.5, 0.5))
    shot = ViewedMesh(mesh).shot(state, SIZE, SIZE)
    assert inspect(shot).color[0].argmax() == 2
    assert VIEWS["color"](shot).rgb[SIZE // 2, SIZE // 2].argmax() == 2


def test_moved_meshes_keep_their_texture(square):
    moved = ViewedMesh(painted_square())
    moved.move(moved.mesh.vertices * np.float32([0.5, 0.5, 1]))
    rgb = VIEWS["color"](moved.shot(STATE, SIZE, SIZE)).rgb
    assert rgb[21, 21].argmax() == 0
    assert rgb[27, 21].argmax() == 2


@pytest.mark.parametrize("command", ["render", "view"])
def test_commands_show_textures_unless_told_not_to(command, tmp_path, capsys):
    path = tmp_path / "square.glb"
    sr.write_mesh(painted_square(), path)
    pictures = []
    for option in ("--textures", "--no-textures"):
        output = tmp_path / "out.png"
        target = ("-o", output) if command == "render" else ("--screenshot", output)
        arguments = (command, path, *target, "--size", 144, "--eye", 0, 0, 2.5, option)
        assert main([str(argument) for argument in arguments]) == 0
        pictures.append(iio.imread(output)[[54, 54], [54, 90], :3].astype(int))
    capsys.readouterr()
    textured, plain = pictures
    assert textured[0].argmax() == 0
    assert textured[1].argmax() == 1
    assert (np.ptp(plain, axis=1) < np.ptp(textured, axis=1) - 50).all()
