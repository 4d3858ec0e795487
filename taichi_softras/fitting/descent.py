"""One step of fitting a mesh to silhouettes: the loss, its gradient, and the optimiser's move."""

from typing import Any, Protocol

import numpy as np

from taichi_softras.arrays.bridge import is_tensor, to_numpy
from taichi_softras.arrays.taichi_bridge import from_numpy
from taichi_softras.backend import ti
from taichi_softras.cameras.camera import Camera
from taichi_softras.fitting.large_steps import LargeSteps
from taichi_softras.fitting.optimizers import SHORT_DECAYS, Adam
from taichi_softras.losses import (
    add_to_loss,
    flattening_loss,
    laplacian_loss,
    mesh_topology,
    silhouette_loss,
)
from taichi_softras.meshes.mesh import Mesh
from taichi_softras.rasterizer.settings import RasterizerSettings
from taichi_softras.renderer import render_silhouette


class SilhouetteDescent(Protocol):
    """Gradient descent of a mesh's vertices towards silhouettes, in one framework."""

    @property
    def vertices(self) -> np.ndarray:
        """Where the vertices are, (V, 3)."""

    @property
    def gradient(self) -> np.ndarray:
        """The last loss's derivative with respect to the vertices, (V, 3)."""

    def measure(
        self,
        camera: Camera,
        settings: RasterizerSettings,
        *,
        laplacian: float,
        flattening: float,
        views: np.ndarray | None = None,
    ) -> float:
        """Measure the loss, and find its gradient.

        Args:
            camera: Of the silhouettes compared.
            settings: How the mesh is drawn.
            laplacian: Weight of the loss that keeps vertices evenly spread.
            flattening: Weight of the loss that keeps faces from folding.
            views: Numbers of the silhouettes compared, as many as ``camera`` has items; None for
                all.
        """

    def step(self, learning_rate: float) -> None:
        """Move the vertices down the last gradient.

        Args:
            learning_rate: Length of the step.
        """


class TaichiDescent:
    """A `SilhouetteDescent` in Taichi alone: its tape records drawing and losses.

    Args:
        mesh: Where to start. It must have faces.
        masks: The silhouettes wanted, (B, H, W), 0 to 1.
        large_steps: What the vertices are moved by way of; None to move them themselves.
    """

    def __init__(self, mesh: Mesh, masks: np.ndarray, large_steps: LargeSteps | None) -> None:
        self._masks = np.ascontiguousarray(masks, dtype=np.float32)
        self._all_masks = from_numpy(self._masks)
        self._values, self._faces, _ = mesh.to_taichi(needs_grad=True)
        self._topology = mesh_topology(mesh.faces, self._values)
        self._large_steps = large_steps
        if large_steps is not None:
            encoded = large_steps.encode(mesh.vertices)[None].astype(np.float32)
            self._values = from_numpy(encoded, needs_grad=True)
        mean_decay, square_decay = SHORT_DECAYS
        self._optimizer = Adam(
            [self._values],
            mean_decay=mean_decay,
            square_decay=square_decay,
            uniform=large_steps is not None,
        )
        self._loss = ti.ndarray(ti.f32, 1, needs_grad=True)

    @property
    def vertices(self) -> np.ndarray:
        """See `SilhouetteDescent.vertices`."""
        return np.asarray(self._decoded().to_numpy()[0])

    @property
    def gradient(self) -> np.ndarray:
        """See `SilhouetteDescent.gradient`."""
        gradient = np.asarray(self._values.grad.to_numpy()[0])
        return gradient if self._large_steps is None else self._large_steps.encode(gradient)

    def _decoded(self) -> ti.Ndarray:
        return self._values if self._large_steps is None else self._large_steps.decode(self._values)

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
        loss = self._loss
        masks = self._all_masks if views is None else from_numpy(self._masks[views])
        self._optimizer.zero_grad()
        with ti.ad.Tape(loss=loss):
            vertices = self._decoded()
            alpha = render_silhouette(vertices, self._faces, camera, settings)
            add_to_loss(loss, silhouette_loss(alpha, masks))
            if laplacian > 0:
                add_to_loss(loss, laplacian_loss(vertices, self._topology), laplacian)
            if flattening > 0:
                add_to_loss(loss, flattening_loss(vertices, self._topology), flattening)
        return float(loss[0])

    def step(self, learning_rate: float) -> None:
        """See `SilhouetteDescent.step`."""
        self._optimizer.learning_rate = learning_rate
        self._optimizer.step()


def start_descent(mesh: Mesh, masks: Any, smoothness: float = 0.0) -> SilhouetteDescent:
    """Begin a descent in the framework of the silhouettes.

    Args:
        mesh: Where to start. It must have faces.
        masks: (B, H, W), 0 to 1: a PyTorch tensor, for a descent by autograd on its device; or a
            NumPy array or Taichi ndarray, for one in Taichi.
        smoothness: Of `LargeSteps`, at least 0; with 0 vertices are moved themselves.
    """
    large_steps = LargeSteps(mesh.faces, mesh.num_vertices, smoothness) if smoothness else None
    if is_tensor(masks):
        from taichi_softras.fitting._torch_descent import TorchDescent  # PyTorch is there already

        return TorchDescent(mesh, masks, large_steps)
    on_host = to_numpy(masks) if isinstance(masks, ti.Ndarray) else masks
    return TaichiDescent(mesh, on_host, large_steps)
