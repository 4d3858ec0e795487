"""Fitting the viewed mesh to a silhouette, a step at a time, so that one can watch."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import taichi as ti
from PIL import Image

from taichi_softras.arrays.taichi_bridge import from_numpy
from taichi_softras.cameras.camera import Camera, LookAtCamera
from taichi_softras.cameras.orbits import orbit_eyes
from taichi_softras.fitting.optimizers import Adam
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
from taichi_softras.viewer.scene import Scene
from taichi_softras.viewer.state import Orbit, ViewerState

LAPLACIAN, FLATTENING = 0.03, 3e-4
"""Weights of the losses that keep the mesh smooth."""

TARGET_SIGMA = 1e-5
"""Softness of a mesh's silhouettes when they are the target."""


class Descent:
    """Gradient descent of a mesh's vertices towards silhouettes.

    The loss is that of silhouettes, drawn as softly as the viewer's state says, plus the losses
    that keep the mesh smooth.

    Args:
        mesh: To be fitted.
        camera: As many cameras as there are silhouettes.
        target: The silhouettes, (B, H, W), 0 to 1.
        depths: Nearest and farthest depth that the mesh may take.
        target_mesh: Whose silhouettes they are, if they are a mesh's.
        learning_rate: Length of a step.

    Attributes:
        losses: The loss before each step.
        target: The mesh whose silhouettes are wanted, if it is known.
    """

    def __init__(
        self,
        mesh: Mesh,
        camera: Camera,
        target: np.ndarray,
        depths: tuple[float, float],
        *,
        target_mesh: Mesh | None = None,
        learning_rate: float = 0.01,
    ) -> None:
        if mesh.num_faces == 0:
            raise ValueError("a mesh to be fitted must have faces, got none")
        self.losses: list[float] = []
        self.target = None if target_mesh is None else Scene(target_mesh)
        self._mesh = mesh
        self._camera = camera
        self._target = from_numpy(np.ascontiguousarray(target, dtype=np.float32))
        self._depths = depths
        self._learning_rate = learning_rate
        self._loss = ti.ndarray(ti.f32, 1, needs_grad=True)
        self.restart()

    @classmethod
    def to_mesh(cls, mesh: Mesh, target: Mesh, *, views: int = 12, size: int = 64) -> "Descent":
        """Fit a mesh to another's silhouettes, from cameras all round.

        Args:
            mesh: To be fitted; normalised.
            target: What it should become; normalised.
            views: How many cameras.
            size: Height and width of the silhouettes, in pixels.
        """
        if target.num_faces == 0:
            raise ValueError("the target must have faces, got none")
        distance = 3.8
        eyes = np.concatenate(
            [orbit_eyes(distance, (0.0, 30.0, -30.0)[i % 3], 360 * i / views) for i in range(views)]
        )
        camera = LookAtCamera(eyes)
        depths = (distance - 2, distance + 2)
        settings = _settings(RasterizerSettings(height=size, width=size), size, size, depths)
        settings = replace(settings, sigma=TARGET_SIGMA)
        vertices, faces, _ = target.to_taichi()
        alpha = render_silhouette(vertices, faces, camera, settings).to_numpy()
        return cls(mesh, camera, alpha, depths, target_mesh=target)

    @classmethod
    def to_picture(cls, mesh: Mesh, path: Path, orbit: Orbit, *, size: int = 128) -> "Descent":
        """Fit a mesh to the silhouette in a picture, seen from one camera.

        Args:
            mesh: To be fitted; normalised.
            path: Of a picture: its alpha is the target, or its brightness if it is opaque.
            orbit: The camera.
            size: Height of the silhouette, in pixels.

        Raises:
            OSError: If the file can't be read.
        """
        with Image.open(path) as picture:
            width = max(1, round(size * picture.width / picture.height))
            alpha = picture.convert("RGBA").getchannel("A")
            silhouette = picture.convert("L") if alpha.getextrema()[0] == 255 else alpha
            target = np.asarray(silhouette.resize((width, size), Image.Resampling.BOX)) / 255
        distance = float(np.linalg.norm(orbit.eye))
        depths = (max(distance - 2, 1e-2), distance + 2)
        return cls(mesh, orbit.camera, target[None], depths)

    @property
    def vertices(self) -> np.ndarray:
        """Where the vertices are, (V, 3)."""
        numbers: np.ndarray = self._vertices.to_numpy()[0]
        return numbers

    def restart(self) -> None:
        """Put the vertices back where they were at first."""
        self._vertices, self._faces, _ = self._mesh.to_taichi(needs_grad=True)
        self._topology = mesh_topology(self._mesh.faces, self._vertices)
        self._optimizer = Adam(
            [self._vertices], self._learning_rate, mean_decay=0.5, square_decay=0.95
        )
        self.losses.clear()
        self._measured: tuple[RasterizerSettings, float] | None = None

    def gradient(self, state: ViewerState) -> np.ndarray:
        """Measure the loss, and return its derivative by the vertices, (V, 3)."""
        self._measure(state)
        gradient: np.ndarray = self._vertices.grad.to_numpy()[0]
        return gradient

    def step(self, state: ViewerState) -> None:
        """Go down one step."""
        self._measure(state)
        self.losses.append(float(self._loss[0]))
        self._optimizer.step()
        self._measured = None

    def _measure(self, state: ViewerState) -> None:
        height, width = self._target.shape[1:]
        settings = _settings(state.settings, height, width, self._depths)
        if self._measured == (settings, state.smoothing):
            return
        self._optimizer.zero_grad()
        with ti.ad.Tape(loss=self._loss):
            alpha = render_silhouette(self._vertices, self._faces, self._camera, settings)
            add_to_loss(self._loss, silhouette_loss(alpha, self._target))
            if state.smoothing > 0:
                for measure, weight in ((laplacian_loss, LAPLACIAN), (flattening_loss, FLATTENING)):
                    term = measure(self._vertices, self._topology)
                    add_to_loss(self._loss, term, weight * state.smoothing)
        self._measured = (settings, state.smoothing)


def _settings(
    settings: RasterizerSettings, height: int, width: int, depths: tuple[float, float]
) -> RasterizerSettings:
    return replace(settings, height=height, width=width, near=depths[0], far=depths[1])
