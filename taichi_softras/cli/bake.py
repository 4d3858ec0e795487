"""``softras bake``: a mesh that one has gets its texture from photographs."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated

import tyro

from taichi_softras.arrays.options import check_integer
from taichi_softras.cli.reconstruct import (
    FolderArgument,
    OutputArgument,
    PhotoOptions,
    say_written,
    settings_of,
    write_meshes,
)
from taichi_softras.files.mesh_files import read_mesh
from taichi_softras.reconstruction.baking import bake_texture
from taichi_softras.reconstruction.options import SMALLEST_TEXTURE
from taichi_softras.reconstruction.report import write_report


@dataclass(frozen=True, kw_only=True)
class Bake:
    """Give a mesh a texture from photographs whose cameras are known.

    Writes mesh.glb, mesh.obj with its image, report.html, report.json and turntable.gif into a
    folder.

    Attributes:
        mesh: The mesh (OBJ, PLY, OFF, STL, GLB or AC3D), in the cameras' world.
        folder: Photographs and cameras, as of softras reconstruct.
        output: Folder to write into; made if need be.
        photos: How the folder is read.
        texture: Height and width of the image, in texels.
    """

    mesh: Annotated[tyro.conf.Positional[Path], tyro.conf.arg(metavar="MESH")]
    folder: FolderArgument
    output: OutputArgument
    photos: Annotated[PhotoOptions, tyro.conf.OmitArgPrefixes] = field(default_factory=PhotoOptions)
    texture: int = 1024

    def __post_init__(self) -> None:
        check_integer("texture", self.texture, at_least=SMALLEST_TEXTURE)

    def run(self) -> None:
        """Bake, and write the files."""
        mesh = read_mesh(self.mesh, creases=False)
        captures = self.photos.read(self.folder)
        baked = bake_texture(mesh, captures, size=self.texture)
        self.output.mkdir(parents=True, exist_ok=True)
        write_meshes(baked, self.output)
        facts = {"settings": settings_of(self)}
        write_report(self.output, baked, fitted=captures, held_out=None, facts=facts)
        say_written(self.output)
