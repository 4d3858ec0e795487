"""`render` and `render_silhouette` as PyTorch modules."""

from typing import Any

import torch
from torch import nn

from taichi_softras.arrays.uncompiled import hide_wrappers, uncompiled
from taichi_softras.cameras.camera import Camera
from taichi_softras.lights.kinds import Light
from taichi_softras.rasterizer.settings import RasterizerSettings
from taichi_softras.renderer import render, render_silhouette

hide_wrappers()


class SoftRenderer(nn.Module):
    """`render` and `render_silhouette` as a module.

    Args:
        settings: Size of the image, and how faces become pixels.
        light: Light on the vertices; None leaves their colours as they are.
        background: Colour where no face is: a number, or one per channel.
        learn_softness: Whether sigma and gamma become parameters (of their logarithms, so that
            they stay above 0), to be optimised along with the rest.

    Examples:
        >>> import torch, taichi_softras as sr
        >>> from taichi_softras.nn import SoftRenderer
        >>> renderer = SoftRenderer(sr.RasterizerSettings(height=8, width=8))
        >>> vertices, faces, colors = sr.cube().to_torch()
        >>> renderer(vertices, faces, sr.LookAtCamera(eye=(0, 1, 3)), colors=colors).shape
        torch.Size([1, 8, 8, 4])
    """

    def __init__(
        self,
        settings: RasterizerSettings,
        *,
        light: Light | None = None,
        background: Any = 0.0,
        learn_softness: bool = False,
    ) -> None:
        super().__init__()
        self.settings = settings
        self.light = light
        self.background = background
        softness = torch.tensor([settings.sigma, settings.gamma]).log()
        self.log_softness = nn.Parameter(softness) if learn_softness else None

    @uncompiled
    def forward(
        self,
        vertices: torch.Tensor,
        faces: torch.Tensor,
        camera: Camera,
        *,
        colors: torch.Tensor | None = None,
    ) -> torch.Tensor:
        """Draw meshes.

        Args:
            vertices: (B or 1, V, 3), in the world.
            faces: (F, 3) or (B or 1, F, 3).
            camera: One camera, or B.
            colors: (B or 1, V, C); None draws silhouettes.

        Returns:
            Images (B, H, W, C + 1), or silhouettes (B, H, W).
        """
        softness = {}
        if self.log_softness is not None:
            values = self.log_softness.exp().to(vertices.dtype)
            softness = {"sigma": values[:1], "gamma": values[1:]}
        if colors is None:
            sigma = softness.get("sigma")
            image = render_silhouette(vertices, faces, camera, self.settings, sigma=sigma)
        else:
            options = {"light": self.light, "background": self.background, **softness}
            image = render(vertices, faces, colors, camera, self.settings, **options)
        return image  # type: ignore[no-any-return]
