"""A display of our own, real mouse events, and what is on the screen: for tests of windows."""

import contextlib
import ctypes
import os
import re
import shutil
import struct
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np

TOOLS = ("Xvfb", "xdotool", "xwininfo")
TITLE = "softras view"


def missing_tools() -> list[str]:
    return [tool for tool in TOOLS if shutil.which(tool) is None]


def wait_for(condition, what: str, seconds: float = 60.0):
    """Return the condition's first true value."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        value = condition()
        if value:
            return value
        time.sleep(0.1)
    raise AssertionError(f"waited {seconds} s for {what}")


class Display:
    """An X server without a screen, whose picture lies in a file."""

    def __init__(self, folder: Path) -> None:
        reader, writer = os.pipe()
        options = (
            "-screen",
            "0",
            "1280x900x24",
            "-fbdir",
            str(folder),
            "-noreset",
            "-displayfd",
            str(writer),
        )
        self._server = subprocess.Popen(
            ["Xvfb", *options, "-displayfd", str(writer)],
            pass_fds=[writer],
            stderr=subprocess.DEVNULL,
        )
        os.close(writer)
        with os.fdopen(reader) as pipe:
            self.name = f":{pipe.readline().strip()}"
        self._screen = folder / "Xvfb_screen0"

    def close(self) -> None:
        self._server.terminate()
        self._server.wait(10)

    def screen(self) -> np.ndarray:
        """All that is shown, (H, W, 3): the file is in the format of xwd."""
        content = self._screen.read_bytes()
        header = struct.unpack(">25I", content[:100])
        header_size, width, height, bytes_per_line, num_colors = (
            header[i] for i in (0, 4, 5, 12, 19)
        )
        pixels = np.frombuffer(content, np.uint8, offset=header_size + 12 * num_colors)
        rows = pixels[: height * bytes_per_line].reshape(height, bytes_per_line // 4, 4)
        return rows[:, :width, 2::-1].astype(int)

    def do(self, *words: object) -> str:
        """Have xdotool do something."""
        return self.run("xdotool", *words)

    def run(self, *words: object) -> str:
        """Run a program on the display, and return what it prints."""
        result = subprocess.run(
            list(map(str, words)),
            env={**os.environ, "DISPLAY": self.name},
            capture_output=True,
            text=True,
            check=False,
        )
        return result.stdout.strip()


class ViewerWindow:
    """The viewer in a process and a window of its own. Positions are pixels of the window."""

    def __init__(self, display: Display, *arguments: object, **environment: str) -> None:
        self.display = display
        self.process = subprocess.Popen(
            [sys.executable, "-m", "taichi_softras.cli", "view", *map(str, arguments)],
            env={**os.environ, "DISPLAY": display.name, **environment},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        self.id = wait_for(self._find, "the window")
        wait_for(lambda: len(np.unique(self.picture().reshape(-1, 3), axis=0)) > 50, "a picture")
        self.settle()

    def _find(self) -> str:
        if self.process.poll() is not None:
            raise AssertionError(f"the viewer ended: {self.process.communicate()[0]}")
        return self.display.do("search", "--name", TITLE).partition("\n")[0]

    def box(self) -> tuple[int, int, int, int]:
        """Left, top, width and height on the screen."""
        text = self.display.run("xwininfo", "-id", self.id)
        names = (
            "Absolute upper-left X",
            "Absolute upper-left Y",
            "Width",
            "Height",
            "Border width",
        )
        left, top, width, height, border = (
            int(re.search(rf"{name}: +(-?\d+)", text).group(1)) for name in names
        )
        return left + border, top + border, width, height

    def picture(self) -> np.ndarray:
        """What the window shows, (H, W, 3)."""
        left, top, width, height = self.box()
        return self.display.screen()[top : top + height, left : left + width]

    def settle(self) -> np.ndarray:
        """Wait until the window shows the same for a while, and return that."""
        pictures = [self.picture()]

        def same() -> bool:
            time.sleep(0.5)
            pictures.append(self.picture())
            return len(pictures) > 4 and all(np.array_equal(p, pictures[-1]) for p in pictures[-4:])

        wait_for(same, "the window to come to rest")
        return pictures[-1]

    def drag(self, start: tuple[float, float], end: tuple[float, float], button: int = 1) -> None:
        """Drag the mouse, in steps, as a hand does."""
        self._move(start)
        self.display.do("mousedown", button)
        for fraction in (0.25, 0.5, 0.75, 1.0):
            time.sleep(0.1)
            self._move(tuple(a + fraction * (b - a) for a, b in zip(start, end)))
        time.sleep(0.2)
        self.display.do("mouseup", button)

    def click(self, at: tuple[float, float]) -> None:
        self._move(at)
        time.sleep(0.2)
        self.display.do("click", 1)

    def resize(self, width: int, height: int) -> None:
        self.display.do("windowsize", "--sync", self.id, width, height)

    def ask_to_close(self) -> None:
        """Do as a window manager does when the user presses the window's cross."""
        _send_delete(self.display.name, int(self.id))

    def wait(self) -> int:
        self.output = self.process.communicate(timeout=30)[0]
        return self.process.returncode

    def _move(self, at: tuple[float, ...]) -> None:
        x, y = (round(c) for c in at)
        self.display.do("mousemove", "--window", self.id, x, y)


@contextlib.contextmanager
def viewer_window(display: Display, *arguments: object, **environment: str) -> Iterator:
    window = ViewerWindow(display, *arguments, **environment)
    try:
        yield window
    finally:
        if window.process.poll() is None:
            window.process.kill()
            window.process.communicate()


class _ClientMessage(ctypes.Structure):
    """XClientMessageEvent, padded to the size of an XEvent."""

    _fields_ = (
        ("type", ctypes.c_int),
        ("serial", ctypes.c_ulong),
        ("send_event", ctypes.c_int),
        ("display", ctypes.c_void_p),
        ("window", ctypes.c_ulong),
        ("message_type", ctypes.c_ulong),
        ("format", ctypes.c_int),
        ("data", ctypes.c_long * 5),
        ("padding", ctypes.c_long * 12),
    )


def _send_delete(display_name: str, window: int) -> None:
    x11 = ctypes.CDLL("libX11.so.6")
    x11.XOpenDisplay.restype = ctypes.c_void_p
    x11.XInternAtom.restype = ctypes.c_ulong
    display = ctypes.c_void_p(x11.XOpenDisplay(display_name.encode()))
    protocols, delete = (
        x11.XInternAtom(display, name, 0) for name in (b"WM_PROTOCOLS", b"WM_DELETE_WINDOW")
    )
    event = _ClientMessage(type=33, window=window, message_type=protocols, format=32)
    event.data[0] = delete
    x11.XSendEvent(display, ctypes.c_ulong(window), 0, ctypes.c_long(0), ctypes.byref(event))
    x11.XCloseDisplay(display)
