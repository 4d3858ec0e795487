"""What the viewer shows, as frozen data: where from, how softly, which view, what is chosen."""

import math
from dataclasses import dataclass, field, replace
from typing import Literal, get_args

import numpy as np

from taichi_softras.arrays.options import check_integer, check_number
from taichi_softras.cameras.camera import LookAtCamera
from taichi_softras.cameras.orbits import orbit_eyes
from taichi_softras.previews import Headlight
from taichi_softras.rasterizer.settings import RasterizerSettings

ViewName = Literal[
    "color",
    "silhouette",
    "depth",
    "normals",
    "coverage",
    "faces",
    "front",
    "difference",
    "gradient",
]
"""What a picture shows; `views` says more of each."""

STEEPEST = 89.0
"""Elevation of the camera at most, in degrees: straight above, up would be undefined."""


@dataclass(frozen=True, kw_only=True)
class Orbit:
    """A camera on a sphere round a point.

    Attributes:
        azimuth: Round the vertical axis, in degrees; 0 is in front (+z).
        elevation: Above the horizon, in degrees. Clipped to -89 to 89.
        distance: From the point, in world units. Above 0.
        center: The point, in the world.
        fov: Vertical field of view, in degrees. Above 0, under 180.

    Raises:
        TypeError: If a value is of the wrong type.
        ValueError: If a value is outside the range given for it.
    """

    azimuth: float = 30.0
    elevation: float = 20.0
    distance: float = 3.0
    center: tuple[float, float, float] = (0.0, 0.0, 0.0)
    fov: float = 30.0

    def __post_init__(self) -> None:
        for name in ("azimuth", "elevation", "distance", "fov"):
            check_number(name, getattr(self, name))
        for coordinate in self.center:
            check_number("center", coordinate)
        if self.distance <= 0:
            raise ValueError(f"distance must be above 0, got {self.distance}")
        if not 0 < self.fov < 180:
            raise ValueError(f"fov must be above 0 and under 180 degrees, got {self.fov}")
        elevation = min(max(self.elevation, -STEEPEST), STEEPEST)
        object.__setattr__(self, "elevation", elevation)

    @classmethod
    def at_eye(cls, eye: np.ndarray, center: np.ndarray, fov: float) -> "Orbit":
        """Find the orbit of a camera at ``eye`` that looks at ``center``."""
        x, y, z = (float(c) for c in np.asarray(eye) - np.asarray(center))
        distance = math.hypot(x, y, z)
        return cls(
            azimuth=math.degrees(math.atan2(x, z)),
            elevation=math.degrees(math.asin(y / max(distance, 1e-9))),
            distance=max(distance, 1e-9),
            center=(float(center[0]), float(center[1]), float(center[2])),
            fov=fov,
        )

    @property
    def eye(self) -> np.ndarray:
        """Where the camera is, (3,)."""
        around = orbit_eyes(self.distance, self.elevation, self.azimuth)[0]
        return np.asarray(np.asarray(self.center) + around)

    @property
    def camera(self) -> LookAtCamera:
        """The camera."""
        return LookAtCamera(self.eye, at=self.center, fov_degrees=self.fov)

    def axes(self) -> np.ndarray:
        """Right, up and forward of the view frame in the world, as rows (3, 3)."""
        forward = np.asarray(self.center) - self.eye
        forward = forward / np.linalg.norm(forward)
        right = np.cross(forward, (0.0, 1.0, 0.0))
        right = right / np.linalg.norm(right)
        return np.stack([right, np.cross(right, forward), forward])

    def turned(self, dx: float, dy: float) -> "Orbit":
        """Drag the mesh round: half a turn for the height of the picture.

        Args:
            dx: To the right, in heights of the picture.
            dy: Downwards, likewise.
        """
        azimuth = (self.azimuth - 180 * dx + 180) % 360 - 180
        return replace(self, azimuth=azimuth, elevation=self.elevation + 180 * dy)

    def panned(self, dx: float, dy: float) -> "Orbit":
        """Drag the mesh in the picture's plane, so that it stays under the mouse."""
        height = 2 * self.distance * math.tan(math.radians(self.fov) / 2)
        right, up, _ = self.axes()
        x, y, z = (float(c) for c in np.asarray(self.center) + height * (dy * up - dx * right))
        return replace(self, center=(x, y, z))

    def zoomed(self, factor: float) -> "Orbit":
        """Come nearer by a factor above 1, go away by one below."""
        return replace(self, distance=min(max(self.distance / factor, 0.05), 100.0))


@dataclass(frozen=True, kw_only=True)
class ViewerState:
    """Everything that decides a picture, but for the mesh and its size.

    Attributes:
        view: What the picture shows.
        orbit: Where the camera is.
        settings: How faces become pixels. Height, width, near and far are replaced by those of
            the picture and of the mesh.
        lighting: Light of the colour view.
        background: Brightness of the background, 0 to 1.
        blend: Whether colours are laid over the background by alpha; if not, the colours that the
            rasterizer mixed are shown as they are.
        wireframe: Whether the edges of faces turned to the camera are drawn on top.
        face: The face whose coverage is shown; None for none.
        pixel: The inspected point of the picture, x from the left and y from the top, both 0 to
            1; None for none.
        smoothing: Weight of the losses that keep the mesh smooth while it is fitted, 0 to 1.

    Raises:
        TypeError: If a value is of the wrong type.
        ValueError: If a value is outside the range given for it.
    """

    view: ViewName = "color"
    orbit: Orbit = field(default_factory=Orbit)
    settings: RasterizerSettings = field(
        default_factory=lambda: RasterizerSettings(height=1, width=1)
    )
    lighting: Headlight = field(default_factory=Headlight)
    background: float = 0.25
    blend: bool = True
    wireframe: bool = False
    face: int | None = None
    pixel: tuple[float, float] | None = None
    smoothing: float = 1.0

    def __post_init__(self) -> None:
        if self.view not in get_args(ViewName):
            raise ValueError(f"view must be one of {get_args(ViewName)}, got {self.view!r}")
        for name in ("background", "smoothing"):
            check_number(name, getattr(self, name))
            if not 0 <= getattr(self, name) <= 1:
                raise ValueError(f"{name} must be from 0 to 1, got {getattr(self, name)}")
        if self.face is not None:
            check_integer("face", self.face, at_least=0)
        for coordinate in self.pixel or ():
            check_number("pixel", coordinate)
            if not 0 <= coordinate <= 1:
                raise ValueError(f"pixel must be inside the picture, got {self.pixel}")
