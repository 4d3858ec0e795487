"""Reading images of materials."""

from __future__ import annotations

import io
import threading
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image, UnidentifiedImageError

from taichi_softras.files.paths import find_file

LARGEST_IMAGE = 2**30
"""Pixels up to which an image is read: 16384 by 16384 four times over, 12 GB as it is drawn."""

BITS_PER_SAMPLE = 258
"""The tag of a TIFF file that says how many bits a number has."""

_limit_lock = threading.Lock()


class Textures:
    """The images of one mesh file: each is read once, and what can't be read is noted.

    Attributes:
        problems: What is wrong with images, or other files that the mesh file names, in words.
    """

    def __init__(self) -> None:
        self.problems: list[str] = []
        self._images: dict[Any, NDArray[Any] | None] = {}

    def named(self, folder: Path, name: str) -> NDArray[Any] | None:
        """Read the image of a name in a file of ``folder``: (H, W, 3), None if that fails."""
        if (folder, name) not in self._images:
            path = find_file(folder, name)
            if path is None:
                self.problems.append(f"there is no texture {name!r}: drawn without")
            self._images[folder, name] = None if path is None else self.read(path, repr(name))
        return self._images[folder, name]

    def read(self, source: Path | bytes, title: str) -> NDArray[Any] | None:
        """Read an image, or note under ``title`` why it can't be.

        Returns:
            (H, W, 3) float32 from 0 to 1, without transparency, which cannot be written to.
        """
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")  # Pillow remarks on what it can do without
                return _texels(source)
        except _ImageError as error:
            reason = str(error)
        except MemoryError:
            reason = "it does not fit into memory"
        except UnidentifiedImageError:
            reason = "it is no image of a kind that Pillow reads"
        except Exception:  # Pillow raises all kinds at an image that is damaged
            reason = "it is damaged"
        self.problems.append(f"texture {title} can't be read, as {reason}: drawn without")
        return None


class _ImageError(ValueError):
    """Why an image can't be read, in words."""


def _texels(source: Path | bytes) -> NDArray[Any]:
    with _unlimited():
        image = Image.open(io.BytesIO(source) if isinstance(source, bytes) else source)
    with image:
        if image.width * image.height > LARGEST_IMAGE:
            raise _ImageError(f"its {image.width} x {image.height} pixels are over {LARGEST_IMAGE}")
        with _unlimited():
            image.load()
        grey = _grey(image)
        if grey is None:
            texels = np.asarray(image.convert("RGB"), np.float32)
            texels /= 255
        else:
            texels = np.repeat(grey.astype(np.float32)[..., None], 3, axis=2)
    if not np.isfinite(texels).all():
        raise _ImageError("a number in it is not finite")
    texels.flags.writeable = False
    return texels


def _grey(image: Image.Image) -> NDArray[Any] | None:
    """Numbers of an image that has one of more than 8 bits per pixel, which Pillow would clip."""
    if image.mode == "F":
        return np.asarray(image, np.float64)
    if image.mode.startswith("I;16"):
        return np.asarray(image).astype(np.float64) / 65535
    if image.mode == "I":
        values = np.asarray(image).astype(np.int64)
        bits = getattr(image, "tag_v2", {}).get(BITS_PER_SAMPLE, (16,))
        # Of other files than TIFF, older Pillows give 16 bits so; of 32, the sign is of no use.
        largest = 2 ** (bits[0] if isinstance(bits, tuple) else bits) - 1
        return np.asarray(values % (largest + 1) / largest)
    return None


@contextmanager
def _unlimited() -> Iterator[None]:
    """Lift Pillow's limit, a quarter of what some textures have; ours is checked beside it."""
    with _limit_lock:
        before, Image.MAX_IMAGE_PIXELS = Image.MAX_IMAGE_PIXELS, None
        try:
            yield
        finally:
            Image.MAX_IMAGE_PIXELS = before
