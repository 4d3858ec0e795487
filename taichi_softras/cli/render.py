"""``softras render``: a mesh file becomes a soft picture, or a turntable."""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated

import numpy as np
import tyro
from rich.progress import track

from taichi_softras.arrays.options import check_integer
from taichi_softras.cli.options import (
    PROGRESS_CONSOLE,
    CameraArguments,
    CameraOptions,
    MeshArgument,
    SoftnessArguments,
    SoftnessOptions,
    load_mesh,
    parse_color,
    picture_size,
)
from taichi_softras.files.pictures import (
    ANIMATIONS,
    STILLS,
    check_picture_path,
    composite,
    write_animation,
    write_picture,
)
from taichi_softras.previews import Channel, PreviewStyle, Shading, draw_previews


@dataclass(frozen=True, kw_only=True)
class Render:
    """Draw a mesh softly: a picture (.png, .jpg), or a turntable (.gif, .mp4).

    Attributes:
        mesh: File to draw (OBJ, PLY, OFF, STL, GLB or AC3D), or teapot, sphere, torus or cube.
        output: File to write.
        size: Height and width of the picture, in pixels.
        height: Height of the picture, where it is not the size.
        width: Width of the picture, where it is not the size.
        show: What to draw: colours, silhouettes, depth (white is near), or normals (in the view
            frame, as colours).
        textures: Whether to draw the materials and images that the file has; else their colours at
            vertices.
        shading: Where light is evaluated. Textures are lit by face or by fragment.
        highlights: How strong highlights are, 0 to 1; above 0 at fragments.
        background: Colour behind the mesh: a name such as white, #rrggbb, or red, green and blue,
            0 to 1.
        transparent: Write a PNG with alpha in place of a background.
        frames: How many pictures a turntable has, for one turn.
        frames_per_second: How many of them are shown in a second.
        camera: Where the camera is.
        softness: How soft the picture is.
    """

    mesh: MeshArgument
    output: Annotated[Path, tyro.conf.arg(aliases=["-o"])]
    size: int = 512
    height: int | None = None
    width: int | None = None
    show: Channel = "colors"
    textures: bool = True
    shading: Shading = "vertex"
    highlights: float = 0.0
    background: tuple[float, float, float] | str = "white"
    transparent: bool = False
    frames: int = 48
    frames_per_second: float = 24.0
    camera: CameraArguments = field(default_factory=CameraOptions)
    softness: SoftnessArguments = field(default_factory=SoftnessOptions)

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
        turns = np.arange(self.frames if animated else 1) * 360 / self.frames
        height, width = picture_size(self.size, self.height, self.width)
        settings = self.softness.settings(height, width)
        background = parse_color(self.background)
        style = PreviewStyle(show=self.show, shading=self.shading, highlights=self.highlights)
        mesh = load_mesh(self.mesh, textures=self.textures)
        camera = self.camera.cameras(mesh, settings.aspect, turns)
        frames = [
            image if image.ndim == 2 or self.transparent else composite(image, background)
            for image in track(
                draw_previews(mesh, camera, settings, style),
                description="Drawing",
                total=len(turns),
                console=PROGRESS_CONSOLE,
                transient=True,
                disable=not animated,
            )
        ]
        if animated:
            write_animation(self.output, frames, self.frames_per_second)
        else:
            write_picture(self.output, frames[0])
        print(f"{Path(self.mesh).name}: {mesh.num_vertices} vertices, {mesh.num_faces} faces")
        print(f"wrote {self.output}")
