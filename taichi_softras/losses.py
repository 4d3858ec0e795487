"""Losses: how far images are from what they should be, and how smooth a mesh is.

Every loss is an array of one number, differentiable like everything else here.
"""

from dataclasses import dataclass

import numpy as np
import taichi as ti

from taichi_softras.bridges import apply, array_like, dtype_of
from taichi_softras.checks import check_array, check_sizes
from taichi_softras.kernels.losses import (
    flattening_kernel,
    iou_kernel,
    laplacian_kernel,
    norm_kernel,
    overlap_kernel,
    row_sum_kernel,
    scaled_sum_kernel,
    squared_error_kernel,
    weighted_kernel,
)
from taichi_softras.operators import Array, KernelOperator, Shape
from taichi_softras.runtime import LAUNCH_LOCK


def silhouette_loss(alpha: Array, target: Array) -> Array:
    r"""Measure how far silhouettes are from their targets: one minus intersection over union.

    The mean over images of :math:`1 - \sum_i a_i t_i / \sum_i (a_i + t_i - a_i t_i)`. Two empty
    silhouettes agree.

    Args:
        alpha: (B, H, W), 0 to 1.
        target: (B or 1, H, W), 0 to 1.

    Returns:
        (1,), 0 to 1.

    Raises:
        TypeError: If an array is of the wrong kind or type.
        ValueError: If a shape doesn't fit.

    Source:
        SoftRas, section 4.1, the loss of silhouettes.
    """
    check_array("alpha", alpha, ("B", "H", "W"))
    check_array("target", target, ("B or 1", *alpha.shape[1:]), dtype_of(alpha))
    check_sizes("target", target, alpha.shape)
    num_items, height, _ = alpha.shape
    rows = _apply(overlap_kernel, (num_items, height, 2), alpha, target)
    sums = _apply(row_sum_kernel, (num_items, 2), rows)
    return _apply(iou_kernel, (1,), sums)


def image_loss(image: Array, target: Array) -> Array:
    """Average the squared differences of images, over all pixels and channels.

    Args:
        image: (B, H, W, C).
        target: (B or 1, H, W, C).

    Returns:
        (1,), at least 0.

    Raises:
        TypeError: If an array is of the wrong kind or type.
        ValueError: If a shape doesn't fit.
    """
    check_array("image", image, ("B", "H", "W", "C"))
    check_array("target", target, ("B or 1", *image.shape[1:]), dtype_of(image))
    check_sizes("target", target, image.shape)
    num_items, height, width, channels = image.shape
    rows = _apply(squared_error_kernel, (num_items, height, 1), image, target)
    sums = _apply(row_sum_kernel, (num_items, 1), rows)
    return _scaled_sum(sums, 1 / max(num_items * height * width * channels, 1))


@dataclass(frozen=True, eq=False)
class MeshTopology:
    """Which vertices and faces of a mesh are neighbours. Made by `mesh_topology`.

    Attributes:
        edges: (E, 2) int32, every edge once.
        inverse_degrees: (V,), one over the number of neighbours; 0 for a vertex without any.
        hinges: (K, 4) int32: the two vertices of an edge between two faces, then the corners
            opposite it in the one face and the other. The edge runs in the first face's order.
    """

    edges: Array
    inverse_degrees: Array
    hinges: Array


def mesh_topology(faces: np.ndarray, like: Array) -> MeshTopology:
    """Find a mesh's edges, and the pairs of faces that meet at them.

    Open meshes and vertices without faces are fine. Where more than two faces meet at an edge,
    each is paired with the next.

    Args:
        faces: (F, 3) integers.
        like: The vertices (B, V, 3), whose framework, device and type the result has.

    Raises:
        ValueError: If the shape is another, or an index is out of range.
    """
    check_array("like", like, ("B", "V", 3))
    num_vertices = like.shape[1]
    faces = np.asarray(faces)
    if faces.ndim != 2 or faces.shape[1] != 3 or not np.issubdtype(faces.dtype, np.integer):
        raise ValueError(f"faces must be integers of shape (F, 3), got {faces.dtype} {faces.shape}")
    if faces.size and not 0 <= faces.min() <= faces.max() < num_vertices:
        raise ValueError(
            f"faces must have indices from 0 to {num_vertices - 1}, "
            f"got {faces.min()} to {faces.max()}"
        )
    sides = np.concatenate([faces[:, [0, 1, 2]], faces[:, [1, 2, 0]], faces[:, [2, 0, 1]]])
    sides = sides[sides[:, 0] != sides[:, 1]]
    ends = np.sort(sides[:, :2], axis=1)
    order = np.lexsort((ends[:, 1], ends[:, 0]))
    sides, ends = sides[order], ends[order]
    shared = (ends[1:] == ends[:-1]).all(axis=1)
    hinges = np.concatenate([sides[:-1][shared], sides[1:][shared][:, 2:]], axis=1)
    edges = ends[np.concatenate([[True], ~shared])] if len(ends) else ends
    degrees = np.bincount(edges.ravel(), minlength=num_vertices)
    return MeshTopology(
        edges=array_like(edges, like, dtype=ti.i32),
        inverse_degrees=array_like(np.where(degrees > 0, 1 / np.maximum(degrees, 1), 0), like),
        hinges=array_like(hinges, like, dtype=ti.i32),
    )


def laplacian_loss(vertices: Array, topology: MeshTopology) -> Array:
    """Measure how far vertices are from the mean of their neighbours.

    Args:
        vertices: (B, V, 3).
        topology: Of the same mesh.

    Returns:
        (1,): squared lengths of the uniform Laplacian, summed over vertices, averaged over B.

    Raises:
        TypeError: If an array is of the wrong kind or type.
        ValueError: If a shape doesn't fit.

    Source:
        SoftRas, section 4.1, the Laplacian loss; ``LaplacianLoss(average=True)`` in its code.
    """
    check_array("vertices", vertices, ("B", "V", 3))
    check_array(
        "inverse_degrees", topology.inverse_degrees, (vertices.shape[1],), dtype_of(vertices)
    )
    neighbours = (topology.edges, topology.inverse_degrees)
    deltas = _apply(laplacian_kernel, tuple(vertices.shape), vertices, *neighbours)
    squares = _apply(norm_kernel, tuple(vertices.shape[:2]), deltas)
    return _scaled_sum(squares, 1 / max(vertices.shape[0], 1))


def flattening_loss(vertices: Array, topology: MeshTopology) -> Array:
    r"""Measure how faces fold over their common edges.

    Args:
        vertices: (B, V, 3).
        topology: Of the same mesh.

    Returns:
        (1,): :math:`(1 - \cos\theta)^2`, :math:`\theta` the angle between the normals of two
        faces, summed over edges, averaged over B. Faces without area have no say.

    Raises:
        TypeError: If an array is of the wrong kind or type.
        ValueError: If a shape doesn't fit.

    Source:
        SoftRas, section 4.1, the flattening loss; its code, ``FlattenLoss``, leaves out edges.
    """
    check_array("vertices", vertices, ("B", "V", 3))
    check_array(
        "inverse_degrees", topology.inverse_degrees, (vertices.shape[1],), dtype_of(vertices)
    )
    shape = (vertices.shape[0], topology.hinges.shape[0])
    folds = _apply(flattening_kernel, shape, vertices, topology.hinges)
    return _scaled_sum(folds, 1 / max(vertices.shape[0], 1))


def add_to_loss(loss: ti.Ndarray, term: ti.Ndarray, weight: float = 1.0) -> None:
    """Add a term to the loss of a ``ti.ad.Tape``: ``loss += weight * term``, recorded.

    For Taichi programs: a tape's loss is made before it is entered. In PyTorch, write the sum.

    Args:
        loss: (1,), the loss that the tape was given.
        term: (1,), what one of the functions here returned.
        weight: How much the term counts.

    Raises:
        TypeError: If an array is no ``ti.ndarray``, or of another type.
        ValueError: If a shape doesn't fit.
    """
    for name, array in (("loss", loss), ("term", term)):
        if not isinstance(array, ti.Ndarray):
            raise TypeError(f"{name} must be a ti.ndarray, got {type(array).__name__}")
        check_array(name, array, (1,), dtype_of(loss))
    with LAUNCH_LOCK:
        weighted_kernel(dtype_of(loss))(term, weight, loss)


def _apply(kernel_factory: object, shape: Shape, *inputs: Array) -> Array:
    """Run a kernel of the inputs' type that has one output."""
    dtype = dtype_of(inputs[0])
    kernel = kernel_factory(dtype)  # type: ignore[operator]
    return apply(KernelOperator(kernel, dtype, (shape,)), inputs)[0]


def _scaled_sum(values: Array, scale: float) -> Array:
    dtype = dtype_of(values)
    return apply(KernelOperator(scaled_sum_kernel(dtype), dtype, ((1,),), (scale,)), (values,))[0]
