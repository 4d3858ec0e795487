"""Colours of a fragment and of the background, and where alpha is in an image."""

import functools
from typing import Any

from taichi_softras.arrays.launcher import func
from taichi_softras.backend import ti
from taichi_softras.lights.kernels.reflection import shading_func
from taichi_softras.rasterizer.kernels.fragment import fragment_funcs
from taichi_softras.rasterizer.kernels.textures import tapped, taps_at, varying_at
from taichi_softras.rasterizer.kernels.trilinear import pixel_side, trilinear_taps
from taichi_softras.rasterizer.kernels.variant import Variant


@func
def background_at(background: ti.template(), b, row, col, height, width, channel):
    """Colour of the background at a pixel, whatever the size of its image; items may share it."""
    y = 0
    x = 0
    if background.shape[1] * background.shape[2] > 1:  # dividing takes long
        y = row * background.shape[1] // height
        x = col * background.shape[2] // width
    return background[ti.min(b, background.shape[0] - 1), y, x, channel]


@func
def alpha_at(image: ti.template(), b, row, col):
    """Alpha of a pixel: the last channel of an image, all there is of a silhouette."""
    if ti.static(len(image.shape) == 4):
        return image[b, row, col, image.shape[3] - 1]
    else:
        return image[b, row, col]


@functools.cache
def color_func(variant: Variant) -> Any:
    """Build the function of a fragment's colour, for one variant."""
    dtype = variant.dtype
    channels = variant.channels
    is_lit = variant.lights is not None
    lit = shading_func(variant.lights, dtype) if is_lit else None
    fragment = fragment_funcs(variant)
    first_normal = 2 if variant.texture == "uv" else 0
    first_normal = 3 if variant.texture == "surface" else first_normal

    @func
    def taps_of(
        colors: ti.template(),
        varyings: ti.template(),
        face_sources: ti.template(),
        face_maps: ti.template(),
        maps: ti.template(),
        b,
        f,
        weights: ti.template(),
        face: ti.template(),
        depth: ti.template(),
        height: ti.template(),
        width: ti.template(),
    ):
        """Find what the colour is made of: rows and columns of texels, or corners, and weights."""
        if ti.static(variant.mipmaps):
            ratios = fragment.ratios_of(face.depth_terms, depth)
            side = pixel_side(height, width, dtype)
            rows, cols, tap_weights, _seen = trilinear_taps(
                *(varyings, face_sources, face_maps, maps),
                *(b, f, weights, ratios, face.slopes, side, dtype),
            )
            return rows, cols, tap_weights
        else:
            return taps_at(
                variant.texture,
                *(colors, varyings, face_sources, face_maps, maps),
                *(b, f, weights, dtype),
            )

    @func
    def colors_at(
        colors: ti.template(),
        first_source,
        varyings: ti.template(),
        face_sources: ti.template(),
        face_maps: ti.template(),
        maps: ti.template(),
        lighting: ti.template(),
        b,
        f,
        weights,
        face: ti.template(),
        depth: ti.template(),
        height: ti.template(),
        width: ti.template(),
    ):
        """The channels of a fragment's colour, from the given one of its source's on."""
        rows, cols, tap_weights = taps_of(
            *(colors, varyings, face_sources, face_maps, maps),
            *(b, f, weights, face, depth, height, width),
        )
        values = ti.Vector(
            [
                tapped(colors, b, rows, cols, tap_weights, first_source + c)
                for c in range(max(channels, 1))
            ]
        )
        if ti.static(is_lit):
            normal = ti.Vector(
                [varying_at(varyings, b, f, first_normal + k, weights) for k in range(3)]
            )
            position = ti.Vector(
                [varying_at(varyings, b, f, first_normal + 3 + k, weights) for k in range(3)]
            )
            return lit(lighting, b, values, normal, position)
        else:
            return values

    return colors_at
