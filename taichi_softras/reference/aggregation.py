"""From the fragments of a pixel to its alpha and its colours."""

from typing import Any

import torch
from torch import Tensor
from torch.nn.functional import one_hot, pad

from taichi_softras.rasterizer.settings import RasterizerSettings
from taichi_softras.reference.fragments import Fragments, per_item


def aggregate_alpha(fragments: Fragments, settings: RasterizerSettings) -> Tensor:
    """Add up the coverages of each pixel's faces, (B, H, W)."""
    if settings.alpha == "prod":
        return 1 - torch.where(fragments.drawn, fragments.uncovered, 1.0).prod(-1)
    coverage = torch.where(fragments.drawn, fragments.coverage, 0.0)
    if settings.alpha == "sum":
        return coverage.sum(-1) / max(coverage.shape[-1], 1)
    return (coverage > 0.5).any(-1).to(coverage)


def aggregate_colors(
    fragments: Fragments,
    values: Tensor,
    settings: RasterizerSettings,
    *,
    background: Any = 0.0,
    gamma: Tensor | None = None,
    eps: Tensor | None = None,
) -> Tensor:
    """Mix the colours of each pixel's faces, ``values`` (B, H, W, F, C), to (B, H, W, C)."""
    behind = _background(background, settings, values)
    depth = fragments.depth
    if settings.color == "hard":
        depth = torch.where(fragments.shown & fragments.inside, depth, torch.inf)
        depth = pad(depth, (0, 1), value=torch.finfo(depth.dtype).max)  # the background's
        shares = one_hot(depth.argmin(-1), depth.shape[-1]).to(values)
    else:
        gammas = per_item(gamma, settings.gamma, depth)
        nearness = (settings.far - depth) / (settings.far - settings.near)
        logits = fragments.log_coverage + nearness / gammas[..., None]
        logits = torch.where(fragments.shown, logits, -torch.inf)
        of_background = per_item(eps, settings.eps, depth) / gammas
        of_background = of_background.expand(logits.shape[:-1])[..., None]
        shares = torch.cat([logits, of_background], dim=-1).softmax(-1)
    return (shares[..., :-1, None] * values).sum(-2) + shares[..., -1:] * behind


def _background(background: Any, settings: RasterizerSettings, values: Tensor) -> Tensor:
    """Stretch a background over the image, (B or 1, H, W, C)."""
    behind = torch.as_tensor(background, dtype=values.dtype, device=values.device)
    behind = behind.expand(*(1,) * (4 - behind.ndim), *behind.shape)
    rows, cols = (
        torch.arange(n, device=values.device) * size // n
        for n, size in ((settings.height, behind.shape[1]), (settings.width, behind.shape[2]))
    )
    return behind[:, rows][:, :, cols]
