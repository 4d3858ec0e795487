"""From images of floats to files: whole ones, or none."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from taichi_softras.files.paths import whole_file

STILLS = (".png", ".jpg", ".jpeg")
ANIMATIONS = (".gif", ".mp4")

WHITE = (1.0, 1.0, 1.0)
"""What pictures with alpha are laid over."""


def composite(image: np.ndarray, background: Sequence[float]) -> np.ndarray:
    """Lay images with alpha over a colour.

    Args:
        image: (..., 4), straight RGB and alpha.
        background: Red, green and blue.

    Returns:
        (..., 3).
    """
    alpha = image[..., 3:]
    return np.asarray(image[..., :3] * alpha + np.asarray(background) * (1 - alpha))


def to_bytes(image: np.ndarray) -> np.ndarray:
    """Turn 0 to 1 into 0 to 255, rounded; what is beyond is clipped. Bytes stay as they are."""
    if image.dtype == np.uint8:
        return image
    return np.asarray(np.clip(image, 0, 1) * 255 + 0.5, dtype=np.uint8)


def write_picture(path: Path, image: np.ndarray) -> None:
    """Write a picture, (H, W) or (H, W, 3 or 4), of floats from 0 to 1.

    Raises:
        OSError: If the file can't be written.
    """
    import imageio.v2 as imageio

    with whole_file(path) as temporary:
        imageio.imwrite(temporary, to_bytes(image))


def write_animation(path: Path, frames: Sequence[np.ndarray], frames_per_second: float) -> None:
    """Write a GIF or MP4 that repeats, from frames (H, W) or (H, W, 3) of floats from 0 to 1.

    Raises:
        OSError: If the file can't be written.
        ValueError: If an MP4's height or width is odd, which its encoding can't hold.
    """
    import imageio.v2 as imageio

    height, width = frames[0].shape[:2]
    is_video = path.suffix.lower() == ".mp4"
    if is_video and (height % 2 or width % 2):
        raise ValueError(f"an MP4 must have even height and width, got {height} x {width}")
    options: dict[str, Any] = (
        {"fps": frames_per_second, "macro_block_size": 2, "quality": 8}
        if is_video
        else {"duration": 1000 / frames_per_second, "loop": 0}
    )
    with whole_file(path) as temporary:
        writer: Any = imageio.get_writer(temporary, **options)
        with writer:
            for frame in frames:
                writer.append_data(to_bytes(frame))


def check_picture_path(path: Path, suffixes: Sequence[str]) -> None:
    """Refuse a file that could not be written, before any work is done for it.

    Raises:
        ValueError: If its suffix is none of ``suffixes``.
        FileNotFoundError: If its folder does not exist.
    """
    if path.suffix.lower() not in suffixes:
        raise ValueError(f"output must end in one of {', '.join(suffixes)}, got {path}")
    if not path.parent.is_dir():
        raise FileNotFoundError(f"the folder of the output does not exist: {path.parent}")
