"""SoftRas's rasterizer: the native one, asked for what SoftRas's code computes."""

from typing import Any

from torch import Tensor

import taichi_softras as native
from taichi_softras.arrays.options import check_choice

DISTANCES = ("hard", "euclidean", "barycentric")
COLOR_AGGREGATIONS = ("hard", "softmax")
ALPHA_AGGREGATIONS = ("hard", "sum", "prod")
TEXTURE_TYPES = ("surface", "vertex")


def check_choices(
    dist_func: str, aggr_func_rgb: str, aggr_func_alpha: str, texture_type: str
) -> None:
    """Refuse words that SoftRas doesn't know.

    Raises:
        ValueError: If one is unknown.
    """
    check_choice("dist_func", dist_func, DISTANCES)
    check_choice("aggr_func_rgb", aggr_func_rgb, COLOR_AGGREGATIONS)
    check_choice("aggr_func_alpha", aggr_func_alpha, ALPHA_AGGREGATIONS)
    check_choice("texture_type", texture_type, TEXTURE_TYPES)


def soft_rasterize(
    face_vertices: Tensor,
    textures: Tensor,
    image_size: int = 256,
    background_color: Any = (0, 0, 0),
    near: float = 1,
    far: float = 100,
    fill_back: bool = True,
    eps: float = 1e-3,
    sigma_val: float = 1e-5,
    dist_func: str = "euclidean",
    dist_eps: float = 1e-4,
    gamma_val: float = 1e-4,
    aggr_func_rgb: str = "softmax",
    aggr_func_alpha: str = "prod",
    texture_type: str = "surface",
) -> Tensor:
    """Draw faces.

    Args:
        face_vertices: (B, F, 3, 3), each corner's x and y in NDC (x right, y up, -1 to 1 over the
            image) and depth. float32 or float64, on the CPU or the first CUDA device.
        textures: (B or 1, F, R * R, 3) colours on a grid in each face ("surface"), or
            (B or 1, F, 3, 3) colours of the corners ("vertex"), interpolated affinely.
        image_size: Side of the image, in pixels.
        background_color: Red, green and blue where no face is.
        near: Depth of the near plane.
        far: Depth of the far plane.
        fill_back: Whether colour shows faces that are counter-clockwise in the image too. Alpha
            does, whatever this says.
        eps: Where the background stands in the softmax over depths; counts twice, as in SoftRas.
        sigma_val: Softness of edges, in NDC units squared.
        dist_func: How coverage falls off: "euclidean", "barycentric" or "hard".
        dist_eps: Coverage under which a face is skipped.
        gamma_val: Softness of occlusion, in units of depth over ``far - near``.
        aggr_func_rgb: How colours become one: "softmax" or "hard", the nearest face's.
        aggr_func_alpha: How coverages become one: "prod", "sum" (their mean) or "hard".
        texture_type: What ``textures`` are: "surface" or "vertex".

    Returns:
        Images (B, 4, H, W), red, green, blue and alpha, row 0 on top. Gradients are exact.

    Raises:
        TypeError: If an array is of the wrong kind or type.
        ValueError: If a word is unknown, a number out of range, or a shape doesn't fit.
    """
    check_choices(dist_func, aggr_func_rgb, aggr_func_alpha, texture_type)
    settings = native.RasterizerSettings(
        height=image_size,
        width=image_size,
        near=near,
        far=far,
        sigma=sigma_val,
        gamma=gamma_val,
        eps=2 * eps,
        coverage_cutoff=dist_eps,
        perspective_correct=False,
        interpolation="clipped",
        coverage=dist_func,
        alpha=aggr_func_alpha,
        color=aggr_func_rgb,
        cull="none" if fill_back else "front",
        cull_alpha=False,
    )
    colors = textures if texture_type == "vertex" else native.SurfaceTexture(textures)
    if isinstance(background_color, Tensor):
        background_color = background_color.to(face_vertices).reshape(1, 1, 1, -1)
    image = native.rasterize(face_vertices, colors, settings, background=background_color)
    result: Tensor = image.permute(0, 3, 1, 2).contiguous()
    return result
