"""The viewer's windows on a display of our own, driven by a mouse. Skipped without the display."""

import sys
from collections.abc import Iterator

import imageio.v3 as iio
import numpy as np
import pytest
from displays import Display, ViewerWindow, missing_tools, viewer_window, wait_for

import taichi_softras as sr
from taichi_softras.viewer import LiveFit, Session, ViewedMesh, ViewerState
from taichi_softras.viewer.panel import WIDTH as PANEL_WIDTH
from taichi_softras.viewer.screen import Screen

SIZE, HEIGHT = 256, 700
NO_VULKAN = {"VK_DRIVER_FILES": "/nonexistent", "VK_ICD_FILENAMES": "/nonexistent"}
WINDOWS = {"GGUI, on Vulkan": {}, "GUI, on X11": NO_VULKAN}

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(sys.platform != "linux", reason="needs an X server of one's own"),
    pytest.mark.skipif(bool(missing_tools()), reason=f"not installed: {missing_tools()}"),
]


@pytest.fixture(scope="module")
def display(tmp_path_factory):
    display = Display(tmp_path_factory.mktemp("display"))
    yield display
    display.close()


@pytest.fixture
def window(request, display, tmp_path) -> Iterator[ViewerWindow]:
    environment = WINDOWS[request.param]
    options = ("--height", HEIGHT, "--width", SIZE, "--output", tmp_path)
    with viewer_window(display, "torus", *options, **environment) as window:
        yield window


def spots(fit: LiveFit | None = None) -> dict[str, tuple[float, float]]:
    """Middles of the panel's controls, by their names and words."""
    screen = Screen(Session(ViewedMesh(sr.torus()), ViewerState(), fit=fit))
    screen.image(HEIGHT, PANEL_WIDTH + SIZE)
    found = {}
    for spot in screen.panel.spots:
        left, top, right, bottom = spot.box
        name = spot.control.name if spot.control is not None else "title"
        found[f"{name} {spot.word}".strip()] = (left + right) / 2, (top + bottom) / 2
    return found


def picture(window: ViewerWindow) -> np.ndarray:
    return window.settle()[:, PANEL_WIDTH:]


@pytest.mark.parametrize("window", WINDOWS, indirect=True)
def test_mouse_and_keys_drive_the_window(window, tmp_path):
    at = spots()
    middle = (PANEL_WIDTH + SIZE / 2, HEIGHT / 2)
    first = picture(window)

    x, y = at["settings.sigma"]
    window.drag((x - 20, y), (x, y))
    softer = picture(window)
    assert (softer != first).any(axis=2).mean() > 0.02

    window.click((middle[0], middle[1] + 40))
    inspected = picture(window)
    table = inspected[10:28, 10:-10]  # where the list of faces has its title
    assert (table != softer[10:28, 10:-10]).any(axis=2).mean() > 0.5

    window.click(at["reset"])
    np.testing.assert_array_equal(picture(window), first)

    window.click(at["view normals"])
    normals = picture(window)
    assert np.ptp(normals, axis=2).max() > 100  # colourful, where the torus is grey
    assert np.ptp(first, axis=2).max() < 30

    for button in (1, 2, 3):  # turn, move, zoom
        before = picture(window)
        window.drag(middle, (middle[0] + 30, middle[1] - 40), button)
        assert (picture(window) != before).any(axis=2).mean() > 0.02

    window.click(at["save_picture"])
    shown = picture(window)
    (path,) = tmp_path.glob("*.png")
    margin = 30  # the pointer, and the message on the panel, are not in the file
    saved = iio.imread(path)
    np.testing.assert_array_equal(saved[:-margin], shown[:-margin])

    window.ask_to_close()
    assert window.wait() == 0


@pytest.mark.parametrize("window", ["GGUI, on Vulkan"], indirect=True)
def test_the_window_is_resized_and_closed_by_a_key(window, tmp_path):
    first = picture(window)
    for width, height in ((900, 620), (300, 120), (PANEL_WIDTH + SIZE, HEIGHT)):
        window.resize(width, height)
        shown = window.settle()
        assert shown.shape == (height, width, 3)
        assert len(np.unique(shown.reshape(-1, 3), axis=0)) > 20
    np.testing.assert_array_equal(shown[:, PANEL_WIDTH:], first)
    window.display.do("mousemove", "--window", window.id, PANEL_WIDTH + 20, 20)
    window.display.do("key", "Escape")
    assert window.wait() == 0
    assert list(tmp_path.iterdir()) == []  # nor is anything of GGUI's left anywhere


def test_fitting_runs_in_the_window(display):
    size = ("--height", HEIGHT, "--width", SIZE)
    options = ("--target", "cube", "--view", "gradient", "--sigma", 1e-4)
    button = spots(LiveFit.to_mesh(sr.icosphere(1), sr.cube(), views=1, size=8))["toggle_fitting"]
    with viewer_window(display, "sphere", *options, *size) as window:
        before = picture(window)
        window.click(button)
        wait_for(lambda: (window.picture()[:, PANEL_WIDTH:] != before).mean() > 0.05, "steps")
        window.click(button)
        after = picture(window)  # it comes to rest
        assert (after != before).any(axis=2).mean() > 0.05
        window.ask_to_close()
        assert window.wait() == 0
