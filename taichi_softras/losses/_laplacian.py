"""The Laplacian of a mesh as an operator."""

from collections.abc import Sequence
from dataclasses import dataclass

from taichi_softras.arrays.operator import Allocate, Array, Operator
from taichi_softras.losses.kernels.laplacian import laplacian_kernels
from taichi_softras.meshes.incidence import Incidence


@dataclass(frozen=True)
class LaplacianOperator(Operator):
    """Subtracts from each vertex the weighted mean of its neighbours; 0 where there are none.

    The inputs are vertices (B, V, 3), edges (E, 2), weights (B or 1, E) and inverse_sums (B or 1,
    V), one over the sum of the weights of a vertex's edges; the last two get no gradients. The
    output is (B, V, 3).

    Attributes:
        incidence: Of the edges.
    """

    incidence: Incidence

    def forward(
        self, inputs: Sequence[Array], allocate: Allocate
    ) -> tuple[tuple[Array, ...], tuple[Array, ...]]:
        """Subtract."""
        vertices, edges, weights, inverse_sums = inputs
        starts, ends = self.incidence.lists(edges, vertices.shape[1], allocate)
        deltas = allocate(tuple(vertices.shape))
        laplacian_kernels(allocate.dtype).laplacian(
            vertices=vertices,
            edges=edges,
            weights=weights,
            inverse_sums=inverse_sums,
            starts=starts,
            ends=ends,
            deltas=deltas,
        )
        return (deltas,), ()

    def backward(
        self,
        inputs: Sequence[Array],
        outputs: Sequence[Array],
        saved: Sequence[Array],
        allocate: Allocate,
    ) -> None:
        """Multiply with the transpose."""
        vertices, edges, weights, inverse_sums = inputs
        if vertices.grad is not None:
            starts, ends = self.incidence.lists(edges, vertices.shape[1], allocate)
            laplacian_kernels(allocate.dtype).laplacian_backward(
                edges=edges,
                weights=weights,
                inverse_sums=inverse_sums,
                starts=starts,
                ends=ends,
                grad_deltas=outputs[0].grad,
                grad_vertices=vertices.grad,
            )
