"""SoftRas's renderer: light, camera and rasterizer as one module."""

from typing import Any

from torch import Tensor, nn

from taichi_softras.arrays.options import check_choice
from taichi_softras.soft_renderer.functional.soft_rasterize import TEXTURE_TYPES
from taichi_softras.soft_renderer.lighting import Lighting
from taichi_softras.soft_renderer.mesh import Mesh
from taichi_softras.soft_renderer.rasterizer import SoftRasterizer
from taichi_softras.soft_renderer.transform import Transform


class SoftRenderer(nn.Module):
    """Lights, transforms and draws meshes.

    Args:
        image_size: See `SoftRasterizer`, as are the next thirteen.
        background_color: See `SoftRasterizer`.
        near: See `SoftRasterizer`.
        far: See `SoftRasterizer`.
        anti_aliasing: See `SoftRasterizer`.
        fill_back: See `SoftRasterizer`, where the default differs.
        eps: See `SoftRasterizer`.
        sigma_val: See `SoftRasterizer`.
        dist_func: See `SoftRasterizer`.
        dist_eps: See `SoftRasterizer`.
        gamma_val: See `SoftRasterizer`.
        aggr_func_rgb: See `SoftRasterizer`.
        aggr_func_alpha: See `SoftRasterizer`.
        texture_type: See `SoftRasterizer`. `render_mesh` chooses that of its mesh.
        camera_mode: See `Transform`, as are the next eight.
        P: See `Transform`.
        dist_coeffs: See `Transform`.
        orig_size: See `Transform`.
        perspective: See `Transform`.
        viewing_angle: See `Transform`.
        viewing_scale: See `Transform`.
        eye: See `Transform`.
        camera_direction: See `Transform`.
        light_mode: See `Lighting`, as are the next five. `render_mesh` chooses that of its mesh.
        light_intensity_ambient: See `Lighting`.
        light_color_ambient: See `Lighting`.
        light_intensity_directionals: See `Lighting`.
        light_color_directionals: See `Lighting`.
        light_directions: See `Lighting`.

    Raises:
        ValueError: If a word is unknown, or the camera lacks what it needs.

    Examples:
        >>> import taichi_softras.soft_renderer as sr
        >>> mesh = sr.Mesh([[0, 0, 0], [0, 1, 0], [1, 0, 0]], [[0, 1, 2]])
        >>> renderer = sr.SoftRenderer(image_size=8, camera_mode="look_at")
        >>> renderer.render_mesh(mesh).shape
        torch.Size([1, 4, 8, 8])
    """

    def __init__(
        self,
        image_size: int = 256,
        background_color: Any = (0, 0, 0),
        near: float = 1,
        far: float = 100,
        anti_aliasing: bool = False,
        fill_back: bool = True,
        eps: float = 1e-3,
        sigma_val: float = 1e-5,
        dist_func: str = "euclidean",
        dist_eps: float = 1e-4,
        gamma_val: float = 1e-4,
        aggr_func_rgb: str = "softmax",
        aggr_func_alpha: str = "prod",
        texture_type: str = "surface",
        camera_mode: str = "projection",
        P: Any = None,
        dist_coeffs: Any = None,
        orig_size: float = 512,
        perspective: bool = True,
        viewing_angle: float = 30,
        viewing_scale: float = 1.0,
        eye: Any = None,
        camera_direction: Any = (0, 0, 1),
        light_mode: str = "surface",
        light_intensity_ambient: Any = 0.5,
        light_color_ambient: Any = (1, 1, 1),
        light_intensity_directionals: Any = 0.5,
        light_color_directionals: Any = (1, 1, 1),
        light_directions: Any = (0, 1, 0),
    ) -> None:
        super().__init__()
        self.lighting = Lighting(
            light_mode,
            light_intensity_ambient,
            light_color_ambient,
            light_intensity_directionals,
            light_color_directionals,
            light_directions,
        )
        self.transform = Transform(
            camera_mode,
            P,
            dist_coeffs,
            orig_size,
            perspective,
            viewing_angle,
            viewing_scale,
            eye,
            camera_direction,
        )
        self.rasterizer = SoftRasterizer(
            image_size,
            background_color,
            near,
            far,
            anti_aliasing,
            fill_back,
            eps,
            sigma_val,
            dist_func,
            dist_eps,
            gamma_val,
            aggr_func_rgb,
            aggr_func_alpha,
            texture_type,
        )

    def set_sigma(self, sigma: float) -> None:
        """Choose the softness of edges."""
        self.rasterizer.set_sigma(sigma)

    def set_gamma(self, gamma: float) -> None:
        """Choose the softness of occlusion."""
        self.rasterizer.set_gamma(gamma)

    def set_texture_mode(self, mode: str) -> None:
        """Choose where colours are lit and taken from: "surface" or "vertex".

        Raises:
            ValueError: If the mode is unknown.
        """
        check_choice("mode", mode, TEXTURE_TYPES)
        self.lighting.light_mode = mode
        self.rasterizer.texture_type = mode

    def render_mesh(self, mesh: Mesh, mode: str | None = None) -> Tensor:
        """Light, transform and draw meshes, which stay as they are.

        Args:
            mesh: In the world.
            mode: Not used, as in SoftRas.

        Returns:
            Images (B, 4, H, W), red, green, blue and alpha, row 0 on top.
        """
        self.set_texture_mode(mesh.texture_type)
        images: Tensor = self.rasterizer(self.transform(self.lighting(mesh)), mode)
        return images

    def forward(
        self,
        vertices: Any,
        faces: Any,
        textures: Any = None,
        mode: str | None = None,
        texture_type: str = "surface",
    ) -> Tensor:
        """Make a `Mesh`, and draw it with `render_mesh`."""
        mesh = Mesh(vertices, faces, textures=textures, texture_type=texture_type)
        return self.render_mesh(mesh, mode)
