"""Windows on this machine: Taichi's GGUI, which needs Vulkan, or else its older GUI, on X11."""

import ctypes
import os
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np

from taichi_softras.arrays.runtime import ensure_running
from taichi_softras.backend import BACKEND, ti
from taichi_softras.viewer.panel import WIDTH as PANEL_WIDTH
from taichi_softras.viewer.screen import Button, Screen
from taichi_softras.viewer.session import Session

TITLE = "softras view"

IDLE_SECONDS = 0.01
"""How long to sleep where nothing has changed."""

SHOW_SECONDS = 0.25
"""How often a window is painted though nothing has changed, in case it was covered."""

BUTTONS: dict[str, Button] = {"LMB": "left", "MMB": "middle", "RMB": "right"}

NO_WINDOW = (
    "no window can be opened: {reason}. A window needs an X display ($DISPLAY; on a machine "
    "without one, Debian's packages xvfb and libx11-6, and xvfb-run) and, for the quicker of its "
    "two kinds, Vulkan (libvulkan1, and mesa-vulkan-drivers where there is no GPU). Without "
    "either, 'softras view --web' shows the same in a browser, and '--screenshot out.png' writes "
    "a picture"
)

NO_WINDOW_OF_QUADRANTS = (
    "no window can be opened: Quadrants has none, and the window needs Taichi. 'softras view "
    "--web' shows the same in a browser, and '--screenshot out.png' writes a picture"
)


def open_window(session: Session, height: int, width: int) -> None:
    """Show a session in a window until it is closed.

    Args:
        session: What is shown.
        height: Of the picture at first, in pixels; that of GGUI's window can be changed.
        width: Likewise; the panel comes beside it.

    Raises:
        RuntimeError: If there is no display, which it says what to install for; or no Taichi.
    """
    if BACKEND != "taichi":
        raise RuntimeError(NO_WINDOW_OF_QUADRANTS)
    screen = Screen(session)
    size = width + PANEL_WIDTH, height
    with display(), _scratch_folder():
        ensure_running()
        window = _open_ggui(size)
        if window is None:
            _run_gui(screen, size)
        else:
            _run_ggui(screen, window)


@contextmanager
def display() -> Iterator[None]:
    """Refuse where no window can be opened; hold on to the display where one can.

    Some servers start anew when their last client goes: one that only asks and goes would make
    the window fail that comes next.

    Raises:
        RuntimeError: If there is no X display on Linux. It says what to install.
    """
    if not sys.platform.startswith("linux"):
        yield
        return
    try:
        x11 = ctypes.CDLL("libX11.so.6")
    except OSError as error:
        raise RuntimeError(NO_WINDOW.format(reason="libX11 is not installed")) from error
    x11.XOpenDisplay.restype = ctypes.c_void_p
    connection = x11.XOpenDisplay(None)
    if not connection:
        name = os.environ.get("DISPLAY", "")
        reason = f"the X display {name!r} does not answer" if name else "$DISPLAY is not set"
        raise RuntimeError(NO_WINDOW.format(reason=reason))
    try:
        yield
    finally:
        x11.XCloseDisplay(ctypes.c_void_p(connection))


def _open_ggui(size: tuple[int, int]) -> Any:
    """Open a window on Vulkan; None where there is none."""
    try:
        return ti.ui.Window(TITLE, size, vsync=False, fps_limit=60)
    except Exception as error:
        # Taichi has no type for it: GGUIException if it was built without, RuntimeError if not.
        if "Vulkan" in str(error) or "GGUI" in str(error):
            return None
        raise


def _run_ggui(screen: Screen, window: Any) -> None:
    canvas = window.get_canvas()
    held: set[str] = set()
    shown: np.ndarray | None = None
    painted = -np.inf
    while window.running:
        width, height = window.get_window_shape()
        if not _pass_ggui_events(screen, window, held, height, width):
            break
        image = screen.image(height, width)
        if image is shown and time.monotonic() - painted < SHOW_SECONDS:
            time.sleep(IDLE_SECONDS)
            continue
        if shown is None or image.shape != shown.shape:
            _forget_sizes()
        canvas.set_image(_as_canvas(image))
        window.show()
        shown, painted = image, time.monotonic()
    window.destroy()


def _pass_ggui_events(screen: Screen, window: Any, held: set[str], height: int, width: int) -> bool:
    """Pass on what the mouse and the keys did; False if the window is to close.

    GGUI tells which buttons and keys went down and up since it was last asked, but neither where
    the mouse then was, nor in which order, nor of the wheel.
    """
    pressed = [event.key for event in window.get_events(ti.ui.PRESS)]
    released = [event.key for event in window.get_events(ti.ui.RELEASE)]
    x, y = (
        window.get_cursor_pos()
    )  # after asking for events, which is when it is brought up to date
    x, y = x * width, (1 - y) * height
    screen.move(x, y)
    # A button that was held must have been released before it was pressed again.
    for key in [key for key in released if key in held]:
        _let_go(screen, held, key)
        released.remove(key)
    for key in pressed:
        if key in BUTTONS:
            held.add(key)
            screen.press(BUTTONS[key], x, y, shift=window.is_pressed(ti.ui.SHIFT))
        elif not screen.key(key):
            return False
    for key in released:
        if key in held:
            _let_go(screen, held, key)
    return True


def _let_go(screen: Screen, held: set[str], key: str) -> None:
    held.discard(key)
    screen.release(BUTTONS[key])


def _run_gui(screen: Screen, size: tuple[int, int]) -> None:
    width, height = size
    shown: np.ndarray | None = None
    painted = -np.inf
    with ti.GUI(TITLE, size) as gui:
        gui.fps_limit = None
        while gui.running and _pass_gui_events(screen, gui):
            image = screen.image(height, width)
            if image is not shown or time.monotonic() - painted >= SHOW_SECONDS:
                gui.set_image(_as_canvas(image))  # each time: showing it clears it
                gui.show()
                shown, painted = image, time.monotonic()
            else:
                time.sleep(IDLE_SECONDS)


def _pass_gui_events(screen: Screen, gui: Any) -> bool:
    """Pass on what the mouse and the keys did; False if the window is to close."""
    width, height = gui.res
    for event in gui.get_events():
        x, y = event.pos[0] * width, (1 - event.pos[1]) * height
        screen.move(x, y)
        if event.key == ti.GUI.EXIT:
            return False
        if event.key == ti.GUI.WHEEL:
            screen.zoom(np.sign(event.delta[1]))
        elif event.key in BUTTONS:
            if event.type == ti.GUI.PRESS:
                screen.press(BUTTONS[event.key], x, y, shift="Shift" in event.modifier)
            else:
                screen.release(BUTTONS[event.key])
        elif event.type == ti.GUI.PRESS and not screen.key(event.key):
            return False
    return True


def _as_canvas(image: np.ndarray) -> np.ndarray:
    """Turn an image, rows from the top, into Taichi's: x first, y from the bottom."""
    return np.ascontiguousarray(image[::-1].swapaxes(0, 1))


def _forget_sizes() -> None:
    """Free the buffers that Taichi keeps for every size of image that it was ever given."""
    from taichi.ui import staging_buffer

    staging_buffer.image_field_cache.clear()


@contextmanager
def _scratch_folder() -> Iterator[None]:
    """Work in a folder that is removed again: GGUI leaves a file in that where it is run."""
    before = os.getcwd()
    with tempfile.TemporaryDirectory() as folder:
        os.chdir(folder)
        try:
            yield
        finally:
            os.chdir(before)
