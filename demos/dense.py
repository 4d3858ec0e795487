"""SoftRas's gradient, which the library has no switch for: the paper in plain PyTorch.

A vertex moves what a pixel shows in two ways: it moves the borders of its faces, and it moves the
colours and depths that are interpolated inside them. SoftRas's backward pass leaves out the second
for x and y. Here barycentric coordinates are detached for that, and autograd does the rest; left
attached, images and gradients are those of `taichi_softras.rasterize`. It's slower, and is there to
be compared with.
"""

import torch
from torch import Tensor

from taichi_softras import RasterizerSettings

SMALLEST_LENGTH_SQ = 2.0**-60
"""Squared length, in NDC, under which an edge counts as a point."""


def dense_render(
    face_vertices: Tensor,
    face_colors: Tensor,
    settings: RasterizerSettings,
    *,
    interpolation_gradient: bool,
) -> Tensor:
    """Draw faces over black, with or without the gradient of what is interpolated inside them.

    Args:
        face_vertices: (B, F, 3, 3), as `taichi_softras.rasterize` takes them, in front of the
            camera and with an area.
        face_colors: (B or 1, F, 3, 3), colours of corners.
        settings: Coverage is "euclidean", alpha "prod", colour "softmax", without culling and
            supersampling, colours perspective-correct.
        interpolation_gradient: Whether barycentric coordinates depend on x and y; if not, colours
            and depths have no gradient to them, as in SoftRas.

    Returns:
        (B, H, W, 4), colours and alpha.
    """
    num_items, num_faces = face_vertices.shape[:2]
    scale = face_vertices.new_tensor([max(settings.aspect, 1), max(1 / settings.aspect, 1)])
    flat = face_vertices[..., :2] * scale  # a pixel is square
    places = _pixel_centers(settings, scale)  # H * W, 2
    items, faces, pixels = _fragments_in_reach(flat.detach(), places, settings)

    rows = items * num_faces + faces
    corners, points = flat.flatten(0, 1)[rows], places[pixels]  # N 3 2, N 2
    depths = face_vertices[..., 2].flatten(0, 1)[rows]  # N 3
    weights = _barycentric(points, corners)
    distance = _signed_squared_distance(points, corners, inside=(weights > 0).all(-1))
    if not interpolation_gradient:
        weights = weights.detach()
    weights = weights.clamp(0, 1)
    weights = weights / weights.sum(-1, keepdim=True)
    depth = 1 / (weights / depths).sum(-1)
    weights = weights / depths * depth[:, None]  # perspective-correct
    colors = face_colors.expand(num_items, -1, -1, -1).flatten(0, 1)[rows]
    colors = (weights[..., None] * colors).sum(-2)  # N 3

    logits = distance / settings.sigma
    drawn = (logits > -settings.cutoff) & (depth >= settings.near) & (depth <= settings.far)
    targets = (items * len(places) + pixels)[drawn]
    image = _aggregate(
        logits[drawn], depth[drawn], colors[drawn], targets, num_items * len(places), settings
    )
    return image.reshape(num_items, settings.height, settings.width, 4)


def _aggregate(
    logits: Tensor,  # N, of coverage
    depth: Tensor,  # N
    colors: Tensor,  # N 3
    targets: Tensor,  # N, the pixel of each fragment among all of all images
    num_pixels: int,
    settings: RasterizerSettings,
) -> Tensor:
    """Mix the fragments of each pixel, (num_pixels, 4)."""
    zeros = logits.new_zeros(num_pixels)
    log_uncovered = zeros.index_add(0, targets, torch.nn.functional.logsigmoid(-logits))
    nearness = (settings.far - depth) / (settings.far - settings.near)
    scores = torch.nn.functional.logsigmoid(logits) + nearness / settings.gamma
    behind = zeros + settings.eps / settings.gamma
    largest = behind.scatter_reduce(0, targets, scores.detach(), "amax")
    shares = (scores - largest[targets]).exp()
    total = (behind - largest).exp().index_add(0, targets, shares)
    mixed = zeros[:, None].expand(-1, 3).index_add(0, targets, shares[:, None] * colors)
    return torch.cat([mixed / total[:, None], 1 - log_uncovered.exp()[:, None]], dim=-1)


def _pixel_centers(settings: RasterizerSettings, scale: Tensor) -> Tensor:
    """Centres of pixels, row by row, (H * W, 2)."""
    rows, cols = (
        (2 * torch.arange(n, dtype=scale.dtype) + 1) / n for n in (settings.height, settings.width)
    )
    y, x = torch.meshgrid(1 - rows, cols - 1, indexing="ij")
    return torch.stack([x.flatten(), y.flatten()], dim=-1) * scale


def _fragments_in_reach(
    flat: Tensor, places: Tensor, settings: RasterizerSettings
) -> tuple[Tensor, Tensor, Tensor]:
    """List items, faces and pixels that are near enough for the face to cover some of the pixel."""
    reach = (settings.cutoff * settings.sigma) ** 0.5
    low, high = flat.amin(-2) - reach, flat.amax(-2) + reach  # B F 2
    grid = places.reshape(settings.height, settings.width, 2)
    near_cols, near_rows = (
        (line >= low[..., axis, None]) & (line <= high[..., axis, None])
        for axis, line in enumerate((grid[0, :, 0], grid[:, 0, 1]))
    )
    near = near_rows[..., :, None] & near_cols[..., None, :]  # B F H W
    items, faces, pixels = near.flatten(2).nonzero(as_tuple=True)
    return items, faces, pixels


def _cross(u: Tensor, v: Tensor) -> Tensor:
    return u[..., 0] * v[..., 1] - u[..., 1] * v[..., 0]


def _barycentric(points: Tensor, corners: Tensor) -> Tensor:
    """Weigh corners (N, 3, 2) so that their mean is the point, (N, 3)."""
    edges = corners.roll(-1, dims=-2) - corners
    areas = _cross(edges, points[:, None] - corners).roll(-1, dims=-1)  # opposite each corner
    return areas / _cross(edges[:, 0], -edges[:, 2])[:, None]


def _signed_squared_distance(points: Tensor, corners: Tensor, inside: Tensor) -> Tensor:
    """Square the distance from points to the border of triangles; it is negative outside, (N,)."""
    edges = corners.roll(-1, dims=-2) - corners
    offsets = points[:, None] - corners
    length_sq = edges.square().sum(-1).clamp(min=SMALLEST_LENGTH_SQ)
    along = ((offsets * edges).sum(-1) / length_sq).clamp(0, 1)
    distance_sq = (offsets - along[..., None] * edges).square().sum(-1).amin(-1)
    return torch.where(inside, distance_sq, -distance_sq)
