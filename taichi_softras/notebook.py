"""Pictures and progress in a notebook, and in a shell: meshes as they look, images side by side."""

from __future__ import annotations

import io
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from math import ceil
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

from taichi_softras.arrays.bridge import is_array, to_numpy
from taichi_softras.arrays.options import check_integer
from taichi_softras.files.pictures import (
    STILLS,
    WHITE,
    check_picture_path,
    composite,
    to_bytes,
    write_picture,
)
from taichi_softras.fitting.framing import frame_mesh
from taichi_softras.meshes.mesh import Mesh
from taichi_softras.previews import draw_previews
from taichi_softras.rasterizer.settings import RasterizerSettings

T = TypeVar("T")

GAP = 4
"""Between images, in pixels."""

CAPTION_HEIGHT = 18
"""Of the strip below an image, in pixels."""

MESH_SIZE = 256
"""Side of the picture of a mesh, in pixels."""


@dataclass(frozen=True, eq=False)
class Sheet:
    """Images side by side. Made by `show`; a notebook shows it where it is the last of a cell.

    Attributes:
        pixels: (H, W, 3), bytes.
        num_images: How many there are.
    """

    pixels: NDArray[np.uint8]
    num_images: int

    def __repr__(self) -> str:
        height, width, _ = self.pixels.shape
        return f"Sheet({self.num_images} images, {width} x {height} pixels)"

    def _repr_png_(self) -> bytes:
        return _png(self.pixels)

    def save(self, path: str | Path) -> None:
        """Write it as PNG or JPEG.

        Raises:
            ValueError: If the suffix is none of these.
            FileNotFoundError: If the folder does not exist.
        """
        path = Path(path)
        check_picture_path(path, STILLS)
        write_picture(path, self.pixels)


def show(
    images: Any, captions: Sequence[str] | None = None, *, columns: int | None = None
) -> Sheet:
    """Lay images side by side, for a notebook to show.

    Args:
        images: An array of one or several, (H, W), (B, H, W), (H, W, C) or (B, H, W, C) with C =
            1, 3 or 4, from 0 to 1, of NumPy, PyTorch or Taichi; or a sequence of such arrays, and
            of meshes, of any sizes. Three sizes of which the last is 1, 3 or 4 are (H, W, C).
            What has alpha is laid over white.
        captions: One for each image.
        columns: How many stand in a row; about as many as there are rows if None.

    Returns:
        The sheet, which can be saved, too.

    Raises:
        TypeError: If an image is no array of numbers, or ``columns`` no integer.
        ValueError: If there are no images, a shape is another, or there are not as many captions.

    Examples:
        >>> import numpy as np
        >>> show(np.zeros((3, 16, 20)), ["a", "b", "c"], columns=3)
        Sheet(3 images, 68 x 34 pixels)
    """
    pictures = list(_pictures("images", images))
    if not pictures:
        raise ValueError("images must be at least one, got none")
    if captions is not None and len(captions) != len(pictures):
        raise ValueError(
            f"captions must be one for each image, {len(pictures)}, got {len(captions)}"
        )
    if columns is None:
        columns = int(np.ceil(np.sqrt(len(pictures))))
    columns = min(check_integer("columns", columns, at_least=1), len(pictures))
    if captions is not None:
        pictures = [_with_caption(picture, text) for picture, text in zip(pictures, captions)]
    height, width = (max(picture.shape[axis] for picture in pictures) for axis in (0, 1))
    rows = -(-len(pictures) // columns)
    size = rows * (height + GAP) - GAP, columns * (width + GAP) - GAP, 3
    sheet = np.full(size, 255, np.uint8)
    for i, picture in enumerate(pictures):
        top, left = i // columns * (height + GAP), i % columns * (width + GAP)
        sheet[top : top + picture.shape[0], left : left + picture.shape[1]] = picture
    return Sheet(sheet, len(pictures))


def track(steps: Iterable[T], description: str = "", *, total: float | None = None) -> Iterator[T]:
    """Go through steps with a bar that says how far it is, in a shell and in a notebook.

    Args:
        steps: What to go through.
        description: What stands before the bar.
        total: How many steps there are, where ``steps`` can't tell.

    Yields:
        The steps.

    Examples:
        >>> sum(track(range(4), "adding"))  # doctest: +SKIP
        adding ━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━ 100% 0:00:00
        6
    """
    from rich.console import Console  # which take a while, and not everyone waits
    from rich.progress import track as rich_track

    console = Console(stderr=True)
    yield from rich_track(steps, description or "working", total=total, console=console)


def draw_mesh(mesh: Mesh) -> bytes:
    """Draw a mesh, as `Mesh` shows itself in a notebook: a PNG with alpha."""
    return _png(_draw_mesh(mesh))


Mesh.painter = staticmethod(draw_mesh)


def _draw_mesh(mesh: Mesh) -> NDArray[np.uint8]:
    """Draw a mesh: (H, W, 4), bytes."""
    settings = RasterizerSettings(height=MESH_SIZE, width=MESH_SIZE, sigma=1e-6, supersampling=2)
    return to_bytes(next(draw_previews(mesh, frame_mesh(mesh), settings)))


def _png(pixels: NDArray[np.uint8]) -> bytes:
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, format="PNG")
    return file.getvalue()


def _pictures(name: str, images: Any) -> Iterator[NDArray[np.uint8]]:
    """Find single images, and turn them into bytes, (H, W, 3)."""
    if isinstance(images, Mesh):
        yield to_bytes(composite(_draw_mesh(images) / 255, WHITE))
        return
    if isinstance(images, (list, tuple)):
        for i, image in enumerate(images):
            yield from _pictures(f"{name}[{i}]", image)
        return
    array = to_numpy(images) if is_array(images) else np.asarray(images)
    if array.dtype.kind not in "biuf":
        raise TypeError(f"{name} must be numbers, got {type(images).__name__}")
    has_channels = array.ndim == 4 or (array.ndim == 3 and array.shape[2] in (1, 3, 4))
    if array.ndim == (3 if has_channels else 2):
        array = array[None]
    channels = array.shape[3] if array.ndim == 4 else 1
    if array.ndim != 3 + has_channels or channels not in (1, 3, 4) or 0 in array.shape:
        raise ValueError(
            f"{name} must have shape (H, W), (B, H, W), (H, W, C) or (B, H, W, C) with C = 1, 3 or "
            f"4, got {array.shape}"
        )
    if array.dtype != np.uint8:
        array = np.nan_to_num(array.astype(np.float64))
        array = composite(array, WHITE) if channels == 4 else array
    elif channels == 4:
        array = to_bytes(composite(array / 255, WHITE))
    for image in to_bytes(array):
        gray = image[..., None] if image.ndim == 2 else image
        yield gray if gray.shape[2] == 3 else np.repeat(gray, 3, axis=2)


def _with_caption(picture: NDArray[np.uint8], text: str) -> NDArray[np.uint8]:
    """Put a strip with a line of text below an image, and make it as wide as the text."""
    font = ImageFont.load_default(12)
    height, width, _ = picture.shape
    wide = max(width, ceil(font.getlength(text)))
    canvas = Image.new("RGB", (wide, height + CAPTION_HEIGHT), "white")
    canvas.paste(Image.fromarray(picture), ((wide - width) // 2, 0))
    ImageDraw.Draw(canvas).text((wide / 2, height + 3), text, fill="black", anchor="ma", font=font)
    return np.asarray(canvas)
