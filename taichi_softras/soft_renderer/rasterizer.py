"""SoftRas's rasterizer as a module."""

from typing import Any

from torch import Tensor, nn
from torch.nn.functional import avg_pool2d

from taichi_softras.soft_renderer import functional as srf
from taichi_softras.soft_renderer.functional.soft_rasterize import check_choices
from taichi_softras.soft_renderer.mesh import Mesh


class SoftRasterizer(nn.Module):
    """Draws meshes that are in NDC: see `functional.soft_rasterize`, which has the arguments.

    Args:
        image_size: Side of the image, in pixels.
        background_color: Red, green and blue where no face is.
        near: Depth of the near plane.
        far: Depth of the far plane.
        anti_aliasing: Whether to draw at twice the size, and average squares of four pixels.
        fill_back: Whether colour shows faces that are counter-clockwise in the image too.
        eps: Where the background stands in the softmax over depths.
        sigma_val: Softness of edges.
        dist_func: "euclidean", "barycentric" or "hard".
        dist_eps: Coverage under which a face is skipped.
        gamma_val: Softness of occlusion.
        aggr_func_rgb: "softmax" or "hard".
        aggr_func_alpha: "prod", "sum" or "hard".
        texture_type: "surface" or "vertex".

    Raises:
        ValueError: If a word is unknown.
    """

    def __init__(
        self,
        image_size: int = 256,
        background_color: Any = (0, 0, 0),
        near: float = 1,
        far: float = 100,
        anti_aliasing: bool = False,
        fill_back: bool = False,
        eps: float = 1e-3,
        sigma_val: float = 1e-5,
        dist_func: str = "euclidean",
        dist_eps: float = 1e-4,
        gamma_val: float = 1e-4,
        aggr_func_rgb: str = "softmax",
        aggr_func_alpha: str = "prod",
        texture_type: str = "surface",
    ) -> None:
        super().__init__()
        check_choices(dist_func, aggr_func_rgb, aggr_func_alpha, texture_type)
        self.image_size = image_size
        self.background_color = background_color
        self.near = near
        self.far = far
        self.anti_aliasing = anti_aliasing
        self.fill_back = fill_back
        self.eps = eps
        self.sigma_val = sigma_val
        self.dist_func = dist_func
        self.dist_eps = dist_eps
        self.gamma_val = gamma_val
        self.aggr_func_rgb = aggr_func_rgb
        self.aggr_func_alpha = aggr_func_alpha
        self.texture_type = texture_type

    def set_sigma(self, sigma: float) -> None:
        """Choose the softness of edges."""
        self.sigma_val = sigma

    def set_gamma(self, gamma: float) -> None:
        """Choose the softness of occlusion."""
        self.gamma_val = gamma

    def forward(self, mesh: Mesh, mode: str | None = None) -> Tensor:
        """Draw meshes.

        Args:
            mesh: In NDC, as `Transform` returns it.
            mode: Not used, as in SoftRas: an image always has colour and alpha.

        Returns:
            (B, 4, H, W).

        Raises:
            ValueError: If the mesh's textures are of another type than was chosen.
        """
        if mesh.texture_type != self.texture_type:
            raise ValueError(
                f"texture_type must be the mesh's, {mesh.texture_type!r}, got {self.texture_type!r}"
            )
        images = srf.soft_rasterize(
            mesh.face_vertices,
            mesh.face_textures,
            self.image_size * (2 if self.anti_aliasing else 1),
            self.background_color,
            self.near,
            self.far,
            self.fill_back,
            self.eps,
            self.sigma_val,
            self.dist_func,
            self.dist_eps,
            self.gamma_val,
            self.aggr_func_rgb,
            self.aggr_func_alpha,
            self.texture_type,
        )
        return avg_pool2d(images, kernel_size=2) if self.anti_aliasing else images
