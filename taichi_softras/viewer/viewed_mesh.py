"""A mesh, as the viewer's pictures need it: on the device, projected, lit."""

from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np

from taichi_softras.arrays.operator import Array
from taichi_softras.arrays.taichi_bridge import from_numpy
from taichi_softras.cameras.depths import depth_range
from taichi_softras.cameras.projection import project
from taichi_softras.lights.kinds import Light, Lighting
from taichi_softras.lights.shading import shade
from taichi_softras.meshes.incidence import gather
from taichi_softras.meshes.mesh import Mesh
from taichi_softras.meshes.normals import vertex_normals
from taichi_softras.meshes.textures import UVTexture
from taichi_softras.rasterizer.rasterization import rasterize
from taichi_softras.rasterizer.settings import RasterizerSettings
from taichi_softras.renderer import render
from taichi_softras.viewer.state import ViewerState


class ViewedMesh:
    """A mesh whose vertices may move.

    Args:
        mesh: To be shown.

    Raises:
        ValueError: If it has no faces.
    """

    def __init__(self, mesh: Mesh) -> None:
        if mesh.num_faces == 0:
            raise ValueError("a mesh to be viewed must have faces, got none")
        self.mesh = mesh
        self.vertices, self.faces, self.colors = mesh.to_taichi()
        self.texture: UVTexture | None = None
        if mesh.materials:
            self.texture = UVTexture.from_maps(mesh.texture_maps(), self.vertices)

    def move(self, vertices: np.ndarray) -> None:
        """Put the vertices, (V, 3), elsewhere."""
        self.mesh = self.mesh.with_vertices(vertices)
        self.vertices = from_numpy(self.mesh.vertices[None])

    def shot(self, state: ViewerState, height: int, width: int) -> "Shot":
        """See the mesh as a state says, in a picture of some size.

        Raises:
            ValueError: If the chosen face does not exist.
        """
        if state.face is not None and state.face >= self.mesh.num_faces:
            raise ValueError(
                f"face must be under the number of faces, {self.mesh.num_faces}, got {state.face}"
            )
        near, far = self._depths(state)
        settings = replace(state.settings, height=height, width=width, near=near, far=far)
        return Shot(self, state, settings)

    def _depths(self, state: ViewerState) -> tuple[float, float]:
        """Find near and far planes that fit; any where all of the mesh is behind the camera."""
        try:
            return depth_range(self.vertices, state.orbit.camera)
        except ValueError:
            return 1.0, 2.0


@dataclass(frozen=True, eq=False)
class Shot:
    """A mesh seen by a camera.

    Attributes:
        viewed: What is seen.
        state: How.
        settings: Those of the state, for the picture's size and with near and far that fit.
    """

    viewed: ViewedMesh
    state: ViewerState
    settings: RasterizerSettings

    @cached_property
    def projected(self) -> Array:
        """Vertices (1, V, 3), in NDC and depth."""
        return project(self.viewed.vertices, self.state.orbit.camera, self.settings.aspect)

    @cached_property
    def face_vertices(self) -> Array:
        """Faces (1, F, 3, 3), likewise."""
        return gather(self.projected, self.viewed.faces)

    @cached_property
    def normals(self) -> Array:
        """Normals of vertices (1, V, 3), in the world."""
        return vertex_normals(self.viewed.vertices, self.viewed.faces)

    @cached_property
    def face_colors(self) -> Array:
        """Lit colours of vertices, at the corners of faces (1, F, 3, 3)."""
        return gather(shade(self.viewed.colors, self.normals, self.light), self.viewed.faces)

    @cached_property
    def face_light(self) -> Array:
        """The light that gets to vertices, at the corners of faces (1, F, 3, 3)."""
        white = from_numpy(np.ones((1, *self.viewed.mesh.vertices.shape), dtype=np.float32))
        return gather(shade(white, self.normals, self.light), self.viewed.faces)

    @property
    def light(self) -> Light:
        """The light, turned with the camera."""
        return self.state.lighting.light(self.state.orbit.axes())

    def color_image(self) -> np.ndarray:
        """Draw lit colours, those of textures if the mesh has some: (H, W, 4)."""
        if self.viewed.texture is None:
            image = rasterize(
                self.face_vertices, self.face_colors, self.settings, background=self.background
            )
        else:
            image = render(
                *(self.viewed.vertices, self.viewed.faces, self.viewed.texture),
                *(self.state.orbit.camera, self.settings),
                light=Lighting(lights=self.light.lighting.lights, shading="fragment"),
                clip=False,  # so that faces are those of the other views
                background=self.background,
            )
        return np.asarray(image.to_numpy()[0])

    @property
    def background(self) -> tuple[float, float, float]:
        """Colour behind the mesh."""
        return (self.state.background,) * 3

    def corner_values(self, values: np.ndarray) -> Array:
        """Copy what vertices have, (V, K), to the corners of faces (1, F, 3, K)."""
        return gather(from_numpy(np.ascontiguousarray(values[None], np.float32)), self.viewed.faces)

    @cached_property
    def pixels(self) -> np.ndarray:
        """Vertices as x and y in pixels from the picture's top left corner, and depth (V, 3)."""
        return self._in_pixels(self.projected)

    def pixels_of(self, points: np.ndarray) -> np.ndarray:
        """Likewise for points of the world, (V, 3)."""
        points = from_numpy(np.ascontiguousarray(points[None], np.float32))
        return self._in_pixels(project(points, self.state.orbit.camera, self.settings.aspect))

    def _in_pixels(self, projected: Array) -> np.ndarray:
        ndc: np.ndarray = projected.to_numpy()[0].astype(np.float64)
        ndc[:, 0] = (ndc[:, 0] + 1) * self.settings.width / 2
        ndc[:, 1] = (1 - ndc[:, 1]) * self.settings.height / 2
        return ndc

    def pixel(self) -> tuple[int, int] | None:
        """Row and column of the inspected pixel."""
        if self.state.pixel is None:
            return None
        x, y = self.state.pixel
        height, width = self.settings.height, self.settings.width
        return min(int(y * height), height - 1), min(int(x * width), width - 1)
