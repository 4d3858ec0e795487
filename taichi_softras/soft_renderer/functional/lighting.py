"""Light, added up source by source, for what has normals: vertices or faces."""

from typing import Any

import torch
from torch import Tensor

from taichi_softras.arrays.checks import check_arrays
from taichi_softras.soft_renderer.functional.arguments import as_rows


def ambient_lighting(
    light: Tensor, light_intensity: float | Tensor = 0.5, light_color: Any = (1, 1, 1)
) -> Tensor:
    """Add light that comes from everywhere.

    Args:
        light: (B, N, 3), red, green and blue that N vertices or faces have so far. Stays as it is.
        light_intensity: What the colour is multiplied by.
        light_color: (3,) or (B, 3).

    Returns:
        (B, N, 3).

    Raises:
        TypeError: If ``light`` is no tensor of float32 or float64.
        ValueError: If a shape doesn't fit.
    """
    check_arrays(light=(light, "(B, N, 3)"))
    return light + light_intensity * as_rows("light_color", light_color, light)[:, None]


def directional_lighting(
    light: Tensor,
    normals: Tensor,
    light_intensity: float | Tensor = 0.5,
    light_color: Any = (1, 1, 1),
    light_direction: Any = (0, 1, 0),
) -> Tensor:
    """Add light that comes from one direction, by Lambert's law.

    Args:
        light: (B, N, 3), red, green and blue that N vertices or faces have so far. Stays as it is.
        normals: (B or 1, N, 3), of length 1.
        light_intensity: What the colour is multiplied by.
        light_color: (3,) or (B, 3).
        light_direction: Where the light comes from, (3,) or (B, 3). Its length counts: it is not
            normalised.

    Returns:
        (B, N, 3).

    Raises:
        TypeError: If an array is of the wrong kind or type.
        ValueError: If a shape doesn't fit.
    """
    check_arrays(light=(light, "(B, N, 3)"), normals=(normals, "(B or 1, N, 3)"))
    direction = as_rows("light_direction", light_direction, light)[:, None]
    cosine = torch.relu((normals * direction).sum(-1, keepdim=True))
    color = light_intensity * as_rows("light_color", light_color, light)[:, None]
    return light + color * cosine
