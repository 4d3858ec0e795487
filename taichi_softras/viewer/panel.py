"""A panel of controls, drawn and operated without a window, so that every window can have it.

Taichi's two kinds of windows have widgets of their own, but different ones, neither with
logarithmic sliders or choices, and neither tells whether the mouse is over a widget.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from PIL import Image, ImageDraw

from taichi_softras.viewer.controls import Action, Choice, Control, Slider, Toggle
from taichi_softras.viewer.overlays import ACCENT, FAINT, INK, font
from taichi_softras.viewer.session import Session

WIDTH = 268
"""Of the panel, in pixels."""

GROUND, RAISED, LIT = (24, 25, 33), (44, 46, 58), (70, 104, 168)
MARGIN, ROW, LABEL, VALUE = 10, 19, 92, 58
"""Sizes in pixels: at the sides, from row to row, of a label, of a slider's value."""


@dataclass(frozen=True)
class Spot:
    """Where something can be clicked.

    Attributes:
        box: Left, top, right and bottom, in pixels of the panel.
        control: What it belongs to; None for the title of a group.
        word: The word of a choice, or the title.
    """

    box: tuple[int, int, int, int]
    control: Control | None
    word: str = ""

    def holds(self, x: float, y: float) -> bool:
        """Tell whether a point is in it."""
        left, top, right, bottom = self.box
        return left <= x < right and top <= y < bottom


class Panel:
    """The controls of a session in a column.

    Args:
        session: What they control.
    """

    def __init__(self, session: Session) -> None:
        self._session = session
        self._folded: set[str] = set()
        self._held: Spot | None = None
        self._drawn: tuple[object, ...] = ()
        self._image = np.zeros((1, 1, 3), dtype=np.uint8)
        self.spots: list[Spot] = []

    def press(self, x: float, y: float) -> None:
        """Press the mouse's left button, at pixels from the panel's top left corner."""
        self._held = next((spot for spot in self.spots if spot.holds(x, y)), None)
        if self._held is None:
            return
        session, control = self._session, self._held.control
        if control is None:
            self._folded ^= {self._held.word}
        elif isinstance(control, Choice):
            session.set(control.name, self._held.word)
        elif isinstance(control, Toggle):
            session.set(control.name, not session.get(control.name))
        elif isinstance(control, Action):
            session.act(control.name)
        else:
            self.drag(x, y)

    def drag(self, x: float, y: float) -> None:
        """Move the mouse with its left button down."""
        if self._held is not None and isinstance(self._held.control, Slider):
            left, _, right, _ = self._held.box
            slider = self._held.control
            self._session.set(slider.name, slider.value((x - left) / (right - left - 1)))

    def release(self) -> None:
        """Let the left button go."""
        self._held = None

    def image(self, height: int) -> np.ndarray:
        """Draw the panel, (height, WIDTH, 3) uint8; the same array if nothing has changed."""
        session = self._session
        values = tuple(
            session.get(control.name)
            for group in session.groups()
            for control in group.controls
            if not isinstance(control, Action)
        )
        what = (values, session.message, session.fitting, session.recording)
        drawn = (height, *what, frozenset(self._folded))
        if drawn != self._drawn:
            self._drawn = drawn
            self._image = np.asarray(_Drawing(session, self._folded, self.spots, height).image)
        return self._image


class _Drawing:
    """Draws a panel from the top down, and notes where things are."""

    def __init__(self, session: Session, folded: set[str], spots: list[Spot], height: int) -> None:
        self.image = Image.new("RGB", (WIDTH, height), GROUND)
        self._draw = ImageDraw.Draw(self.image)
        self._session = session
        self._spots = spots
        self._y = 6
        spots.clear()
        draw_control: dict[type, Callable[[Control], None]] = {
            Slider: self._slider,  # type: ignore[dict-item]  # each is given its own kind
            Choice: self._choice,  # type: ignore[dict-item]
        }
        for group in session.groups():
            self._title(group.title, folded=group.title in folded)
            if group.title in folded:
                continue
            chips = [c for c in group.controls if isinstance(c, Toggle | Action)]
            for control in group.controls:
                if control not in chips:
                    draw_control[type(control)](control)
            self._flow([(c.label, self._is_on(c), c, "") for c in chips], MARGIN)
            self._y += 4
        self._write(session.message)

    def _title(self, title: str, *, folded: bool) -> None:
        mark = "+" if folded else "-"
        self._text(MARGIN, mark, ACCENT)
        self._text(MARGIN + 12, title, ACCENT)
        self._spots.append(Spot((0, self._y, WIDTH, self._y + ROW), None, title))
        self._y += ROW

    def _slider(self, slider: Slider) -> None:
        value = self._session.get(slider.name)
        left, right = MARGIN + LABEL, WIDTH - MARGIN - VALUE
        middle = self._y + ROW // 2
        self._text(MARGIN, slider.label, INK)
        self._draw.rectangle((left, middle - 2, right, middle + 2), fill=RAISED)
        at = left + slider.fraction(value) * (right - left)
        self._draw.rectangle((left, middle - 2, at, middle + 2), fill=LIT)
        self._draw.ellipse((at - 6, middle - 6, at + 6, middle + 6), fill=INK)
        text = slider.text(value)
        self._draw.text((WIDTH - MARGIN, middle), text, font=font(12), fill=FAINT, anchor="rm")
        self._spots.append(Spot((left, self._y, right + 1, self._y + ROW), slider))
        self._y += ROW

    def _choice(self, choice: Choice) -> None:
        value = self._session.get(choice.name)
        left = MARGIN
        if choice.label:
            self._text(MARGIN, choice.label, INK)
            left += LABEL
        self._flow([(word, word == value, choice, word) for word in choice.options], left)

    def _flow(self, chips: list[tuple[str, bool, Control, str]], left: int) -> None:
        """Set chips side by side, in as many rows as they need."""
        x = left
        for label, lit, control, word in chips:
            width = int(self._draw.textlength(label, font=font(12))) + 14
            if x > left and x + width > WIDTH - MARGIN:
                x = left
                self._y += ROW
            box = (x, self._y + 1, x + width, self._y + ROW - 2)
            self._draw.rounded_rectangle(box, radius=4, fill=LIT if lit else RAISED)
            middle = (x + width // 2, self._y + ROW // 2)
            self._draw.text(middle, label, font=font(12), fill=INK, anchor="mm")
            self._spots.append(Spot((box[0], box[1], box[2] + 1, box[3] + 1), control, word))
            x += width + 4
        if chips:
            self._y += ROW

    def _is_on(self, control: Control) -> bool:
        if isinstance(control, Toggle):
            return bool(self._session.get(control.name))
        if control.name == "toggle_fitting":
            return self._session.fitting
        return control.name.startswith("record") and self._session.recording

    def _text(self, x: int, text: str, color: tuple[int, int, int]) -> None:
        self._draw.text((x, self._y + ROW // 2), text, font=font(12), fill=color, anchor="lm")

    def _write(self, message: str) -> None:
        """Write a message at the bottom, broken into lines."""
        line = ""
        for word in message.split():
            if line and self._draw.textlength(f"{line} {word}", font=font(12)) > WIDTH - 20:
                self._text(MARGIN, line, FAINT)
                self._y += 16
                line = word
            else:
                line = f"{line} {word}".strip()
        self._text(MARGIN, line, FAINT)
