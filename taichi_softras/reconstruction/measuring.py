"""How well drawings of a mesh agree with photographs."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import scipy
from numpy.typing import NDArray

from taichi_softras.captures.captures import Captures
from taichi_softras.files.pictures import WHITE, composite
from taichi_softras.meshes.mesh import Mesh
from taichi_softras.reconstruction.drawing import draw_captures

BEST = 100.0
"""Decibels of what agrees in all digits."""

WINDOW = 1.5
"""Of structural similarity: the deviation of its Gaussian window, in pixels."""

STEADY = (0.01**2, 0.03**2)
"""Its two small constants."""


@dataclass(frozen=True, kw_only=True)
class Agreement:
    """How well a drawing agrees with a photograph.

    Attributes:
        name: Of the photograph.
        iou: Intersection over union of silhouettes, of what is known; 0 to 1.
        psnr: Signal to noise in the mask, in decibels, black where the mesh isn't, after the gain
            that fits the photograph best.
        psnr_white: The same of whole pictures, laid over white by mask and alpha, without a gain.
        ssim: Structural similarity of those, in the box round the mask; at most 1.
    """

    name: str
    iou: float
    psnr: float
    psnr_white: float
    ssim: float


def measure_agreement(mesh: Mesh, captures: Captures) -> list[Agreement]:
    """Draw a mesh as each photograph shows it, with hard edges, and compare.

    Args:
        mesh: With its texture or colours.
        captures: Photographs, with masks.

    Raises:
        ValueError: If the photographs have no masks, or the mesh is behind a camera.

    Source:
        Wang, Bovik, Sheikh and Simoncelli, Image quality assessment: from error visibility to
        structural similarity, 2004.
    """
    if captures.masks is None:
        raise ValueError("captures must have masks, got none")
    found = []
    for i, drawing in enumerate(draw_captures(mesh, captures)):
        photo = captures.pictures[i].astype(np.float64) / 255
        cover = captures.masks[i].astype(np.float64) / 255
        found.append(_compare(captures.names[i], drawing, photo, cover, captures.known[i]))
    return found


def _compare(
    name: str,
    drawing: NDArray[Any],
    photo: NDArray[np.float64],
    cover: NDArray[np.float64],
    known: NDArray[np.bool_],
) -> Agreement:
    inside, drawn = (cover > 0.5) & known, (drawing[..., 3] > 0.5) & known
    union = (inside | drawn).sum()
    colors = drawing[..., :3].astype(np.float64) * drawn[..., None]
    p, q = colors[inside], photo[inside]
    gain = (p * q).sum() / max((p * p).sum(), 1e-12)
    ours = np.clip(composite(drawing.astype(np.float64), WHITE), 0, 1)
    theirs = photo * cover[..., None] + 1 - cover[..., None]
    return Agreement(
        name=name,
        iou=float((inside & drawn).sum() / union) if union else 1.0,
        psnr=_decibels(np.clip(p * gain, 0, 1) - q),
        psnr_white=_decibels((ours - theirs)[known]),
        ssim=structural_similarity(*(_cropped(image, inside) for image in (ours, theirs))),
    )


def _decibels(differences: NDArray[Any]) -> float:
    square = float(np.square(differences).mean()) if differences.size else 0.0
    return min(-10 * np.log10(square), BEST) if square > 0 else BEST


def _cropped(image: NDArray[Any], inside: NDArray[np.bool_]) -> NDArray[Any]:
    """Cut out the box round a mask; all if it is empty."""
    if not inside.any():
        return image
    rows, cols = (np.flatnonzero(inside.any(axis=axis)) for axis in (1, 0))
    return image[rows[0] : rows[-1] + 1, cols[0] : cols[-1] + 1]


def structural_similarity(image: NDArray[Any], other: NDArray[Any]) -> float:
    """Measure the structural similarity of two images (H, W, C) of 0 to 1: the mean, at most 1."""

    def blur(x: NDArray[Any]) -> NDArray[Any]:
        return np.asarray(scipy.ndimage.gaussian_filter(x, (WINDOW, WINDOW, 0), truncate=3.5))

    mean, mean_other = blur(image), blur(other)
    variance = blur(image * image) - mean**2
    variance_other = blur(other * other) - mean_other**2
    covariance = blur(image * other) - mean * mean_other
    first, second = STEADY
    bright = (2 * mean * mean_other + first) / (mean**2 + mean_other**2 + first)
    contrast = (2 * covariance + second) / (variance + variance_other + second)
    return float((bright * contrast).mean())
