"""The content of a window: panel and picture side by side, and what the mouse does to them."""

from typing import Literal

import numpy as np

from taichi_softras.viewer.panel import WIDTH as PANEL_WIDTH
from taichi_softras.viewer.panel import Panel
from taichi_softras.viewer.session import Session

Button = Literal["left", "middle", "right"]

CLICK = 3.0
"""Pixels that the mouse may move between press and release of a click."""

SMALLEST_PICTURE = 16
"""Least height and width of the picture, in pixels, however small the window."""


class Screen:
    """What a window shows, and where its events go. Positions are pixels from the top left.

    Left drag orbits, right drag and wheel zoom, middle drag, or left with shift, pans; a click
    inspects a pixel.

    Args:
        session: What is shown.
    """

    def __init__(self, session: Session) -> None:
        self.session = session
        self.panel = Panel(session)
        self._size = (1, 1)
        self._button: Button | None = None
        self._on_panel = False
        self._panning = False
        self._at = (0.0, 0.0)
        self._travel = 0.0
        self._shown: tuple[np.ndarray, np.ndarray] | None = None
        self._image = np.zeros((1, 1, 3), dtype=np.uint8)

    def image(self, height: int, width: int) -> np.ndarray:
        """Draw, (height, width, 3) uint8; the same array if nothing has changed."""
        panel = self.panel.image(max(height, 1))
        rows = max(height, SMALLEST_PICTURE)
        cols = max(width - PANEL_WIDTH, SMALLEST_PICTURE)
        self._size = rows, cols
        picture = self.session.picture(rows, cols)
        shown = self._shown
        if shown is None or shown[0] is not panel or shown[1] is not picture:
            self._shown = panel, picture
            self._image = np.concatenate([panel, picture[: len(panel)]], axis=1)
        if self._image.shape[:2] != (height, width):
            self._image = np.ascontiguousarray(self._image[:height, :width])
        return self._image

    def press(self, button: Button, x: float, y: float, *, shift: bool = False) -> None:
        """Press a button of the mouse."""
        if self._button is not None:
            return
        self._button, self._at, self._travel = button, (x, y), 0.0
        self._on_panel = x < PANEL_WIDTH
        self._panning = button == "middle" or (button == "left" and shift)
        if self._on_panel and button == "left":
            self.panel.press(x, y)

    def move(self, x: float, y: float) -> None:
        """Move the mouse."""
        if self._button is None or (x, y) == self._at:
            return
        height = self._size[0]
        dx, dy = (x - self._at[0]) / height, (y - self._at[1]) / height
        self._travel = max(self._travel, height * float(np.hypot(dx, dy)))
        if self._on_panel:
            if self._button == "left":
                self.panel.drag(x, y)
        elif self._travel > CLICK:
            orbit = self.session.state.orbit
            if self._panning:
                orbit = orbit.panned(dx, dy)
            elif self._button == "left":
                orbit = orbit.turned(dx, dy)
            else:
                orbit = orbit.zoomed(float(np.exp(-2 * dy)))
            self.session.set("orbit", orbit)
        else:
            return  # perhaps a click; if not, these pixels count at the next move
        self._at = (x, y)

    def release(self, button: Button) -> None:
        """Let a button of the mouse go."""
        if button != self._button:
            return
        self._button = None
        self.panel.release()
        if not self._on_panel and button == "left" and self._travel <= CLICK:
            height, width = self._size
            x, y = (self._at[0] - PANEL_WIDTH + 0.5) / width, (self._at[1] + 0.5) / height
            self.session.click(x, y, self._size)

    def zoom(self, steps: float) -> None:
        """Turn the wheel: nearer where ``steps`` is above 0."""
        self.session.set("orbit", self.session.state.orbit.zoomed(1.1**steps))

    def key(self, key: str) -> bool:
        """Press a key: + and - zoom, R resets, S saves a picture, Escape closes the window.

        Returns:
            Whether the window is to stay open.
        """
        if key in ("+", "=", "plus", "equal"):
            self.zoom(1)
        elif key in ("-", "_", "minus", "underscore"):
            self.zoom(-1)
        elif key in ("r", "s"):
            self.session.act("reset" if key == "r" else "save_picture")
        return key != "Escape"
