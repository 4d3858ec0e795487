"""The paper in PyTorch: every face at every pixel, no tiles, differentiated by autograd.

Slow and obvious. Written from the formulas, not from the kernels; run in float64.
"""

import numpy as np
import torch
from torch import Tensor

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


def fragments(face_vertices: Tensor, settings: RasterizerSettings, sigma: Tensor):
    """Every face at every pixel, (B, H, W, F): s / sigma, clipped barycentrics, depth, drawn."""
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
    x = torch.where(inside, distance_sq, -distance_sq) / sigma[:, None, None, None]

    clipped = w.clamp(0, 1)
    clipped = clipped / clipped.sum(-1, keepdim=True)
    in_front = (depths > 0).all(-1) & finite[:, None, None]
    depths = torch.where(in_front[..., None], depths, 1.0)
    depth = 1 / (clipped / depths).sum(-1)
    drawn = in_front & (depth >= settings.near) & (depth <= settings.far)
    if settings.cull_backfaces:
        drawn = drawn & (area > 0)  # counter-clockwise, x right and y up
    drawn = drawn & (x > -settings.cutoff_logit)
    weights = clipped
    if settings.perspective_correct:
        weights = clipped / depths * depth[..., None]
    return x, weights, depth, drawn


def per_item(value, default: float) -> Tensor:
    if value is None:
        value = torch.tensor([default], dtype=torch.float64)
    return value


def silhouette(face_vertices: Tensor, settings: RasterizerSettings, *, sigma=None) -> Tensor:
    """As `taichi_softras.rasterize_silhouette`."""
    x, _, _, drawn = fragments(face_vertices, settings, per_item(sigma, settings.sigma))
    return 1 - torch.where(drawn, torch.sigmoid(-x), 1.0).prod(-1)


def rasterize(
    face_vertices, face_colors, settings, *, background=0.0, sigma=None, gamma=None, eps=None
) -> Tensor:
    """As `taichi_softras.rasterize`."""
    sigma = per_item(sigma, settings.sigma)
    gamma = per_item(gamma, settings.gamma)
    eps = per_item(eps, settings.eps)
    background = torch.as_tensor(background, dtype=torch.float64)
    finite = face_colors.isfinite().flatten(2).all(-1)  # B F
    face_colors = torch.where(finite[..., None, None], face_colors, face_colors.new_zeros(()))
    x, weights, depth, drawn = fragments(face_vertices, settings, sigma)
    drawn = drawn & finite[:, None, None]
    alpha = 1 - torch.where(drawn, torch.sigmoid(-x), 1.0).prod(-1)

    zbar = (settings.far - depth) / (settings.far - settings.near)
    logits = torch.nn.functional.logsigmoid(x) + zbar / gamma[:, None, None, None]
    logits = torch.where(drawn, logits, -torch.inf)
    behind = (eps / gamma)[:, None, None, None].expand(*logits.shape[:-1], 1)
    share = torch.softmax(torch.cat([logits, behind], dim=-1), dim=-1)
    colors = torch.einsum("bhwfk,bfkc->bhwfc", weights, face_colors.expand(len(x), -1, -1, -1))
    color = (share[..., :-1, None] * colors).sum(-2) + share[..., -1:] * background
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


def shade(colors, normals, ambient, diffuse, direction) -> Tensor:
    towards = torch.nn.functional.normalize(direction, dim=-1)[:, None]
    cosine = (normals * towards).sum(-1, keepdim=True).clamp(min=0)
    return colors * (ambient[:, None] + diffuse[:, None] * cosine)


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


def flattening_loss(vertices: Tensor, faces: np.ndarray) -> Tensor:
    """By looking at every pair of faces that share an edge in opposite directions."""
    total = torch.zeros((), dtype=vertices.dtype)
    for f, face in enumerate(faces):
        for other in faces[f + 1 :]:
            if len(set(face) & set(other)) == 2:
                m, n = (
                    torch.linalg.cross(
                        vertices[:, y] - vertices[:, x], vertices[:, z] - vertices[:, x]
                    )
                    for x, y, z in (face, other)
                )
                cosine = torch.nn.functional.cosine_similarity(m, n, dim=-1, eps=0)
                total = total + (1 - cosine).square().sum()
    return total / len(vertices)
