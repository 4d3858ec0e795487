"""How far sets of points, and surfaces, are from each other."""

from __future__ import annotations

from functools import partial
from typing import Any

import numpy as np
import scipy
from numpy.typing import ArrayLike, NDArray

from taichi_softras.arrays.bridge import array_like, is_tensor, namespace_of, to_numpy
from taichi_softras.arrays.calls import apply, apply_kernel
from taichi_softras.arrays.checks import check_arrays, face_indices
from taichi_softras.arrays.conversion import as_item
from taichi_softras.arrays.operator import Array, Faces, count_items
from taichi_softras.arrays.options import check_integer
from taichi_softras.arrays.sparse import SparseMatrix
from taichi_softras.backend import ti
from taichi_softras.losses.kernels.mesh_losses import point_distance_kernel
from taichi_softras.losses.sums import (
    Reduction,
    add_losses,
    check_reduction,
    mean_items,
)
from taichi_softras.meshes.incidence import GatherOperator

LARGEST_SEED = 2**62
"""Seeds that are drawn are below it."""


def chamfer_distance(
    points: Array,
    others: Array,
    *,
    squared: bool = True,
    two_sided: bool = True,
    reduction: Reduction = "mean",
) -> Array:
    """Average the distances from each point to the nearest of another set, and the other way round.

    Which point is the nearest is found on the host, and held constant: gradients flow through the
    distances, to both sets. If several are equally near, one of them is taken.

    Args:
        points: (B or 1, N, 3), or (N, 3).
        others: (B or 1, M, 3), or (M, 3), of the same type.
        squared: Whether distances are squared. If not, two points in one place give no gradient.
        two_sided: Whether the mean over ``others`` of their distances from ``points`` is added to
            the mean over ``points`` of their distances from ``others``.
        reduction: ``"mean"`` of the items, or ``"none"``.

    Returns:
        (1,), or (B,), in the units of the points or their square. Two empty sets agree.

    Raises:
        TypeError: If an array is of the wrong kind or type.
        ValueError: If a shape doesn't fit, a point is not finite, only one set is empty, or
            ``reduction`` is neither of the two.

    Source:
        As PyTorch3D's ``chamfer_distance`` weighs it: the sum of two means.

    Examples:
        >>> import numpy as np, taichi_softras as sr
        >>> points = sr.from_numpy(np.float32([[[0, 0, 0], [1, 0, 0]]]))
        >>> others = sr.from_numpy(np.float32([[[0, 0, 0.5]]]))
        >>> sr.chamfer_distance(points, others).to_numpy()  # (0.25 + 1.25) / 2 + 0.25
        array([1.], dtype=float32)
    """
    check_reduction(reduction)
    points, others = as_item(points, 3), as_item(others, 3)
    check_arrays(points=(points, "(B or 1, N, 3)"), others=(others, "(B or 1, M, 3)"))
    if (points.shape[1] == 0) != (others.shape[1] == 0):
        raise ValueError(
            "points and others must both have points, or neither, "
            f"got {points.shape[1]} and {others.shape[1]}"
        )
    places = {"points": to_numpy(points), "others": to_numpy(others)}
    for name, array in places.items():
        if not np.isfinite(array).all():
            raise ValueError(f"{name} must be finite, got {int((~np.isfinite(array)).sum())} not")
    sides = [(points, others, *places.values())]
    if two_sided:
        sides.append((others, points, places["others"], places["points"]))
    kernel = partial(point_distance_kernel, squared=squared)
    losses = []
    for these, those, places_of_these, places_of_those in sides:
        indices = _nearest(places_of_these, places_of_those)
        nearest = array_like(indices[..., None], these, dtype=ti.i32)  # rows of one corner each
        (found,) = apply(GatherOperator(len(indices)), (those, nearest))
        distances = apply_kernel(kernel, (these, found), indices.shape)
        losses.append(mean_items(distances, reduction))
    return add_losses(losses)


def sample_surface(
    vertices: Array, faces: ArrayLike | Faces, num_points: int, *, seed: int | None = None
) -> Array:
    """Choose points on a mesh at random, uniformly by area.

    The face and the place in it are chosen on the host, and held constant: gradients flow from the
    points to the vertices.

    Args:
        vertices: (B, V, 3).
        faces: (F, 3) integers, of NumPy, PyTorch or Taichi.
        num_points: How many, N.
        seed: Of the random numbers; the same seed and mesh give the same points. None gives fresh
            ones in every call: of tensors, from PyTorch's generator, which ``torch.manual_seed``
            sets.

    Returns:
        (B, N, 3).

    Raises:
        TypeError: If an array is of the wrong kind or type, or a number no integer.
        ValueError: If a shape doesn't fit, an index is out of range, a vertex of a face is not
            finite, or points are wanted of a mesh without area.

    Examples:
        >>> import taichi_softras as sr
        >>> vertices, faces, _ = sr.cube().to_taichi()
        >>> points = sr.sample_surface(vertices, faces, 100, seed=0)
        >>> points.shape, float(abs(points.to_numpy()).max())
        ((1, 100, 3), 0.5)
    """
    check_arrays(vertices=(vertices, "(B, V, 3)"))
    num_points = check_integer("num_points", num_points, at_least=0)
    seed = _draw_seed(vertices) if seed is None else check_integer("seed", seed, at_least=0)
    num_items, num_vertices, _ = vertices.shape
    indices = face_indices(faces, num_vertices=num_vertices)
    rng = np.random.default_rng(seed)
    shape = (num_items, 3 * num_points)
    columns, weights = np.zeros(shape, np.int32), np.zeros(shape)
    for item, corners in enumerate(to_numpy(vertices).astype(np.float64)[:, indices]):
        chosen = _choose_faces(corners, num_points, rng)
        # The square root makes the first coordinate as dense as the face is wide there.
        u, v = np.sqrt(rng.random(num_points)), rng.random(num_points)
        columns[item] = indices[chosen].reshape(-1)
        weights[item] = np.column_stack([1 - u, u * (1 - v), u * v]).reshape(-1)
    rows = np.repeat(np.arange(num_points), 3)[None]
    matrix = SparseMatrix(
        rows=array_like(rows, vertices, dtype=ti.i32),
        columns=array_like(columns, vertices, dtype=ti.i32),
        weights=array_like(weights, vertices),
        num_rows=num_points,
        num_columns=num_vertices,
    )
    return matrix @ vertices


def mesh_chamfer_distance(
    vertices: Array,
    faces: ArrayLike | Faces,
    other_vertices: Array,
    other_faces: ArrayLike | Faces,
    num_points: int = 5000,
    *,
    seed: int | None = 0,
    squared: bool = True,
    two_sided: bool = True,
    reduction: Reduction = "mean",
) -> Array:
    """Measure how far two surfaces are from each other: `chamfer_distance` of points on them.

    The points are those of `sample_surface`: each surface has its own, drawn from ``seed``. Two
    equal meshes have the same ones, and the distance 0; of others the distance falls to that of
    the surfaces as ``num_points`` grows.

    Args:
        vertices: (B or 1, V, 3).
        faces: (F, 3) integers, of NumPy, PyTorch or Taichi.
        other_vertices: (B or 1, W, 3), of the same type.
        other_faces: (G, 3) integers, of NumPy, PyTorch or Taichi.
        num_points: How many on each surface.
        seed: Of the random numbers. None gives fresh points in every call: as part of a loss that
            is descended, so that no part of a surface is left out for long.
        squared: Whether distances are squared.
        two_sided: Whether the other surface's distances from the first count too.
        reduction: ``"mean"`` of the items, or ``"none"``.

    Returns:
        (1,), or (B,), in the units of the vertices or their square.

    Raises:
        TypeError: As `sample_surface` and `chamfer_distance` do.
        ValueError: As these two do.

    Examples:
        >>> import taichi_softras as sr
        >>> vertices, faces, _ = sr.cube().to_taichi()
        >>> sr.mesh_chamfer_distance(vertices, faces, vertices, faces, 100).to_numpy()
        array([0.], dtype=float32)
    """
    seed = _draw_seed(vertices) if seed is None else seed
    return chamfer_distance(
        sample_surface(vertices, faces, num_points, seed=seed),
        sample_surface(other_vertices, other_faces, num_points, seed=seed),
        squared=squared,
        two_sided=two_sided,
        reduction=reduction,
    )


def _draw_seed(like: Array) -> int:
    """Draw a seed: beside tensors from PyTorch's generator, else from the system's randomness."""
    if is_tensor(like):
        return int(namespace_of(like).randint(LARGEST_SEED, (), device="cpu"))
    return int(np.random.default_rng().integers(LARGEST_SEED))


def _nearest(points: NDArray[Any], others: NDArray[Any]) -> NDArray[Any]:
    """Find the index of the other point that is nearest to each point: (B, N)."""
    num_items = count_items((len(points), len(others)))
    nearest = np.zeros((num_items, points.shape[1]), np.int32)
    if others.shape[1] == 0:
        return nearest
    trees = [scipy.spatial.cKDTree(item) for item in others]
    for item in range(num_items):
        _, nearest[item] = trees[min(item, len(trees) - 1)].query(
            points[min(item, len(points) - 1)]
        )
    return nearest


def _choose_faces(corners: NDArray[Any], num_points: int, rng: np.random.Generator) -> NDArray[Any]:
    """Draw faces (F, 3, 3) by their areas: (N,) indices."""
    a, b, c = corners.swapaxes(0, 1)
    areas = np.linalg.norm(np.cross(b - a, c - a), axis=1)
    ends = np.cumsum(areas)
    total = ends[-1] if len(ends) else 0.0
    if not np.isfinite(total):
        raise ValueError("vertices must be finite and of moderate size, got an area that is not")
    if num_points and total == 0:
        raise ValueError("faces must have area for points to be on them, got none that has")
    # Drawn below the last end, even after rounding, and never on a face without area.
    chosen = np.searchsorted(ends, rng.random(num_points) * total, side="right")
    last = int(np.searchsorted(ends, total))
    kept: NDArray[Any] = np.minimum(chosen, last)
    return kept
