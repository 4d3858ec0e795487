"""Fitting to silhouettes in PyTorch: imported only where tensors are given."""

from collections.abc import Iterable
from typing import Any, cast

import numpy as np
import torch

from taichi_softras.cameras.camera import Camera
from taichi_softras.fitting.large_steps import LargeSteps
from taichi_softras.fitting.optimizers import SHORT_DECAYS
from taichi_softras.losses import flattening_loss, laplacian_loss, mesh_topology, silhouette_loss
from taichi_softras.meshes.mesh import Mesh
from taichi_softras.rasterizer.settings import RasterizerSettings
from taichi_softras.renderer import render_silhouette


class UniformAdam(torch.optim.Optimizer):
    """Adam that scales all numbers of a parameter alike, as `Adam` does if ``uniform``.

    Args:
        parameters: What to optimise.
        betas: How much is kept of the means of the gradients and of their largest squares.
        lr: Length of a step.
        eps: Added to the root of the mean square.

    Source:
        Nicolet, Jacobson and Jakob, Large steps in inverse rendering of geometry, 2021.
    """

    def __init__(
        self,
        parameters: Iterable[torch.Tensor],
        betas: tuple[float, float],
        lr: float = 1e-3,
        eps: float = 1e-8,
    ) -> None:
        super().__init__(parameters, {"lr": lr, "betas": betas, "eps": eps})

    @torch.no_grad()
    def step(self, closure: Any = None) -> None:  # type: ignore[override]
        """Move the parameters one step down their gradients."""
        for group in self.param_groups:
            mean_decay, square_decay = group["betas"]
            for parameter in group["params"]:
                if parameter.grad is None:
                    continue
                kept = self.state[parameter]
                if not kept:
                    kept.update(step=0, mean=torch.zeros_like(parameter), square=0.0)
                kept["step"] += 1
                kept["mean"].lerp_(parameter.grad, 1 - mean_decay)
                largest = parameter.grad.square().max()
                kept["square"] = square_decay * kept["square"] + (1 - square_decay) * largest
                root = (kept["square"] / (1 - square_decay ** kept["step"])).sqrt() + group["eps"]
                mean = kept["mean"] / (1 - mean_decay ** kept["step"])
                parameter.sub_(group["lr"] * mean / root)


class TorchDescent:
    """A `SilhouetteDescent` by autograd and PyTorch's Adam.

    Args:
        mesh: Where to start. It must have faces.
        masks: The silhouettes wanted, (B, H, W), 0 to 1. Their device and type are the descent's.
        large_steps: What the vertices are moved by way of; None to move them themselves.
    """

    def __init__(self, mesh: Mesh, masks: torch.Tensor, large_steps: LargeSteps | None) -> None:
        self._masks = masks.detach()
        values, self._faces, _ = mesh.to_torch(masks.device, masks.dtype)
        self._topology = mesh_topology(mesh.faces, values)
        self._large_steps = large_steps
        optimizer: type[torch.optim.Adam | UniformAdam] = torch.optim.Adam
        if large_steps is not None:
            values = torch.tensor(large_steps.encode(mesh.vertices)[None]).to(values)
            optimizer = UniformAdam
        self._values = values.requires_grad_()
        self._optimizer = optimizer([values], betas=SHORT_DECAYS)

    @property
    def vertices(self) -> np.ndarray:
        """See `SilhouetteDescent.vertices`."""
        with torch.no_grad():
            return np.asarray(self._decoded().cpu().numpy()[0].copy())

    @property
    def gradient(self) -> np.ndarray:
        """See `SilhouetteDescent.gradient`."""
        if self._values.grad is None:
            return np.zeros(self._values.shape[1:])
        gradient = np.asarray(self._values.grad.cpu().numpy()[0].copy())
        return gradient if self._large_steps is None else self._large_steps.encode(gradient)

    def _decoded(self) -> torch.Tensor:
        if self._large_steps is None:
            return self._values
        return cast(torch.Tensor, self._large_steps.decode(self._values))

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
        masks = self._masks if views is None else self._masks[views.tolist()]
        self._optimizer.zero_grad()
        with torch.enable_grad():
            vertices = self._decoded()
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
