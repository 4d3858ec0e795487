"""Options that several commands share, and how they become the library's objects."""

import dataclasses
import math
from dataclasses import dataclass
from typing import Annotated, Literal

import numpy as np
import tyro
from rich.console import Console

from taichi_softras.arrays.options import check_number
from taichi_softras.cameras.camera import LookAtCamera
from taichi_softras.cameras.orbits import orbit_eyes
from taichi_softras.meshes.mesh import Mesh
from taichi_softras.rasterizer.settings import RasterizerSettings

MARGIN = 1.08
"""Room round the mesh in a picture, as a factor of its radius."""


@dataclass(frozen=True, kw_only=True)
class ViewOptions:
    """Where the camera is. Meshes are first normalised to the unit box round the origin.

    Attributes:
        eye: Position of the camera; it looks at the origin. In place of the three below.
        distance: From the origin to the camera; by default so that the mesh fills the picture.
        elevation: Of the camera above the horizon, in degrees.
        azimuth: Of the camera round the vertical axis, in degrees; 0 is in front (+z).
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

    def eyes(self, radius: float, aspect: float, azimuths: np.ndarray) -> np.ndarray:
        """Place cameras, (B, 3), at angles in degrees added to the azimuth.

        Args:
            radius: Of the mesh, round the origin.
            aspect: Width of the picture over its height.
            azimuths: (B,).
        """
        if self.eye is not None:
            x, y, z = self.eye
            turn = np.radians(azimuths)
            cos, sin = np.cos(turn), np.sin(turn)
            return np.stack([cos * x + sin * z, np.full_like(cos, y), cos * z - sin * x], axis=1)
        half_fov = math.radians(self.fov) / 2
        if aspect < 1:
            half_fov = math.atan(math.tan(half_fov) * aspect)
        distance = self.distance
        if distance is None:
            distance = MARGIN * radius / math.sin(half_fov)
        eyes: np.ndarray = orbit_eyes(distance, self.elevation, self.azimuth + azimuths)
        return eyes


@dataclass(frozen=True, kw_only=True)
class SoftnessOptions:
    """How soft the picture is.

    Attributes:
        sigma: Softness of edges, in squared units of half of the picture's shorter side.
        gamma: Softness of occlusion, in units of the depth range.
        coverage: How faces cover pixels: by Euclidean or barycentric distance, or hard.
        alpha: How coverages add up to alpha: by product, sum, or hard.
        color: How colours are chosen among faces: by a softmax over depth, or the nearest.
        cull: Which faces are left out by their winding.
        supersampling: Rows and columns of samples in a pixel.
    """

    sigma: float = 1e-5
    gamma: float = 1e-4
    coverage: Literal["euclidean", "barycentric", "hard"] = "euclidean"
    alpha: Literal["prod", "sum", "hard"] = "prod"
    color: Literal["softmax", "hard"] = "softmax"
    cull: Literal["none", "back", "front"] = "none"
    supersampling: int = 1


PROGRESS_CONSOLE = Console(stderr=True)
"""Where progress bars go, so that standard output holds results alone."""

View = Annotated[ViewOptions, tyro.conf.OmitArgPrefixes]
Softness = Annotated[SoftnessOptions, tyro.conf.OmitArgPrefixes]


@dataclass(frozen=True, kw_only=True)
class Scene:
    """Cameras round a mesh, and settings that fit them.

    Attributes:
        eyes: Positions of the cameras, (B, 3).
        fov: Vertical field of view, in degrees.
        settings: Of the rasterizer.
    """

    eyes: np.ndarray
    fov: float
    settings: RasterizerSettings

    def camera(self, first: int = 0, end: int | None = None) -> LookAtCamera:
        """Make the cameras from ``first`` to before ``end``."""
        return LookAtCamera(self.eyes[first:end], fov_degrees=self.fov)


def make_scene(
    mesh: Mesh,
    view: ViewOptions,
    softness: SoftnessOptions,
    size: tuple[int, int],
    azimuths: np.ndarray,
) -> Scene:
    """Put cameras round a mesh, with the depth range close round it.

    Args:
        mesh: Normalised.
        view: Where the cameras are.
        softness: How soft the picture is.
        size: Height and width of the picture, in pixels.
        azimuths: Angles of the cameras in degrees, added to that of ``view``.

    Raises:
        ValueError: If a setting is out of range.
    """
    height, width = size
    radius = mesh_radius(mesh)
    eyes = view.eyes(radius, width / max(height, 1), azimuths)
    distances = np.linalg.norm(eyes, axis=1)
    far = float(distances.max() + MARGIN * radius)
    settings = RasterizerSettings(
        height=height,
        width=width,
        near=max(float(distances.min() - MARGIN * radius), 1e-3 * far),
        far=far,
        **dataclasses.asdict(softness),
    )
    return Scene(eyes=eyes, fov=view.fov, settings=settings)


def mesh_radius(mesh: Mesh) -> float:
    """Distance of the farthest vertex from the origin; 1 for a mesh that is a point."""
    if mesh.num_vertices == 0:
        return 1.0
    return float(np.linalg.norm(mesh.vertices, axis=1).max()) or 1.0
