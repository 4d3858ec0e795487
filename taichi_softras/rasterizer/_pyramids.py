"""Image pyramids as an operator, and where their levels are."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial

import numpy as np
from numpy.typing import NDArray

from taichi_softras.arrays.bridge import array_like
from taichi_softras.arrays.calls import apply
from taichi_softras.arrays.kept import KeptArrays
from taichi_softras.arrays.operator import Allocate, Array, Operator
from taichi_softras.arrays.scan import LARGEST_INT32
from taichi_softras.backend import ti
from taichi_softras.meshes.textures import UVTexture
from taichi_softras.rasterizer.kernels.pyramids import pyramid_kernels

_LEVELS = KeptArrays()
"""Tables of levels, by their numbers."""


def build_pyramid(texture: UVTexture) -> tuple[Array, Array]:
    """Make all levels of a texture's maps, differentiably.

    Args:
        texture: One that was checked.

    Returns:
        Texels (B or 1, 1, T, C) of all levels, and the levels of each map, (M, 4 L) int32: see
        `kernels.pyramids`.

    Raises:
        ValueError: If there are more texels than 32 bits can count.
    """
    table, starts = level_table(texture)
    (pyramid,) = apply(_PyramidOperator(starts), (texture.texels, table))
    return pyramid, table


def level_table(texture: UVTexture) -> tuple[Array, tuple[int, ...]]:
    """Find where the levels of a texture's maps are: what `lay_out_levels` finds, as an array.

    Raises:
        ValueError: If there are more texels than 32 bits can count.
    """
    texels = texture.texels
    num_texels = texels.shape[1] * texels.shape[2]
    levels, starts = lay_out_levels(texture.host_maps(), num_texels)
    # One more channel may be for the weights of texels.
    count = texels.shape[0] * starts[-1] * (texels.shape[3] + 1)
    if count > LARGEST_INT32:
        raise ValueError(
            f"texels and their mipmaps must be at most {LARGEST_INT32} numbers, got {count}"
        )
    make = partial(array_like, levels, texels, dtype=ti.i32)
    return _LEVELS.get((levels.shape, levels.tobytes()), texels, make), starts


def lay_out_levels(
    maps: NDArray[np.int32], num_texels: int
) -> tuple[NDArray[np.int32], tuple[int, ...]]:
    """Find where the levels of maps are in a pyramid.

    Args:
        maps: (M, 4): see `UVTexture.maps`.
        num_texels: Of level 0, whether they are in a map or not.

    Returns:
        First texel, height, width and wrapping of each level of each map, (M, 4 L); and the first
        texel of each level, and the number of all.
    """
    table = [maps.astype(np.int64)]
    starts = [0, num_texels]
    while table[-1][:, 1:3].max() > 1:
        sizes = np.maximum(table[-1][:, 1:3] // 2, 1)
        ends = starts[-1] + np.cumsum(sizes.prod(axis=1))
        firsts = np.concatenate([starts[-1:], ends[:-1]])
        table.append(np.column_stack([firsts, sizes, maps[:, 3]]))
        starts.append(int(ends[-1]))
    return np.concatenate(table, axis=1).astype(np.int32), tuple(starts)


@dataclass(frozen=True)
class _PyramidOperator(Operator):
    """All levels of image maps.

    Attributes:
        starts: The first texel of each level, and the number of all.
    """

    starts: tuple[int, ...]

    def forward(
        self, inputs: Sequence[Array], allocate: Allocate
    ) -> tuple[tuple[Array, ...], tuple[Array, ...]]:
        """Make each level of the one before."""
        texels, levels = inputs
        kernels = pyramid_kernels(allocate.dtype)
        pyramid = allocate((texels.shape[0], 1, self.starts[-1], texels.shape[3]), clear=False)
        kernels.copy_texels(texels, pyramid)
        for level in range(1, len(self.starts) - 1):
            kernels.halve(pyramid, levels, level, self.starts[level], self.starts[level + 1])
        return (pyramid,), ()

    def backward(
        self,
        inputs: Sequence[Array],
        outputs: Sequence[Array],
        saved: Sequence[Array],
        allocate: Allocate,
    ) -> None:
        """Add what each level wants to the one before, from the last one on."""
        texels, levels = inputs
        kernels = pyramid_kernels(allocate.dtype)
        grad = outputs[0].grad
        sums = allocate(grad.shape)
        for level in range(len(self.starts) - 2, -1, -1):
            kernels.gather_level(
                *(grad, sums, levels, level, self.starts[level], self.starts[level + 1]),
                texels.grad if level == 0 else sums,
            )
