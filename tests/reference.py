"""The paper in PyTorch: every face at every pixel, no tiles, differentiated by autograd.

Slow and obvious. Written from the formulas, not from the kernels; run in float64.
"""

from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

import taichi_softras as sr
from taichi_softras import RasterizerSettings

SMALLEST_AREA = 2.0**-33
SMALLEST_LENGTH_SQ = 2.0**-60


def isotropic_scale(settings: RasterizerSettings) -> Tensor:
    """Factors that make a pixel square, and half of the shorter side 1."""
    width, height = settings.width, settings.height
    return torch.tensor([max(width / height, 1), max(height / width, 1)], dtype=torch.float64)


def pixel_centers(settings: RasterizerSettings) -> Tensor:
    """Centres of pixels in NDC, (H, W, 2)."""
    rows = torch.arange(settings.height, dtype=torch.float64)
    cols = torch.arange(settings.width, dtype=torch.float64)
    y = 1 - (2 * rows + 1) / settings.height
    x = (2 * cols + 1) / settings.width - 1
    return torch.stack(torch.broadcast_tensors(x[None, :], y[:, None]), dim=-1)


def cross(u: Tensor, v: Tensor) -> Tensor:
    return u[..., 0] * v[..., 1] - u[..., 1] * v[..., 0]


class Fragments(NamedTuple):
    """Every face at every pixel, (B, H, W, F)."""

    cover: Tensor
    log_cover: Tensor
    uncovered: Tensor  # one minus it, exactly
    weights: Tensor  # of the corners in the colour, (B, H, W, F, 3)
    depth: Tensor
    drawn: Tensor  # in alpha
    shown: Tensor  # in colours
    inside: Tensor


def fragments(face_vertices: Tensor, settings: RasterizerSettings, sigma: Tensor) -> Fragments:
    """Every face at every pixel."""
    # A face that is not finite is left out; what stands in for it must not bring NaN gradients.
    finite = face_vertices.isfinite().flatten(2).all(-1)
    face_vertices = torch.where(finite[..., None, None], face_vertices, face_vertices.new_ones(()))
    corners = (face_vertices[..., :2] * isotropic_scale(settings))[:, None, None]  # B 1 1 F 3 2
    depths = face_vertices[:, None, None, :, :, 2]  # B 1 1 F 3
    points = (pixel_centers(settings) * isotropic_scale(settings))[None, :, :, None, None]

    edges = corners.roll(-1, dims=-2) - corners
    offsets = points - corners
    length_sq = edges.square().sum(-1).clamp(min=SMALLEST_LENGTH_SQ)
    t = ((offsets * edges).sum(-1) / length_sq).clamp(0, 1)
    distance_sq = (offsets - t[..., None] * edges).square().sum(-1).amin(-1)

    area = cross(edges[..., 0, :], -edges[..., 2, :])
    solid = area.abs() > SMALLEST_AREA
    divisor = torch.where(solid, area, torch.where(area > 0, SMALLEST_AREA, -SMALLEST_AREA))
    # The weight of a corner is the part of the area opposite it.
    w = cross(edges, offsets).roll(-1, dims=-1) / divisor[..., None]
    w = torch.stack([1 - w[..., 1] - w[..., 2], w[..., 1], w[..., 2]], dim=-1)
    inside = solid & (w > 0).all(-1)

    clipped = w.clamp(0, 1)
    clipped = clipped / clipped.sum(-1, keepdim=True)
    in_front = (depths > 0).all(-1) & finite[:, None, None]
    depths = torch.where(in_front[..., None], depths, 1.0)
    depth = (clipped * depths).sum(-1) if settings.orthographic else 1 / (clipped / depths).sum(-1)
    drawn = in_front & (depth >= settings.near) & (depth <= settings.far)
    turned = {"none": area.isnan(), "back": area <= 0, "front": area >= 0}[settings.cull]
    turned = turned.expand(drawn.shape)
    if settings.cull_alpha:
        drawn = drawn & ~turned

    smallest = w.amin(-1)
    s = {
        "euclidean": torch.where(inside, distance_sq, -distance_sq),
        "barycentric": smallest * smallest.abs(),
        "hard": torch.where(inside, torch.inf, -torch.inf),
    }[settings.coverage]
    x = s / sigma[:, None, None, None]
    if settings.coverage == "barycentric":
        drawn = drawn & solid
    drawn = drawn & (torch.sigmoid(x) > settings.coverage_cutoff)
    weights = clipped
    if settings.perspective_correct and not settings.orthographic:
        weights = clipped / depths * depth[..., None]
    log_cover = torch.nn.functional.logsigmoid(x)
    return Fragments(
        torch.sigmoid(x),
        log_cover,
        torch.sigmoid(-x),
        weights,
        depth,
        drawn,
        drawn & ~turned,
        inside,
    )


def per_item(value, default: float) -> Tensor:
    if value is None:
        value = torch.tensor([default], dtype=torch.float64)
    return value


def opacity(found: Fragments, settings: RasterizerSettings) -> Tensor:
    """Alpha (B, H, W)."""
    cover = torch.where(found.drawn, found.cover, 0.0)
    if settings.alpha == "prod":
        return 1 - torch.where(found.drawn, found.uncovered, 1.0).prod(-1)
    if settings.alpha == "sum":
        return cover.sum(-1) / cover.shape[-1]
    return (cover > 0.5).any(-1).to(cover)


def silhouette(face_vertices: Tensor, settings: RasterizerSettings, *, sigma=None) -> Tensor:
    """As `taichi_softras.rasterize_silhouette`."""
    return opacity(fragments(face_vertices, settings, per_item(sigma, settings.sigma)), settings)


def surface_colors(texels: Tensor, weights: Tensor) -> Tensor:
    """Nearest texels (B, F, R * R, C) at barycentric coordinates (B, H, W, F, 3)."""
    resolution = round(texels.shape[2] ** 0.5)
    places = weights.detach() * resolution
    col, row = (places[..., k].floor().clamp(0, resolution - 1).long() for k in (0, 1))
    lower = places[..., 0] + places[..., 1] - col - row <= 1 + 2**-12
    last = resolution - 1
    index = torch.where(lower, row * resolution + col, (last - row) * resolution + last - col)
    texels = texels.expand(len(weights), -1, -1, -1)[:, None, None]
    index = index[..., None, None].expand(*index.shape, 1, texels.shape[-1])
    return texels.expand(*index.shape[:3], -1, -1, -1).gather(-2, index)[..., 0, :]


def map_colors(texture: sr.UVTexture, weights: Tensor) -> Tensor:
    """Bilinear samples at barycentric coordinates (B, H, W, F, 3), one texel at a time."""
    uvs = torch.einsum(
        "bhwfk,bfkc->bhwfc", weights, texture.face_uvs.expand(len(weights), -1, -1, -1)
    )
    texels = texture.texels.flatten(1, 2)
    maps = texture.maps
    if maps is None:
        maps = torch.tensor([[0, *texture.texels.shape[1:3], 0]])
    if texture.face_maps is None:
        of_faces = maps[:1].expand(uvs.shape[3], -1)
    else:
        of_faces = maps[texture.face_maps.long()]
    first, height, width, code = of_faces.long().T
    along_u = torch.where(code < 3, code, (code - 3) // 3)
    along_v = torch.where(code < 3, code, (code - 3) % 3)
    x, y = uvs[..., 0] * width - 0.5, (1 - uvs[..., 1]) * height - 0.5

    def wrapped(i, size, wrap):
        repeated = i.remainder(size)
        clamped = torch.minimum(i.clamp(min=0), size - 1)
        is_turned = i.div(size, rounding_mode="floor") % 2 == 1
        mirrored = torch.where(is_turned, size - 1 - repeated, repeated)
        return torch.stack([repeated, clamped, mirrored]).gather(0, wrap.expand(1, *i.shape))[0]

    total = torch.zeros(())
    items = torch.arange(len(uvs))[:, None, None, None].clamp(max=len(texels) - 1)
    for down in (0, 1):
        for right in (0, 1):
            row, col = y.detach().floor().long() + down, x.detach().floor().long() + right
            weight = (1 - (x - col).abs()) * (1 - (y - row).abs())
            index = first + wrapped(row, height, along_v) * width + wrapped(col, width, along_u)
            total = total + weight[..., None] * texels[items, index]
    return total


def colors_of(colors, weights: Tensor) -> Tensor:
    """Colours of fragments (B, H, W, F, C)."""
    if isinstance(colors, sr.SurfaceTexture):
        return surface_colors(colors.texels, weights)
    if isinstance(colors, sr.UVTexture):
        return map_colors(colors, weights)
    return torch.einsum("bhwfk,bfkc->bhwfc", weights, colors.expand(len(weights), -1, -1, -1))


def rasterize(
    face_vertices,
    colors,
    settings,
    *,
    attributes=None,
    background=0.0,
    sigma=None,
    gamma=None,
    eps=None,
) -> Tensor:
    """As `taichi_softras.rasterize`."""
    sigma = per_item(sigma, settings.sigma)
    gamma = per_item(gamma, settings.gamma)
    eps = per_item(eps, settings.eps)
    background = torch.as_tensor(background, dtype=torch.float64)
    found = fragments(face_vertices, settings, sigma)
    if isinstance(colors, Tensor):
        finite = colors.isfinite().flatten(2).all(-1)  # B F
        colors = torch.where(finite[..., None, None], colors, colors.new_zeros(()))
        found = found._replace(
            drawn=found.drawn & finite[:, None, None], shown=found.shown & finite[:, None, None]
        )
    alpha = opacity(found, settings)
    values = colors_of(colors, found.weights)
    if attributes is not None:
        values = torch.cat([values, colors_of(attributes, found.weights)], dim=-1)

    if settings.color == "hard":
        depth = torch.where(found.shown & found.inside, found.depth, torch.inf)
        nearest = depth.amin(-1, keepdim=True)
        chosen = (depth == nearest) & depth.isfinite()
        share = chosen & (chosen.cumsum(-1) == 1)
        share = torch.cat([share, ~share.any(-1, keepdim=True)], dim=-1).double()
    else:
        zbar = (settings.far - found.depth) / (settings.far - settings.near)
        logits = found.log_cover + zbar / gamma[:, None, None, None]
        logits = torch.where(found.shown, logits, -torch.inf)
        behind = (eps / gamma)[:, None, None, None].expand(*logits.shape[:-1], 1)
        share = torch.softmax(torch.cat([logits, behind], dim=-1), dim=-1)
    color = (share[..., :-1, None] * values).sum(-2) + share[..., -1:] * background
    return torch.cat([color, alpha[..., None]], dim=-1)


def look_at(eye: Tensor, at: Tensor, up: Tensor) -> Tensor:
    """World to view, (B, 4, 4): rows right, up and forward."""
    forward = torch.nn.functional.normalize(at - eye, dim=-1)
    right = torch.nn.functional.normalize(torch.linalg.cross(forward, up), dim=-1)
    above = torch.linalg.cross(right, forward)
    rotation = torch.stack([right, above, forward], dim=-2)
    view = torch.cat([rotation, -(rotation @ eye[..., None])], dim=-1)
    last = view.new_tensor([0, 0, 0, 1]).expand(len(view), 1, 4)
    return torch.cat([view, last], dim=-2)


def project(vertices: Tensor, view: Tensor, fov_degrees: Tensor, aspect: float) -> Tensor:
    """World to NDC x and y, and view depth."""
    seen = vertices @ view[:, :3, :3].mT + view[:, None, :3, 3]
    slope = torch.tan(torch.deg2rad(fov_degrees) / 2)[:, None]
    depth = seen[..., 2]
    x = seen[..., 0] / (depth * slope * aspect)
    return torch.stack([x, seen[..., 1] / (depth * slope), depth], dim=-1)


def vertex_normals(vertices: Tensor, faces: Tensor) -> Tensor:
    """Unit sums of the normals of the faces round each vertex; faces (F, 3)."""
    p, q, r = (vertices[:, faces[:, k]] for k in range(3))
    normals = torch.linalg.cross(q - p, r - p)
    sums = torch.zeros_like(vertices)
    for k in range(3):
        sums = sums.index_add(1, faces[:, k], normals)
    return torch.nn.functional.normalize(sums, dim=-1)


def shade(
    colors,
    normals,
    lights,
    *,
    specular=None,
    shininess=None,
    positions=None,
    eye=None,
    two_sided=False,
) -> Tensor:
    """Light points (B, V, 3) by lights, each its name and its numbers: ("point", color, ...)."""

    def cosine_of(u, v):
        cosine = (u * v).sum(-1, keepdim=True)
        return cosine.abs() if two_sided else cosine.clamp(min=0)

    def unit(x):
        return torch.nn.functional.normalize(x, dim=-1)

    normals = unit(normals)
    total = torch.zeros(3, dtype=colors.dtype)
    for name, *numbers in lights:
        if name == "spherical_harmonics":
            total = total + colors * irradiance(normals, *numbers, two_sided)
            continue
        numbers = [x[:, None] for x in numbers]
        if name == "ambient":
            total = total + colors * numbers[0]
            continue
        color, towards = numbers[:2]
        if name == "point":
            towards = towards - positions
            constant, linear, quadratic = numbers[2].unbind(-1)
            d = towards.norm(dim=-1)
            color = color / (constant + linear * d + quadratic * d**2)[..., None]
        cosine = cosine_of(normals, unit(towards))
        total = total + colors * color * cosine
        if specular is not None:
            half = unit(unit(towards) + unit(eye[:, None] - positions))
            gloss = cosine_of(normals, half) ** shininess[:, None, None]
            total = total + specular[:, None] * color * torch.where(cosine > 0, gloss, 0)
    return total


def harmonics(directions: Tensor) -> Tensor:
    """The nine spherical harmonics up to order 2, orthonormal, at unit vectors (..., 3)."""
    x, y, z = directions.unbind(-1)
    pi = torch.tensor(torch.pi, dtype=torch.float64)
    return torch.stack(
        [
            (1 / (4 * pi)).sqrt() + 0 * x,
            *((3 / (4 * pi)).sqrt() * w for w in (y, z, x)),
            *((15 / (4 * pi)).sqrt() * w for w in (x * y, y * z)),
            (5 / (16 * pi)).sqrt() * (3 * z**2 - 1),
            (15 / (4 * pi)).sqrt() * x * z,
            (15 / (16 * pi)).sqrt() * (x**2 - y**2),
        ],
        dim=-1,
    )


def irradiance(normals: Tensor, coefficients: Tensor, two_sided: bool) -> Tensor:
    """Radiance times cosine over the hemisphere, or its absolute value over the whole sphere.

    By Gauss-Legendre quadrature, exact for these polynomials, round each normal.
    """
    heights, weights = (torch.tensor(x) for x in np.polynomial.legendre.leggauss(4))
    heights, weights = (heights + 1) / 2, weights / 2
    angles = torch.arange(8, dtype=torch.float64) * (torch.pi / 4)
    axis = torch.nn.functional.one_hot(normals.abs().argmin(-1), 3).double()
    u = torch.nn.functional.normalize(torch.linalg.cross(normals, axis), dim=-1)
    v = torch.linalg.cross(normals, u)
    total = torch.zeros_like(normals)
    for sign in (1, -1) if two_sided else (1,):
        for height, weight in zip(heights, weights):
            for angle in angles:
                around = u * angle.cos() + v * angle.sin()
                towards = sign * height * normals + (1 - height**2).sqrt() * around
                radiance = harmonics(towards) @ coefficients
                total = total + radiance * height * weight * (2 * torch.pi / len(angles))
    return total


def silhouette_loss(alpha: Tensor, target: Tensor) -> Tensor:
    both = (alpha * target).sum((1, 2))
    return (1 - both / (alpha + target - alpha * target).sum((1, 2))).mean()


def laplacian_loss(vertices: Tensor, faces: np.ndarray) -> Tensor:
    """By a dense matrix of neighbours."""
    adjacent = torch.zeros(vertices.shape[1], vertices.shape[1], dtype=vertices.dtype)
    for a, b, c in faces:
        for i, j in ((a, b), (b, c), (c, a)):
            adjacent[i, j] = adjacent[j, i] = 1
    laplacian = adjacent.sum(1).diag() - adjacent
    laplacian = laplacian / adjacent.sum(1, keepdim=True).clamp(min=1)
    return (laplacian @ vertices).square().sum() / len(vertices)


def cotangent_deltas(vertices: Tensor, faces: np.ndarray) -> Tensor:
    """By a dense matrix of the cotangents of angles; its gradient takes them for constants."""
    num_items, num_vertices, _ = vertices.shape
    weights = torch.zeros(num_items, num_vertices, num_vertices, dtype=vertices.dtype)
    for face in faces:
        for a, b, c in (np.roll(face, -n) for n in range(3)):
            left, right = (
                torch.nn.functional.normalize(vertices[:, x] - vertices[:, a], dim=-1).detach()
                for x in (b, c)
            )
            cotangent = (1 / (left * right).sum(-1).acos().tan()).clamp(-1024, 1024)
            weights[:, b, c] += cotangent
            weights[:, c, b] += cotangent
    weights = weights.clamp(min=0)
    return vertices - weights @ vertices / weights.sum(-1, keepdim=True)


def cotangent_laplacian_losses(vertices: Tensor, faces: np.ndarray) -> Tensor:
    """Item by item."""
    return cotangent_deltas(vertices, faces).square().sum((1, 2))


def adjacent_cosines(vertices: Tensor, faces: list[list[int]]) -> Tensor:
    """By looking at every pair of faces that share an edge: (B, K).

    Of the normals as they are if both faces have the same orientation; as one of them turned over
    would be if not.
    """
    cosines = []
    for f, face in enumerate(faces):
        for other in faces[f + 1 :]:
            if len(set(face) & set(other)) == 2:
                m, n = (
                    torch.linalg.cross(
                        vertices[:, y] - vertices[:, x], vertices[:, z] - vertices[:, x]
                    )
                    for x, y, z in (face, other)
                )
                sides = [[(x[k], x[(k + 1) % 3]) for k in range(3)] for x in (face, other)]
                turned = -1 if set(sides[0]) & set(sides[1]) else 1
                cosines.append(torch.cosine_similarity(m, turned * n, dim=-1, eps=0))
    return torch.stack(cosines, dim=1)


def flattening_loss(vertices: Tensor, faces: list[list[int]]) -> Tensor:
    return (1 - adjacent_cosines(vertices, faces)).square().sum() / len(vertices)


def normal_consistency_losses(vertices: Tensor, faces: list[list[int]]) -> Tensor:
    """Item by item."""
    return (1 - adjacent_cosines(vertices, faces)).mean(1)
