"""What is drawn to be measured."""

import math
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np

from taichi_softras.cameras.camera import LookAtCamera
from taichi_softras.cameras.orbits import orbit_eyes
from taichi_softras.cameras.projection import project
from taichi_softras.meshes.mesh import Mesh
from taichi_softras.meshes.primitives import icosphere, teapot, torus
from taichi_softras.rasterizer.settings import RasterizerSettings


@dataclass(frozen=True, kw_only=True)
class Case:
    """What is drawn.

    Attributes:
        mesh: Which shape.
        faces: Of how many faces, about.
        size: Height and width of the images, in pixels.
        views: Images drawn at once.
        sigma: Softness of edges.
        silhouette: Whether colours are left out.
    """

    mesh: Literal["torus", "sphere", "teapot"] = "torus"
    faces: int = 5856
    size: int = 256
    views: int = 1
    sigma: float = 1e-4
    silhouette: bool = False

    def __str__(self) -> str:
        return self.describe()

    def describe(self, *, leave_out: str = "") -> str:
        """Say what is drawn, but for one of the fields."""
        words = {
            "size": f"{self.size}²",
            "views": f"{self.views} views" if self.views > 1 else "",
            "faces": f"{self.faces:,} faces{' of a teapot' if self.mesh == 'teapot' else ''}",
            "silhouette": "silhouettes" if self.silhouette else "colours",
            "sigma": f"sigma {self.sigma:g}",
        }
        return ", ".join(word for field, word in words.items() if word and field != leave_out)

    def make_mesh(self) -> Mesh:
        """Make a mesh of about as many faces as wanted."""
        if self.mesh == "sphere":
            return icosphere(max(round(math.log(self.faces / 20, 4)), 0))
        if self.mesh == "teapot":
            return teapot(max(round(math.sqrt(self.faces / 63)), 1))
        along = max(round(math.sqrt(self.faces * 0.4)), 3)
        return torus(major_segments=max(round(self.faces / 2 / along), 3), minor_segments=along)

    def settings(self, **options: Any) -> RasterizerSettings:
        """Make the rasterizer's settings."""
        return RasterizerSettings(height=self.size, width=self.size, sigma=self.sigma, **options)

    def vertex_arrays(self) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Make the vertices, in NDC, their colours, and faces: (B, V, 3), (1, V, 3) and (F, 3)."""
        mesh = self.make_mesh()
        vertices, faces, _ = mesh.to_taichi()
        colors = np.random.default_rng(0).random((1, mesh.num_vertices, 3), dtype=np.float32)
        camera = LookAtCamera(orbit_eyes(2.0, 30.0, list(np.arange(self.views) * 360 / self.views)))
        return project(vertices, camera, 1.0).to_numpy(), colors, faces.to_numpy()

    def face_arrays(self) -> tuple[np.ndarray, np.ndarray]:
        """Make the corners of all faces, in NDC, and colours: (B, F, 3, 3) and (1, F, 3, 3)."""
        vertices, colors, faces = self.vertex_arrays()
        return vertices[:, faces], colors[:, faces]


CASES = (
    Case(size=64, views=32),
    Case(mesh="sphere", faces=1280, size=64, views=64, silhouette=True),
    Case(size=256),
    Case(size=1024, sigma=1e-5),
    Case(faces=500_000, size=512, sigma=1e-5),
)
"""What is timed."""

CPP_CASES = CASES[:4]
"""What is compared with a C++ rasterizer: as large as the batches that people fit meshes with."""

MESH_CASES = (
    Case(mesh="teapot", faces=4032, size=256, sigma=1e-5),
    Case(mesh="teapot", faces=4032, size=512, sigma=1e-5),
)
"""What is compared with a rasterizer of hard edges: one closed mesh of one view."""

SMALL_CASES = (
    Case(mesh="sphere", faces=320, size=64, sigma=1e-3),
    Case(mesh="sphere", faces=320, size=64, sigma=1e-3, silhouette=True),
    Case(mesh="sphere", faces=1280, size=32),
)
"""What is compared with PyTorch's: the dense one needs memory of pixels times faces."""
