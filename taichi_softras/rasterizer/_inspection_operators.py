"""What pixels are made of, as operators without a gradient."""

from collections.abc import Sequence
from dataclasses import dataclass

from taichi_softras.arrays.operator import Allocate, Array
from taichi_softras.backend import ti
from taichi_softras.rasterizer._inputs import Faces, Inputs, Pass
from taichi_softras.rasterizer._lists import choose_tile_size
from taichi_softras.rasterizer._operator import RasterizeOperator
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

    def _find(self, inputs: Sequence[Array], allocate: Allocate) -> Faces:
        """Find out about faces what drawing does."""
        face_vertices, face_colors, sigma, gamma, eps = inputs
        nothing = allocate((1, 1, 3, 1), self.dtype)
        none = allocate((1,), ti.i32)
        x = Inputs(
            face_vertices=face_vertices,
            colors=face_colors,
            varyings=nothing,
            attributes=nothing,
            background=nothing,
            lighting=nothing,
            sigma=sigma,
            gamma=gamma,
            eps=eps,
            face_items=none,
            face_sources=none,
            face_maps=none,
            maps=none,
        )
        return self._find_faces(x, allocate)

    def _softness(self, inputs: Sequence[Array]) -> dict[str, Array]:
        return dict(zip(("sigma", "gamma", "eps"), inputs[2:]))


class SummarizeOperator(InspectOperator):
    """Per pixel (B, H, W): the number of faces, the nearest, its weight, the background's."""

    def forward(
        self, inputs: Sequence[Array], allocate: Allocate
    ) -> tuple[tuple[Array, ...], tuple[Array, ...]]:
        """Tell."""
        size = self.settings.height, self.settings.width
        tile_size = choose_tile_size(*size)
        faces = self._find(inputs, allocate)
        starts, entries = self._list_tiles(
            faces, self._softness(inputs)["sigma"], tile_size, allocate
        )
        pixels = (self.num_items, *size)
        outputs = {
            "counts": allocate(pixels, ti.i32),
            "front_faces": allocate(pixels, ti.i32),
            "front_weights": allocate(pixels, self.dtype),
            "background_weights": allocate(pixels, self.dtype),
        }
        inspection_kernels(self._variant(GEOMETRY)).summarize(
            records=faces.records,
            **self._softness(inputs),
            **self._numbers(),
            tile_size=tile_size,
            starts=starts,
            entries=entries,
            **outputs,
        )
        return tuple(outputs.values()), ()


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
        faces = self._find(inputs, allocate)
        outputs = {
            "covers": allocate((num_faces,), self.dtype),
            "depths": allocate((num_faces + 1,), self.dtype),
            "weights": allocate((num_faces + 1,), self.dtype),
            "colors": allocate((num_faces, channels), self.dtype),
        }
        item, row, col = self.pixel
        inspection_kernels(self._variant(GEOMETRY)).list_fragments(
            records=faces.records,
            boxes=faces.boxes,
            face_colors=inputs[1],
            **self._softness(inputs),
            **self._numbers(),
            b=item,
            row=row,
            col=col,
            **outputs,
            nearest=allocate((1,), self.dtype),
            winner=allocate((1,), ti.i32),
        )
        return tuple(outputs.values()), ()
