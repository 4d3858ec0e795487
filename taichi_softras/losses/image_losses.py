"""How far images are from what they should be."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from taichi_softras.arrays.calls import apply
from taichi_softras.arrays.checks import check_arrays
from taichi_softras.arrays.operator import Allocate, Array, Operator
from taichi_softras.arrays.runtime import on_gpu
from taichi_softras.losses.kernels.image_losses import overlap_kernels, squared_error_kernels
from taichi_softras.losses.sums import Reduction, add_losses, check_reduction


def silhouette_loss(alpha: Array, target: Array, *, reduction: Reduction = "mean") -> Array:
    """Measure how far silhouettes are from their targets: one minus intersection over union.

    The mean over images of 1 − Σ aₚ tₚ / Σ (aₚ + tₚ − aₚ tₚ) over pixels p. Two empty
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

    Examples:
        >>> import numpy as np, taichi_softras as sr
        >>> alpha = sr.from_numpy(np.float32([[[1, 1], [0, 0]]]))
        >>> target = sr.from_numpy(np.float32([[[1, 0], [0, 0]]]))
        >>> sr.silhouette_loss(alpha, target).to_numpy()  # one of two pixels agrees
        array([0.5], dtype=float32)
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
    return apply(_Overlap(*_means(num_items, num_views, reduction), num_views), (alpha, target))[0]


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

    Examples:
        >>> import numpy as np, taichi_softras as sr
        >>> alpha = sr.from_numpy(np.float32([[[1, 1], [0, 0]]]))
        >>> target = sr.from_numpy(np.float32([[[1, 0], [0, 0]]]))
        >>> sr.multiview_silhouette_loss([alpha, alpha], [target, alpha]).to_numpy()
        array([0.25], dtype=float32)
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

    Examples:
        >>> import numpy as np, taichi_softras as sr
        >>> image = sr.from_numpy(np.zeros((1, 2, 2, 3), np.float32))
        >>> target = sr.from_numpy(np.full((1, 2, 2, 3), 0.5, np.float32))
        >>> sr.image_loss(image, target).to_numpy()
        array([0.25], dtype=float32)
    """
    check_reduction(reduction)
    sizes = check_arrays(image=(image, "(B, H, W, C)"), target=(target, "(B or 1, H, W, C)"))
    size = sizes["H"] * sizes["W"] * sizes["C"]
    return apply(_SquaredError(*_means(sizes["B"], size, reduction)), (image, target))[0]


def _means(num_items: int, count: int, reduction: Reduction) -> tuple[int, float]:
    """Find how many losses there are, of ``count`` terms an item, and one over the terms of each.

    If there are no terms, that is 1.
    """
    terms = count if reduction == "none" else count * num_items
    return (num_items if reduction == "none" else 1), 1 / max(terms, 1)


@dataclass(frozen=True)
class _Overlap(Operator):
    """Alphas and targets, as `silhouette_loss` takes them, become losses.

    Attributes:
        num_losses: B, or 1 for all.
        scale: One over the images of each.
        num_views: N, or 1.
    """

    num_losses: int
    scale: float
    num_views: int

    def forward(
        self, inputs: Sequence[Array], allocate: Allocate
    ) -> tuple[tuple[Array, ...], tuple[Array, ...]]:
        alpha, target = inputs
        num_images = alpha.shape[0] * self.num_views
        rows = allocate((num_images, alpha.shape[-2], 2), clear=False)
        sums = allocate((num_images, 2), clear=False)
        losses = allocate((self.num_losses,), clear=False)
        kernels = overlap_kernels(allocate.dtype, serial=not on_gpu())
        kernels.measure(alpha, target, self.scale, rows, sums, losses)
        return (losses,), (sums,)

    def backward(
        self,
        inputs: Sequence[Array],
        outputs: Sequence[Array],
        saved: Sequence[Array],
        allocate: Allocate,
    ) -> None:
        differentiate = overlap_kernels(allocate.dtype, serial=not on_gpu()).differentiate
        for values, others in (inputs, inputs[::-1]):
            if values.grad is not None:
                differentiate(others, *saved, outputs[0].grad, self.scale, values.grad)


@dataclass(frozen=True)
class _SquaredError(Operator):
    """Images and targets, as `image_loss` takes them, become losses.

    Attributes:
        num_losses: B, or 1 for all.
        scale: One over the numbers of each.
    """

    num_losses: int
    scale: float

    def forward(
        self, inputs: Sequence[Array], allocate: Allocate
    ) -> tuple[tuple[Array, ...], tuple[Array, ...]]:
        rows = allocate(tuple(inputs[0].shape[:2]), clear=False)
        losses = allocate((self.num_losses,), clear=False)
        squared_error_kernels(allocate.dtype, serial=not on_gpu()).measure(
            *inputs, self.scale, rows, losses
        )
        return (losses,), ()

    def backward(
        self,
        inputs: Sequence[Array],
        outputs: Sequence[Array],
        saved: Sequence[Array],
        allocate: Allocate,
    ) -> None:
        differentiate = squared_error_kernels(allocate.dtype, serial=not on_gpu()).differentiate
        for values, others in (inputs, inputs[::-1]):
            if values.grad is not None:
                num_items, by_losses = inputs[0].shape[0], outputs[0].grad
                differentiate(values, others, num_items, by_losses, self.scale, values.grad)
