"""How smooth a mesh is: its vertices, its faces, its edges and its colours."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from typing import Literal

from taichi_softras.arrays.calls import apply, apply_kernel
from taichi_softras.arrays.checks import check_arrays
from taichi_softras.arrays.conversion import as_item
from taichi_softras.arrays.operator import Allocate, Array, Operator
from taichi_softras.arrays.options import check_choice, check_number
from taichi_softras.losses._laplacian import LaplacianOperator
from taichi_softras.losses.kernels.mesh_losses import (
    color_difference_kernel,
    cotangent_kernel,
    edge_length_kernel,
    fold_kernel,
    norm_kernel,
)
from taichi_softras.losses.sums import Reduction, check_reduction, mean_items, sum_items
from taichi_softras.losses.topology import MeshTopology
from taichi_softras.meshes.incidence import Incidence

LaplacianWeights = Literal["uniform", "cotangent"]
"""How much a neighbour counts in a Laplacian: all alike, or by the angles opposite the edge."""


def laplacian_loss(
    vertices: Array,
    topology: MeshTopology,
    *,
    weights: LaplacianWeights = "uniform",
    reduction: Reduction = "mean",
) -> Array:
    """Measure how far vertices are from the mean of their neighbours.

    Cotangent weights, cot α + cot β of the angles opposite an edge, make the Laplacian that of the
    surface, whatever the shape of its faces: it is 0 for a flat mesh. They are computed from
    ``vertices`` and held constant: no gradient flows through them, as in PyTorch3D. An edge whose
    weight would be negative gets 0, and an angle of less than about 0.06 degrees counts as that, so
    that slivers and faces without area do no harm.

    Args:
        vertices: (B, V, 3), or (V, 3) of one mesh.
        topology: Of the same mesh.
        weights: ``"uniform"`` or ``"cotangent"``.
        reduction: ``"mean"`` of the items, or ``"none"``.

    Returns:
        (1,), or (B,): squared lengths of the Laplacian, summed over vertices.

    Raises:
        TypeError: If an array is of the wrong kind or type.
        ValueError: If a shape doesn't fit, or ``weights`` or ``reduction`` is none of the above.

    Source:
        SoftRas, section 4.1, the Laplacian loss; ``LaplacianLoss(average=True)`` in its code.
        Desbrun et al., Implicit fairing of irregular meshes, 1999, for the cotangents.

    Examples:
        >>> import taichi_softras as sr
        >>> vertices, faces, _ = sr.icosphere(1, radius=1.0).to_taichi()
        >>> topology = sr.mesh_topology(faces, vertices)
        >>> round(float(sr.laplacian_loss(vertices, topology)[0]), 3)
        1.209
    """
    check_choice("weights", weights, ("uniform", "cotangent"))
    vertices = _check(vertices, topology, reduction)
    if weights == "uniform":
        operator = LaplacianOperator(topology.incidences["edges"])
        weighted = (topology.edge_weights, topology.inverse_degrees)
        (deltas,) = apply(operator, (vertices, topology.edges, *weighted))
    else:
        neighbours = (topology.faces, topology.face_edges, topology.edges)
        deltas = apply(_CotangentLaplacian(topology.incidences), (vertices, *neighbours))[0]
    squares = apply_kernel(norm_kernel, (deltas,), tuple(vertices.shape[:2]))
    return sum_items(squares, 1, reduction)


def flattening_loss(
    vertices: Array, topology: MeshTopology, *, reduction: Reduction = "mean"
) -> Array:
    """Measure how faces fold over their common edges.

    Args:
        vertices: (B, V, 3), or (V, 3) of one mesh.
        topology: Of the same mesh.
        reduction: ``"mean"`` of the items, or ``"none"``.

    Returns:
        (1,), or (B,): (1 - cos θ)², θ the angle between the normals of
        two faces, summed over edges. Edges of faces without area count as flat.

    Raises:
        TypeError: If an array is of the wrong kind or type.
        ValueError: If a shape doesn't fit, or ``reduction`` is neither of the two.

    Source:
        SoftRas, section 4.1, the flattening loss; its code, ``FlattenLoss``, leaves out edges.

    Examples:
        >>> import taichi_softras as sr
        >>> vertices, faces, _ = sr.icosphere(1, radius=1.0).to_taichi()
        >>> topology = sr.mesh_topology(faces, vertices)
        >>> round(float(sr.flattening_loss(vertices, topology)[0]), 3)
        0.49
    """
    vertices = _check(vertices, topology, reduction)
    return sum_items(_folds(vertices, topology, squared=True), 1, reduction)


def normal_consistency_loss(
    vertices: Array, topology: MeshTopology, *, reduction: Reduction = "mean"
) -> Array:
    """Measure how much the normals of adjacent faces differ.

    Args:
        vertices: (B, V, 3), or (V, 3) of one mesh.
        topology: Of the same mesh.
        reduction: ``"mean"`` of the items, or ``"none"``.

    Returns:
        (1,), or (B,): 1 - cos θ, θ the angle between the normals of two
        faces at an edge, averaged over all such pairs; 0 to 2. Pairs in which a face has no area
        count as flat.

    Raises:
        TypeError: If an array is of the wrong kind or type.
        ValueError: If a shape doesn't fit, or ``reduction`` is neither of the two.

    Source:
        PyTorch3D, ``mesh_normal_consistency``.

    Examples:
        >>> import taichi_softras as sr
        >>> vertices, faces, _ = sr.icosphere(1, radius=1.0).to_taichi()
        >>> topology = sr.mesh_topology(faces, vertices)
        >>> round(float(sr.normal_consistency_loss(vertices, topology)[0]), 3)
        0.062
    """
    vertices = _check(vertices, topology, reduction)
    return mean_items(_folds(vertices, topology, squared=False), reduction)


def edge_length_loss(
    vertices: Array,
    topology: MeshTopology,
    target_length: float = 0.0,
    *,
    reduction: Reduction = "mean",
) -> Array:
    """Measure how far the lengths of edges are from one length.

    Args:
        vertices: (B, V, 3), or (V, 3) of one mesh.
        topology: Of the same mesh.
        target_length: The length that edges should have, in the units of the vertices; at least 0.
        reduction: ``"mean"`` of the items, or ``"none"``.

    Returns:
        (1,), or (B,): squared differences of lengths, averaged over edges. An edge without length
        counts, but has no gradient, as it has no direction.

    Raises:
        TypeError: If an array is of the wrong kind or type, or ``target_length`` no number.
        ValueError: If a shape doesn't fit, ``target_length`` is negative or not finite, or
            ``reduction`` is neither of the two.

    Source:
        PyTorch3D, ``mesh_edge_loss``.

    Examples:
        >>> import taichi_softras as sr
        >>> vertices, faces, _ = sr.icosphere(1, radius=1.0).to_taichi()
        >>> topology = sr.mesh_topology(faces, vertices)
        >>> round(float(sr.edge_length_loss(vertices, topology)[0]), 3)
        0.34
    """
    target_length = check_number("target_length", target_length)
    if target_length < 0:
        raise ValueError(f"target_length must be at least 0, got {target_length}")
    vertices = _check(vertices, topology, reduction)
    shape = (vertices.shape[0], topology.edges.shape[0])
    ends = topology.gather("edges", vertices)
    errors = apply_kernel(edge_length_kernel, (ends,), shape, constants=(target_length,))
    return mean_items(errors, reduction)


def color_laplacian_loss(
    face_colors: Array, topology: MeshTopology, *, reduction: Reduction = "mean"
) -> Array:
    """Measure how much the colours of adjacent faces differ.

    Args:
        face_colors: (B, F, C), one colour per face, or any other numbers.
        topology: Of the mesh that has these faces.
        reduction: ``"mean"`` of the items, or ``"none"``.

    Returns:
        (1,), or (B,): squared differences of the colours of two faces at an edge, summed over
        channels, averaged over all such pairs.

    Raises:
        TypeError: If an array is of the wrong kind or type.
        ValueError: If a shape doesn't fit, or ``reduction`` is neither of the two.

    Examples:
        >>> import numpy as np, taichi_softras as sr
        >>> vertices, faces, _ = sr.plane().to_taichi()  # two faces
        >>> face_colors = sr.from_numpy(np.float32([[[1, 0, 0], [0, 0, 0]]]))
        >>> topology = sr.mesh_topology(faces, vertices)
        >>> sr.color_laplacian_loss(face_colors, topology).to_numpy()
        array([1.], dtype=float32)
    """
    check_reduction(reduction)
    check_arrays(face_colors=(face_colors, f"(B, {topology.faces.shape[0]}, C)"))
    shape = (face_colors.shape[0], topology.face_pairs.shape[0])
    pair_colors = topology.gather("face_pairs", face_colors)
    return mean_items(apply_kernel(color_difference_kernel, (pair_colors,), shape), reduction)


def _check(vertices: Array, topology: MeshTopology, reduction: Reduction) -> Array:
    """Check what losses of vertices take, and give those of one mesh the dimension of items."""
    check_reduction(reduction)
    vertices = as_item(vertices, 3)
    check_arrays(
        vertices=(vertices, "(B, V, 3)"), inverse_degrees=(topology.inverse_degrees, "(1, V)")
    )
    return vertices


def _folds(vertices: Array, topology: MeshTopology, *, squared: bool) -> Array:
    shape = (vertices.shape[0], topology.hinges.shape[0])
    corners = topology.gather("hinges", vertices)
    return apply_kernel(partial(fold_kernel, squared=squared), (corners,), shape)


@dataclass(frozen=True)
class _CotangentLaplacian(Operator):
    """The Laplacian of vertices, given the faces, the edges opposite corners, and the edges.

    Its weights are found in the forward pass, and are constants in the backward pass.
    """

    incidences: dict[str, Incidence]

    def forward(
        self, inputs: Sequence[Array], allocate: Allocate
    ) -> tuple[tuple[Array, ...], tuple[Array, ...]]:
        vertices, faces, face_edges, edges = inputs
        num_items, num_vertices, _ = vertices.shape
        weights = allocate((num_items, edges.shape[0]))
        inverse_sums = allocate((num_items, num_vertices))
        of_edges, of_vertices = self.incidences["face_edges"], self.incidences["edges"]
        side_starts, sides = of_edges.lists(face_edges, edges.shape[0], allocate)
        end_starts, ends = of_vertices.lists(edges, num_vertices, allocate)
        cotangent_kernel(allocate.dtype)(
            vertices=vertices,
            faces=faces,
            side_starts=side_starts,
            sides=sides,
            end_starts=end_starts,
            ends=ends,
            weights=weights,
            inverse_sums=inverse_sums,
        )
        inputs = (vertices, edges, weights, inverse_sums)
        outputs, _ = self._laplacian.forward(inputs, allocate)
        return outputs, (weights, inverse_sums)

    def backward(
        self,
        inputs: Sequence[Array],
        outputs: Sequence[Array],
        saved: Sequence[Array],
        allocate: Allocate,
    ) -> None:
        vertices, _, _, edges = inputs
        self._laplacian.backward((vertices, edges, *saved), outputs, (), allocate)

    @property
    def _laplacian(self) -> LaplacianOperator:
        return LaplacianOperator(self.incidences["edges"])
