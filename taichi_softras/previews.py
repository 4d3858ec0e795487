"""Pictures of meshes as they are, under a light that moves with the camera.

What the command line and the demos show of a mesh. To draw with lights, cameras and softness of
one's own, and with gradients, there is `render`.
"""

import math
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from typing import Any, Literal, get_args

import numpy as np

from taichi_softras.arrays.bridge import to_numpy
from taichi_softras.arrays.operator import Array
from taichi_softras.arrays.options import check_choice, check_number, keep_checked
from taichi_softras.cameras.camera import Camera
from taichi_softras.cameras.depths import depth_range
from taichi_softras.cameras.poses import Pose
from taichi_softras.cameras.selection import count_cameras, select_cameras
from taichi_softras.drawn import texture_of
from taichi_softras.lights.kinds import SHADINGS, Light, Lighting
from taichi_softras.meshes.mesh import Mesh
from taichi_softras.meshes.textures import Texture
from taichi_softras.rasterizer.settings import RasterizerSettings
from taichi_softras.renderer import render, render_silhouette

Channel = Literal["colors", "silhouette", "depth", "normals"]
"""What a picture shows."""

Shading = Literal["vertex", "face", "fragment"]
"""Where light is evaluated."""


@dataclass(frozen=True, kw_only=True)
class Headlight:
    """Light that moves with the camera.

    Attributes:
        ambient: Brightness of the light from everywhere, 0 to 1; the rest is directional.
        azimuth: Where the directional light comes from, in degrees to the right of the camera.
        elevation: Likewise, in degrees above it.

    Raises:
        TypeError: If a value is of the wrong type.
        ValueError: If a value is outside the range given for it.
    """

    ambient: float = 0.45
    azimuth: float = -35.0
    elevation: float = 40.0

    def __post_init__(self) -> None:
        keep_checked(self, ("ambient", "azimuth", "elevation"), check_number)
        if not 0 <= self.ambient <= 1:
            raise ValueError(f"ambient must be from 0 to 1, got {self.ambient}")

    def light(self, axes: np.ndarray) -> Light:
        """Turn with a camera.

        Args:
            axes: Right, up and forward of the view frame in the world, as rows (3, 3).
        """
        azimuth, elevation = math.radians(self.azimuth), math.radians(self.elevation)
        right, up, forward = axes
        level = math.cos(elevation) * (math.sin(azimuth) * right - math.cos(azimuth) * forward)
        return Light(
            ambient=(self.ambient,) * 3,
            diffuse=(BRIGHTEST - self.ambient,) * 3,
            direction=tuple((level + math.sin(elevation) * up).tolist()),
        )


BRIGHTEST = 1.05
"""Of ambient and directional light together."""


@dataclass(frozen=True, kw_only=True)
class PreviewStyle:
    """What a picture of a mesh shows, and in which light.

    Attributes:
        show: Colours, silhouettes, depth (white is near), or normals (in the view frame, as
            colours).
        shading: Where light is evaluated. Textures are lit by face or by fragment.
        highlights: How strong highlights are, 0 to 1; above 0 light is evaluated at fragments.
        headlight: The light.

    Raises:
        TypeError: If a value is of the wrong type.
        ValueError: If a value is outside the range given for it.
    """

    show: Channel = "colors"
    shading: Shading = "vertex"
    highlights: float = 0.0
    headlight: Headlight = field(default_factory=Headlight)

    def __post_init__(self) -> None:
        check_choice("show", self.show, get_args(Channel))
        check_choice("shading", self.shading, SHADINGS)
        keep_checked(self, ("highlights",), check_number)
        if not 0 <= self.highlights <= 1:
            raise ValueError(f"highlights must be from 0 to 1, got {self.highlights}")

    def lighting(self, axes: np.ndarray) -> Lighting:
        """Light for a camera of which `camera_axes` are given."""
        return Lighting(
            lights=self.headlight.light(axes).lighting.lights,
            specular=(self.highlights,) * 3,
            shading="fragment" if self.highlights > 0 else self.shading,
        )


def draw_previews(
    mesh: Mesh,
    camera: Camera,
    settings: RasterizerSettings,
    style: PreviewStyle = PreviewStyle(),
) -> Iterator[np.ndarray]:
    """Draw a mesh, with the materials that it has, from each of several cameras.

    Args:
        mesh: What is drawn.
        camera: One camera, or B.
        settings: Size of the pictures, and how faces become pixels. Near and far are replaced by
            those that fit the mesh and all cameras.
        style: What is shown.

    Yields:
        B pictures, one after the other, as NumPy arrays: (H, W, 4), straight RGB and alpha; or
        (H, W), alpha, or depth from 1, near, to 0, far.

    Raises:
        ValueError: If all of the mesh is behind the cameras.

    Examples:
        >>> import taichi_softras as sr
        >>> mesh = sr.teapot()
        >>> settings = sr.RasterizerSettings(height=24, width=32)
        >>> camera = sr.frame_mesh(mesh, aspect=settings.aspect)
        >>> next(draw_previews(mesh, camera, settings)).shape
        (24, 32, 4)
    """
    vertices, faces, colors = mesh.to_taichi()
    texture = texture_of(mesh, vertices, colors)
    if mesh.num_vertices:
        near, far = depth_range(vertices, camera)
        settings = replace(settings, near=near, far=far)
    for i in range(count_cameras(camera, vertices, settings.aspect)):
        yield _draw(vertices, faces, texture, select_cameras(camera, i), settings, style)


def _draw(
    vertices: Array,
    faces: Array,
    texture: Texture,
    camera: Camera,
    settings: RasterizerSettings,
    style: PreviewStyle,
) -> np.ndarray:
    """Draw one preview."""
    if style.show == "silhouette":
        return np.asarray(render_silhouette(vertices, faces, camera, settings).to_numpy()[0])
    options: dict[str, Any] = {"light": style.lighting(camera_axes(camera, vertices))}
    if style.show == "depth":
        options = {"depth": True}
    elif style.show == "normals":
        options = {"normals": "view"}
    image = np.asarray(render(vertices, faces, texture, camera, settings, **options).to_numpy()[0])
    if style.show == "depth":
        return np.asarray((settings.far - image[..., 3]) / (settings.far - settings.near))
    if style.show == "normals":
        # Towards the viewer is blue, as in normal maps.
        shown = 0.5 + 0.5 * image[..., 3:6] * (1, 1, -1)
        return np.concatenate([shown, image[..., -1:]], axis=-1)
    return image


def camera_axes(camera: Pose, like: Array) -> np.ndarray:
    """Give right, up and forward of a camera's view frame in the world, as rows (3, 3).

    Args:
        camera: One camera.
        like: An array of the framework wanted.
    """
    return to_numpy(camera.view_matrix(like))[0, :3, :3].astype(np.float64)
