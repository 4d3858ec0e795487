"""The materials of a mesh: a colour, and an image that it tints."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal, get_args

import numpy as np
from numpy.typing import NDArray

from taichi_softras.arrays.reprs import short_repr

GREY = 0.7
"""Red, green and blue of what has no colour of its own."""

Wrap = Literal["repeat", "clamp", "mirror"]

WRAPS: tuple[Wrap, ...] = get_args(Wrap)
"""The ways to wrap an image; the place of one here is its number in `TextureMaps.maps`."""

Wraps = Wrap | tuple[Wrap, Wrap]
"""One way to wrap, or one along u and one along v."""


@dataclass(frozen=True, eq=False)
class Material:
    """The colour of some of a mesh's faces.

    A point of a face has ``color``; with an image, ``color`` times that of the image at the
    point's texture coordinates.

    Attributes:
        name: What files call it.
        color: Red, green and blue, finite, from 0 to 1, though this is not enforced.
        image: Of shape (H, W, 3): red, green and blue from 0 to 1, finite, row 0 at the top.
            float32 or float64, kept as it is; copied unless it cannot be written to. None if
            there is none.
        wrap: What is outside the image: it again ("repeat"), its border ("clamp"), or it again,
            turned over every other time ("mirror"). Or two of these: to the left and right, and
            below and above. Kept as one where both are the same.

    Raises:
        TypeError: If the name is no text, or the image holds no floats.
        ValueError: If a shape doesn't fit, a value is not finite, or ``wrap`` is none of these.

    Examples:
        >>> Material("glass", (0.5, 0.5, 1)).color
        (0.5, 0.5, 1.0)
        >>> Material(wrap=("mirror", "clamp")).wraps, Material(wrap=("mirror", "mirror")).wrap
        (('mirror', 'clamp'), 'mirror')
    """

    name: str = ""
    color: tuple[float, float, float] = (1.0, 1.0, 1.0)
    image: NDArray[Any] | None = None
    wrap: Wraps = "repeat"

    __repr__ = short_repr

    def __post_init__(self) -> None:
        if not isinstance(self.name, str):
            raise TypeError(f"name must be a str, got {type(self.name).__name__}")
        color = np.asarray(self.color)
        if color.dtype.kind not in "iuf" or color.shape != (3,) or not np.isfinite(color).all():
            raise ValueError(f"color must be 3 finite numbers, got {self.color!r}")
        object.__setattr__(self, "wrap", _checked_wrap(self.wrap))
        object.__setattr__(self, "color", tuple(map(float, color)))
        if self.image is not None:
            object.__setattr__(self, "image", _frozen_image(self.image))

    @property
    def wraps(self) -> tuple[Wrap, Wrap]:
        """How the image wraps along u, and along v."""
        return wraps_along(self.wrap)

    @property
    def wrap_code(self) -> int:
        """The number in `TextureMaps.maps` that says how the image wraps."""
        along_u, along_v = (WRAPS.index(wrap) for wrap in self.wraps)
        return along_u if along_u == along_v else len(WRAPS) * (1 + along_u) + along_v


def wraps_along(wrap: Wraps) -> tuple[Wrap, Wrap]:
    """Say along u and along v what may be said once for both."""
    return wrap if isinstance(wrap, tuple) else (wrap, wrap)


def _checked_wrap(given: Any) -> Wraps:
    both: Any = (given, given) if isinstance(given, str) else given
    if not isinstance(both, (tuple, list)) or len(both) != 2 or not set(both) <= set(WRAPS):
        raise ValueError(f"wrap must be one of {WRAPS}, or two of these, got {given!r}")
    along_u, along_v = both
    return along_u if along_u == along_v else (along_u, along_v)


def _frozen_image(given: Any) -> NDArray[Any]:
    image: NDArray[Any] = np.asarray(given)
    if image.dtype not in (np.float32, np.float64):
        raise TypeError(f"image must be float32 or float64, from 0 to 1, got {image.dtype}")
    if image.ndim != 3 or image.shape[2] != 3 or image.size == 0:
        raise ValueError(f"image must have shape (H, W, 3), at least 1 x 1, got {image.shape}")
    if not np.isfinite(image).all():
        raise ValueError("image must be finite, got a texel that is not")
    # Materials often share an image, and so may its memory be: nobody can write to it.
    if image.flags.writeable or image.base is not None or not image.flags.c_contiguous:
        image = np.array(image, order="C")
        image.flags.writeable = False
    return image


def wrapped_uvs(uvs: NDArray[Any], wrap: Wraps) -> NDArray[Any]:
    """Bring texture coordinates (..., 2) into the image, 0 to 1. What is inside stays, 1 too."""
    inside = np.empty_like(uvs)
    for axis, along in enumerate(wraps_along(wrap)):
        t = uvs[..., axis]
        if along == "clamp":
            inside[..., axis] = np.clip(t, 0, 1)
        elif along == "mirror":
            inside[..., axis] = 1 - np.abs(1 - t % 2)
        else:
            inside[..., axis] = np.where((t < 0) | (t > 1), t % 1, t)
    return inside


def nearest_texels(image: NDArray[Any], uvs: NDArray[Any], wrap: Wraps) -> NDArray[Any]:
    """Look up an image at texture coordinates.

    0 and 1 are the centres of the first and the last texel here, so that a corner at the border
    of the image has the colour on its own side, rather than that of the opposite one.

    Args:
        image: (H, W, 3), row 0 at the top.
        uvs: (N, 2) texture coordinates, v up, finite.
        wrap: What is outside of 0 to 1.

    Returns:
        The nearest texels, (N, 3).

    Examples:
        >>> image = np.arange(12.0).reshape(2, 2, 3)
        >>> nearest_texels(image, np.array([[0.0, 0.0], [1.0, 1.0], [1.75, 0.0]]), "repeat")[:, 0]
        array([6., 3., 9.])
    """
    inside = wrapped_uvs(uvs, wrap)
    rows = np.rint((1 - inside[:, 1]) * (image.shape[0] - 1)).astype(np.int64)
    columns = np.rint(inside[:, 0] * (image.shape[1] - 1)).astype(np.int64)
    texels: NDArray[Any] = image[rows, columns]
    return texels
