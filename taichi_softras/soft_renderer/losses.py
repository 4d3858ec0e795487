"""SoftRas's losses of meshes as modules."""

from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

import taichi_softras as native
from taichi_softras.arrays.checks import check_arrays


class LaplacianLoss(nn.Module):
    """Measures how far vertices are from the mean of their neighbours.

    Args:
        vertex: (V, 3); only their number V is used.
        faces: (F, 3) integers.
        average: Whether the result is the mean over the batch, rather than one number for each.

    Raises:
        ValueError: If a shape doesn't fit, or an index is out of range.
    """

    def __init__(self, vertex: Any, faces: Any, average: bool = False) -> None:
        super().__init__()
        self.nv = len(vertex)
        self.nf = len(faces)
        self.average = average
        self._faces = faces
        self._topology = native.mesh_topology(faces, torch.zeros(1, self.nv, 3))

    def forward(self, x: Tensor) -> Tensor:
        """Return the squared lengths of the uniform Laplacian of (B, V, 3), summed: (B,)."""
        check_arrays(x=(x, f"(B, {self.nv}, 3)"))
        known = self._topology.inverse_degrees
        if (known.dtype, known.device) != (x.dtype, x.device):
            self._topology = native.mesh_topology(self._faces, x)
        return _reduced(native.laplacian_loss(x, self._topology, reduction="none"), self.average)


class FlattenLoss(nn.Module):
    """Measures how faces fold over the edges that SoftRas looks at.

    These are the first two sides of each face; an edge that is the third side of both its faces
    doesn't count, nor does one that has one face only.

    Args:
        faces: (F, 3) integers.
        average: Whether the result is the mean over the batch, rather than one number for each.

    Raises:
        ValueError: If a shape doesn't fit.
    """

    hinges: Tensor

    def __init__(self, faces: Any, average: bool = False) -> None:
        super().__init__()
        faces = _integers(faces)
        self.nf = len(faces)
        self.average = average
        num_vertices = int(faces.max(initial=-1)) + 1
        hinges = native.mesh_topology(faces, torch.zeros(1, num_vertices, 3)).hinges.long()
        # From the lower index to the higher: with eps the result depends on the direction.
        hinges[:, :2] = hinges[:, :2].sort(dim=1).values
        sides = np.sort(np.concatenate((faces[:, :2], faces[:, 1:])), axis=1)
        listed = {tuple(side) for side in sides.tolist()}
        hinges = hinges[[tuple(edge) in listed for edge in hinges[:, :2].tolist()]]
        self.register_buffer("hinges", hinges, persistent=False)

    def forward(self, vertices: Tensor, eps: float = 1e-6) -> Tensor:
        """Sum (1 + cos)^2 over edges, of the angle between their two faces.

        Args:
            vertices: (B, V, 3).
            eps: Added to squared lengths, so that faces without area do no harm.

        Returns:
            (B,); it is 0 for a plane.
        """
        check_arrays(vertices=(vertices, "(B, V, 3)"))
        start, end, *opposite = (vertices[:, k] for k in self.hinges.to(vertices.device).T)
        (p, p_length), (q, q_length) = (
            _height(end - start, corner - start, eps) for corner in opposite
        )
        cosine = (p * q).sum(-1) / (p_length * q_length + eps)
        return _reduced((cosine + 1).square().sum(1), self.average)


def _height(edge: Tensor, side: Tensor, eps: float) -> tuple[Tensor, Tensor]:
    """Return the part of ``side`` that is at right angles to ``edge``, and its length."""
    edge_sq, side_sq = edge.square().sum(-1) + eps, side.square().sum(-1) + eps
    along = (edge * side).sum(-1)
    cosine = along / ((edge_sq * side_sq).sqrt() + eps)
    length = (side_sq * (1 - cosine.square() + eps)).sqrt()
    return side - edge * (along / edge_sq)[..., None], length


def _integers(faces: Any) -> np.ndarray:
    return faces.detach().cpu().numpy() if isinstance(faces, Tensor) else np.asarray(faces)


def _reduced(loss: Tensor, average: bool) -> Tensor:
    return loss.mean() if average else loss
