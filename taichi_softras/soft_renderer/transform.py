"""SoftRas's cameras as modules."""

import math
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from taichi_softras.arrays.options import check_choice
from taichi_softras.soft_renderer import functional as srf
from taichi_softras.soft_renderer.mesh import Mesh

CAMERA_MODES = ("projection", "look", "look_at")


class Projection(nn.Module):
    """Cameras given by matrices: see `functional.projection`.

    Args:
        P: (B or 1, 3, 4), from the world to homogeneous pixels: a tensor or a NumPy array.
        dist_coeffs: (B or 1, 5), k1, k2, p1, p2 and k3; None if there is no distortion.
        orig_size: Side of the image that ``P`` was made for, in pixels.

    Raises:
        ValueError: If there is no ``P``, or its shape doesn't fit.
    """

    def __init__(self, P: Any, dist_coeffs: Any = None, orig_size: float = 512) -> None:
        super().__init__()
        if P is None or np.ndim(P) != 3 or tuple(P.shape[1:]) != (3, 4):
            shape = None if P is None else tuple(np.shape(P))
            raise ValueError(
                f"P must have shape (B or 1, 3, 4) in camera_mode 'projection', got {shape}"
            )
        self.P = torch.as_tensor(P)
        self.dist_coeffs = None if dist_coeffs is None else torch.as_tensor(dist_coeffs)
        self.orig_size = orig_size

    def forward(self, vertices: Tensor) -> Tensor:
        """Take vertices (B or 1, V, 3) from the world to NDC."""
        return srf.projection(vertices, self.P, self.dist_coeffs, self.orig_size)


class _PlacedCamera(nn.Module):
    """What cameras that have a place in the world have in common."""

    def __init__(
        self, perspective: bool, viewing_angle: float, viewing_scale: float, eye: Any
    ) -> None:
        super().__init__()
        self.perspective = perspective
        self.viewing_angle = viewing_angle
        self.viewing_scale = viewing_scale
        # Where a sphere of radius 1 round the origin just fills the image.
        self._eye = [0, 0, -(1 / math.tan(math.radians(viewing_angle)) + 1)] if eye is None else eye

    def _to_ndc(self, vertices: Tensor) -> Tensor:
        if self.perspective:
            return srf.perspective(vertices, angle=self.viewing_angle)
        return srf.orthogonal(vertices, scale=self.viewing_scale)


class LookAt(_PlacedCamera):
    """Cameras that look at the origin: see `functional.look_at`.

    Args:
        perspective: Whether what is farther away looks smaller.
        viewing_angle: *Half* of the field of view in degrees, if ``perspective``.
        viewing_scale: What x and y are multiplied by, if not.
        eye: Where the camera is: (3,) or (B, 3). On the negative z axis if None.
    """

    def __init__(
        self,
        perspective: bool = True,
        viewing_angle: float = 30,
        viewing_scale: float = 1.0,
        eye: Any = None,
    ) -> None:
        super().__init__(perspective, viewing_angle, viewing_scale, eye)

    def forward(self, vertices: Tensor) -> Tensor:
        """Take vertices (B or 1, V, 3) from the world to NDC."""
        return self._to_ndc(srf.look_at(vertices, self._eye))


class Look(_PlacedCamera):
    """Cameras that look in a direction: see `functional.look`.

    Args:
        perspective: Whether what is farther away looks smaller.
        viewing_angle: *Half* of the field of view in degrees, if ``perspective``.
        viewing_scale: What x and y are multiplied by, if not.
        eye: Where the camera is: (3,) or (B, 3). On the negative z axis if None.
        camera_direction: Where it looks: (3,) or (B, 3).
    """

    def __init__(
        self,
        perspective: bool = True,
        viewing_angle: float = 30,
        viewing_scale: float = 1.0,
        eye: Any = None,
        camera_direction: Any = (0, 0, 1),
    ) -> None:
        super().__init__(perspective, viewing_angle, viewing_scale, eye)
        self.camera_direction = camera_direction

    def forward(self, vertices: Tensor) -> Tensor:
        """Take vertices (B or 1, V, 3) from the world to NDC."""
        return self._to_ndc(srf.look(vertices, self._eye, self.camera_direction))


class Transform(nn.Module):
    """A camera of any kind, which takes meshes from the world to NDC.

    Args:
        camera_mode: "projection", "look" or "look_at".
        P: See `Projection`, as are the next two.
        dist_coeffs: See `Projection`.
        orig_size: See `Projection`.
        perspective: See `Look`, as are the others.
        viewing_angle: See `Look`.
        viewing_scale: See `Look`.
        eye: See `Look`.
        camera_direction: See `Look`.

    Raises:
        ValueError: If the mode is unknown, or the camera lacks what it needs.
    """

    def __init__(
        self,
        camera_mode: str = "projection",
        P: Any = None,
        dist_coeffs: Any = None,
        orig_size: float = 512,
        perspective: bool = True,
        viewing_angle: float = 30,
        viewing_scale: float = 1.0,
        eye: Any = None,
        camera_direction: Any = (0, 0, 1),
    ) -> None:
        super().__init__()
        check_choice("camera_mode", camera_mode, CAMERA_MODES)
        self.camera_mode = camera_mode
        placed = (perspective, viewing_angle, viewing_scale, eye)
        self.transformer: nn.Module
        if camera_mode == "projection":
            self.transformer = Projection(P, dist_coeffs, orig_size)
        elif camera_mode == "look":
            self.transformer = Look(*placed, camera_direction)
        else:
            self.transformer = LookAt(*placed)

    def forward(self, mesh: Mesh) -> Mesh:
        """Return a mesh in NDC; the one given stays as it is."""
        return mesh.with_vertices(self.transformer(mesh.vertices))

    def set_eyes_from_angles(self, distances: Any, elevations: Any, azimuths: Any) -> None:
        """Place the cameras on spheres round the origin: see `functional.get_points_from_angles`.

        Raises:
            ValueError: If the cameras are given by matrices.
        """
        self.set_eyes(srf.get_points_from_angles(distances, elevations, azimuths))

    def set_eyes(self, eyes: Any) -> None:
        """Place the cameras: (3,) or (B, 3).

        Raises:
            ValueError: If the cameras are given by matrices.
        """
        self._placed()._eye = eyes

    @property
    def eyes(self) -> Any:
        """Where the cameras are, as they were given.

        Raises:
            ValueError: If the cameras are given by matrices.
        """
        return self._placed()._eye

    def _placed(self) -> _PlacedCamera:
        if not isinstance(self.transformer, _PlacedCamera):
            raise ValueError(
                "camera_mode must be 'look' or 'look_at' to have eyes, got 'projection'"
            )
        return self.transformer
