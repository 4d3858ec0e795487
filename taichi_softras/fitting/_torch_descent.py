"""Fitting to silhouettes in PyTorch: imported only where tensors are given."""

import numpy as np
import torch

from taichi_softras.cameras.camera import Camera
from taichi_softras.fitting.optimizers import SHORT_DECAYS
from taichi_softras.losses import flattening_loss, laplacian_loss, mesh_topology, silhouette_loss
from taichi_softras.meshes.mesh import Mesh
from taichi_softras.rasterizer.settings import RasterizerSettings
from taichi_softras.renderer import render_silhouette


class TorchDescent:
    """A `SilhouetteDescent` by autograd and PyTorch's Adam.

    Args:
        mesh: Where to start. It must have faces.
        masks: The silhouettes wanted, (B, H, W), 0 to 1. Their device and type are the descent's.
    """

    def __init__(self, mesh: Mesh, masks: torch.Tensor) -> None:
        self._masks = masks.detach()
        vertices, self._faces, _ = mesh.to_torch(masks.device, masks.dtype)
        self._vertices = vertices.requires_grad_()
        self._topology = mesh_topology(mesh.faces, vertices)
        self._optimizer = torch.optim.Adam([vertices], betas=SHORT_DECAYS)

    @property
    def vertices(self) -> np.ndarray:
        """See `SilhouetteDescent.vertices`."""
        return np.asarray(self._vertices.detach().cpu().numpy()[0].copy())

    @property
    def gradient(self) -> np.ndarray:
        """See `SilhouetteDescent.gradient`."""
        gradient = self._vertices.grad
        if gradient is None:
            return np.zeros_like(self.vertices)
        return np.asarray(gradient.cpu().numpy()[0].copy())

    def measure(
        self,
        camera: Camera,
        settings: RasterizerSettings,
        *,
        laplacian: float,
        flattening: float,
        views: np.ndarray | None = None,
    ) -> float:
        """See `SilhouetteDescent.measure`."""
        vertices = self._vertices
        masks = self._masks if views is None else self._masks[views.tolist()]
        self._optimizer.zero_grad()
        with torch.enable_grad():
            alpha = render_silhouette(vertices, self._faces, camera, settings)
            loss = silhouette_loss(alpha, masks)
            if laplacian > 0:
                loss = loss + laplacian * laplacian_loss(vertices, self._topology)
            if flattening > 0:
                loss = loss + flattening * flattening_loss(vertices, self._topology)
            loss.backward()
        return float(loss.detach())

    def step(self, learning_rate: float) -> None:
        """See `SilhouetteDescent.step`."""
        self._optimizer.param_groups[0]["lr"] = learning_rate
        self._optimizer.step()
