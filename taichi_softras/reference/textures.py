"""The colours of faces at pixels, from their corners, their texels or image maps."""

from dataclasses import replace

import torch
from torch import Tensor

from taichi_softras.meshes.textures import SurfaceTexture, Texture, UVTexture

TEXEL_ROUNDING = 2.0**-12
"""Part of a texel by which a point may be off: see `sample_surface`."""


def sample_texture(colors: Texture, weights: Tensor, changes: Tensor | None = None) -> Tensor:
    """Sample colours where corners weigh so much.

    Args:
        colors: As in `rasterize`; of numbers that are not finite some are 0.
        weights: (B, H, W, F, 3).
        changes: What `find_changes` finds, of weights: for mipmaps.

    Returns:
        (B, H, W, F, C).

    Raises:
        ValueError: If there are mipmaps, and no ``changes``.
    """
    if isinstance(colors, SurfaceTexture):
        return sample_surface(colors.texels, weights)
    if isinstance(colors, UVTexture):
        if not colors.mipmaps:
            return sample_map(colors, weights)
        if changes is None:
            raise ValueError("changes must be given for a texture with mipmaps")
        return sample_mipmaps(colors, weights, changes)
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
    return _sample_level(texture, weights, *_maps_of_faces(texture, weights.shape[3]))


def sample_mipmaps(texture: UVTexture, weights: Tensor, changes: Tensor) -> Tensor:
    """Interpolate between two levels of an image pyramid: see `UVTexture`."""
    maps, face_maps = _maps_of_faces(texture, weights.shape[3])
    levels = [(texture, maps)]
    while levels[-1][1][:, 1:3].max() > 1:
        levels.append(_halve(*levels[-1]))
    sizes = maps[face_maps, 1:3].flip(-1)  # of u and v
    face_uvs = _finite_uvs(texture).expand(len(weights), -1, -1, -1)
    by_pixel = torch.einsum("bhwfka,bfkc->bhwfca", changes, face_uvs) * sizes[..., None]
    square = by_pixel.square().sum(dim=(-2, -1)) / 2
    level = (square.clamp(min=1).log2() / 2).clamp(max=len(levels) - 1)
    total = torch.zeros((), dtype=weights.dtype, device=weights.device)
    for number, (part, part_maps) in enumerate(levels):
        share = (1 - (level - number).abs()).clamp(min=0)
        total = total + share[..., None] * _sample_level(part, weights, part_maps, face_maps)
    return total


def _halve(texture: UVTexture, maps: Tensor) -> tuple[UVTexture, Tensor]:
    """Make the next level of an image pyramid: one image after the other."""
    texels, parts, table, first = texture.texels.flatten(1, 2), [], [], 0
    for start, height, width, wrap in maps.tolist():
        image = texels[:, start : start + height * width].unflatten(1, (height, width))
        down, right = _mean_weights(height, texels), _mean_weights(width, texels)
        part = torch.einsum("ih,jw,bhwc->bijc", down, right, image)
        parts.append(part.flatten(1, 2))
        table.append([first, *part.shape[1:3], wrap])
        first += parts[-1].shape[1]
    smaller = torch.cat(parts, dim=1)[:, None]
    return replace(texture, texels=smaller), torch.tensor(table, device=maps.device)


def _mean_weights(size: int, like: Tensor) -> Tensor:
    """What part of each of half as many texels is in each of ``size``: (size // 2, size)."""
    half = max(size // 2, 1)
    starts = torch.arange(half, dtype=like.dtype, device=like.device)[:, None] * size / half
    texels = torch.arange(size, dtype=like.dtype, device=like.device)
    common = (texels + 1).minimum(starts + size / half) - texels.maximum(starts)
    return common.clamp(min=0) * half / size


def _finite_uvs(texture: UVTexture) -> Tensor:
    return torch.where(texture.face_uvs.isfinite(), texture.face_uvs, 0.0)


def _maps_of_faces(texture: UVTexture, num_faces: int) -> tuple[Tensor, Tensor]:
    """The maps, (M, 4), and which of them each face has, (F,)."""
    texels, maps, face_maps = texture.texels, texture.maps, texture.face_maps
    if maps is None:
        maps = torch.tensor([[0, *texels.shape[1:3], 0]], device=texels.device)
    if face_maps is None:
        face_maps = torch.zeros(num_faces, dtype=torch.long, device=texels.device)
    return maps.long(), face_maps.long()


def _sample_level(texture: UVTexture, weights: Tensor, maps: Tensor, face_maps: Tensor) -> Tensor:
    """Interpolate bilinearly in the given maps of a texture's texels."""
    u, v = _interpolate(_finite_uvs(texture), weights).unbind(-1)
    texels = texture.texels.flatten(1, 2)
    first, height, width, wrap = maps[face_maps].T  # each (F,)
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
