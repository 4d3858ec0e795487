"""Meshes into voxels, by SoftRas's rule. Not differentiable."""

import torch
from torch import Tensor

from taichi_softras.arrays.checks import check_arrays
from taichi_softras.arrays.options import check_integer
from taichi_softras.meshes.voxels import fill_enclosed


def voxelization(faces: Tensor, size: int, normalize: bool = False) -> Tensor:
    """Fill the voxels that a mesh encloses, and those at its surface.

    A voxel is at the surface if a face crosses one of its twelve edges. It is inside if no path
    from the border of the grid, through faces of voxels that are not at the surface, reaches it.

    Args:
        faces: (B, F, 3, 3), the corners of faces: the grid is 0 to 1 along each axis, or 0 to
            ``size`` if ``normalize``. float32 or float64. Faces that are not finite don't count.
        size: How many voxels the grid has along each axis.
        normalize: Whether ``faces`` are in units of voxels already.

    Returns:
        (B, size, size, size) int32, 0 or 1, indexed by x, y and z.

    Raises:
        TypeError: If ``faces`` are no tensor of float32 or float64, or ``size`` is no integer.
        ValueError: If the shape doesn't fit, or ``size`` is under 1.
    """
    check_arrays(faces=(faces, "(B, F, 3, 3)"))
    size = check_integer("size", size, at_least=1)
    corners = faces.detach().double() * (1 if normalize else size)
    voxels = _surface(corners, size).cpu().numpy()
    for grid in voxels:
        fill_enclosed(grid)
    return torch.from_numpy(voxels).to(faces.device, torch.int32)


def _surface(corners: Tensor, size: int) -> Tensor:
    """Mark the voxels (B, N, N, N) that have an edge that a face crosses."""
    surface = torch.zeros(
        (corners.shape[0], size, size, size), dtype=torch.bool, device=corners.device
    )
    item = torch.arange(corners.shape[0], device=corners.device)[:, None]
    item = item.expand(corners.shape[:2]).reshape(-1)
    corners = corners.flatten(0, 1)
    is_finite = corners.isfinite().flatten(1).all(1)
    corners, item = corners[is_finite], item[is_finite]
    for axis in range(3):
        # With this axis last, the lines of the grid that run along it are at whole x and y.
        order = [(axis + 1) % 3, (axis + 2) % 3, axis]
        face, x, y, z = _crossings(corners[:, :, order], size)
        turned = surface.permute(0, *(1 + k for k in order))  # a view: to write through
        for voxel_x in (x - 1, x):
            for voxel_y in (y - 1, y):
                index = torch.stack((voxel_x, voxel_y, z), dim=1)
                index = torch.cat((item[face, None], index), dim=1)
                index = index[((index[:, 1:] >= 0) & (index[:, 1:] < size)).all(1)]
                turned[tuple(index.T)] = True
    return surface


def _crossings(corners: Tensor, size: int) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Find where faces (F, 3, 3) cross lines along z at whole x and y from 0 to ``size``.

    Returns:
        For each crossing the face, x and y, and z rounded down.
    """
    first = corners.amin(1)[:, :2].ceil().clamp(min=0, max=size + 1).long()
    count = (corners.amax(1)[:, :2].floor().clamp(min=-1, max=size).long() + 1 - first).clamp(min=0)
    total = count.prod(1)
    face = torch.repeat_interleave(total)
    rank = torch.arange(len(face), device=face.device) - (total.cumsum(0) - total)[face]
    x = first[face, 0] + rank // count[face, 1]
    y = first[face, 1] + rank % count[face, 1]
    a, b, c = (corners[face, k] - torch.stack((x, y, 0 * x), dim=1) for k in range(3))
    weights = torch.stack([_turn(b, c), _turn(c, a), _turn(a, b)], dim=1)
    area = weights.sum(1)
    is_inside = ((weights * area.sign()[:, None]) >= 0).all(1) & (area != 0)
    heights = torch.stack([a[:, 2], b[:, 2], c[:, 2]], dim=1)
    z = (weights * heights).sum(1)[is_inside] / area[is_inside]
    z = z.floor().clamp(min=-1, max=size).long()
    return face[is_inside], x[is_inside], y[is_inside], z


def _turn(p: Tensor, q: Tensor) -> Tensor:
    """Twice the area, with its sign, of the triangle of the origin, p and q in x and y."""
    return p[:, 0] * q[:, 1] - p[:, 1] * q[:, 0]
