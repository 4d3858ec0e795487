"""The screen with its panel, by mouse and keys, and the command: without a window."""

import re

import imageio.v3 as iio
import numpy as np
import pytest
from viewing import SIZE, STATE, VIEW_NAMES, Clock

import taichi_softras as sr
from taichi_softras.cli import main
from taichi_softras.viewer import Session, ViewedMesh
from taichi_softras.viewer.controls import controls
from taichi_softras.viewer.panel import WIDTH as PANEL_WIDTH
from taichi_softras.viewer.screen import Screen


@pytest.fixture
def viewed():
    return ViewedMesh(sr.torus(major_segments=12, minor_segments=8).normalized())


@pytest.fixture
def clock():
    return Clock()


@pytest.fixture
def session(viewed, clock, tmp_path):
    return Session(viewed, STATE, folder=tmp_path, clock=clock)


def every_control(*, with_target=True):
    return [c for group in controls(10, with_target=with_target) for c in group.controls]


@pytest.fixture
def screen(session):
    screen = Screen(session)
    screen.image(600, PANEL_WIDTH + SIZE)
    return screen


def spot(screen, name, word=""):
    """The middle of where a control is on the panel."""
    for found in screen.panel.spots:
        control = found.control
        if (control is None and found.word == name) or (
            control is not None and control.name == name and found.word == word
        ):
            left, top, right, bottom = found.box
            return (left + right) / 2, (top + bottom) / 2
    raise AssertionError(f"no {name} {word} on the panel")


def press_and_let_go(screen, at, button="left"):
    screen.press(button, *at)
    screen.release(button)


# Screen and panel


def test_screen_has_the_panel_beside_the_picture(screen):
    image = screen.image(600, PANEL_WIDTH + SIZE)
    assert image.shape == (600, PANEL_WIDTH + SIZE, 3)
    assert screen.image(600, PANEL_WIDTH + SIZE) is image
    assert screen.image(40, 50).shape == (40, 50, 3)
    assert screen.image(1, 1).shape == (1, 1, 3)


def test_panel_has_every_control_and_none_overlap(screen):
    shown = {found.control.name for found in screen.panel.spots if found.control is not None}
    assert shown == {control.name for control in every_control(with_target=False)}
    covered = np.zeros((700, PANEL_WIDTH), dtype=int)
    for found in screen.panel.spots:
        left, top, right, bottom = found.box
        assert 0 <= left < right <= PANEL_WIDTH
        covered[top:bottom, left:right] += 1
    assert covered.max() == 1


def test_panel_slider_is_dragged(screen):
    x, y = spot(screen, "settings.sigma")
    screen.press("left", x, y)
    assert screen.session.state.settings.sigma == pytest.approx(1e-4, rel=0.1)
    screen.move(10_000, -50)  # far beyond its end
    assert screen.session.state.settings.sigma == pytest.approx(1e-1)
    screen.release("left")
    screen.move(x, y)
    assert screen.session.state.settings.sigma == pytest.approx(1e-1)


def test_panel_choices_switches_and_actions(screen):
    press_and_let_go(screen, spot(screen, "view", "depth"))
    assert screen.session.state.view == "depth"
    press_and_let_go(screen, spot(screen, "wireframe"))
    assert screen.session.state.wireframe
    press_and_let_go(screen, spot(screen, "reset"))
    assert screen.session.state == STATE


def test_panel_groups_fold(screen):
    number = len(screen.panel.spots)
    press_and_let_go(screen, spot(screen, "rasterizer"))
    screen.image(600, PANEL_WIDTH + SIZE)
    assert 0 < len(screen.panel.spots) < number
    press_and_let_go(screen, spot(screen, "rasterizer"))
    screen.image(600, PANEL_WIDTH + SIZE)
    assert len(screen.panel.spots) == number


DX, DY = 30 / 600, 40 / 600
"""A drag to the right and down, in heights of the picture."""


@pytest.mark.parametrize(
    ("button", "shift", "expected"),
    [
        ("left", False, STATE.orbit.turned(DX, DY)),
        ("left", True, STATE.orbit.panned(DX, DY)),
        ("middle", False, STATE.orbit.panned(DX, DY)),
        ("right", False, STATE.orbit.zoomed(np.exp(-2 * DY))),
    ],
)
def test_drags_move_the_camera(button, shift, expected, screen):
    screen.press(button, PANEL_WIDTH + 20, 30, shift=shift)
    screen.move(PANEL_WIDTH + 50, 70)
    screen.release(button)
    assert screen.session.state.orbit == expected
    assert screen.session.state.pixel is None
    screen.move(PANEL_WIDTH + 80, 90)
    assert screen.session.state.orbit == expected


def test_a_click_inspects_the_pixel_under_the_mouse(screen):
    screen.press("left", PANEL_WIDTH + 48, 300)
    screen.move(PANEL_WIDTH + 49, 301)  # an unsteady hand
    screen.release("left")
    assert screen.session.state.orbit == STATE.orbit
    x, y = screen.session.state.pixel
    assert (x * SIZE, y * 600) == pytest.approx((48.5, 300.5))


def test_a_drag_from_the_panel_leaves_the_camera_alone(screen):
    screen.press("left", *spot(screen, "settings.gamma"))
    screen.move(PANEL_WIDTH + 60, 300)
    screen.release("left")
    assert screen.session.state.orbit == STATE.orbit
    assert screen.session.state.pixel is None


def test_keys(screen, tmp_path):
    distance = STATE.orbit.distance
    assert screen.key("+")
    assert screen.session.state.orbit.distance < distance
    assert screen.key("-")
    assert screen.session.state.orbit.distance == pytest.approx(distance)
    screen.zoom(2)
    assert screen.key("r")
    assert screen.session.state == STATE
    assert screen.key("s")
    assert (tmp_path / "softras-001.png").exists()
    assert screen.key("q")
    assert not screen.key("Escape")


def run(*arguments) -> int:
    return main([str(argument) for argument in arguments])


# Command line


@pytest.mark.parametrize("view", VIEW_NAMES)
def test_screenshot_needs_no_display(view, tmp_path, capsys, monkeypatch):
    monkeypatch.delenv("DISPLAY", raising=False)
    path = tmp_path / "out.png"
    options = ("--view", view, "--face", 3, "--pixel", 20, 30, "--height", 48, "--width", 64)
    target = ("--target", "cube", "--steps", 1) if view == "gradient" else ()
    assert run("view", "sphere", "--screenshot", path, *options, *target) == 0
    assert iio.imread(path).shape == (48, 64, 3)
    assert f"wrote {path}" in capsys.readouterr().out


def test_screenshot_with_controls_and_options(tmp_path):
    sr.write_mesh(sr.cube(), tmp_path / "a cube.obj")
    pictures = []
    for name, options in (
        ("plain", ()),
        ("soft", ("--sigma", 1e-2)),
        ("eps", ("--eps", 1.5)),
        ("light", ("--background", 1.0)),
        ("raw", ("--no-blend", "--sigma", 1e-2)),
        ("other", ("--coverage", "barycentric", "--alpha", "sum", "--sigma", 1e-2)),
        ("wire", ("--wireframe",)),
        ("side", ("--azimuth", 0)),
    ):
        path = tmp_path / f"{name}.png"
        size = ("--height", 64, "--width", 64, "--controls")
        assert run("view", tmp_path / "a cube.obj", "--screenshot", path, *size, *options) == 0
        pictures.append(iio.imread(path))
    assert pictures[0].shape == (64, 64 + PANEL_WIDTH, 3)
    for i, one in enumerate(pictures):
        for other in pictures[i + 1 :]:
            assert (one[:, PANEL_WIDTH:] != other[:, PANEL_WIDTH:]).any()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("--face", 99999), "face must be under the number of faces, 1280, got 99999"),
        (("--face", -1), "face must be at least 0, got -1"),
        (("--pixel", 48, 0), "pixel must be inside the picture of 48 rows and 64 columns"),
        (("--view", "gradient"), "a target must be given"),
        (("--steps", 3), "a target must be given"),
        (("--target", "no-such.obj"), "no-such.obj"),
        (("--target", "no-such.png"), "no-such.png"),
        (("--sigma", 0), "sigma must be above 0, got 0"),
        (("--background", 3), "background must be from 0 to 1"),
        (("--screenshot", "out.gif"), "output must end in one of .png"),
        (("--screenshot", "missing/out.png"), "folder of the output does not exist"),
    ],
)
def test_view_refuses(arguments, message, tmp_path, capsys, monkeypatch):
    monkeypatch.chdir(tmp_path)
    size = ("--height", 48, "--width", 64)
    if "--screenshot" not in arguments:
        size = (*size, "--screenshot", "out.png")
    assert run("view", "sphere", *size, *arguments) == 1
    assert message in capsys.readouterr().err
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("display", [None, ":4242"])
def test_without_a_display_it_says_what_to_install(display, capsys, monkeypatch):
    monkeypatch.delenv("DISPLAY", raising=False)
    if display is not None:
        monkeypatch.setenv("DISPLAY", display)
    assert run("view", "sphere") == 1
    message = capsys.readouterr().err
    for word in ("xvfb", "libx11-6", "libvulkan1", "mesa-vulkan-drivers", "--web", "--screenshot"):
        assert word in message
    assert re.search(r"DISPLAY is not set|':4242' does not answer", message)
