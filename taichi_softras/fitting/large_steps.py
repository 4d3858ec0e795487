"""Large steps: vertices by way of a smoothing matrix, so that gradients move whole regions."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import scipy
from numpy.typing import ArrayLike, NDArray

from taichi_softras.arrays.calls import apply
from taichi_softras.arrays.checks import check_arrays, face_indices
from taichi_softras.arrays.kernels.conversion import conversion_kernels
from taichi_softras.arrays.operator import Allocate, Array, Operator
from taichi_softras.arrays.options import check_integer, check_number
from taichi_softras.backend import ti
from taichi_softras.meshes.edges import adjacency_matrix, find_edges


class LargeSteps:
    r"""Describes vertices of one topology by :math:`u = (I + \lambda L) v`, L the Laplacian.

    An optimiser moves ``u``; the vertices are the solution of that system, through which gradients
    flow back. A gradient at one vertex moves its neighbourhood, the farther the larger
    :math:`\lambda` is, and no step can crumple the surface. Goes well with `Adam` that scales all
    numbers alike, ``Adam(..., uniform=True)``.

    The matrix is factored once, by SciPy, on the host: arrays on a GPU are copied there and back.

    Args:
        faces: (F, 3) integers, of NumPy, PyTorch or Taichi.
        num_vertices: How many vertices there are, V.
        smoothness: :math:`\lambda`, at least 0. With 0 ``u`` is the vertices.

    Raises:
        TypeError: If a number is of the wrong type.
        ValueError: If it is out of range, or the faces' shape doesn't fit, they are no integers,
            or an index is out of range.

    Source:
        Nicolet, Jacobson and Jakob, Large steps in inverse rendering of geometry, SIGGRAPH Asia
        2021.

    Examples:
        >>> import taichi_softras as sr
        >>> mesh = sr.icosphere(1)
        >>> steps = LargeSteps(mesh.faces, mesh.num_vertices, smoothness=10.0)
        >>> start = sr.from_numpy(steps.encode(mesh.vertices)[None].astype(np.float32))
        >>> bool(np.allclose(steps.decode(start).to_numpy()[0], mesh.vertices, atol=1e-6))
        True
    """

    def __init__(
        self, faces: ArrayLike | Array, num_vertices: int, smoothness: float = 5.0
    ) -> None:
        num_vertices = check_integer("num_vertices", num_vertices, at_least=1)
        smoothness = check_number("smoothness", smoothness)
        if smoothness < 0:
            raise ValueError(f"smoothness must be at least 0, got {smoothness}")
        edges, _ = find_edges(face_indices(faces, num_vertices=num_vertices))
        neighbours = adjacency_matrix(edges, num_vertices)
        degrees = scipy.sparse.diags_array(neighbours.sum(axis=1))
        identity = scipy.sparse.eye_array(num_vertices)
        self._matrix = (identity + smoothness * (degrees - neighbours)).tocsc()
        self._operator = _Solve(scipy.sparse.linalg.splu(self._matrix))

    def encode(self, vertices: ArrayLike) -> NDArray[np.float64]:
        """Find what stands for vertices.

        Args:
            vertices: (V, 3), of NumPy.

        Returns:
            (V, 3) float64.

        Raises:
            ValueError: If the shape doesn't fit.
        """
        points = np.asarray(vertices, dtype=np.float64)
        wanted = (self._matrix.shape[0], 3)
        if points.shape != wanted:
            raise ValueError(f"vertices must have shape {wanted}, got {points.shape}")
        return np.asarray(self._matrix @ points)

    def decode(self, values: Array) -> Array:
        """Find the vertices that something stands for; differentiable.

        Args:
            values: (B, V, 3), of PyTorch or Taichi, float32 or float64.

        Returns:
            (B, V, 3), solved in float64.

        Raises:
            TypeError: If ``values`` is of the wrong kind or type.
            ValueError: If the shape doesn't fit.
        """
        check_arrays(values=(values, f"(B, {self._matrix.shape[0]}, 3)"))
        return apply(self._operator, (values,))[0]


@dataclass(frozen=True)
class _Solve(Operator):
    """Multiplies with the inverse of a symmetric matrix.

    Attributes:
        factors: What SciPy's ``splu`` makes of the matrix.
    """

    factors: Any = field(repr=False)

    def forward(
        self, inputs: Sequence[Array], allocate: Allocate
    ) -> tuple[tuple[Array, ...], tuple[Array, ...]]:
        (values,) = inputs
        solved = allocate(tuple(values.shape), clear=False)
        conversion_kernels(ti.f64, allocate.dtype).convert(self._solved(values, allocate), solved)
        return (solved,), ()

    def backward(
        self,
        inputs: Sequence[Array],
        outputs: Sequence[Array],
        saved: Sequence[Array],
        allocate: Allocate,
    ) -> None:
        if inputs[0].grad is not None:
            gradient = self._solved(outputs[0].grad, allocate)
            conversion_kernels(allocate.dtype, ti.f64).add_gradients(gradient, inputs[0].grad)

    def _solved(self, array: Array, allocate: Allocate) -> NDArray[Any]:
        """Solve for each item, on the host and in float64."""
        numbers = np.empty(tuple(array.shape))
        conversion_kernels(allocate.dtype, ti.f64).convert(array, numbers)
        for item in numbers:
            item[:] = self.factors.solve(item)
        return numbers
