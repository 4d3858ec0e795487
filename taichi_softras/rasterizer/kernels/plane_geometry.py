"""Points, edges and triangles in the image plane, as Taichi functions.

They keep the precision of their arguments: see `arrays.kernels.arithmetic`.
"""

from taichi_softras.arrays.kernels.arithmetic import clamp_to_one, inverse, lesser
from taichi_softras.arrays.launcher import func
from taichi_softras.backend import ti

SMALLEST_LENGTH_SQ = 2.0**-60
"""Squared length under which an edge counts as a point, in NDC units squared."""

SMALLEST_AREA = 2.0**-33
"""Twice the area under which a face has no inside, in NDC units squared."""

LARGEST_COORDINATE = 2.0**40
"""Distance from the image, in NDC units, beyond which a corner counts as infinitely far."""


@func
def isotropic_scale(height, width, dtype: ti.template()):
    """Scale NDC so that a pixel is square and half of the shorter side is 1."""
    height_ = ti.cast(height, dtype)
    width_ = ti.cast(width, dtype)
    return ti.Vector([ti.max(width_ / height_, 1), ti.max(height_ / width_, 1)])


@func
def pixel_center(row, col, height, width, dtype: ti.template()):
    """Locate the centre of a pixel, in isotropic NDC: x right, y up."""
    # Multiplied by the inverse, which doesn't change from pixel to pixel, rather than divided.
    x = ti.cast(2 * col + 1, dtype) * inverse(ti.cast(width, dtype), dtype) - 1
    y = 1 - ti.cast(2 * row + 1, dtype) * inverse(ti.cast(height, dtype), dtype)
    return ti.Vector([x, y]) * isotropic_scale(height, width, dtype)


@func
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


@func
def corner_of(corners, k: ti.template()):
    """Take one row of a face's corners."""
    return ti.Vector([corners[k, 0], corners[k, 1]])


@func
def cross(u, v):
    """Signed area of the parallelogram of two plane vectors."""
    return u[0] * v[1] - u[1] * v[0]


@func
def double_area(corners):
    """Twice the signed area of a face: positive if its corners turn counter-clockwise."""
    a = corner_of(corners, 0)
    return cross(corner_of(corners, 1) - a, corner_of(corners, 2) - a)


@func
def is_turned(corners, cull):
    """Tell whether a face is to be culled: 1 culls back faces, -1 front faces, 0 none.

    Front faces are counter-clockwise in the image. One without area is neither, and culled too.
    """
    return cull != 0 and double_area(corners) * cull <= 0


@func
def divisible_area(corners, dtype: ti.template()):
    """`double_area` of a face, or `SMALLEST_AREA` with its sign if it is less."""
    smallest = ti.cast(SMALLEST_AREA, dtype)
    area = double_area(corners)
    return ti.select(area > 0, ti.max(area, smallest), ti.min(area, -smallest))


@func
def weight_slopes(corners, dtype: ti.template()):
    """How fast a face's second and third barycentric coordinates grow: their gradients, as rows."""
    inverse_area = inverse(divisible_area(corners, dtype), dtype)
    ab = corner_of(corners, 1) - corner_of(corners, 0)
    ac = corner_of(corners, 2) - corner_of(corners, 0)
    return ti.Matrix([[ac[1], -ac[0]], [-ab[1], ab[0]]]) * inverse_area


@func
def barycentric(start, slopes):
    """Barycentric coordinates of a point: three weights that sum to 1.

    Args:
        start: The point, relative to the face's first corner.
        slopes: `weight_slopes` of the face.
    """
    w1 = start[0] * slopes[0, 0] + start[1] * slopes[0, 1]
    w2 = start[0] * slopes[1, 0] + start[1] * slopes[1, 1]
    return ti.Vector([1 - w1 - w2, w1, w2])


@func
def is_positive(w):
    """Tell whether all three barycentric coordinates are above 0."""
    return (w[0] > 0) & (w[1] > 0) & (w[2] > 0)


@func
def clip_barycentric(w, dtype: ti.template()):
    """Force barycentric coordinates into the face: clip to [0, 1] and renormalise.

    Their sum is 1 before clipping, so that after it it is at least 1: no division by zero.

    Returns:
        The coordinates, and one over the sum that they had.
    """
    clipped = ti.Vector([clamp_to_one(w[0]), clamp_to_one(w[1]), clamp_to_one(w[2])])
    scale = inverse(clipped.sum(), dtype)
    return clipped * scale, scale


@func
def inverse_length_sq(edge, dtype: ti.template()):
    """One over the squared length of an edge; 0 of one that counts as a point: its start."""
    length_sq = edge.norm_sqr()
    smallest = ti.cast(SMALLEST_LENGTH_SQ, dtype)
    is_point = length_sq < smallest
    return ti.select(is_point, 0 * length_sq, inverse(ti.max(length_sq, smallest), dtype))


@func
def inverse_lengths_sq(corners, dtype: ti.template()):
    """`inverse_length_sq` of a face's three edges, each from a corner to the next."""
    a = corner_of(corners, 0)
    b = corner_of(corners, 1)
    c = corner_of(corners, 2)
    return ti.Vector(
        [
            inverse_length_sq(b - a, dtype),
            inverse_length_sq(c - b, dtype),
            inverse_length_sq(a - c, dtype),
        ]
    )


@func
def nearest_on_edge(offset, edge, inverse_length_sq):
    """How far along an edge its point nearest to another point is: 0 at the start, 1 at the end.

    Args:
        offset: The other point, relative to the start of the edge.
        edge: From its start to its end.
        inverse_length_sq: One over its squared length.
    """
    return clamp_to_one(offset.dot(edge) * inverse_length_sq)


@func
def is_solid(corners, dtype: ti.template()):
    """Tell whether a face has an area: one that has not is all border, and has no inside."""
    return ti.abs(double_area(corners)) > ti.cast(SMALLEST_AREA, dtype)


@func
def nearest_edge(point: ti.template(), corners: ti.template(), inverse_lengths: ti.template()):
    """Find the point of a face's border nearest to ``point``.

    Args:
        point: Where, in isotropic NDC.
        corners: The face, in isotropic NDC.
        inverse_lengths: `inverse_lengths_sq` of the face.

    Returns:
        A struct of
            distance_sq: The squared distance from it.
            offset: ``point`` relative to it.
            weights: Its weights of the three corners, of which at least one is 0.
    """
    a = corner_of(corners, 0)
    b = corner_of(corners, 1)
    c = corner_of(corners, 2)
    t_ab = nearest_on_edge(point - a, b - a, inverse_lengths[0])
    t_bc = nearest_on_edge(point - b, c - b, inverse_lengths[1])
    t_ca = nearest_on_edge(point - c, a - c, inverse_lengths[2])
    to_ab = point - a - t_ab * (b - a)
    to_bc = point - b - t_bc * (c - b)
    to_ca = point - c - t_ca * (a - c)
    distance_ab = to_ab.norm_sqr()
    distance_bc = to_bc.norm_sqr()
    distance_ca = to_ca.norm_sqr()
    zero = 0 * t_ab
    # Selected, not branched: which edge is nearest is hard to predict.
    is_bc = distance_bc < distance_ab
    is_ca = distance_ca < lesser(distance_ab, distance_bc)
    weights = ti.select(is_bc, ti.Vector([zero, 1 - t_bc, t_bc]), ti.Vector([1 - t_ab, t_ab, zero]))
    return ti.Struct(
        distance_sq=lesser(distance_ab, lesser(distance_bc, distance_ca)),
        offset=ti.select(is_ca, to_ca, ti.select(is_bc, to_bc, to_ab)),
        weights=ti.select(is_ca, ti.Vector([t_ca, zero, 1 - t_ca]), weights),
    )
