"""Cameras, lights and losses in PyTorch, differentiated by autograd; slow and obvious.

Written from the formulas, not from the kernels; run in float64. The rasterizer's are part of the
package: `taichi_softras.reference`.
"""

import numpy as np
import torch
from torch import Tensor


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
