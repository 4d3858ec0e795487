"""What the rasterizer is given, what it makes, and the passes in which channels are drawn."""

from collections.abc import Iterator, Sequence
from functools import partial
from typing import Any, NamedTuple

import numpy as np

from taichi_softras.arrays.bridge import array_like
from taichi_softras.arrays.kept import KeptArrays
from taichi_softras.arrays.operator import Array
from taichi_softras.arrays.runtime import on_gpu
from taichi_softras.backend import ti

CPU_CHANNELS = 4

GPU_CHANNELS = 3
"""More channels are drawn in several passes: no kernel takes long to compile, or, on a GPU, more
than 128 registers a thread."""


class Inputs(NamedTuple):
    """Arrays that a `RasterizeOperator` works with. Those not needed have a size of 1.

    Attributes:
        face_vertices: (B or 1, F, 3, 3), NDC x, y and depth; of one item if faces are packed.
        colors: (B or 1, F, 3, C) at corners; or texels, (B or 1, F, R * R, C) of faces, or
            (B or 1, h, w, C) of images; or pyramids of these, (B or 1, 1, T, C).
        varyings: (B or 1, F or 1, 3, K), what decides on texels and light: see `textures`.
        attributes: (B or 1, F, 3, A), more channels at corners.
        background: (B or 1, h, w, C + A), stretched over the image.
        lighting: (B or 1, N), numbers of the lights on fragments.
        sigma: (B or 1,).
        gamma: (B or 1,).
        eps: (B or 1,).
        face_items: (F,) int32, the item of each face, if faces are packed.
        face_sources: (B or 1, F) int32, the face whose texture a face has; (1, 1) if its own.
        face_maps: (F or 1,) int32, the map of each such face.
        maps: (M, 4 L) int32, the first texel, height, width and wrapping of each of the L levels
            of each map; L is 1 without mipmaps.
    """

    face_vertices: Array
    colors: Array
    varyings: Array
    attributes: Array
    background: Array
    lighting: Array
    sigma: Array
    gamma: Array
    eps: Array
    face_items: Array
    face_sources: Array
    face_maps: Array
    maps: Array


INTEGERS = dict.fromkeys(("face_items", "face_sources", "face_maps", "maps"), ti.i32)
"""Types of those that are not of the faces' type."""

_UNUSED: dict[str, Any] = {
    "colors": np.zeros((1, 1, 1, 1)),
    "varyings": np.zeros((1, 1, 3, 1)),
    "attributes": np.zeros((1, 1, 3, 1)),
    "background": np.zeros((1, 1, 1, 1)),
    "lighting": np.zeros((1, 1)),
    "gamma": np.ones(1),
    "eps": np.ones(1),
    "face_items": [0],
    "face_sources": [[0]],
    "face_maps": [0],
    "maps": [[0, 1, 1, 0]],
}
"""What stands for arrays that a call doesn't have."""

_KEPT = KeptArrays()


def complete_inputs(given: tuple[str, ...], arrays: Sequence[Array]) -> Inputs:
    """Put arrays of a size of 1 in place of those that are not given, by their names."""
    like = arrays[0]
    inputs = dict(zip(given, arrays))
    for name in Inputs._fields:
        if name not in inputs:
            make = partial(array_like, _UNUSED[name], like, dtype=INTEGERS.get(name))
            inputs[name] = _KEPT.get(name, like, make)
    return Inputs(**inputs)


class Faces(NamedTuple):
    """What drawing finds out about faces.

    Attributes:
        boxes: (B or 1, F) of `boxes.BOX_TYPE`, the pixels that each can reach.
        records: (B or 1, F) of `face_record.record_type`, what is asked of each in every pixel.
        num_faces: (B,) int32, faces of each item.
    """

    boxes: Array
    records: Array
    num_faces: Array


class Drawn(NamedTuple):
    """What drawing makes. Sizes are 1 where there is no softmax, or no nearest face.

    Attributes:
        image: (B, H, W, C + A + 1), or (B, H, W) for silhouettes.
        nearest_depth: (B, H, W), the nearest depth of each pixel.
        weight_sum: (B, H, W), the sum of the weights of its faces and background.
        winners: (B, H, W) int32, the nearest face of each pixel, if colours are hard.
    """

    image: Array
    nearest_depth: Array
    weight_sum: Array
    winners: Array


class Pass(NamedTuple):
    """Some channels, drawn at once.

    Attributes:
        first_channel: The first of them in the image.
        first_source: The first of them in the colours or attributes.
        channels: How many.
        attributes: Whether they are attributes.
    """

    first_channel: int
    first_source: int
    channels: int
    attributes: bool


def channel_passes(channels: int) -> Iterator[tuple[int, int]]:
    """Split channels into passes of about equal size: the first channel of each, and how many."""
    num_passes = max(1, -(-channels // (GPU_CHANNELS if on_gpu() else CPU_CHANNELS)))
    for i in range(num_passes):
        first, end = channels * i // num_passes, channels * (i + 1) // num_passes
        yield first, end - first
