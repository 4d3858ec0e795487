"""The vertex stage: world to view to NDC, and normals.

Every kernel here adds to outputs that start as zeros, and is differentiated by Taichi, but for
`finite_kernel`. Vertices that are not finite take no part: in the view frame they stay as they are,
in NDC they are zero, at the depth of the camera itself, so that the rasterizer leaves their faces
out, and no gradient meets a NaN.

Where a kernel says "points" they are vertices, (B, V, 3), or corners of faces, (B, F, 3, 3), whose
corner ``k`` of face ``f`` is point ``3 f + k``. Arrays that all points of an item share may hold
one copy for each point: see `arrays.broadcast`.
"""

import functools

from taichi_softras.arrays.kernels.broadcast import copy_of
from taichi_softras.arrays.kernels.points import add_to_point, is_marked, point_of
from taichi_softras.arrays.launcher import func, kernel
from taichi_softras.backend import ti

SMALLEST_DEPTH = 2.0**-40
"""Depth under which a corner counts as in the plane of the camera."""

SMALLEST_W = 2.0**-40
"""Homogeneous coordinate under which a vertex counts as in the plane of the camera."""


@func
def row_dot(matrix: ti.template(), b, row, point):
    """Multiply a row of a 4 x 4 matrix with a homogeneous point."""
    b_matrix = ti.min(b, matrix.shape[0] - 1)
    return (
        matrix[b_matrix, row, 0] * point[0]
        + matrix[b_matrix, row, 1] * point[1]
        + matrix[b_matrix, row, 2] * point[2]
        + matrix[b_matrix, row, 3] * point[3]
    )


@func
def homogeneous(vector, w: ti.template(), dtype: ti.template()):
    """Append what a 4 x 4 matrix multiplies with its translation: 1 to points, 0 to directions."""
    return ti.Vector([vector[0], vector[1], vector[2], ti.cast(w, dtype)])


@func
def view_of(vector, view: ti.template(), b_view, w: ti.template(), dtype: ti.template()):
    """Take a point, or a direction if w is 0, from the world to the view frame."""
    point = homogeneous(vector, w, dtype)
    return ti.Vector([row_dot(view, b_view, c, point) for c in range(3)])


@func
def view_adjoint(grad, view: ti.template(), b_view):
    """Take the gradient of what `view_of` gives to one of the point or direction."""
    b = ti.min(b_view, view.shape[0] - 1)
    return ti.Vector(
        [
            grad[0] * view[b, 0, j] + grad[1] * view[b, 1, j] + grad[2] * view[b, 2, j]
            for j in range(3)
        ]
    )


@func
def ndc_of(point, projection: ti.template(), b_lens, dtype: ti.template()):
    """Project a point in the view frame: x and y are divided by w, the third stays the depth.

    The third row of the projection, from the view frame to clip coordinates, is not used. Where w
    is 0 the point is in the plane of the camera, or the projection is none. Its depth is 0, for the
    face not to be drawn, and nothing is divided by 0.
    """
    seen = homogeneous(point, 1, dtype)
    w = row_dot(projection, b_lens, 3, seen)
    smallest = ti.cast(SMALLEST_W, dtype)
    is_shown = ti.abs(w) >= smallest
    w = ti.select(is_shown, w, smallest)
    x = row_dot(projection, b_lens, 0, seen) / w
    y = row_dot(projection, b_lens, 1, seen) / w
    return ti.Vector([x, y, ti.select(is_shown, seen[2], 0)])


@func
def ndc_adjoint(point, grad, projection: ti.template(), b_lens, dtype: ti.template()):
    """Take the gradient of what `ndc_of` gives to one of the point."""
    seen = homogeneous(point, 1, dtype)
    w = row_dot(projection, b_lens, 3, seen)
    smallest = ti.cast(SMALLEST_W, dtype)
    is_shown = ti.abs(w) >= smallest
    w = ti.select(is_shown, w, smallest)
    grad_x = grad[0] / w
    grad_y = grad[1] / w
    x = row_dot(projection, b_lens, 0, seen) / w
    y = row_dot(projection, b_lens, 1, seen) / w
    grad_w = ti.select(is_shown, -(grad_x * x + grad_y * y), 0)
    b = ti.min(b_lens, projection.shape[0] - 1)
    result = ti.Vector(
        [
            grad_x * projection[b, 0, j]
            + grad_y * projection[b, 1, j]
            + grad_w * projection[b, 3, j]
            for j in range(3)
        ]
    )
    result[2] += ti.select(is_shown, grad[2], 0)
    return result


@functools.cache
def to_view_kernel(dtype, w=1):
    """Build the kernel that takes vertices, or directions if w is 0, to the view frame."""
    array3 = ti.types.ndarray(dtype=dtype, ndim=3)

    @kernel(vertices="item", view="row")
    def to_view(
        vertices: array3,  # (B or 1, V, 3) world, in
        view: array3,  # (B or 1 or B * V, 4, 4) world to view, in; its last row is not used
        finite: ti.types.ndarray(dtype=ti.i32, ndim=2),  # (B or 1, V), in
        points: array3,  # (B, V, 3) view, accumulated
    ):
        """Move vertices; one that is not finite stays as it is, for what follows to see."""
        for b, v in ti.ndrange(points.shape[0], points.shape[1]):
            world = point_of(vertices, b, v)
            if is_marked(finite, b, v):
                b_view = copy_of(view, b, points.shape[0], v)
                add_to_point(points, b, v, view_of(world, view, b_view, w, dtype))
            else:
                add_to_point(points, b, v, world)

    return to_view


@functools.cache
def to_ndc_kernel(dtype):
    """Build the kernel that takes points from the view frame to NDC."""
    points_type = ti.types.ndarray(dtype=dtype)

    @kernel(points="item", projection="row")
    def to_ndc(
        points: points_type,  # (B or 1, V, 3) or (B or 1, F, 3, 3) view, in
        projection: ti.types.ndarray(dtype=dtype, ndim=3),  # (B or 1 or B * points, 4, 4), in
        finite: ti.types.ndarray(dtype=ti.i32, ndim=2),  # (B or 1, V) or (B or 1, F * 3), in
        num_points: ti.i32,
        ndc: points_type,  # (B, V, 3) or (B, F, 3, 3) NDC x y, depth, accumulated
    ):
        """Project points; those that are not finite become 0."""
        for b, v in ti.ndrange(ndc.shape[0], num_points):
            if is_marked(finite, b, v):
                b_lens = copy_of(projection, b, ndc.shape[0], v)
                add_to_point(ndc, b, v, ndc_of(point_of(points, b, v), projection, b_lens, dtype))

    return to_ndc
