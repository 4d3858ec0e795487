"""What pixels are made of, as operators without a gradient."""

from collections.abc import Sequence
from dataclasses import dataclass

import taichi as ti

from taichi_softras.arrays.operator import Allocate, Array
from taichi_softras.rasterizer._inputs import Pass
from taichi_softras.rasterizer._lists import choose_tile_size, list_tile_faces
from taichi_softras.rasterizer._operator import CULL, RasterizeOperator
from taichi_softras.rasterizer.kernels.boxes import BOX_TYPE, box_kernel, record_type
from taichi_softras.rasterizer.kernels.inspection import inspection_kernels

GEOMETRY = Pass(0, 0, 1, attributes=False)
"""A pass that has colours, so that it has a softmax over depth or a nearest face."""


@dataclass(frozen=True)
class InspectOperator(RasterizeOperator):
    """Base of the two below: tells what drawing with the same settings would make of faces.

    The inputs are face_vertices (B, F, 3, 3), face_colors (B or 1, F, 3, C), and sigma, gamma and
    eps (B or 1,).
    """

    def backward(
        self,
        inputs: Sequence[Array],
        outputs: Sequence[Array],
        saved: Sequence[Array],
        allocate: Allocate,
    ) -> None:
        """Do nothing: what is told of pixels has no gradient."""

    def _find_faces(self, inputs: Sequence[Array], allocate: Allocate) -> tuple[Array, Array]:
        """Find the box and the record of each face, as drawing does."""
        face_vertices, face_colors, sigma, _, _ = inputs
        boxes = allocate(face_vertices.shape[:2], BOX_TYPE)
        records = allocate(face_vertices.shape[:2], record_type(self.dtype))
        nothing = allocate((1, 1, 3, 1), self.dtype)
        box_kernel(self._variant(GEOMETRY).geometry)(
            *(face_vertices, face_colors, face_colors.shape[3]),
            *(nothing, 0, nothing, 0, sigma),
            *self._numbers(),
            *(CULL[self.settings.cull], int(self.settings.cull_alpha)),
            *(allocate((1,), ti.i32), 0, self.num_items),
            *(boxes, records, allocate((self.num_items,), ti.i32)),
        )
        return boxes, records


class SummarizeOperator(InspectOperator):
    """Per pixel (B, H, W): the number of faces, the nearest, its weight, the background's."""

    def forward(
        self, inputs: Sequence[Array], allocate: Allocate
    ) -> tuple[tuple[Array, ...], tuple[Array, ...]]:
        """Tell."""
        size = self.settings.height, self.settings.width
        tile_size = choose_tile_size(*size)
        boxes, records = self._find_faces(inputs, allocate)
        starts, entries = list_tile_faces(boxes, self.num_items, *size, tile_size, allocate)
        pixels = (self.num_items, *size)
        outputs = tuple(allocate(pixels, t) for t in (ti.i32, ti.i32, self.dtype, self.dtype))
        inspection_kernels(self._variant(GEOMETRY)).summarize(
            *(records, *inputs[2:]),
            *self._numbers(),
            *(tile_size, starts, entries),
            *outputs,
        )
        return outputs, ()


@dataclass(frozen=True)
class ListFragmentsOperator(InspectOperator):
    """Every face's part in one pixel.

    The outputs are coverages (F,), depths (F + 1,) and weights (F + 1,), whose last are the
    background's, and colours (F, C).

    Attributes:
        pixel: Item, row and column.
    """

    pixel: tuple[int, int, int] = (0, 0, 0)

    def forward(
        self, inputs: Sequence[Array], allocate: Allocate
    ) -> tuple[tuple[Array, ...], tuple[Array, ...]]:
        """Tell."""
        _, num_faces, _, channels = inputs[1].shape
        boxes, records = self._find_faces(inputs, allocate)
        shapes = ((num_faces,), (num_faces + 1,), (num_faces + 1,), (num_faces, channels))
        outputs = tuple(allocate(shape, self.dtype) for shape in shapes)
        inspection_kernels(self._variant(GEOMETRY)).list_fragments(
            *(records, boxes, *inputs[1:]),
            *self._numbers(),
            *(*self.pixel, *outputs, allocate((1,), self.dtype), allocate((1,), ti.i32)),
        )
        return outputs, ()
