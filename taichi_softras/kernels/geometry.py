"""Points, edges and triangles in the image plane, as Taichi functions.

Every function takes its precision from its arguments, so one definition serves float32
rendering and float64 gradient checks. For that to hold no literal may bring a type of its own:
Taichi gives a bare ``0.5`` the precision chosen at ``ti.init``. Integers promote to the other
operand's type, so formulas are written with integers, and the few constants that are not
integers are cast to a ``dtype`` argument. They are powers of two, exact in every type.
"""

import taichi as ti

SMALLEST_LENGTH_SQ = 2.0**-60
"""Squared length under which an edge counts as a point, in NDC units squared."""

SMALLEST_AREA = 2.0**-33
"""Twice the area under which a face has no inside, in NDC units squared."""


@ti.func
def is_finite(x):
    """Tell whether ``x`` is a finite number, also under fast math."""
    return not (ti.math.isnan(x) or ti.math.isinf(x))


@ti.func
def isotropic_scale(height, width, dtype: ti.template()):
    """Scale NDC so that a pixel is square and half of the shorter side is 1."""
    height_ = ti.cast(height, dtype)
    width_ = ti.cast(width, dtype)
    return ti.Vector([ti.max(width_ / height_, 1), ti.max(height_ / width_, 1)])


@ti.func
def pixel_center(row, col, height, width, dtype: ti.template()):
    """Locate the centre of a pixel, in isotropic NDC: x right, y up."""
    x = ti.cast(2 * col + 1, dtype) / width - 1
    y = 1 - ti.cast(2 * row + 1, dtype) / height
    return ti.Vector([x, y]) * isotropic_scale(height, width, dtype)


@ti.func
def load_corners(face_vertices: ti.template(), b, f, scale):
    """Load a face: its corners in isotropic NDC, one a row, and their depths."""
    corners = ti.Matrix(
        [
            [face_vertices[b, f, 0, 0] * scale[0], face_vertices[b, f, 0, 1] * scale[1]],
            [face_vertices[b, f, 1, 0] * scale[0], face_vertices[b, f, 1, 1] * scale[1]],
            [face_vertices[b, f, 2, 0] * scale[0], face_vertices[b, f, 2, 1] * scale[1]],
        ]
    )
    depths = ti.Vector(
        [face_vertices[b, f, 0, 2], face_vertices[b, f, 1, 2], face_vertices[b, f, 2, 2]]
    )
    return corners, depths


@ti.func
def corner_of(corners, k: ti.template()):
    """Take one row of a face's corners."""
    return ti.Vector([corners[k, 0], corners[k, 1]])


@ti.func
def cross(u, v):
    """Signed area of the parallelogram of two plane vectors."""
    return u[0] * v[1] - u[1] * v[0]


@ti.func
def double_area(corners):
    """Twice the signed area of a face: positive if its corners turn counter-clockwise."""
    a = corner_of(corners, 0)
    return cross(corner_of(corners, 1) - a, corner_of(corners, 2) - a)


@ti.func
def barycentric(point, corners, dtype: ti.template()):
    """Barycentric coordinates of ``point``: three weights that sum to 1.

    A face of less than `SMALLEST_AREA` is given that area, so that they stay finite.
    """
    smallest = ti.cast(SMALLEST_AREA, dtype)
    a = corner_of(corners, 0)
    ab = corner_of(corners, 1) - a
    ac = corner_of(corners, 2) - a
    offset = point - a
    area = cross(ab, ac)
    area = ti.select(area > 0, ti.max(area, smallest), ti.min(area, -smallest))
    w1 = cross(offset, ac) / area
    w2 = cross(ab, offset) / area
    return ti.Vector([1 - w1 - w2, w1, w2])


@ti.func
def clip_barycentric(w):
    """Force barycentric coordinates into the face: clip to [0, 1] and renormalise.

    Their sum is 1 before clipping, so that after it it is at least 1: no division by zero.
    """
    clipped = ti.min(ti.max(w, 0), 1)
    return clipped / clipped.sum()


@ti.func
def nearest_on_edge(point, start, end, dtype: ti.template()):
    """How far along the segment from ``start`` to ``end`` its point nearest to ``point`` is.

    From 0, at ``start``, to 1. It is 0 on a segment of no length.
    """
    edge = end - start
    length_sq = ti.max(edge.norm_sqr(), ti.cast(SMALLEST_LENGTH_SQ, dtype))
    return ti.min(ti.max((point - start).dot(edge) / length_sq, 0), 1)


@ti.func
def edge_distance_sq(point, start, end, dtype: ti.template()):
    """Squared distance from ``point`` to the segment from ``start`` to ``end``."""
    t = nearest_on_edge(point, start, end, dtype)
    return (point - start - t * (end - start)).norm_sqr()


@ti.func
def is_solid(corners, dtype: ti.template()):
    """Tell whether a face has an area: one that has not is all border, and has no inside."""
    return ti.abs(double_area(corners)) > ti.cast(SMALLEST_AREA, dtype)


@ti.func
def is_inside(corners, w, dtype: ti.template()):
    """Tell whether a point with `barycentric` coordinates ``w`` is inside a face."""
    return is_solid(corners, dtype) and w.min() > 0


@ti.func
def signed_distance_sq(point, corners, w, dtype: ti.template()):
    """Squared distance from ``point`` to the border of a face, negative outside it.

    Args:
        point: Where, in isotropic NDC.
        corners: The face, in isotropic NDC.
        w: `barycentric` coordinates of ``point``.
        dtype: Floating-point type of the others.

    Source:
        SoftRas, section 3.1: the sign times ``d^2(i, j)``.
    """
    a = corner_of(corners, 0)
    b = corner_of(corners, 1)
    c = corner_of(corners, 2)
    distance_sq = ti.min(
        edge_distance_sq(point, a, b, dtype),
        edge_distance_sq(point, b, c, dtype),
        edge_distance_sq(point, c, a, dtype),
    )
    return ti.select(is_inside(corners, w, dtype), distance_sq, -distance_sq)
