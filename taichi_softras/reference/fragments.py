"""Fragments: where each face is at each pixel, how much it covers, and how deep it is."""

from typing import Any, NamedTuple

import torch
from torch import Tensor
from torch.nn.functional import logsigmoid, one_hot

from taichi_softras.rasterizer.settings import RasterizerSettings

SMALLEST_AREA = 2.0**-33
"""Twice the area, in NDC units squared, under which a face has no inside: it is all border."""

SMALLEST_LENGTH_SQ = 2.0**-60
"""Squared length, in NDC units squared, under which an edge counts as a point."""

SMALLEST_DEPTH = 2.0**-40
"""Depth down to which a corner counts as behind the camera."""

LARGEST_COORDINATE = 2.0**40
"""Coordinate, in NDC units, beyond which a corner counts as infinitely far."""

MEMBERS = {
    "coverage": ("euclidean", "barycentric", "hard"),
    "alpha": ("prod", "sum", "hard"),
}
"""The families' members that are written down here; others are Taichi functions."""


class Fragments(NamedTuple):
    """Every face at every pixel; all (B, H, W, F) but ``weights``.

    Attributes:
        coverage: How much of the pixel the face covers, 0 to 1.
        uncovered: One minus that, without the rounding of a subtraction.
        log_coverage: Its logarithm.
        weights: (B, H, W, F, 3), how much of the colours of its corners the face has there.
        depth: Along the view axis, in world units.
        inside: Whether the pixel's centre is inside the face.
        drawn: Whether the fragment counts in alpha.
        shown: Whether it counts in colours.
    """

    coverage: Tensor
    uncovered: Tensor
    log_coverage: Tensor
    weights: Tensor
    depth: Tensor
    inside: Tensor
    drawn: Tensor
    shown: Tensor


def find_fragments(
    face_vertices: Tensor,
    settings: RasterizerSettings,
    *,
    sigma: Tensor | None = None,
    interpolation_gradient: bool = True,
) -> Fragments:
    """Find every face at every pixel.

    Args:
        face_vertices: As in `rasterize`.
        settings: As in `rasterize`; without supersampling.
        sigma: As in `rasterize`.
        interpolation_gradient: As in `rasterize`.

    Raises:
        TypeError: As `rasterize`.
        ValueError: As `rasterize`.
    """
    _check(face_vertices, settings)
    valid = _is_valid(face_vertices)
    # What stands in for a face that is left out must not bring NaN gradients either.
    face_vertices = torch.where(valid[..., None, None], face_vertices, 1.0)
    plane = _look_at_plane(face_vertices, settings)

    logits = _signed_distance(plane, settings)
    if settings.coverage != "hard":
        logits = logits / per_item(sigma, settings.sigma, logits)[..., None]
    coverage = torch.sigmoid(logits)

    weights = _weights_within(plane, settings)
    if not interpolation_gradient:
        weights = weights.detach()
    depths = face_vertices[:, None, None, :, :, 2]  # of the corners, B 1 1 F 3
    if settings.orthographic:
        depth = (weights * depths).sum(-1)
    else:
        depth = 1 / (weights / depths).sum(-1)
        if settings.perspective_correct:
            weights = weights / depths * depth[..., None]

    drawn = valid[:, None, None] & (coverage > settings.coverage_cutoff)
    drawn = drawn & (depth >= settings.near) & (depth <= settings.far)
    if settings.coverage == "barycentric":
        drawn = drawn & plane.solid
    # Counter-clockwise faces are front faces; one without area is neither, and culled too.
    area = plane.area
    turned = {"none": area.isnan(), "back": area <= 0, "front": area >= 0}[settings.cull]
    shown = drawn & ~turned
    return Fragments(
        coverage=coverage,
        uncovered=torch.sigmoid(-logits),
        log_coverage=logsigmoid(logits),
        weights=weights,
        depth=depth,
        inside=plane.inside,
        drawn=shown if settings.cull_alpha else drawn,
        shown=shown,
    )


def find_changes(
    face_vertices: Tensor, settings: RasterizerSettings, fragments: Fragments
) -> Tensor:
    """Find how the weights of corners change from a pixel to the next, on the face's plane.

    Args:
        face_vertices: As in `rasterize`.
        settings: As in `find_fragments`.
        fragments: What that found.

    Returns:
        (B, H, W, F, 3, 2): to the right, and up.
    """
    valid = _is_valid(face_vertices)
    face_vertices = torch.where(valid[..., None, None], face_vertices, 1.0)
    ab, ac = _edges_from_first(face_vertices, settings)
    area = _cross(ab, ac)
    smallest = torch.where(area > 0, SMALLEST_AREA, -SMALLEST_AREA)
    area = torch.where(area.abs() > SMALLEST_AREA, area, smallest)
    second = torch.stack([ac[..., 1], -ac[..., 0]], dim=-1) / area[..., None]
    third = torch.stack([-ab[..., 1], ab[..., 0]], dim=-1) / area[..., None]
    slopes = torch.stack([-second - third, second, third], dim=-2)  # of w, (B, F, 3, 2)
    slopes = slopes[:, None, None] * (2 / min(settings.height, settings.width))
    if settings.orthographic or not settings.perspective_correct:
        return slopes.expand(*fragments.weights.shape, 2)
    # Of w z / z_k; the depth z is one over the sum of all w / z_k.
    depths = face_vertices[:, None, None, :, :, 2]
    parts = slopes * (fragments.depth[..., None] / depths)[..., None]
    return parts - fragments.weights[..., None] * parts.sum(dim=-2, keepdim=True)


def _edges_from_first(face_vertices: Tensor, settings: RasterizerSettings) -> tuple[Tensor, Tensor]:
    """Edges of faces from their first corner to the others, in the plane, (B, F, 2)."""
    corners = face_vertices[..., :2] * isotropic_scale(settings, face_vertices)
    return corners[..., 1, :] - corners[..., 0, :], corners[..., 2, :] - corners[..., 0, :]


class _Plane(NamedTuple):
    """Faces and pixels in the image plane.

    Attributes:
        area: (B, 1, 1, F), twice that of the face, positive if it turns counter-clockwise.
        solid: (B, 1, 1, F), whether the face has an area.
        weights: (B, H, W, F, 3), barycentric coordinates of the pixel's centre, also outside.
        inside: (B, H, W, F), whether that is inside the face.
        along: (B, H, W, F, 3), how far along each edge, from a corner (0) to the next (1), the
            edge's point nearest to the pixel is.
        distances_sq: (B, H, W, F, 3), squared distances to those points.
    """

    area: Tensor
    solid: Tensor
    weights: Tensor
    inside: Tensor
    along: Tensor
    distances_sq: Tensor


def _look_at_plane(face_vertices: Tensor, settings: RasterizerSettings) -> _Plane:
    """Find where pixels are relative to faces."""
    scale = isotropic_scale(settings, face_vertices)
    corners = (face_vertices[..., :2] * scale)[:, None, None]  # B 1 1 F 3 2
    points = (pixel_centers(settings, face_vertices) * scale)[:, :, None, None]  # H W 1 1 2
    edges = corners.roll(-1, dims=-2) - corners
    offsets = points - corners
    lengths_sq = edges.square().sum(-1)
    is_point = lengths_sq < SMALLEST_LENGTH_SQ
    along = ((offsets * edges).sum(-1) / torch.where(is_point, 1.0, lengths_sq)).clamp(0, 1)
    along = torch.where(is_point, 0.0, along)

    area = _cross(edges[..., 0, :], -edges[..., 2, :])
    solid = area.abs() > SMALLEST_AREA
    divisor = torch.where(solid, area, torch.where(area > 0, SMALLEST_AREA, -SMALLEST_AREA))
    # A corner weighs what part of the face lies between the point and the edge opposite it.
    rest = _cross(edges, offsets).roll(-1, dims=-1)[..., 1:] / divisor[..., None]
    weights = torch.cat([1 - rest.sum(-1, keepdim=True), rest], dim=-1)
    return _Plane(
        area=area,
        solid=solid,
        weights=weights,
        inside=solid & (weights > 0).all(-1),
        along=along,
        distances_sq=(offsets - along[..., None] * edges).square().sum(-1),
    )


def _signed_distance(plane: _Plane, settings: RasterizerSettings) -> Tensor:
    """Measure how far pixels are from faces' borders, negative outside, (B, H, W, F)."""
    if settings.coverage == "euclidean":
        nearest = plane.distances_sq.amin(-1)
        return torch.where(plane.inside, nearest, -nearest)
    if settings.coverage == "barycentric":
        smallest = plane.weights.amin(-1)
        return smallest * smallest.abs()
    return torch.where(plane.inside, torch.inf, -torch.inf).to(plane.weights)


def _weights_within(plane: _Plane, settings: RasterizerSettings) -> Tensor:
    """Weigh the corners by a point within the face, (B, H, W, F, 3): the pixel, if it is inside.

    Else the face's nearest point, which is on an edge; or, as SoftRas does, the pixel's own
    barycentric coordinates, clipped and normalised.
    """
    if settings.interpolation == "clipped":
        clipped = plane.weights.clamp(0, 1)
        return clipped / clipped.sum(-1, keepdim=True)
    nearest_edge = one_hot(plane.distances_sq.argmin(-1), 3)
    foot = nearest_edge * (1 - plane.along) + (nearest_edge * plane.along).roll(1, dims=-1)
    return torch.where(plane.inside[..., None], plane.weights, foot)


def isotropic_scale(settings: RasterizerSettings, like: Tensor) -> Tensor:
    """Factors of x and y that make a pixel square, and half of the image's shorter side 1: (2,)."""
    return like.new_tensor([max(settings.aspect, 1.0), max(1 / settings.aspect, 1.0)])


def pixel_centers(settings: RasterizerSettings, like: Tensor) -> Tensor:
    """Centres of pixels in NDC, (H, W, 2), as a tensor of the type of another."""
    options: dict[str, Any] = {"dtype": like.dtype, "device": like.device}
    y = 1 - (2 * torch.arange(settings.height, **options) + 1) / settings.height
    x = (2 * torch.arange(settings.width, **options) + 1) / settings.width - 1
    return torch.stack(torch.meshgrid(x, y, indexing="xy"), dim=-1)


def _is_valid(face_vertices: Tensor) -> Tensor:
    """Tell which faces are finite, not too far from the image and before the camera, (B, F)."""
    near_enough = face_vertices[..., :2].abs() <= LARGEST_COORDINATE
    in_front = face_vertices[..., 2] > SMALLEST_DEPTH
    finite = face_vertices.isfinite()
    return finite.flatten(2).all(-1) & near_enough.flatten(2).all(-1) & in_front.all(-1)


def _check(face_vertices: Tensor, settings: RasterizerSettings) -> None:
    is_tensor = torch.is_tensor(face_vertices)
    kind = face_vertices.dtype if is_tensor else type(face_vertices).__name__
    if kind not in (torch.float32, torch.float64):
        raise TypeError(f"face_vertices must be a tensor of float32 or float64, got {kind}")
    if face_vertices.ndim != 4 or face_vertices.shape[2:] != (3, 3):
        raise ValueError(
            f"face_vertices must have shape (B, F, 3, 3), got {tuple(face_vertices.shape)}"
        )
    for name, known in MEMBERS.items():
        if getattr(settings, name) not in known:
            raise ValueError(
                f"{name} must be one of {known} in PyTorch, got {getattr(settings, name)!r}"
            )


def per_item(given: Tensor | None, default: float, like: Tensor) -> Tensor:
    """Give a number to each item: (B or 1, 1, 1)."""
    return (like.new_tensor([default]) if given is None else given)[:, None, None]


def _cross(u: Tensor, v: Tensor) -> Tensor:
    """Signed area of the parallelogram of two plane vectors."""
    return u[..., 0] * v[..., 1] - u[..., 1] * v[..., 0]
