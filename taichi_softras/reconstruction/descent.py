"""One stage of a fit to photographs: the loss, its gradient, and the optimisers' steps."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from taichi_softras.arrays.taichi_bridge import from_numpy
from taichi_softras.backend import ti
from taichi_softras.cameras.depths import depth_range
from taichi_softras.cameras.selection import select_cameras
from taichi_softras.captures.captures import Captures
from taichi_softras.fitting.large_steps import LargeSteps
from taichi_softras.fitting.optimizers import Adam
from taichi_softras.lights.kinds import Lighting, SphericalHarmonicsLight
from taichi_softras.losses import add_to_loss, laplacian_loss, mesh_topology, photo_loss
from taichi_softras.meshes.mesh import Mesh
from taichi_softras.rasterizer.settings import RasterizerSettings
from taichi_softras.reconstruction.options import ReconstructionOptions, Stage
from taichi_softras.reconstruction.sampling import INSIDE
from taichi_softras.renderer import render

SOFTNESS = 0.27
"""Root of sigma, in pixels."""

LEEWAY = 0.5
"""How much nearer and farther than the mesh near and far are, as a share of its depth."""

SMOOTHNESS = 5.0
"""Of `LargeSteps`, where light shows relief."""

COLOR_RATE, LIGHT_RATE = 2e-2, 2e-2
"""Lengths of the first steps of colours and of light."""

DECAYS = 0.9, 0.99
"""Of Adam's means."""

LATEST = 0.2
"""Share of the latest exposure in the one that is used: it changes little from step to step."""

WIDEST = 3.0
"""Factor by which exposures differ from their mean at most."""

ALL_AROUND = 0.282095 * np.pi
"""What the first spherical harmonic's coefficient is multiplied by to give light from all round."""


@dataclass(frozen=True, eq=False)
class FitState:
    """What a fit has found so far.

    Attributes:
        mesh: The mesh, with colours of vertices.
        gains: Exposures of the photographs, (N,).
        light: Coefficients of spherical harmonics, (9, 3), on an object of one colour.
    """

    mesh: Mesh
    gains: NDArray[np.float64]
    light: NDArray[np.float64]


class PhotoDescent:
    """Gradient descent of a mesh, its colours or its light, towards photographs, in Taichi.

    Args:
        state: Where to start.
        captures: Photographs with masks, as small as the stage wants them.
        stage: What is fitted, and how fast.
        options: How much the terms of the loss count.
    """

    def __init__(
        self, state: FitState, captures: Captures, stage: Stage, options: ReconstructionOptions
    ) -> None:
        self._captures, self._stage, self._options = captures, stage, options
        self._mesh = state.mesh
        self._gains = state.gains.copy()
        self._settings = _settings(state.mesh, captures, options)
        self._vertices, self._faces, self._colors = state.mesh.to_taichi(needs_grad=True)
        self._topology = mesh_topology(state.mesh.faces, self._vertices)
        self._large: LargeSteps | None = None
        if stage.kind == "light":
            self._large = LargeSteps(state.mesh.faces, state.mesh.num_vertices, SMOOTHNESS)
            encoded = self._large.encode(state.mesh.vertices)[None].astype(np.float32)
            self._vertices = from_numpy(encoded, needs_grad=True)
            self._colors = from_numpy(np.ones((1, 1, 3), np.float32))
        self._light = from_numpy(state.light[None].astype(np.float32), needs_grad=True)
        self._optimizers = self._make_optimizers()
        self._loss = ti.ndarray(ti.f32, 1, needs_grad=True)

    def _make_optimizers(self) -> list[tuple[Adam, float]]:
        mean, square = DECAYS
        decays: dict[str, Any] = {"mean_decay": mean, "square_decay": square}
        light = self._stage.kind == "light"
        found = [(Adam([self._vertices], uniform=light, **decays), self._stage.rate)]
        if light:
            found.append((Adam([self._light], **decays), LIGHT_RATE))
        elif self._stage.kind == "colors":
            found.append((Adam([self._colors], **decays), COLOR_RATE))
        return found

    @property
    def state(self) -> FitState:
        """What has been found: a copy."""
        values = self._vertices
        if self._large is not None:
            values = self._large.decode(values)
        mesh = self._mesh.with_vertices(values.to_numpy()[0])
        if self._stage.kind == "colors":
            mesh = mesh.with_colors(self._colors.to_numpy()[0])
        gains = self._gains / np.exp(np.log(self._gains).mean())
        return FitState(mesh, gains, self._light.to_numpy()[0].astype(np.float64))

    def memory(self) -> dict[str, NDArray[Any]]:
        """Copy all that steps change, by name, for `recall`."""
        found: dict[str, NDArray[Any]] = {"gains": self._gains.copy()}
        found |= {name: array.to_numpy() for name, array in self._changing().items()}
        for i, (optimizer, _) in enumerate(self._optimizers):
            found |= {f"adam {i} {name}": x for name, x in optimizer.state_dict().items()}
        return found

    def recall(self, memory: Mapping[str, NDArray[Any]]) -> None:
        """Take over what another one of the same state, captures and stage has had in `memory`.

        Raises:
            ValueError: If something is missing, or of another shape.
        """
        for name, array in self._changing().items():
            if name not in memory or memory[name].shape != tuple(array.shape):
                raise ValueError(f"memory must have {name} of shape {tuple(array.shape)}")
            array.from_numpy(np.ascontiguousarray(memory[name]))
        self._gains = memory["gains"].copy()
        for i, (optimizer, _) in enumerate(self._optimizers):
            start = f"adam {i} "
            optimizer.load_state_dict(
                {k.removeprefix(start): x for k, x in memory.items() if k.startswith(start)}
            )

    def _changing(self) -> dict[str, ti.Ndarray]:
        return {"vertices": self._vertices, "colors": self._colors, "light": self._light}

    def step(self, views: NDArray[Any], progress: float) -> float:
        """Move one step down the gradient of some photographs' loss.

        Args:
            views: Their numbers.
            progress: How much of the stage is over, 0 to 1: steps get shorter.

        Returns:
            The loss before.
        """
        for optimizer, rate in self._optimizers:
            optimizer.zero_grad()
            optimizer.learning_rate = rate * self._stage.decay**progress
        photos = _Batch(self._captures, views, self._gains[views])
        image = self._measure(photos)
        if self._stage.kind != "silhouettes" and self._options.exposures:
            self._note_exposures(views, photos, image.to_numpy())
        for optimizer, _ in self._optimizers:
            optimizer.step()
        return float(self._loss[0])

    def _measure(self, photos: _Batch) -> ti.Ndarray:
        """Draw, and find the gradients."""
        light = None
        if self._stage.kind == "light":
            light = Lighting(lights=(SphericalHarmonicsLight(self._light),))
        weight = 0.0 if self._stage.kind == "silhouettes" else self._options.color_weight
        with ti.ad.Tape(loss=self._loss):
            vertices = self._vertices
            if self._large is not None:
                vertices = self._large.decode(vertices)
            image = render(
                vertices, self._faces, self._colors, photos.camera, self._settings, light=light
            )
            term = photo_loss(image, *photos.arrays, color_weight=weight)
            add_to_loss(self._loss, term)
            if self._large is None and self._options.laplacian > 0:
                smooth = laplacian_loss(vertices, self._topology)
                add_to_loss(self._loss, smooth, self._options.laplacian)
        return image

    def _note_exposures(self, views: NDArray[Any], photos: _Batch, image: NDArray[Any]) -> None:
        """Bring the exposures nearer to those that fit best now."""
        colors, weights = image[..., :3], photos.weights[..., None]
        products = (weights * colors * photos.photo).sum(axis=(1, 2, 3), dtype=np.float64)
        squares = (weights * colors * colors).sum(axis=(1, 2, 3), dtype=np.float64)
        best = np.where(squares > 0, products / np.maximum(squares, 1e-12), self._gains[views])
        middle = np.exp(np.log(self._gains).mean())
        best = np.clip(best, middle / WIDEST, middle * WIDEST)
        self._gains[views] = (1 - LATEST) * self._gains[views] + LATEST * best
        self._gains /= np.exp(np.log(self._gains).mean())


class _Batch:
    """Some photographs as arrays.

    Args:
        captures: All of them.
        views: Which.
        gains: Their exposures.
    """

    def __init__(self, captures: Captures, views: NDArray[Any], gains: NDArray[Any]) -> None:
        assert captures.masks is not None, "reconstruct has looked"
        self.camera = select_cameras(captures.camera, views)
        self.photo = captures.pictures[views].astype(np.float32) / np.float32(255)
        cover = captures.masks[views]
        known = captures.known[views]
        self.weights = (known & (cover >= INSIDE)).astype(np.float32)
        mask = cover.astype(np.float32) / np.float32(255)
        numbers = (self.photo, mask, known.astype(np.float32), self.weights)
        self.arrays = tuple(map(from_numpy, (*numbers, gains.astype(np.float32))))


def start_state(mesh: Mesh, captures: Captures) -> FitState:
    """Begin: exposures of 1, and light from all round as bright as the photographs."""
    count = len(captures)
    assert captures.masks is not None, "reconstruct has looked"
    inside = captures.known & (captures.masks >= INSIDE)
    mean = captures.pictures[inside].mean(axis=0) / 255 if inside.any() else np.full(3, 0.5)
    light = np.zeros((9, 3))
    light[0] = mean / ALL_AROUND
    return FitState(mesh, np.ones(count), light)


def _settings(mesh: Mesh, captures: Captures, options: ReconstructionOptions) -> RasterizerSettings:
    """Soft edges of a third of a pixel, and room for the mesh to move towards the cameras."""
    _, height, width = captures.known.shape
    near, far = depth_range(mesh.to_taichi()[0], captures.camera)
    room = LEEWAY * (far - near)
    pixel = 2 / min(height, width)
    return replace(
        RasterizerSettings(height=height, width=width),
        near=max(near - room, near / 2),
        far=far + room,
        sigma=(SOFTNESS * pixel) ** 2,
        gamma=options.gamma,
    )
