"""What pixels are made of: coverage, counts and weights of faces, by the rasterizer's own rules.

For looking at, not for fitting: of these only `face_coverage` has a gradient. Pixels are looked at
in their centres; supersampling, by which a pixel is the mean of several points, plays no part but
in `face_coverage`.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from taichi_softras.arrays.bridge import array_like, dtype_of, is_tensor, to_numpy
from taichi_softras.arrays.calls import apply
from taichi_softras.arrays.checks import check_arrays
from taichi_softras.arrays.corners import face_of
from taichi_softras.arrays.operator import Array
from taichi_softras.arrays.options import check_integer
from taichi_softras.arrays.reprs import short_repr
from taichi_softras.rasterizer._inspection_operators import ListFragmentsOperator, SummarizeOperator
from taichi_softras.rasterizer._softness import softness_arrays
from taichi_softras.rasterizer.rasterization import rasterize_silhouette
from taichi_softras.rasterizer.settings import RasterizerSettings


@dataclass(frozen=True, eq=False)
class FragmentSummary:
    """What each pixel is made of. Arrays of the framework that they were made from.

    Attributes:
        num_faces: How many faces weigh in, (B, H, W) int32: those whose coverage is above the
            cut-off, and whose depth is in range.
        front_face: The nearest of those that count in colours, (B, H, W) int32; -1 where there is
            none.
        front_weight: Its weight in the pixel's colour, (B, H, W), 0 to 1; 0 where none.
        background_weight: The background's, (B, H, W), 0 to 1.
    """

    num_faces: Array
    front_face: Array
    front_weight: Array
    background_weight: Array

    __repr__ = short_repr


@dataclass(frozen=True, eq=False)
class PixelFragments:
    """The faces that weigh in at one pixel, heaviest first. NumPy arrays.

    Attributes:
        faces: Their indices, (N,) int64.
        coverage: D of each, (N,), above the cut-off and up to 1.
        depth: Along the view axis, (N,).
        weight: In the pixel's colour, (N,).
        color: At the pixel, (N, C).
        background_weight: The background's; with the others it sums to 1.
    """

    faces: NDArray[np.int64]
    coverage: NDArray[np.floating[Any]]
    depth: NDArray[np.floating[Any]]
    weight: NDArray[np.floating[Any]]
    color: NDArray[np.floating[Any]]
    background_weight: float

    __repr__ = short_repr

    def mix(self, background: Any = 0.0) -> NDArray[np.floating[Any]]:
        """Mix the colours by their weights: what `rasterize` draws at the pixel, (C,).

        Args:
            background: A number, or C numbers.
        """
        mixed: NDArray[np.floating[Any]] = self.weight @ self.color
        return mixed + self.background_weight * np.asarray(background)


def face_coverage(face_vertices: Array, face: int, settings: RasterizerSettings) -> Array:
    """Draw the coverage D of one face: the probability that it, and it alone, covers a pixel.

    Args:
        face_vertices: (B, F, 3, 3), as `rasterize` takes them.
        face: Which, from 0 to F - 1.
        settings: Size of the image, and how faces become pixels.

    Returns:
        (B, H, W), 0 to 1; 0 where the rasterizer skips the face. Gradients flow to the face.

    Raises:
        TypeError: If an argument is of the wrong kind or type.
        ValueError: If a shape doesn't fit, or there is no such face.

    Examples:
        >>> import numpy as np, taichi_softras as sr
        >>> corners = np.float32([[-1, -1, 2], [1, -1, 2], [0, 1, 2]])
        >>> face_vertices = sr.from_numpy(corners[None, None])  # (1, 1, 3, 3)
        >>> settings = sr.RasterizerSettings(height=3, width=3)
        >>> sr.face_coverage(face_vertices, 0, settings).to_numpy()[0].round()
        array([[0., 1., 0.],
               [0., 1., 0.],
               [1., 1., 1.]], dtype=float32)
    """
    check_arrays(face_vertices=(face_vertices, "(B, F, 3, 3)"))
    face = _check_index("face", face, face_vertices.shape[1], "the number of faces, ")
    return rasterize_silhouette(face_of(face_vertices, face), replace(settings, alpha="prod"))


def summarize_fragments(face_vertices: Array, settings: RasterizerSettings) -> FragmentSummary:
    """Tell how many faces each pixel is made of, and how much the nearest of them weighs.

    Args:
        face_vertices: (B, F, 3, 3), as `rasterize` takes them.
        settings: Size of the image, and how faces become pixels.

    Returns:
        Counts and weights. They carry no gradient.

    Raises:
        TypeError: If an array is of the wrong kind or type.
        ValueError: If a shape doesn't fit.

    Examples:
        >>> import taichi_softras as sr
        >>> corners = [[-1, -1, 2], [1, -1, 2], [0, 1, 2]]
        >>> face_vertices = sr.from_numpy(np.array([[corners, corners]], dtype=np.float32))
        >>> settings = sr.RasterizerSettings(height=3, width=3)
        >>> sr.summarize_fragments(face_vertices, settings).num_faces.to_numpy()[0]
        array([[0, 2, 0],
               [0, 2, 0],
               [2, 2, 2]], dtype=int32)
    """
    check_arrays(face_vertices=(face_vertices, "(B, F, 3, 3)"))
    shape = (1, face_vertices.shape[1], 3, 1)
    no_colors = array_like(np.zeros(shape), face_vertices)
    operator = SummarizeOperator(
        settings, dtype_of(face_vertices), channels=1, num_items=face_vertices.shape[0]
    )
    return FragmentSummary(*apply(operator, _inputs(face_vertices, no_colors, settings)))


def count_fragments(face_vertices: Array, settings: RasterizerSettings) -> int:
    """Count fragments: pairs of a pixel and a face that covers it by more than the cut-off.

    Args:
        face_vertices: (B, F, 3, 3), as `rasterize` takes them.
        settings: Size of the image, and how faces become pixels.

    Raises:
        TypeError: If an array is of the wrong kind or type.
        ValueError: If a shape doesn't fit.
    """
    counts = to_numpy(summarize_fragments(face_vertices, settings).num_faces)
    return int(counts.sum(dtype=np.int64))


def list_fragments(
    face_vertices: Array,
    face_colors: Array,
    settings: RasterizerSettings,
    row: int,
    col: int,
    *,
    item: int = 0,
) -> PixelFragments:
    """List the faces that weigh in at one pixel.

    Args:
        face_vertices: (B, F, 3, 3), as `rasterize` takes them.
        face_colors: (B or 1, F, 3, C), likewise.
        settings: Size of the image, and how faces become pixels.
        row: Of the pixel, 0 on top.
        col: Of the pixel, 0 on the left.
        item: Which of the B images.

    Returns:
        The faces, heaviest first; none where only the background is seen.

    Raises:
        TypeError: If an argument is of the wrong kind or type.
        ValueError: If a shape doesn't fit, or there is no such pixel.

    Examples:
        >>> import numpy as np, taichi_softras as sr
        >>> corners = np.float32([[-1, -1, 2], [1, -1, 2], [0, 1, 2]])
        >>> face_vertices = sr.from_numpy(corners[None, None])  # (1, 1, 3, 3)
        >>> settings = sr.RasterizerSettings(height=3, width=3)
        >>> colors = sr.from_numpy(np.float32([[[[1, 0, 0], [0, 1, 0], [0, 0, 1]]]]))
        >>> seen = sr.list_fragments(face_vertices, colors, settings, row=1, col=1)
        >>> seen.faces, seen.depth, seen.mix().round(2)
        (array([0]), array([2.], dtype=float32), array([0.25, 0.25, 0.5 ]))
    """
    sizes = check_arrays(
        face_vertices=(face_vertices, "(B, F, 3, 3)"),
        face_colors=(face_colors, "(B or 1, F, 3, C)"),
    )
    pixel = (
        _check_index("item", item, sizes["B"]),
        _check_index("row", row, settings.height),
        _check_index("col", col, settings.width),
    )
    dtype = dtype_of(face_vertices)
    operator = ListFragmentsOperator(settings, dtype, channels=1, num_items=sizes["B"], pixel=pixel)
    outputs = apply(operator, _inputs(face_vertices, face_colors, settings))
    coverage, depth, weight, color = (to_numpy(x) for x in outputs)
    weight = weight / weight.sum()
    faces = np.flatnonzero(coverage)
    faces = faces[np.lexsort((depth[faces], -weight[faces]))]
    return PixelFragments(
        faces=faces,
        coverage=coverage[faces],
        depth=depth[faces],
        weight=weight[faces],
        color=color[faces],
        background_weight=float(weight[-1]),
    )


def _check_index(name: str, value: object, limit: int, what: str = "") -> int:
    index = check_integer(name, value, at_least=0)
    if index >= limit:
        raise ValueError(f"{name} must be under {what}{limit}, got {index}")
    return index


def _inputs(
    face_vertices: Array, face_colors: Array, settings: RasterizerSettings
) -> tuple[Array, ...]:
    """Collect what the operators take, cut off from PyTorch's graph."""
    softness = softness_arrays(face_vertices, face_vertices.shape[0], settings).values()
    return tuple(x.detach() if is_tensor(x) else x for x in (face_vertices, face_colors, *softness))
