"""``softras render``: a mesh file becomes a soft picture, or a turntable."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated

import numpy as np
import tyro
from rich.progress import track

from taichi_softras.cli.options import (
    PROGRESS_CONSOLE,
    Scene,
    Softness,
    SoftnessOptions,
    View,
    ViewOptions,
    make_scene,
)
from taichi_softras.cli.pictures import (
    ANIMATIONS,
    STILLS,
    check_picture_path,
    composite,
    write_animation,
    write_picture,
)
from taichi_softras.lights import Light
from taichi_softras.mesh_files import read_mesh
from taichi_softras.meshes import Mesh
from taichi_softras.renderer import render, render_silhouette
from taichi_softras.settings import check_integer


@dataclass(frozen=True, kw_only=True)
class Render:
    """Draw a mesh softly: a picture (.png, .jpg), or a turntable (.gif, .mp4).

    Attributes:
        mesh: File to draw: OBJ, PLY, OFF, STL or GLB.
        output: File to write.
        height: Of the picture, in pixels.
        width: Of the picture, in pixels.
        silhouette: Draw coverage alone, without colours.
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
    silhouette: bool = False
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
        mesh = read_mesh(self.mesh).normalized()
        scene = make_scene(mesh, self.view, self.softness, size, azimuths)
        frames = [
            self._finish(image)
            for image in track(
                draw_frames(mesh, scene, silhouette=self.silhouette),
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
        if self.silhouette or self.transparent:
            return image
        return composite(image, self.background)


def draw_frames(mesh: Mesh, scene: Scene, *, silhouette: bool = False) -> Iterator[np.ndarray]:
    """Draw a mesh from each of a scene's cameras, one after the other.

    The light moves with the camera: it comes from above and to the left of it.

    Yields:
        (H, W, 4), straight RGB and alpha; or (H, W), alpha.
    """
    vertices, faces, colors = mesh.to_taichi()
    for i in range(len(scene.eyes)):
        camera = scene.camera(i, i + 1)
        if silhouette:
            image = render_silhouette(vertices, faces, camera, scene.settings)
        else:
            light = Light(direction=light_direction(scene.eyes[i]))
            image = render(vertices, faces, colors, camera, scene.settings, light=light)
        yield image.to_numpy()[0]


def light_direction(eye: np.ndarray) -> tuple[float, float, float]:
    """Point from the origin to above and to the left of a camera that looks at it."""
    towards = eye / np.linalg.norm(eye)
    up = np.array([0.0, 1.0, 0.0])
    x, y, z = towards + 0.8 * up + 0.5 * np.cross(towards, up)
    return float(x), float(y), float(z)
