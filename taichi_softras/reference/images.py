"""Images of faces: the steps of the method, one after the other."""

from typing import Any

import torch
from torch import Tensor

from taichi_softras.meshes.textures import Texture, UVTexture
from taichi_softras.rasterizer.rasterization import sampled
from taichi_softras.rasterizer.settings import RasterizerSettings
from taichi_softras.reference.aggregation import aggregate_alpha, aggregate_colors
from taichi_softras.reference.fragments import Fragments, find_changes, find_fragments
from taichi_softras.reference.textures import is_finite, sample_texture


def rasterize(
    face_vertices: Tensor,
    colors: Texture,
    settings: RasterizerSettings,
    *,
    attributes: Tensor | None = None,
    background: Any = 0.0,
    sigma: Tensor | None = None,
    gamma: Tensor | None = None,
    eps: Tensor | None = None,
    interpolation_gradient: bool = True,
) -> Tensor:
    """Draw faces, as `taichi_softras.rasterize` does.

    Args:
        face_vertices: (B, F, 3, 3), each corner's x and y in NDC and its depth; float32 or float64.
        colors: (B or 1, F, 3, C), colours of the corners; a `SurfaceTexture`; or a `UVTexture`.
        settings: Size of the image, and how faces become pixels.
        attributes: (B or 1, F, 3, A), more channels at corners, drawn as colours are.
        background: What is seen where no face is: a number, C + A numbers, or (B or 1, h or 1, w or
            1, C + A), stretched over the image.
        sigma: (1,) or (B,), in place of ``settings.sigma``.
        gamma: Likewise.
        eps: Likewise.
        interpolation_gradient: Whether the gradient with respect to corners' x and y has the
            part that goes through the interpolation of colours and depths inside faces. SoftRas's
            code leaves it out; without it the image is the same, and so are all other gradients.

    Returns:
        Images (B, H, W, C + A + 1), row 0 on top; colours, attributes, and alpha last.

    Raises:
        TypeError: If ``face_vertices`` is no tensor of float32 or float64.
        ValueError: If its shape doesn't fit, or the settings name a member of a family that was
            registered, which is not written in PyTorch.

    Examples:
        >>> import torch
        >>> from taichi_softras import RasterizerSettings, reference
        >>> triangle = torch.tensor([[[[-0.5, -0.5, 2.0], [0.5, -0.5, 2.0], [0.0, 0.5, 2.0]]]])
        >>> settings = RasterizerSettings(height=3, width=3, sigma=1e-4)
        >>> image = reference.rasterize(triangle, torch.ones(1, 1, 3, 3), settings)
        >>> image[0, :, :, 3].round().int().tolist()
        [[0, 0, 0], [0, 1, 0], [0, 0, 0]]
    """
    samples = sampled(settings)
    fragments = find_fragments(
        face_vertices, samples, sigma=sigma, interpolation_gradient=interpolation_gradient
    )
    parts = [colors] if attributes is None else [colors, attributes]
    for part in parts:
        fragments = _leave_out(fragments, is_finite(part))
    changes = None
    if isinstance(colors, UVTexture) and colors.mipmaps:
        changes = find_changes(face_vertices, samples, fragments)
        changes = changes if interpolation_gradient else changes.detach()
    values = torch.cat([sample_texture(part, fragments.weights, changes) for part in parts], dim=-1)
    image = aggregate_colors(
        fragments, values, samples, background=background, gamma=gamma, eps=eps
    )
    alpha = aggregate_alpha(fragments, samples)
    return _average(torch.cat([image, alpha[..., None]], dim=-1), settings.supersampling)


def rasterize_silhouette(
    face_vertices: Tensor, settings: RasterizerSettings, *, sigma: Tensor | None = None
) -> Tensor:
    """Draw how much of each pixel faces cover, as `taichi_softras.rasterize_silhouette` does.

    Args:
        face_vertices: As in `rasterize`.
        settings: As in `rasterize`.
        sigma: As in `rasterize`.

    Returns:
        Alpha (B, H, W).

    Raises:
        TypeError: As `rasterize`.
        ValueError: As `rasterize`.
    """
    samples = sampled(settings)
    alpha = aggregate_alpha(find_fragments(face_vertices, samples, sigma=sigma), samples)
    return _average(alpha, settings.supersampling)


def _leave_out(fragments: Fragments, finite: Tensor) -> Fragments:
    """Draw only faces whose colours are finite, (B or 1, F or 1)."""
    kept = finite[:, None, None]
    return fragments._replace(drawn=fragments.drawn & kept, shown=fragments.shown & kept)


def _average(image: Tensor, factor: int) -> Tensor:
    """Average squares of pixels of (B, H, W, ...)."""
    num_items, height, width, *channels = image.shape
    squares = (num_items, height // factor, factor, width // factor, factor, *channels)
    return image.reshape(squares).mean(dim=(2, 4))
