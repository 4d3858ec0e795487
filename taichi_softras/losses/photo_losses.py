"""How far drawings are from photographs, of which only parts may be known."""

from __future__ import annotations

from taichi_softras.arrays.calls import apply_kernel
from taichi_softras.arrays.checks import check_arrays
from taichi_softras.arrays.operator import Array
from taichi_softras.arrays.options import check_number
from taichi_softras.losses.kernels.photo_losses import (
    TERMS,
    photo_loss_kernel,
    photo_terms_kernel,
    row_sum_kernel,
)
from taichi_softras.losses.sums import Reduction, check_reduction, mean_items


def photo_loss(
    image: Array,
    photo: Array,
    mask: Array,
    known: Array,
    weights: Array,
    gains: Array,
    *,
    color_weight: float = 1.0,
    reduction: Reduction = "mean",
) -> Array:
    r"""Measure how far drawings are from photographs: silhouettes by overlap, colours by L1.

    Of each image :math:`1 - \sum_i k_i a_i t_i / \sum_i k_i (a_i + t_i - a_i t_i)`, which is
    `silhouette_loss` of the pixels that are known, plus ``color_weight`` times the weighted mean
    of :math:`|g c_i - p_i|`. Nothing that is not known pulls at the mesh. Gradients flow to
    ``image`` alone; where a difference of colours is 0 they are 0.

    Args:
        image: (B, H, W, C + 1), colours and alpha last, as `render` gives them.
        photo: The photographs, (B, H, W, C).
        mask: How much of each pixel the object covers, (B, H, W), 0 to 1.
        known: How much is known of it, (B, H, W), 0 to 1.
        weights: How much the colours of a pixel count, (B, H, W), at least 0: those that lie
            inside of the mask.
        gains: What the colours of each image are multiplied by, (B,): the photograph's exposure.
        color_weight: How much colours count beside silhouettes. At least 0.
        reduction: ``"mean"`` of the items, or ``"none"``.

    Returns:
        (1,), or (B,); at least 0.

    Raises:
        TypeError: If an array is of the wrong kind or type, or ``color_weight`` no number.
        ValueError: If a shape doesn't fit, ``color_weight`` is below 0, or ``reduction`` is
            neither of the two.

    Examples:
        >>> import numpy as np, taichi_softras as sr
        >>> photo, half = (sr.from_numpy(np.full((1, 2, 2, c), 0.5)) for c in (3, 4))
        >>> ones, gain = (sr.from_numpy(np.ones(s)) for s in ((1, 2, 2), (1,)))
        >>> loss = photo_loss(half, photo, ones, ones, ones, gain)  # half transparent
        >>> loss.to_numpy()
        array([0.5])
    """
    check_reduction(reduction)
    color_weight = check_number("color_weight", color_weight)
    if color_weight < 0:
        raise ValueError(f"color_weight must be at least 0, got {color_weight}")
    sizes = check_arrays(photo=(photo, "(B, H, W, C)"))
    batch, height, width, channels = (sizes[letter] for letter in "BHWC")
    shape = f"({batch}, {height}, {width})"
    check_arrays(
        photo,
        image=(image, f"({batch}, {height}, {width}, {channels + 1})"),
        mask=(mask, shape),
        known=(known, shape),
        weights=(weights, shape),
        gains=(gains, f"({batch},)"),
    )
    inputs = (image, photo, mask, known, weights, gains)
    rows = apply_kernel(photo_terms_kernel, inputs, (batch, height, TERMS))
    sums = apply_kernel(row_sum_kernel, (rows,), (batch, TERMS))
    losses = apply_kernel(photo_loss_kernel, (sums,), (batch, 1), constants=(color_weight,))
    return mean_items(losses, reduction)
