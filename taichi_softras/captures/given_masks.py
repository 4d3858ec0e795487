"""Masks that lie beside photographs, or are in them."""

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from taichi_softras.files.photographs import has_alpha, photograph_size, read_mask

MASK_FOLDERS = ("masks", "mask")


def mask_file(folder: Path, name: str) -> Path | None:
    """Find the mask of the picture of that name, whose suffix the mask may have or not."""
    path = Path(name)
    stems = dict.fromkeys((str(path), str(path.with_suffix("")), path.name, path.stem))
    places = (folder / f / f"{stem}.png" for f in MASK_FOLDERS for stem in stems)
    return next((place for place in places if place.is_file()), None)


def given_mask(
    name: str,
    path: Path,
    mask: Path | None,
    pixels: NDArray[np.uint8],
    longest: int | None = None,
) -> NDArray[np.uint8] | None:
    """Read the mask that a picture has.

    Args:
        name: What the picture is called.
        path: Where it is.
        mask: Where its mask is; None for its alpha.
        pixels: Its own, (H, W, 3 or 4).
        longest: As of `read_photograph`.

    Returns:
        (H, W), 0 to 255; None if there is none.

    Raises:
        ValueError: If the mask is of another size than the picture, or can't be read.
    """
    if mask is None:
        return np.ascontiguousarray(pixels[..., 3]) if pixels.shape[2] == 4 else None
    size, wanted = photograph_size(mask), photograph_size(path)
    if size != wanted:
        raise ValueError(
            f"the mask of picture {name!r} must be of its size, {wanted[1]} x {wanted[0]} "
            f"pixels, got {size[1]} x {size[0]}"
        )
    return read_mask(mask, longest)


def without_masks(folder: Path, pictures: list[Path]) -> list[str]:
    """Name the pictures that have neither alpha nor a mask beside them."""
    return [
        path.name
        for path in pictures
        if mask_file(folder, path.name) is None and not has_alpha(path)
    ]
