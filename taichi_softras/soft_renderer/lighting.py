"""SoftRas's light as modules."""

from typing import Any

import torch
from torch import Tensor, nn

from taichi_softras.arrays.options import check_choice
from taichi_softras.soft_renderer import functional as srf
from taichi_softras.soft_renderer.functional.soft_rasterize import TEXTURE_TYPES
from taichi_softras.soft_renderer.mesh import Mesh


class AmbientLighting(nn.Module):
    """Light that comes from everywhere: see `functional.ambient_lighting`."""

    def __init__(self, light_intensity: Any = 0.5, light_color: Any = (1, 1, 1)) -> None:
        super().__init__()
        self.light_intensity = light_intensity
        self.light_color = light_color

    def forward(self, light: Tensor) -> Tensor:
        """Add to light (B, N, 3)."""
        return srf.ambient_lighting(light, self.light_intensity, self.light_color)


class DirectionalLighting(nn.Module):
    """Light that comes from one direction: see `functional.directional_lighting`."""

    def __init__(
        self,
        light_intensity: Any = 0.5,
        light_color: Any = (1, 1, 1),
        light_direction: Any = (0, 1, 0),
    ) -> None:
        super().__init__()
        self.light_intensity = light_intensity
        self.light_color = light_color
        self.light_direction = light_direction

    def forward(self, light: Tensor, normals: Tensor) -> Tensor:
        """Add to light (B, N, 3) of points with normals (B, N, 3)."""
        return srf.directional_lighting(
            light, normals, self.light_intensity, self.light_color, self.light_direction
        )


class Lighting(nn.Module):
    """Ambient and directional light on meshes.

    Args:
        light_mode: What is lit, "surface" or "vertex": faces or vertices.
        intensity_ambient: What the ambient light's colour is multiplied by.
        color_ambient: (3,) or (B, 3).
        intensity_directionals: What the directional light's colour is multiplied by.
        color_directionals: (3,) or (B, 3).
        directions: Where the directional light comes from, (3,) or (B, 3). More lights go into
            ``directionals``.

    Raises:
        ValueError: If the mode is unknown.
    """

    def __init__(
        self,
        light_mode: str = "surface",
        intensity_ambient: Any = 0.5,
        color_ambient: Any = (1, 1, 1),
        intensity_directionals: Any = 0.5,
        color_directionals: Any = (1, 1, 1),
        directions: Any = (0, 1, 0),
    ) -> None:
        super().__init__()
        check_choice("light_mode", light_mode, TEXTURE_TYPES)
        self.light_mode = light_mode
        self.ambient = AmbientLighting(intensity_ambient, color_ambient)
        directional = DirectionalLighting(intensity_directionals, color_directionals, directions)
        self.directionals = nn.ModuleList([directional])

    def forward(self, mesh: Mesh) -> Mesh:
        """Return a lit mesh; the one given stays as it is.

        Raises:
            ValueError: If the type of the mesh's textures is not ``light_mode``.
        """
        if mesh.texture_type != self.light_mode:
            raise ValueError(
                f"light_mode must be the mesh's texture_type, {mesh.texture_type!r}, "
                f"got {self.light_mode!r}"
            )
        on_faces = self.light_mode == "surface"
        normals = mesh.surface_normals if on_faces else mesh.vertex_normals
        light = self.ambient(torch.zeros_like(normals))
        for directional in self.directionals:
            light = directional(light, normals)
        return mesh.with_textures(mesh.textures * (light[:, :, None] if on_faces else light))
