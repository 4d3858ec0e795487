"""What is drawn on top of a picture: lines, legends, tables, curves. In 8-bit RGB, by Pillow."""

import functools
from collections.abc import Sequence

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from taichi_softras.rasterizer.inspection import PixelFragments
from taichi_softras.viewer.colormaps import colored
from taichi_softras.viewer.views import Legend

INK = (235, 235, 240)
FAINT = (150, 152, 165)
ACCENT = (255, 196, 84)
CONTOUR = (80, 220, 255)
GLASS = (14, 15, 22, 205)
"""Behind text, partly transparent."""

BAR, GAP = 110, 8
"""Width of a legend's strip of colours, and room beside it, in pixels."""

MOST_ROWS = 12
"""Faces listed for a pixel at most."""

MOST_ARROWS = 600
"""Gradient arrows drawn at most: the longest."""


@functools.cache
def font(size: int) -> ImageFont.FreeTypeFont | ImageFont.ImageFont:
    """Load the font that Pillow brings."""
    return ImageFont.load_default(size)


class Overlay:
    """Draws on a picture.

    Args:
        rgb: (H, W, 3) uint8.
    """

    def __init__(self, rgb: np.ndarray) -> None:
        self._image = Image.fromarray(rgb)
        self._draw = ImageDraw.Draw(self._image, "RGBA")

    def rgb(self) -> np.ndarray:
        """The picture and all that was drawn, (H, W, 3) uint8."""
        return np.asarray(self._image)

    def wireframe(self, pixels: np.ndarray, faces: np.ndarray) -> None:
        """Draw the edges of faces turned to the camera.

        Args:
            pixels: Vertices (V, 3): x, y and depth.
            faces: (F, 3).
        """
        faces = faces[(pixels[faces, 2] > 0).all(axis=1)]
        a, b, c = (pixels[faces[:, k], :2] for k in range(3))
        turned = (b - a)[:, 0] * (c - a)[:, 1] - (b - a)[:, 1] * (c - a)[:, 0] < 0  # y is down
        ends = np.sort(faces[turned][:, [[0, 1], [1, 2], [2, 0]]].reshape(-1, 2), axis=1)
        for start, end in np.unique(ends, axis=0):
            line = (*pixels[start, :2], *pixels[end, :2])
            self._draw.line(line, fill=(110, 190, 255, 110))

    def faces(
        self, pixels: np.ndarray, faces: np.ndarray, weights: np.ndarray, color: tuple[int, ...]
    ) -> None:
        """Light faces up, the heavier the brighter.

        Args:
            pixels: Vertices (V, 3): x, y and depth.
            faces: (N, 3).
            weights: (N,), 0 to 1.
            color: Red, green and blue.
        """
        for face, weight in zip(faces[::-1], weights[::-1]):
            if (pixels[face, 2] > 0).all():
                corners = [tuple(corner) for corner in pixels[face, :2]]
                self._draw.polygon(corners, fill=(*color, int(20 + 90 * weight)))
                opacity = int(110 + 145 * weight)
                self._draw.line([*corners, corners[0]], fill=(*color, opacity), width=1)

    def outline(self, pixels: np.ndarray, face: np.ndarray) -> None:
        """Draw the edges of one face, (3,) vertices."""
        if (pixels[face, 2] > 0).all():
            corners = [tuple(corner) for corner in pixels[face, :2]]
            self._draw.line([*corners, corners[0]], fill=(255, 255, 255, 220), width=1)

    def contour(self, mask: np.ndarray, color: tuple[int, int, int]) -> None:
        """Draw a line round where a mask is True, (H, W)."""
        inner = mask.copy()
        inner[1:-1, 1:-1] &= mask[:-2, 1:-1] & mask[2:, 1:-1] & mask[1:-1, :-2] & mask[1:-1, 2:]
        edge = Image.fromarray((mask & ~inner).astype(np.uint8) * 255)
        self._image.paste(color, mask=edge)

    def cross(self, row: int, col: int) -> None:
        """Mark a pixel."""
        for far, color in ((9, (0, 0, 0, 160)), (8, (*ACCENT, 255))):
            for dx, dy in ((1, 0), (-1, 0), (0, 1), (0, -1)):
                line = (col + 4 * dx, row + 4 * dy, col + far * dx, row + far * dy)
                self._draw.line(line, fill=color, width=3 if far == 9 else 1)

    def arrows(self, pixels: np.ndarray, tips: np.ndarray, lengths: np.ndarray) -> None:
        """Draw an arrow from each vertex, the longest of them.

        Args:
            pixels: Where from, (V, 3): x, y and depth.
            tips: Where to, likewise.
            lengths: (V,), 0 to 1, by which they are chosen.
        """
        chosen = np.argsort(lengths)[-MOST_ARROWS:]
        for v in chosen[(lengths[chosen] > 0.02) & (tips[chosen, 2] > 0) & (pixels[chosen, 2] > 0)]:
            start, end = pixels[v, :2], tips[v, :2]
            along = end - start
            self._draw.line((*start, *end), fill=(*CONTOUR, 230), width=1)
            length = float(np.hypot(*along))
            if length > 4:
                along = along / length * min(5.0, length / 2)
                side = np.array([-along[1], along[0]]) * 0.5
                barbs = [tuple(end), tuple(end - along + side), tuple(end - along - side)]
                self._draw.polygon(barbs, fill=(*CONTOUR, 230))

    def caption(self, text: str, legend: Legend | None) -> None:
        """Write a line at the bottom, and what colours mean beside it."""
        width, height = self._image.size
        shape = font(13)
        if self._draw.textlength(text, font=shape) > width - 4 * GAP:
            shape = font(10)
        text_width = int(self._draw.textlength(text, font=shape))
        bar = 0
        if legend is not None:
            labels = self._draw.textlength(legend.low + legend.high, font=font(12))
            bar = int(labels) + BAR + 2 * GAP
        # Beside each other if there is room, else one above the other.
        stacked = text_width + bar + 4 * GAP > width
        box_width = max(text_width, bar) if stacked else text_width + 2 * GAP * (bar > 0) + bar
        left = max((width - box_width) // 2, GAP)
        top = height - (56 if stacked and bar else 32)
        self._draw.rectangle((left - GAP, top, left + box_width + GAP, height - 8), fill=GLASS)
        self._draw.text((left, height - 20), text, font=shape, fill=INK, anchor="lm")
        if legend is not None:
            at = (left, height - 44) if stacked else (left + text_width + 2 * GAP, height - 20)
            self._legend(*at, legend)

    def _legend(self, left: int, middle: int, legend: Legend) -> None:
        self._draw.text((left, middle), legend.low, font=font(12), fill=FAINT, anchor="lm")
        left += int(self._draw.textlength(legend.low, font=font(12))) + GAP
        strip = colored(legend.colormap, np.linspace(0, 1, BAR))[None].repeat(10, axis=0)
        self._image.paste(Image.fromarray((strip * 255).astype(np.uint8)), (left, middle - 5))
        self._draw.text(
            (left + BAR + GAP, middle), legend.high, font=font(12), fill=FAINT, anchor="lm"
        )

    def fragments(
        self, fragments: PixelFragments, background: Sequence[float], row: int, col: int
    ) -> None:
        """List the faces of a pixel, heaviest first, and the background, in a corner beside it."""
        rows = [
            (str(face), f"{cover:.3g}", f"{depth:.4f}", f"{weight:.3g}", color)
            for face, cover, depth, weight, color in zip(
                fragments.faces,
                fragments.coverage,
                fragments.depth,
                fragments.weight,
                fragments.color,
            )
        ]
        hidden = len(rows) - MOST_ROWS
        behind = ("background", "", "", f"{fragments.background_weight:.3g}", background)
        rows = [*rows[:MOST_ROWS], behind]
        height = 18 * (len(rows) + 2 + (hidden > 0)) + 14
        width = 290
        title = f"pixel at row {row}, column {col}: {len(fragments.faces)} faces"
        top = 8
        left = 8 if col > self._image.width / 2 else max(self._image.width - width - 8, 8)
        self._draw.rectangle((left, top, left + width, top + height), fill=GLASS)
        self._draw.text((left + 10, top + 16), title, font=font(13), fill=ACCENT, anchor="lm")
        ends = [left + x for x in (78, 138, 198, 262)]
        for end, name in zip(ends, ("face", "D", "depth", "weight")):
            self._draw.text((end, top + 34), name, font=font(12), fill=FAINT, anchor="rm")
        y = top + 52
        for *texts, color in rows:
            for end, text in zip(ends, texts):
                self._draw.text((end, y), text, font=font(12), fill=INK, anchor="rm")
            swatch = tuple(int(255 * min(max(float(c), 0), 1) + 0.5) for c in color)
            self._draw.rectangle(
                (left + width - 20, y - 6, left + width - 8, y + 6), fill=swatch, outline=FAINT
            )
            y += 18
        if hidden > 0:
            text = f"and {hidden} more, of less weight"
            self._draw.text((left + 10, y), text, font=font(12), fill=FAINT, anchor="lm")

    def curve(self, losses: Sequence[float]) -> None:
        """Draw the loss over the steps, at the bottom right."""
        width, height = 190, 92
        left, top = self._image.width - width - 8, self._image.height - height - 40
        self._draw.rectangle((left, top, left + width, top + height), fill=GLASS)
        text = f"loss {losses[-1]:.4f} after {len(losses)} steps" if losses else "loss"
        self._draw.text((left + 10, top + 14), text, font=font(12), fill=INK, anchor="lm")
        shown = np.asarray(losses)[
            np.linspace(0, len(losses) - 1, min(len(losses), 170)).astype(int)
        ]
        if len(shown) > 1:
            most = max(float(shown.max()), 1e-12)
            xs = np.linspace(left + 10, left + width - 10, len(shown))
            ys = top + height - 8 - shown / most * (height - 36)
            self._draw.line(list(zip(xs, ys)), fill=(*ACCENT, 255), width=2)

    def dot(self, color: tuple[int, int, int]) -> None:
        """Draw a dot at the top left: recording."""
        self._draw.ellipse((12, 12, 24, 24), fill=color)
