"""``softras render``: a mesh file becomes a soft picture, or a turntable."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Any, Literal

import numpy as np
import tyro
from rich.progress import track

from taichi_softras.arrays.options import check_integer, check_number
from taichi_softras.cli.options import (
    PROGRESS_CONSOLE,
    Scene,
    Softness,
    SoftnessOptions,
    View,
    ViewOptions,
    make_scene,
)
from taichi_softras.files.mesh_files import read_mesh
from taichi_softras.files.pictures import (
    ANIMATIONS,
    STILLS,
    check_picture_path,
    composite,
    write_animation,
    write_picture,
)
from taichi_softras.lights.kinds import Light, Lighting
from taichi_softras.meshes.mesh import Mesh
from taichi_softras.rasterizer.settings import RasterizerSettings
from taichi_softras.rasterizer.textures import UVTexture
from taichi_softras.renderer import render, render_silhouette


@dataclass(frozen=True, kw_only=True)
class Render:
    """Draw a mesh softly: a picture (.png, .jpg), or a turntable (.gif, .mp4).

    Attributes:
        mesh: File to draw: OBJ, PLY, OFF, STL, GLB or AC3D.
        output: File to write.
        height: Of the picture, in pixels.
        width: Of the picture, in pixels.
        show: What to draw: colours, silhouettes, depth (white is near), or normals (in the view
            frame, as colours).
        textures: Whether to draw the materials and images that the file has; else their colours at
            vertices.
        shading: Where light is evaluated. Textures are lit by face or by fragment.
        highlights: How strong highlights are, 0 to 1; above 0 at fragments.
        background: Colour behind the mesh: red, green and blue, 0 to 1.
        transparent: Write a PNG with alpha in place of a background.
        frames: How many pictures make a turntable.
        frames_per_second: How fast it turns.
        view: Where the camera is.
        softness: How soft the picture is.
    """

    mesh: tyro.conf.Positional[Path]
    output: Annotated[Path, tyro.conf.arg(aliases=["-o"])]
    height: int = 512
    width: int = 512
    show: Literal["colors", "silhouette", "depth", "normals"] = "colors"
    textures: bool = True
    shading: Literal["vertex", "face", "fragment"] = "vertex"
    highlights: float = 0.0
    background: tuple[float, float, float] = (1.0, 1.0, 1.0)
    transparent: bool = False
    frames: int = 48
    frames_per_second: float = 24.0
    view: View = field(default_factory=ViewOptions)
    softness: Softness = field(default_factory=SoftnessOptions)

    def run(self) -> None:
        """Draw, and write the file."""
        check_picture_path(self.output, STILLS + ANIMATIONS)
        check_integer("frames", self.frames, at_least=1)
        if not 0 < self.frames_per_second <= 100:
            raise ValueError(
                f"frames_per_second must be above 0 and at most 100, got {self.frames_per_second}"
            )
        if self.transparent and self.output.suffix.lower() != ".png":
            raise ValueError(f"a transparent picture must be a .png, got {self.output}")
        animated = self.output.suffix.lower() in ANIMATIONS
        azimuths = np.arange(self.frames if animated else 1) * 360 / self.frames
        size = self.height, self.width
        check_number("highlights", self.highlights)
        look = Look(self.show, self.shading, self.highlights)
        mesh = read_mesh(self.mesh, textures=self.textures).normalized()
        scene = make_scene(mesh, self.view, self.softness, size, azimuths)
        frames = [
            self._finish(image)
            for image in track(
                draw_frames(mesh, scene, look),
                description="Drawing",
                total=len(azimuths),
                console=PROGRESS_CONSOLE,
                transient=True,
                disable=not animated,
            )
        ]
        if animated:
            write_animation(self.output, frames, self.frames_per_second)
        else:
            write_picture(self.output, frames[0])
        print(f"{self.mesh.name}: {mesh.num_vertices} vertices, {mesh.num_faces} faces")
        print(f"wrote {self.output}")

    def _finish(self, image: np.ndarray) -> np.ndarray:
        if image.ndim == 2 or self.transparent:
            return image
        return composite(image, self.background)


@dataclass(frozen=True)
class Look:
    """What a picture shows; see `Render`."""

    show: str = "colors"
    shading: str = "vertex"
    highlights: float = 0.0

    def lighting(self, eye: np.ndarray) -> Lighting:
        """Light that moves with the camera: from above and to the left of it."""
        lights = Light(direction=light_direction(eye)).lighting.lights
        shading = "fragment" if self.highlights > 0 else self.shading
        return Lighting(lights=lights, specular=(self.highlights,) * 3, shading=shading)


def draw_frames(mesh: Mesh, scene: Scene, look: Look = Look()) -> Iterator[np.ndarray]:
    """Draw a mesh from each of a scene's cameras, one after the other.

    Yields:
        (H, W, 4), straight RGB and alpha; or (H, W), alpha, or depth from 1, near, to 0, far.
    """
    vertices, faces, colors = mesh.to_taichi()
    if mesh.materials:
        colors = UVTexture.from_maps(mesh.texture_maps(), vertices)
    for i in range(len(scene.eyes)):
        place = (scene.camera(i, i + 1), scene.settings)
        if look.show == "silhouette":
            yield render_silhouette(vertices, faces, *place).to_numpy()[0]
            continue
        options: dict[str, Any] = {"light": look.lighting(scene.eyes[i])}
        if look.show == "depth":
            options = {"depth": True}
        elif look.show == "normals":
            options = {"normals": "view"}
        image = render(vertices, faces, colors, *place, **options).to_numpy()[0]
        if look.show == "depth":
            yield _nearness(image[..., 3], scene.settings)
        elif look.show == "normals":
            # Towards the viewer is blue, as in normal maps.
            shown = 0.5 + 0.5 * image[..., 3:6] * (1, 1, -1)
            yield np.concatenate([shown, image[..., -1:]], axis=-1)
        else:
            yield image


def _nearness(depth: np.ndarray, settings: RasterizerSettings) -> np.ndarray:
    """Map depths between near and far to 1 to 0, (H, W)."""
    return np.asarray((settings.far - depth) / (settings.far - settings.near))


def light_direction(eye: np.ndarray) -> tuple[float, float, float]:
    """Point from the origin to above and to the left of a camera that looks at it."""
    towards = eye / np.linalg.norm(eye)
    up = np.array([0.0, 1.0, 0.0])
    x, y, z = towards + 0.8 * up + 0.5 * np.cross(towards, up)
    return float(x), float(y), float(z)
