"""Fitting the viewed mesh to a silhouette, a step at a time, so that one can watch."""

from dataclasses import replace
from pathlib import Path

import numpy as np
from PIL import Image

from taichi_softras.cameras.camera import Camera
from taichi_softras.cameras.depths import depth_range
from taichi_softras.fitting.descent import start_descent
from taichi_softras.fitting.framing import surround_mesh
from taichi_softras.fitting.silhouettes import SilhouetteFitOptions, fitting_settings
from taichi_softras.meshes.mesh import Mesh
from taichi_softras.rasterizer.settings import RasterizerSettings
from taichi_softras.renderer import render_silhouette
from taichi_softras.viewer.state import Orbit, ViewerState
from taichi_softras.viewer.viewed_mesh import ViewedMesh

DEFAULTS = SilhouetteFitOptions()
"""Where the learning rate and the weights of the losses are from."""

TARGET_SIGMA = 1e-5
"""Softness of a mesh's silhouettes when they are the target."""


class LiveFit:
    """A mesh on its way to silhouettes.

    The loss is that of silhouettes, drawn as softly as the viewer's state says, plus the losses
    that keep the mesh smooth.

    Args:
        mesh: To be fitted.
        camera: As many cameras as there are silhouettes.
        masks: The silhouettes, (B, H, W), 0 to 1.
        target: The mesh whose silhouettes they are, if they are a mesh's.

    Attributes:
        losses: The loss before each step.
        target: The mesh whose silhouettes are wanted, if it is known.
    """

    def __init__(
        self, mesh: Mesh, camera: Camera, masks: np.ndarray, *, target: Mesh | None = None
    ) -> None:
        if mesh.num_faces == 0:
            raise ValueError("a mesh to be fitted must have faces, got none")
        self.losses: list[float] = []
        self.target = None if target is None else ViewedMesh(target)
        self._mesh = mesh
        self._camera = camera
        self._masks = masks
        self._fixed = fitting_settings(mesh, masks, camera)
        self.restart()

    @classmethod
    def to_mesh(cls, mesh: Mesh, target: Mesh, *, views: int = 12, size: int = 64) -> "LiveFit":
        """Fit a mesh to another's silhouettes, from cameras all round.

        Args:
            mesh: To be fitted; normalised.
            target: What it should become; normalised.
            views: How many cameras.
            size: Height and width of the silhouettes, in pixels.
        """
        if target.num_faces == 0:
            raise ValueError("the target must have faces, got none")
        camera = surround_mesh(target, views)
        vertices, faces, _ = target.to_taichi()
        near, far = depth_range(vertices, camera)
        settings = RasterizerSettings(
            height=size, width=size, near=near, far=far, sigma=TARGET_SIGMA
        )
        masks = render_silhouette(vertices, faces, camera, settings).to_numpy()
        return cls(mesh, camera, masks, target=target)

    @classmethod
    def to_picture(cls, mesh: Mesh, path: Path, orbit: Orbit, *, size: int = 128) -> "LiveFit":
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
            mask = np.asarray(silhouette.resize((width, size), Image.Resampling.BOX)) / 255
        return cls(mesh, orbit.camera, mask[None])

    @property
    def vertices(self) -> np.ndarray:
        """Where the vertices are, (V, 3)."""
        return self._descent.vertices

    def restart(self) -> None:
        """Put the vertices back where they were at first."""
        self._descent = start_descent(self._mesh, self._masks)
        self.losses.clear()
        self._measured: tuple[RasterizerSettings, float] | None = None
        self._loss = np.nan

    def loss(self, state: ViewerState) -> float:
        """Measure the loss where the vertices are."""
        settings = replace(
            state.settings,
            **{name: getattr(self._fixed, name) for name in ("height", "width", "near", "far")},
        )
        if self._measured != (settings, state.smoothing):
            self._loss = self._descent.measure(
                self._camera,
                settings,
                laplacian=DEFAULTS.laplacian * state.smoothing,
                flattening=DEFAULTS.flattening * state.smoothing,
            )
            self._measured = (settings, state.smoothing)
        return self._loss

    def gradient(self, state: ViewerState) -> np.ndarray:
        """Measure the loss's derivative with respect to the vertices, (V, 3)."""
        self.loss(state)
        return self._descent.gradient

    def step(self, state: ViewerState) -> None:
        """Go down one step."""
        self.losses.append(self.loss(state))
        self._descent.step(DEFAULTS.learning_rate)
        self._measured = None
