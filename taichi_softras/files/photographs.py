"""Reading photographs: their pixels as bytes, with alpha where they have it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image, UnidentifiedImageError

from taichi_softras.files._images import _grey, _unlimited

SUFFIXES = (".png", ".jpg", ".jpeg", ".tif", ".tiff", ".bmp", ".webp", ".ppm")
"""Of files that are taken for photographs."""


def photograph_size(path: Path) -> tuple[int, int]:
    """Tell the height and width of a picture, without reading all of it.

    Raises:
        ValueError: If it can't be read.
    """
    try:
        with _unlimited(), Image.open(path) as image:
            return image.height, image.width
    except Exception as error:  # Pillow raises all kinds
        raise _unreadable(path, error) from None


def has_alpha(path: Path) -> bool:
    """Tell whether a picture has alpha, without reading all of it.

    Raises:
        ValueError: If it can't be read.
    """
    try:
        with _unlimited(), Image.open(path) as image:
            return _is_transparent(image)
    except Exception as error:  # Pillow raises all kinds
        raise _unreadable(path, error) from None


def read_photograph(path: Path, longest: int | None = None) -> NDArray[np.uint8]:
    """Read a picture as it is stored: what its EXIF says of its orientation is not applied.

    Args:
        path: The file.
        longest: Its longer side in pixels, if it is larger: it is then scaled down by averaging.

    Returns:
        (H, W, 3) or, if it has alpha, (H, W, 4), 0 to 255, straight alpha.

    Raises:
        ValueError: If it can't be read, in words.
    """
    try:
        with _unlimited():
            file = Image.open(path)
        with file:
            with _unlimited():
                file.load()
            image: Image.Image = file
            grey = _grey(image)
            if grey is not None:
                image = Image.fromarray((np.clip(grey, 0, 1) * 255 + 0.5).astype(np.uint8))
            image = image.convert("RGBA" if _is_transparent(image) else "RGB")
            if longest is not None and max(image.size) > longest:
                scale = longest / max(image.size)
                size = max(round(image.width * scale), 1), max(round(image.height * scale), 1)
                image = image.resize(size, Image.Resampling.BOX)
            pixels: NDArray[np.uint8] = np.asarray(image, np.uint8).copy()
            return pixels
    except Exception as error:  # Pillow raises all kinds
        raise _unreadable(path, error) from None


def read_mask(path: Path, longest: int | None = None) -> NDArray[np.uint8]:
    """Read a picture whose brightness, or alpha if it has one, says what is inside.

    Args:
        path: The file.
        longest: As of `read_photograph`.

    Returns:
        (H, W), 0 to 255. Where a picture has alpha that is 255 everywhere, brightness counts.

    Raises:
        ValueError: If it can't be read, in words.
    """
    pixels = read_photograph(path, longest)
    if pixels.shape[2] == 4 and (pixels[..., 3] < 255).any():
        return np.ascontiguousarray(pixels[..., 3])
    brightest: NDArray[np.uint8] = pixels[..., :3].max(axis=2)
    return brightest


def _is_transparent(image: Image.Image) -> bool:
    return image.mode in ("RGBA", "LA", "PA") or "transparency" in image.info


def _unreadable(path: Path, error: Exception) -> ValueError:
    reason: Any = "it is damaged"
    if isinstance(error, FileNotFoundError):
        reason = "there is no such file"
    elif isinstance(error, MemoryError):
        reason = "it does not fit into memory"
    elif isinstance(error, UnidentifiedImageError):
        reason = "it is no image of a kind that Pillow reads"
    return ValueError(f"picture {str(path)!r} can't be read: {reason}")
