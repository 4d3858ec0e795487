"""``softras warm-up``: compiles what most programs need, before they need it."""

import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any, Literal

import numpy as np
from rich.progress import track

from taichi_softras.arrays.taichi_bridge import from_numpy
from taichi_softras.backend import ti
from taichi_softras.bench.machine import describe_kernel_cache
from taichi_softras.cameras.camera import LookAtCamera
from taichi_softras.cameras.orbits import orbit_eyes
from taichi_softras.cli.options import PROGRESS_CONSOLE
from taichi_softras.fitting.silhouettes import SilhouetteFitOptions, fit_silhouettes
from taichi_softras.lights.kinds import Light
from taichi_softras.losses import add_to_loss, image_loss
from taichi_softras.meshes.materials import Material
from taichi_softras.meshes.mesh import Framework, Mesh
from taichi_softras.meshes.primitives import icosphere
from taichi_softras.meshes.subdivision import subdivide
from taichi_softras.previews import draw_previews
from taichi_softras.rasterizer.settings import RasterizerSettings
from taichi_softras.renderer import render, render_silhouette

SETTINGS = RasterizerSettings(height=16, width=16)
LARGE = RasterizerSettings(height=128, width=128, supersampling=2)
"""Kernels that list faces are others where there are many tiles, or many faces."""

CAMERA = LookAtCamera(eye=(0, 1, 3))
CAMERAS = LookAtCamera(orbit_eyes(3.0, 20.0, range(0, 360, 15)))


@dataclass(frozen=True, kw_only=True)
class WarmUp:
    """Compile the kernels that most programs use, and keep them for the programs to come.

    Pictures with colours, light and image maps, silhouettes, and the gradients and losses of fits.

    Attributes:
        framework: Whose arrays the programs have; kernels are compiled for each.
        dtype: Their floating-point type.
    """

    framework: Framework = "taichi"
    dtype: Literal["float32", "float64"] = "float32"

    def run(self) -> None:
        """Compile, and say how long it took, and where kernels are kept."""
        started = time.perf_counter()
        mesh = _ball(np.dtype(self.dtype))
        plain = Mesh(mesh.vertices, mesh.faces, mesh.colors)
        jobs: list[Callable[[], Any]] = [
            lambda: next(draw_previews(mesh, CAMERA, LARGE)),
            lambda: next(draw_previews(plain, CAMERA, SETTINGS)),
            lambda: next(draw_previews(plain, CAMERA, LARGE)),
            partial(self._fit_image, plain, light=None),
            partial(self._fit_image, plain, light=Light()),
            partial(self._fit_image, mesh, light=None),
            partial(self._fit_silhouettes, plain),
        ]
        for job in track(jobs, "Compiling", console=PROGRESS_CONSOLE, transient=True):
            job()
        seconds = time.perf_counter() - started
        print(f"{self.framework}, {self.dtype}: {seconds:.0f} seconds")
        print(f"kernels are kept in {describe_kernel_cache()}")

    def _fit_image(self, mesh: Mesh, light: Light | None) -> None:
        """Draw colours, and go back to all arrays that there are."""
        if self.framework == "torch":
            vertices, faces, colors = mesh.to_torch()
            texture: Any = mesh.texture("torch") if mesh.materials else colors.requires_grad_()
            if mesh.materials:
                texture.texels.requires_grad_()
            vertices.requires_grad_()
            image = render(vertices, faces, texture, CAMERA, SETTINGS, light=light)
            image_loss(image, image.detach() * 0).backward()
            return
        vertices, faces, colors = mesh.to_taichi(dtype=mesh.dtype, needs_grad=True)
        texture = mesh.texture() if mesh.materials else colors
        target = from_numpy(np.zeros((1, SETTINGS.height, SETTINGS.width, 4), mesh.vertices.dtype))
        loss = ti.ndarray(mesh.dtype, 1, needs_grad=True)
        with ti.ad.Tape(loss=loss):
            image = render(vertices, faces, texture, CAMERA, SETTINGS, light=light)
            add_to_loss(loss, image_loss(image, target))

    def _fit_silhouettes(self, mesh: Mesh) -> None:
        """Take a step of a fit."""
        for ball, camera in ((mesh, CAMERA), (subdivide(mesh, times=2), CAMERAS)):
            masks = render_silhouette(ball, camera, SETTINGS, framework=self.framework)
            fit_silhouettes(ball, masks, camera, SilhouetteFitOptions(steps=1))


def _ball(dtype: np.dtype[Any]) -> Mesh:
    """Make a ball with an image."""
    ball = icosphere(1)
    return Mesh(
        ball.vertices.astype(dtype),
        ball.faces,
        face_uvs=(ball.vertices[:, :2] + 0.5)[ball.faces],
        face_materials=np.zeros(ball.num_faces, np.int32),
        materials=(Material(image=np.full((4, 4, 3), 0.5, dtype)),),
    )
