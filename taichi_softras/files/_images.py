"""Reading images of materials."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image


def decoded_image(image: Any) -> NDArray[Any] | None:
    """Decode an image of Pillow's into what `Material` takes, without its transparency.

    Args:
        image: A ``PIL.Image.Image``, opened or not yet decoded; or None.

    Returns:
        (H, W, 3) float32 from 0 to 1, which cannot be written to. None for None, and for an
        image that is damaged.
    """
    if image is None:
        return None
    try:
        if image.mode.startswith("I;16"):  # grey of 16 bits, which Pillow would clip to 8
            texels = np.repeat(np.asarray(image, np.float32)[..., None] / 65535, 3, axis=2)
        else:
            texels = np.asarray(image.convert("RGB"), np.float32) / 255
    except (OSError, SyntaxError, ValueError):  # Pillow decodes only here
        return None
    texels.flags.writeable = False
    return texels


def read_image(path: Path | None) -> NDArray[Any] | None:
    """Read an image file as `decoded_image` does: None for None, and for what is no image."""
    if path is None:
        return None
    try:
        with Image.open(path) as image:
            return decoded_image(image)
    except (OSError, SyntaxError, ValueError, Image.DecompressionBombError):
        return None
