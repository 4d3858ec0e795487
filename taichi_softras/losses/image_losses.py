"""How far images are from what they should be."""

from collections.abc import Sequence

from taichi_softras.arrays.calls import apply_kernel
from taichi_softras.arrays.checks import check_arrays
from taichi_softras.arrays.operator import Array
from taichi_softras.losses.kernels.image_losses import (
    iou_kernel,
    overlap_kernel,
    row_sum_kernel,
    squared_error_kernel,
)
from taichi_softras.losses.sums import (
    Reduction,
    add_losses,
    check_reduction,
    mean_items,
    sum_items,
)


def silhouette_loss(alpha: Array, target: Array, *, reduction: Reduction = "mean") -> Array:
    r"""Measure how far silhouettes are from their targets: one minus intersection over union.

    The mean over images of :math:`1 - \sum_i a_i t_i / \sum_i (a_i + t_i - a_i t_i)`. Two empty
    silhouettes agree.

    Args:
        alpha: (B, H, W), or (B, N, H, W) for N views of each item; 0 to 1.
        target: Of the same shape, of B items or 1.
        reduction: ``"mean"`` of the items, or ``"none"``.

    Returns:
        (1,), or (B,): the means over views; 0 to 1.

    Raises:
        TypeError: If an array is of the wrong kind or type.
        ValueError: If a shape doesn't fit, or ``reduction`` is neither of the two.

    Source:
        SoftRas, section 4.1, the loss of silhouettes.
    """
    check_reduction(reduction)
    views = "N, " if len(getattr(alpha, "shape", ())) == 4 else ""
    if views and alpha.shape[3] == 1:
        raise ValueError(
            "alpha must have shape (B, H, W), or (B, N, H, W) for N views, without a dimension of "
            f"channels, got {tuple(alpha.shape)}"
        )
    sizes = check_arrays(
        alpha=(alpha, f"(B, {views}H, W)"), target=(target, f"(B or 1, {views}H, W)")
    )
    num_items, num_views = sizes["B"], sizes.get("N", 1)
    num_images = num_items * num_views
    shape = (num_images, sizes["H"], 2)
    rows = apply_kernel(overlap_kernel, (alpha, target), shape, num_items=num_items)
    sums = apply_kernel(row_sum_kernel, (rows,), (num_images, 2))
    return mean_items(apply_kernel(iou_kernel, (sums,), (num_items, num_views)), reduction)


def multiview_silhouette_loss(
    alphas: Sequence[Array], targets: Sequence[Array], *, reduction: Reduction = "mean"
) -> Array:
    """Average `silhouette_loss` over views that are separate arrays.

    For shapes predicted from two pictures each: draw both predictions with both cameras, and
    compare each of the four silhouettes with that of its camera.

    Args:
        alphas: One array (B, H, W) per view, of any sizes H and W; 0 to 1.
        targets: As many, each (B or 1, H, W) of the same size.
        reduction: ``"mean"`` of the items, or ``"none"``.

    Returns:
        (1,), or (B,); 0 to 1.

    Raises:
        TypeError: If an array is of the wrong kind or type.
        ValueError: If there are no views, their numbers, items or shapes don't fit, or
            ``reduction`` is neither of the two.

    Source:
        The loss that SoftRas's reconstruction is trained with, ``multiview_iou_loss``.
    """
    check_reduction(reduction)
    if len(alphas) == 0 or len(alphas) != len(targets):
        raise ValueError(
            "alphas and targets must be as many, at least one each, "
            f"got {len(alphas)} and {len(targets)}"
        )
    wanted = {}
    for view, (alpha, target) in enumerate(zip(alphas, targets)):
        wanted[f"alphas[{view}]"] = alpha, f"(B, H{view}, W{view})"
        wanted[f"targets[{view}]"] = target, f"(B or 1, H{view}, W{view})"
    check_arrays(**wanted)
    losses = [silhouette_loss(a, t, reduction=reduction) for a, t in zip(alphas, targets)]
    return add_losses(losses, 1 / len(losses))


def image_loss(image: Array, target: Array, *, reduction: Reduction = "mean") -> Array:
    """Average the squared differences of images, over all pixels and channels.

    Args:
        image: (B, H, W, C).
        target: (B or 1, H, W, C).
        reduction: ``"mean"`` of the items, or ``"none"``.

    Returns:
        (1,), or (B,); at least 0.

    Raises:
        TypeError: If an array is of the wrong kind or type.
        ValueError: If a shape doesn't fit, or ``reduction`` is neither of the two.
    """
    check_reduction(reduction)
    sizes = check_arrays(image=(image, "(B, H, W, C)"), target=(target, "(B or 1, H, W, C)"))
    rows = apply_kernel(squared_error_kernel, (image, target), (sizes["B"], sizes["H"]))
    return sum_items(rows, 1 / max(sizes["H"] * sizes["W"] * sizes["C"], 1), reduction)
