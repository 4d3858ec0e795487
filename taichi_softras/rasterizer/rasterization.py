"""From faces in the image plane to images, softly."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import partial
from typing import Any

import numpy as np

from taichi_softras.arrays.bridge import array_like, dtype_of, is_array, start_for
from taichi_softras.arrays.calls import apply, apply_kernel
from taichi_softras.arrays.checks import check_arrays
from taichi_softras.arrays.corners import concatenate
from taichi_softras.arrays.kept import KeptArrays
from taichi_softras.arrays.operator import Array
from taichi_softras.arrays.options import check_integer
from taichi_softras.lights.kernels.packing import LightKinds
from taichi_softras.meshes.textures import CORNERS, SurfaceTexture, Texture, UVTexture
from taichi_softras.rasterizer._inputs import INTEGERS, Inputs
from taichi_softras.rasterizer._operator import RasterizeOperator
from taichi_softras.rasterizer._pyramids import build_pyramid
from taichi_softras.rasterizer._softness import softness_arrays
from taichi_softras.rasterizer.kernels.downsample import downsample_kernel
from taichi_softras.rasterizer.settings import RasterizerSettings

_BACKGROUNDS = KeptArrays()
"""Those that are numbers."""


@dataclass(frozen=True)
class FragmentLights:
    """Light on every fragment, and what it needs at faces' corners.

    Attributes:
        kinds: Which lights: what `lights.kernels.reflection.shading_func` is built for.
        numbers: (B or 1, N), their numbers: `lights.pack_lighting`.
        normals: (B or 1, F, 3, 3), normals at corners, in the world.
        positions: (B or 1, F, 3, 3), corners in the world.
    """

    kinds: LightKinds
    numbers: Array
    normals: Array
    positions: Array


def rasterize(
    face_vertices: Array,
    colors: Texture,
    settings: RasterizerSettings,
    *,
    attributes: Array | None = None,
    background: Any = 0.0,
    sigma: Array | None = None,
    gamma: Array | None = None,
    eps: Array | None = None,
    face_items: Array | None = None,
    num_items: int | None = None,
    face_sources: Array | None = None,
    source_weights: Array | None = None,
    lights: FragmentLights | None = None,
) -> Array:
    """Draw faces as SoftRas does: every face reaches every pixel, with a probability.

    Face j covers pixel i with probability D_ij = sigmoid(s_ij / σ), s_ij the squared distance from
    the pixel's centre to the face's border, negative outside. Alpha is A_i = 1 − Π_j (1 − D_ij);
    colour is the mean of the faces' colours and the background's, weighted by
    D_ij exp(z̄_ij / γ) and exp(ε / γ), with z̄ = (far − z) / (far − near). The settings choose other
    distances and aggregations.

    Args:
        face_vertices: (B, F, 3, 3), each corner's x and y in NDC (x right, y up, -1 to 1 over the
            image whatever its shape) and depth along the view axis, positive in front of the
            camera. float32 or float64. A face with a corner that is not finite, not in front of
            the camera (depth above 2^-40), or farther than 2^40 from the image, is left out; so
            is one with a colour, attribute or texture coordinate that is not finite. One without
            area is all border: it covers at most half of a pixel.
        colors: (B or 1, F, 3, C), colours of the corners, any number of channels; or a
            `SurfaceTexture` or a `UVTexture`.
        settings: Size of the image, and how faces become pixels.
        attributes: (B or 1, F, 3, A), more channels at corners, drawn as colours are and with the
            same weights: normals, say, or the corners' depths.
        background: What is seen where no face is: a number, C + A numbers, or an array (B or 1, h
            or 1, w or 1, C + A) that is stretched over the image, nearest neighbour; which may
            carry a gradient.
        sigma: In place of ``settings.sigma``: an array (1,) or (B,), which may carry a gradient.
        gamma: In place of ``settings.gamma``, in the same way.
        eps: In place of ``settings.eps``, in the same way.
        face_items: (F,) int32, the item of each face, for meshes of several sizes in one call: the
            first size of ``face_vertices``, ``colors`` and ``attributes`` is 1 then. A face of no
            item, -1 say, is left out.
        num_items: B, if ``face_items`` are given.
        face_sources: (B or 1, F) int32, the face of the texture whose part a face is, if faces were
            cut: see `clip_faces`. Corners' colours and attributes are per face all the same.
        source_weights: (B or 1, F, 3, 3), where on that face each corner is: its barycentric
            coordinates.
        lights: Light on every fragment, by interpolated normals; None takes colours as they are.

    Returns:
        Images (B, H, W, C + A + 1), row 0 on top; colours, attributes, and alpha last. Colours are
        straight, not premultiplied. Gradients are exact, to all arrays given. There is no second
        derivative.

    Raises:
        TypeError: If an array is of the wrong kind or type.
        ValueError: If a shape or device doesn't fit.

    Source:
        Liu et al., "Soft Rasterizer: A Differentiable Renderer for Image-based 3D Reasoning",
        ICCV 2019, section 3. In its code: ``dist_func="euclidean"``, ``aggr_func_alpha="prod"``,
        ``aggr_func_rgb="softmax"``, except that eps counts twice there and its colours are affine.

    Examples:
        >>> import numpy as np, taichi_softras as sr
        >>> corners = np.float32([[-1, -1, 2], [1, -1, 2], [0, 1, 2]])
        >>> face_vertices = sr.from_numpy(corners[None, None])  # (1, 1, 3, 3)
        >>> settings = sr.RasterizerSettings(height=3, width=3)
        >>> colors = sr.from_numpy(np.float32([[[[1, 0, 0], [0, 1, 0], [0, 0, 1]]]]))
        >>> sr.rasterize(face_vertices, colors, settings).to_numpy()[0, 1, 1].round(2)
        array([0.25, 0.25, 0.5 , 1.  ], dtype=float32)
    """
    batch = _check_faces(face_vertices, face_items, num_items)
    source, varyings, texture, channels = _texture(colors, batch, source_weights)
    attribute_channels = 0
    if attributes is not None:
        _check_corners("attributes", attributes, batch, "A")
        attribute_channels = attributes.shape[3]
    background = _background(background, channels + attribute_channels, face_vertices)
    wanted = f"({batch.num_items} or 1, h, w, {channels + attribute_channels})"
    check_arrays(face_vertices, background=(background, wanted))
    if 0 in background.shape:
        raise ValueError(f"background must have no size of 0, got {tuple(background.shape)}")
    lighting, kinds = None, None
    if lights is not None:
        lighting, kinds = lights.numbers, lights.kinds
        varyings = _lit_varyings(varyings, lights, batch, channels)
    operator = RasterizeOperator(
        sampled(settings),
        dtype_of(face_vertices),
        channels,
        batch.num_items,
        texture=texture,
        mipmaps=isinstance(colors, UVTexture) and colors.mipmaps,
        attribute_channels=attribute_channels,
        lights=kinds,
        packed=face_items is not None,
    )
    inputs = {
        "face_vertices": face_vertices,
        "colors": source,
        "varyings": varyings,
        "attributes": attributes,
        "background": background,
        "lighting": lighting,
        "sigma": sigma,
        "gamma": gamma,
        "eps": eps,
        "face_items": face_items,
        "face_sources": _check_sources(face_sources, batch),
    }
    if isinstance(colors, UVTexture):
        inputs["face_maps"] = colors.face_maps
        if colors.mipmaps:
            inputs["colors"], inputs["maps"] = build_pyramid(colors)
        else:
            inputs["maps"] = colors.host_maps() if colors.maps is None else colors.maps
    return _draw(operator, inputs, settings)


def rasterize_silhouette(
    face_vertices: Array,
    settings: RasterizerSettings,
    *,
    sigma: Array | None = None,
    face_items: Array | None = None,
    num_items: int | None = None,
) -> Array:
    """Draw how much of each pixel the faces cover: the alpha of `rasterize`, without its colours.

    Args:
        face_vertices: (B, F, 3, 3), as in `rasterize`.
        settings: Size of the image, and how faces become pixels; gamma, eps and the aggregation of
            colours play no part.
        sigma: In place of ``settings.sigma``: an array (1,) or (B,), which may carry a gradient.
        face_items: As in `rasterize`.
        num_items: As in `rasterize`.

    Returns:
        Alpha (B, H, W), 0 to 1, row 0 on top: 0 everywhere if there is no face.

    Raises:
        TypeError: If an array is of the wrong kind or type.
        ValueError: If a shape or device doesn't fit.

    Examples:
        >>> import numpy as np, taichi_softras as sr
        >>> corners = np.float32([[-1, -1, 2], [1, -1, 2], [0, 1, 2]])
        >>> face_vertices = sr.from_numpy(corners[None, None])  # (1, 1, 3, 3)
        >>> settings = sr.RasterizerSettings(height=3, width=3)
        >>> sr.rasterize_silhouette(face_vertices, settings).to_numpy()[0].round()
        array([[0., 1., 0.],
               [0., 1., 0.],
               [1., 1., 1.]], dtype=float32)
    """
    batch = _check_faces(face_vertices, face_items, num_items)
    operator = RasterizeOperator(
        sampled(settings),
        dtype_of(face_vertices),
        channels=0,
        num_items=batch.num_items,
        packed=face_items is not None,
    )
    inputs = {
        "face_vertices": face_vertices,
        "face_items": face_items,
        "sigma": sigma,
    }
    return _draw(operator, inputs, settings)


@dataclass(frozen=True)
class _Batch:
    """Sizes of a call: items, faces of each, and rows of the faces' arrays (1 if packed)."""

    num_items: int
    num_faces: int
    num_rows: int
    like: Array


def sampled(settings: RasterizerSettings) -> RasterizerSettings:
    """Settings of the image of samples, whose means are pixels."""
    factor = settings.supersampling
    if factor == 1:
        return settings
    return replace(
        settings,
        height=settings.height * factor,
        width=settings.width * factor,
        supersampling=1,
    )


def _draw(
    operator: RasterizeOperator, inputs: dict[str, Any], settings: RasterizerSettings
) -> Array:
    """Run the operator on the arrays that it needs."""
    like = inputs["face_vertices"]
    start_for([x for x in inputs.values() if is_array(x)])
    given = {name: inputs.get(name) for name in ("sigma", "gamma", "eps")}
    inputs |= softness_arrays(like, operator.num_items, settings, **given)
    if operator.channels + operator.attribute_channels == 0:
        del inputs["gamma"], inputs["eps"]
    arrays = {
        name: array_like(inputs[name], like, dtype=INTEGERS.get(name))
        for name in Inputs._fields
        if inputs.get(name) is not None
    }
    operator = replace(operator, given=tuple(arrays))
    (image,) = apply(operator, list(arrays.values()))
    return downsample(image, settings.supersampling)


def downsample(image: Array, factor: int) -> Array:
    """Average squares of pixels.

    Args:
        image: (B, H, W, C) or (B, H, W); H and W multiples of ``factor``.
        factor: Side of the squares.

    Returns:
        (B, H / factor, W / factor, C) or without the C.
    """
    if factor == 1:
        return image
    height, width = image.shape[1] // factor, image.shape[2] // factor
    shape = (image.shape[0], height, width, *image.shape[3:])
    kernel = partial(downsample_kernel, ndim=len(shape))
    return apply_kernel(kernel, (image,), shape, constants=(factor,))


def _check_faces(face_vertices: Array, face_items: Array | None, num_items: int | None) -> _Batch:
    check_arrays(face_vertices=(face_vertices, "(B, F, 3, 3)"))
    num_rows, num_faces = face_vertices.shape[:2]
    if num_rows < 1:
        raise ValueError(f"face_vertices must have B >= 1, got {tuple(face_vertices.shape)}")
    if face_items is None:
        if num_items is not None:
            raise ValueError("num_items is for packed faces: face_items must be given with it")
        return _Batch(num_rows, num_faces, num_rows, face_vertices)
    check_arrays(face_items=(face_items, f"({num_faces},) int32"))
    if num_items is None:
        raise ValueError("num_items must be given with face_items")
    num_items = check_integer("num_items", num_items, at_least=1)
    if num_rows != 1:
        raise ValueError(
            f"face_vertices must have shape (1, F, 3, 3) with face_items, got {num_rows} rows"
        )
    return _Batch(num_items, num_faces, 1, face_vertices)


def _check_corners(name: str, array: Array, batch: _Batch, letter: int | str) -> None:
    """Check an array of numbers at faces' corners; there is at least one of them."""
    wanted = f"({batch.num_rows} or 1, {batch.num_faces}, 3, {letter})"
    check_arrays(batch.like, **{name: (array, wanted)})
    if array.shape[3] < 1:
        raise ValueError(f"{name} must have at least 1 channel, got 0")


def _texture(
    colors: Texture, batch: _Batch, source_weights: Array | None
) -> tuple[Array, Array | None, str, int]:
    """Check colours; return them, what decides on texels, the kind of texture, and channels."""
    if isinstance(colors, SurfaceTexture):
        source_faces = batch.num_faces if source_weights is None else colors.texels.shape[1]
        colors.check(batch.like, batch.num_rows, source_faces)
        weights = array_like(CORNERS if source_weights is None else source_weights, batch.like)
        if source_weights is not None:
            _check_corners("source_weights", weights, batch, 3)
        return colors.texels, weights, "surface", colors.num_channels
    if isinstance(colors, UVTexture):
        sources = batch.num_faces if source_weights is None else None
        colors.check(batch.like, batch.num_rows, batch.num_faces, num_sources=sources)
        return colors.texels, colors.face_uvs, "uv", colors.num_channels
    _check_corners("colors", colors, batch, "C")
    return colors, None, "vertex", colors.shape[3]


def _check_sources(face_sources: Array | None, batch: _Batch) -> Array | None:
    if face_sources is not None:
        wanted = f"({batch.num_rows} or 1, {batch.num_faces}) int32"
        check_arrays(face_sources=(face_sources, wanted))
    return face_sources


def _lit_varyings(
    varyings: Array | None, lights: FragmentLights, batch: _Batch, channels: int
) -> Array:
    """Put what decides on texels, normals and positions side by side."""
    if channels != 3:
        raise ValueError(f"colors must be red, green and blue to be lit, got {channels} channels")
    _check_corners("normals", lights.normals, batch, 3)
    _check_corners("positions", lights.positions, batch, 3)
    parts = [lights.normals, lights.positions]
    return concatenate(parts if varyings is None else [varyings, *parts])


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
    make = partial(array_like, numbers.reshape(1, 1, 1, channels), like)
    return _BACKGROUNDS.get(tuple(numbers.tolist()), like, make)
