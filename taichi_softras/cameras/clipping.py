"""Clipping at the near plane: the parts of faces that are in front of it.

The rasterizer leaves out a face with a corner that is not in front of the camera, as its projection
means nothing. If the face is first cut at the near plane, in the view frame, the part in front of
it can be drawn.
"""

from __future__ import annotations

from dataclasses import dataclass

from taichi_softras.arrays.bridge import dtype_of, run
from taichi_softras.arrays.calls import KernelOperator, apply, apply_kernel
from taichi_softras.arrays.checks import check_arrays
from taichi_softras.arrays.operator import Array
from taichi_softras.arrays.options import check_positive
from taichi_softras.arrays.reprs import short_repr
from taichi_softras.cameras._clip_plan import plan_clipping
from taichi_softras.cameras.kernels.clipping import (
    clip_attributes_kernel,
    clip_kernel,
    finite_faces_kernel,
    outside_kernel,
    plan_kernels,
)

PLANE_MARGIN = 2.0**-16
"""How far beyond the near plane faces are cut, relative to its depth.

The rasterizer leaves out what is nearer than the near plane. Cut corners are a little beyond it, so
that rounding, even to float32, does not put them before it.
"""


@dataclass(frozen=True)
class ClippedFaces:
    """Faces after clipping: E more than before, the most that any item needs.

    Attributes:
        points: Corners in the view frame, (B, F + E, 3, 3). The first F places are those of the
            given faces; the others have the second parts of faces that were cut into two. The
            corners of an empty place are 0, in the plane of the camera, where nothing is drawn.
        num_faces: F, how many faces were given.
        source: The face that each is part of, (B, F + E) int32; 0 in the empty places at the end.
            None if no face was changed: ``points`` is then the very array that was given.
        weights: Barycentric coordinates of the corners (third dimension) in the source face (the
            last one), (B, F + E, 3, 3); 0 in empty places. None if no face was changed.
    """

    points: Array
    num_faces: int
    source: Array | None = None
    weights: Array | None = None

    __repr__ = short_repr


def clip_faces(face_points: Array, near: float) -> ClippedFaces:
    """Cut faces off at the near plane.

    A face with a corner nearer than ``near`` becomes one triangle if one of its corners is left,
    two triangles if two are, and empty if none is. All other faces stay as they are, in their
    places; so do those with a corner that is not finite, which the rasterizer leaves out. Winding
    is kept, and so are the places in the face of corners that are left.

    If there is no such face, which is found out by one launch of a kernel, nothing is copied.

    Args:
        face_points: (B, F, 3, 3), corners in the view frame: x right, y up, z forward.
        near: Depth of the near plane, above 0. Cuts are a little beyond it, at
            ``near * (1 + 2^-16)``, so that the rasterizer does not leave them out for rounding.

    Returns:
        The faces, and what `clip_attributes` needs. Gradients flow through the points and the
        weights to ``face_points``.

    Raises:
        TypeError: If the array is of the wrong kind or type, or ``near`` no number.
        ValueError: If its shape doesn't fit, or ``near`` is not above 0.

    Source:
        Sutherland and Hodgman, "Reentrant polygon clipping", CACM 1974, for one plane.

    Examples:
        >>> import numpy as np, taichi_softras as sr
        >>> face_points = sr.from_numpy(np.float32([[[[0, 0, 0.5], [1, 0, 2], [0, 1, 2]]]]))
        >>> clipped = sr.clip_faces(face_points, near=1.0)  # one corner is nearer: two parts
        >>> clipped.points.shape, round(float(clipped.points.to_numpy()[..., 2].min()), 3)
        ((1, 2, 3, 3), 1.0)
    """
    if count_clipped(face_points, near) == 0:
        return ClippedFaces(face_points, face_points.shape[1])
    return cut_faces(face_points, near)


def cut_faces(face_points: Array, near: float) -> ClippedFaces:
    """Do as `clip_faces`, whether or not there is a face to change; arguments are not checked."""
    plane = near * (1 + PLANE_MARGIN)
    source, pieces = run(
        lambda inputs, allocate: plan_clipping(inputs[0], near, plane, allocate), (face_points,)
    )
    shape = (*source.shape, 3, 3)
    operator = KernelOperator(clip_kernel, (shape, shape), (plane,))
    points, weights = apply(operator, (face_points, source, pieces))
    return ClippedFaces(points, face_points.shape[1], source, weights)


def clip_attributes(attributes: Array, clipped: ClippedFaces) -> Array:
    """Interpolate attributes of corners, in 3D, to the corners of faces that were clipped.

    Args:
        attributes: (B or 1, F, 3, K), of the corners before clipping: colours, say.
        clipped: The result of `clip_faces`.

    Returns:
        (B, F + E, 3, K); or ``attributes`` themselves, if no face was changed. A face with an
        attribute that is not finite keeps its own, and the rasterizer leaves it out. Gradients
        flow to the attributes, and through the weights to the points.

    Raises:
        TypeError: If the array is of the wrong kind or type.
        ValueError: If its shape does not fit.

    Examples:
        >>> import numpy as np, taichi_softras as sr
        >>> face_points = sr.from_numpy(np.float32([[[[0, 0, 0.5], [1, 0, 2], [0, 1, 2]]]]))
        >>> clipped = sr.clip_faces(face_points, near=1.0)
        >>> colors = sr.from_numpy(np.float32([[[[1, 0, 0], [0, 1, 0], [0, 0, 1]]]]))
        >>> sr.clip_attributes(colors, clipped).shape
        (1, 2, 3, 3)
    """
    num_items, num_faces = clipped.points.shape[0], clipped.num_faces
    wanted = f"({num_items} or 1, {num_faces}, 3, K)"
    check_arrays(clipped.points, attributes=(attributes, wanted))
    if clipped.source is None:
        return attributes
    shape = (*clipped.source.shape, *attributes.shape[2:])
    return apply_kernel(
        clip_attributes_kernel,
        (attributes, clipped.source, clipped.weights),
        shape,
        num_rows=num_faces,
        mask=finite_faces_kernel,
    )


def count_clipped(face_points: Array, near: float) -> int:
    """Count the faces that `clip_faces` would change: those with a corner nearer than ``near``.

    Faces wholly behind are among them, those with a corner that is not finite are not. It takes
    one launch of a kernel, and on a GPU waits for it.

    Args:
        face_points: (B, F, 3, 3), corners in the view frame.
        near: Depth of the near plane, above 0.

    Raises:
        TypeError: If the array is of the wrong kind or type, or ``near`` no number.
        ValueError: If its shape doesn't fit, or ``near`` is not above 0.

    Examples:
        >>> import numpy as np, taichi_softras as sr
        >>> face_points = sr.from_numpy(np.float32([[[[0, 0, 0.5], [1, 0, 2], [0, 1, 2]]]]))
        >>> sr.count_clipped(face_points, near=1.0), sr.count_clipped(face_points, near=0.1)
        (1, 0)
    """
    check_arrays(face_points=(face_points, "(B, F, 3, 3)"))
    near = check_positive("near", near)
    if 0 in face_points.shape:
        return 0
    kernel = plan_kernels(dtype_of(face_points)).count_touched
    count: int = run(lambda inputs, _: kernel(*inputs, near), (face_points,))
    return count


def count_outside(points: Array, near: float, far: float) -> tuple[int, int]:
    """Count points nearer than the near plane, and points farther than the far plane.

    If none is nearer, `clip_faces` has nothing to do. It takes one launch of a kernel, and on a
    GPU waits for it.

    Args:
        points: (B, V, 3), vertices in the view frame.
        near: Depth of the near plane.
        far: Depth of the far plane.

    Raises:
        TypeError: If the array is of the wrong kind or type.
        ValueError: If its shape doesn't fit.
    """
    check_arrays(points=(points, "(B, V, 3)"))
    if 0 in points.shape:
        return 0, 0
    kernel = outside_kernel(dtype_of(points))
    counts: int = run(lambda inputs, _: kernel(*inputs, near, far), (points,))
    return split_counts(counts)


def split_counts(counts: int) -> tuple[int, int]:
    """Take apart what kernels count of points that are nearer, and of points that are farther."""
    return counts % 2**32, counts // 2**32
