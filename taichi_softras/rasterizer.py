"""From faces in the image plane to images, softly."""

from typing import Any

import numpy as np

from taichi_softras.bridges import apply, array_like, dtype_of, is_array
from taichi_softras.checks import check_array, check_sizes
from taichi_softras.operators import Array
from taichi_softras.operators.rasterize import RasterizeOperator
from taichi_softras.settings import RasterizerSettings


def rasterize(
    face_vertices: Array,
    face_colors: Array,
    settings: RasterizerSettings,
    *,
    background: Any = 0.0,
    sigma: Array | None = None,
    gamma: Array | None = None,
    eps: Array | None = None,
) -> Array:
    r"""Draw faces as SoftRas does: every face reaches every pixel, with a probability.

    Face :math:`j` covers pixel :math:`i` with probability
    :math:`D_{ij} = \operatorname{sigmoid}(s_{ij} / \sigma)`, :math:`s` the squared distance from
    the pixel's centre to the face's border, negative outside. Alpha is
    :math:`1 - \prod_j (1 - D_{ij})`; colour is the mean of the faces' colours and the
    background's, weighted by :math:`D_{ij} \exp(\bar z_{ij} / \gamma)` and
    :math:`\exp(\epsilon / \gamma)`, :math:`\bar z = (far - z) / (far - near)`.

    Args:
        face_vertices: (B, F, 3, 3), each corner's x and y in NDC (x right, y up, -1 to 1 over the
            image whatever its shape) and depth along the view axis, positive in front of the
            camera. float32 or float64. A face with a corner that is not finite, not in front of
            the camera (depth above 2^-40), or farther than 2^40 from the image, is left out; so
            is one with a colour that is not finite. One without area is all border: it covers at
            most half of a pixel.
        face_colors: (B or 1, F, 3, C), colours of the corners, any number of channels.
        settings: Size of the image, and how faces become pixels.
        background: Colour where no face is: a number, C numbers, or an array (B or 1, H or 1,
            W or 1, C), which may carry a gradient.
        sigma: In place of ``settings.sigma``: an array (1,) or (B,), which may carry a gradient.
        gamma: Likewise.
        eps: Likewise.

    Returns:
        Images (B, H, W, C + 1), row 0 on top; the last channel is alpha, the others are straight,
        not premultiplied. Gradients are exact, to all arrays given. There is no second derivative.

    Raises:
        TypeError: If an array is of the wrong kind or type.
        ValueError: If a shape or device doesn't fit.

    Source:
        Liu et al., "Soft Rasterizer: A Differentiable Renderer for Image-based 3D Reasoning",
        ICCV 2019, section 3. In its code: ``dist_func="euclidean"``, ``aggr_func_alpha="prod"``,
        ``aggr_func_rgb="softmax"``, except that eps counts twice there and its colours are affine.
    """
    num_items, num_faces = _check_face_vertices(face_vertices)
    dtype = dtype_of(face_vertices)
    check_array("face_colors", face_colors, ("B or 1", num_faces, 3, "C"), dtype)
    check_sizes("face_colors", face_colors, (num_items, num_faces, 3, face_colors.shape[3]))
    channels = face_colors.shape[3]
    if channels < 1:
        raise ValueError("face_colors must have at least 1 channel, got 0")
    background = _background(background, channels, face_vertices)
    check_array("background", background, ("B or 1", "H or 1", "W or 1", channels), dtype)
    check_sizes("background", background, (num_items, settings.height, settings.width, channels))
    softness = _softness(face_vertices, settings, sigma=sigma, gamma=gamma, eps=eps)
    operator = RasterizeOperator(settings, dtype, channels)
    (image,) = apply(operator, (face_vertices, face_colors, background, *softness))
    return image


def rasterize_silhouette(
    face_vertices: Array, settings: RasterizerSettings, *, sigma: Array | None = None
) -> Array:
    r"""Draw how much of each pixel the faces cover: the alpha of `rasterize`, without its colours.

    Args:
        face_vertices: (B, F, 3, 3), as in `rasterize`.
        settings: Size of the image, and how faces become pixels; gamma and eps play no part.
        sigma: In place of ``settings.sigma``: an array (1,) or (B,), which may carry a gradient.

    Returns:
        Alpha (B, H, W), 0 to 1, row 0 on top: 0 everywhere if there is no face.

    Raises:
        TypeError: If an array is of the wrong kind or type.
        ValueError: If a shape or device doesn't fit.
    """
    _check_face_vertices(face_vertices)
    no_colors = array_like(np.zeros((1, 1, 1, 1)), face_vertices)
    softness = _softness(face_vertices, settings, sigma=sigma)
    operator = RasterizeOperator(settings, dtype_of(face_vertices), channels=0)
    (alpha,) = apply(operator, (face_vertices, no_colors, no_colors, *softness))
    return alpha


def _check_face_vertices(face_vertices: Array) -> tuple[int, int]:
    check_array("face_vertices", face_vertices, ("B", "F", 3, 3))
    num_items, num_faces = face_vertices.shape[:2]
    if num_items < 1:
        raise ValueError(f"face_vertices must have B >= 1, got {tuple(face_vertices.shape)}")
    return num_items, num_faces


def _background(background: Any, channels: int, like: Array) -> Array:
    """Make an array of a background given as a number or as one number per channel."""
    if is_array(background):
        return background
    try:
        numbers = np.broadcast_to(np.asarray(background, dtype=float), (channels,))
    except (TypeError, ValueError) as error:
        raise ValueError(
            f"background must be an array, a number or {channels} numbers, got {background!r}"
        ) from error
    if not np.isfinite(numbers).all():
        raise ValueError(f"background must be finite, got {background!r}")
    return array_like(numbers.reshape(1, 1, 1, channels), like)


def _softness(
    face_vertices: Array,
    settings: RasterizerSettings,
    *,
    sigma: Array | None = None,
    gamma: Array | None = None,
    eps: Array | None = None,
) -> list[Array]:
    """Collect sigma, gamma and eps as arrays, from the arguments or else the settings."""
    arrays = []
    for name, given in (("sigma", sigma), ("gamma", gamma), ("eps", eps)):
        if given is None:
            given = array_like([getattr(settings, name)], face_vertices)
        check_array(name, given, ("B or 1",), dtype_of(face_vertices))
        check_sizes(name, given, (face_vertices.shape[0],))
        arrays.append(given)
    return arrays
