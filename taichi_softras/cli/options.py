"""Options that several commands share, and how they become the library's objects."""

import dataclasses
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal

import numpy as np
import tyro
from PIL import ImageColor
from rich.console import Console

from taichi_softras.arrays.options import check_integer, check_number
from taichi_softras.cameras.camera import LookAtCamera
from taichi_softras.files.mesh_files import read_mesh
from taichi_softras.fitting.framing import frame_mesh
from taichi_softras.meshes import primitives
from taichi_softras.meshes.mesh import Mesh
from taichi_softras.rasterizer.settings import RasterizerSettings

PROGRESS_CONSOLE = Console(stderr=True)
"""Where progress bars go, so that standard output holds results alone."""

SHAPES: dict[str, Callable[[], Mesh]] = {
    "teapot": primitives.teapot,
    "sphere": primitives.icosphere,
    "torus": primitives.torus,
    "cube": primitives.cube,
}
"""Meshes that need no file."""


@dataclass(frozen=True, kw_only=True)
class CameraOptions:
    """Where the camera is. Meshes are first normalised to the unit box round the origin.

    Attributes:
        eye: Position of the camera; it looks at the origin. In place of the three below.
        distance: Distance of the camera from the origin; by default the mesh fills the picture.
        elevation: Angle of the camera above the horizon, in degrees.
        azimuth: Angle of the camera round the vertical axis, in degrees; 0 is in front (+z).
        fov: Vertical field of view, in degrees.
    """

    eye: tuple[float, float, float] | None = None
    distance: float | None = None
    elevation: float = 20.0
    azimuth: float = 30.0
    fov: float = 30.0

    def __post_init__(self) -> None:
        for name in ("elevation", "azimuth", "fov"):
            check_number(name, getattr(self, name))
        if not 0 < self.fov < 180:
            raise ValueError(f"fov must be above 0 and under 180 degrees, got {self.fov}")
        if not -90 < self.elevation < 90:
            raise ValueError(
                f"elevation must be above -90 and under 90 degrees, got {self.elevation}"
            )
        if self.distance is not None:
            check_number("distance", self.distance)
            if self.distance <= 0:
                raise ValueError(f"distance must be above 0, got {self.distance}")

    def cameras(self, mesh: Mesh, aspect: float, turns: np.ndarray) -> LookAtCamera:
        """Place cameras round a mesh.

        Args:
            mesh: Normalised.
            aspect: Width of the picture over its height.
            turns: Angles in degrees that are added to the azimuth, (B,).
        """
        if self.eye is not None:
            x, y, z = self.eye
            cos, sin = np.cos(np.radians(turns)), np.sin(np.radians(turns))
            eyes = np.stack([cos * x + sin * z, np.full_like(cos, y), cos * z - sin * x], axis=1)
            return LookAtCamera(eyes, fov_degrees=self.fov)
        return frame_mesh(
            mesh,
            azimuth_degrees=self.azimuth + turns,
            elevation_degrees=self.elevation,
            fov_degrees=self.fov,
            aspect=aspect,
            distance=self.distance,
        )


@dataclass(frozen=True, kw_only=True)
class SoftnessOptions:
    """How soft the picture is.

    Attributes:
        sigma: Softness of edges: 0.0001 blurs them over about a hundredth of half of the picture's
            shorter side, 0.01 over a tenth.
        gamma: Softness of occlusion, as a share of the mesh's depth.
        coverage: How faces cover pixels: by Euclidean or barycentric distance, or hard.
        alpha: How coverages add up to alpha: by product, sum, or hard.
        color: How colours are chosen among faces: by a softmax over depth, or the nearest.
        cull: Which faces are left out: none, those that show their back, or those that show their
            front.
        interpolation: Where on a face a pixel beside it takes depth and colour from: the nearest
            point, or, as SoftRas does, clipped barycentric coordinates.
        supersampling: Rows and columns of samples in a pixel: 2 takes 4 samples.
    """

    sigma: float = 1e-6
    gamma: float = 1e-4
    coverage: Literal["euclidean", "barycentric", "hard"] = "euclidean"
    alpha: Literal["prod", "sum", "hard"] = "prod"
    color: Literal["softmax", "hard"] = "softmax"
    cull: Literal["none", "back", "front"] = "none"
    interpolation: Literal["nearest", "clipped"] = "nearest"
    supersampling: int = 2

    def settings(self, height: int, width: int) -> RasterizerSettings:
        """Make the rasterizer's settings for a picture of some size, in pixels.

        Raises:
            ValueError: If a number is out of range.
        """
        return RasterizerSettings(height=height, width=width, **dataclasses.asdict(self))


MeshArgument = Annotated[tyro.conf.Positional[str], tyro.conf.arg(metavar="MESH")]
CameraArguments = Annotated[CameraOptions, tyro.conf.OmitArgPrefixes]
SoftnessArguments = Annotated[SoftnessOptions, tyro.conf.OmitArgPrefixes]


def picture_size(size: int, height: int | None, width: int | None) -> tuple[int, int]:
    """Choose a picture's height and width: those given, or else the size."""
    check_integer("size", size, at_least=1)
    return size if height is None else height, size if width is None else width


def parse_color(color: str | tuple[float, float, float]) -> tuple[float, float, float]:
    """Turn a colour's name, as in CSS, or #rrggbb into red, green and blue, 0 to 1.

    Raises:
        ValueError: If there is no such colour, or a number is not from 0 to 1.
    """
    if isinstance(color, str):
        try:
            red, green, blue = ImageColor.getrgb(color)[:3]
        except ValueError:
            raise ValueError(
                f"a colour must be a name such as white, #rrggbb or three numbers, got {color!r}"
            ) from None
        return red / 255, green / 255, blue / 255
    for value in color:
        if not 0 <= value <= 1:
            raise ValueError(f"red, green and blue must be from 0 to 1, got {value}")
    return color


def load_mesh(name: str, *, textures: bool = False) -> Mesh:
    """Make one of `SHAPES`, or read a file; into the unit box.

    Args:
        name: Of a shape, or of a file: a file that has a shape's name comes first.
        textures: Whether to keep the materials and images that the file has.

    Raises:
        OSError: If the file can't be read.
        ValueError: If it holds no mesh, or there is neither such a shape nor such a file.
    """
    if not Path(name).exists():
        if name in SHAPES:
            return SHAPES[name]().normalized()
        if not Path(name).suffix:
            raise ValueError(f"mesh must be a file, or one of {', '.join(SHAPES)}, got {name!r}")
    return read_mesh(name, textures=textures).normalized()
