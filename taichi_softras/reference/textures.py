"""The colours of faces at pixels, from their corners, their texels or image maps."""

import torch
from torch import Tensor

from taichi_softras.meshes.textures import SurfaceTexture, Texture, UVTexture

TEXEL_ROUNDING = 2.0**-12
"""Part of a texel by which a point may be off: see `sample_surface`."""


def sample_texture(colors: Texture, weights: Tensor) -> Tensor:
    """Sample colours where corners weigh so much.

    Args:
        colors: As in `rasterize`; of numbers that are not finite some are 0.
        weights: (B, H, W, F, 3).

    Returns:
        (B, H, W, F, C).
    """
    if isinstance(colors, SurfaceTexture):
        return sample_surface(colors.texels, weights)
    if isinstance(colors, UVTexture):
        return sample_map(colors, weights)
    # A face whose colours are not finite is left out; 0 times them would not be 0.
    return _interpolate(torch.where(colors.isfinite(), colors, 0.0), weights)


def sample_surface(texels: Tensor, weights: Tensor) -> Tensor:
    """Take the nearest of a face's texels, (B or 1, F, R * R, C): see `SurfaceTexture`."""
    last = round(texels.shape[2] ** 0.5) - 1
    places = weights.detach()[..., :2] * (last + 1)
    col, row = places.floor().clamp(0, last).long().unbind(-1)
    # The third weight of points on a border is 0: rounding must not take them beyond it.
    lower = places.sum(-1) - col - row <= 1 + TEXEL_ROUNDING
    index = torch.where(lower, row * (last + 1) + col, (last - row) * (last + 1) + last - col)
    items = torch.arange(len(weights), device=texels.device).clamp(max=len(texels) - 1)
    faces = torch.arange(texels.shape[1], device=texels.device)
    nearest: Tensor = texels[items[:, None, None, None], faces, index]
    return nearest


def sample_map(texture: UVTexture, weights: Tensor) -> Tensor:
    """Interpolate bilinearly between the four texels round a point: see `UVTexture`."""
    face_uvs = torch.where(texture.face_uvs.isfinite(), texture.face_uvs, 0.0)
    u, v = _interpolate(face_uvs, weights).unbind(-1)
    texels, maps, face_maps = texture.texels.flatten(1, 2), texture.maps, texture.face_maps
    if maps is None:
        maps = torch.tensor([[0, *texture.texels.shape[1:3], 0]], device=texels.device)
    if face_maps is None:
        face_maps = torch.zeros(u.shape[3], dtype=torch.long, device=texels.device)
    first, height, width, wrap = maps[face_maps.long()].long().T  # each (F,)
    wrap_u = torch.where(wrap < 3, wrap, (wrap - 3) // 3)
    wrap_v = torch.where(wrap < 3, wrap, (wrap - 3) % 3)
    x, y = u * width - 0.5, (1 - v) * height - 0.5  # whole numbers at the centres of texels
    items = torch.arange(len(u), device=texels.device).clamp(max=len(texels) - 1)
    total: Tensor = texels.new_zeros(())
    for down in (0, 1):
        for right in (0, 1):
            row, col = y.detach().floor().long() + down, x.detach().floor().long() + right
            weight = (1 - (x - col).abs()) * (1 - (y - row).abs())
            index = first + _wrapped(row, height, wrap_v) * width + _wrapped(col, width, wrap_u)
            total = total + weight[..., None] * texels[items[:, None, None, None], index]
    return total


def _wrapped(index: Tensor, size: Tensor, wrap: Tensor) -> Tensor:
    """Bring indices into images: by their being repeated, by their borders, or mirrored."""
    repeated = index.remainder(size)
    at_border = index.clamp(min=0).minimum(size - 1)
    is_turned = index.div(size, rounding_mode="floor") % 2 == 1
    mirrored = torch.where(is_turned, size - 1 - repeated, repeated)
    return torch.where(wrap == 1, at_border, torch.where(wrap == 2, mirrored, repeated))


def is_finite(colors: Texture) -> Tensor:
    """Tell which faces have finite colours or texture coordinates, (B or 1, F or 1)."""
    if isinstance(colors, SurfaceTexture):
        return torch.ones(1, 1, dtype=torch.bool, device=colors.texels.device)
    numbers = colors.face_uvs if isinstance(colors, UVTexture) else colors
    finite: Tensor = numbers.isfinite().flatten(2).all(-1)
    return finite


def _interpolate(numbers: Tensor, weights: Tensor) -> Tensor:
    """Mix the numbers of corners, (B or 1, F, 3, C): (B, H, W, F, C)."""
    return torch.einsum("bhwfk,bfkc->bhwfc", weights, numbers.expand(len(weights), -1, -1, -1))
