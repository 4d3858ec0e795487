"""Faces into voxels. Not differentiable; exact up to rounding, in float64 whatever came."""

import functools

from taichi_softras.arrays.launcher import func, kernel
from taichi_softras.backend import ti

ROUNDING = 2.0**-48
"""How far rounding may put a triangle from a voxel that it touches, relative to its distance."""

SMALLEST_SINE = 2.0**-20
"""Sine of the angle under which a face is too thin for its normal to be relied on."""


@func
def is_apart(axis, a, b, c, slack):
    """Tell whether a triangle and the voxel round the origin are apart along an axis.

    They are not if they touch. Whatever the axis, this is never so of two that do.
    """
    p = axis.dot(a)
    q = axis.dot(b)
    r = axis.dot(c)
    # A voxel of side 1 reaches so far from its centre; and a little more, for the rounding.
    reach = (ti.abs(axis[0]) + ti.abs(axis[1]) + ti.abs(axis[2])) * slack
    return ti.min(p, q, r) > reach or ti.max(p, q, r) < -reach


@func
def touches_voxel(center, corner_a, corner_b, corner_c):
    """Tell whether a triangle and a voxel of side 1 have a point in common.

    Source:
        Akenine-Möller, Fast 3D triangle-box overlap testing, 2001: two convex bodies are apart if
        they are along a normal of the one or the other, or a product of their edges.
    """
    a = corner_a - center
    b = corner_b - center
    c = corner_c - center
    distance = ti.max(ti.abs(a), ti.abs(b), ti.abs(c)).max()
    slack = ti.cast(0.5, ti.f64) + distance * ti.cast(ROUNDING, ti.f64)
    apart = is_apart((b - a).cross(c - a), a, b, c, slack)
    for k in ti.static(range(3)):
        side = ti.Vector.unit(3, k, ti.f64)
        apart = (
            apart
            or is_apart(side, a, b, c, slack)
            or is_apart(side.cross(b - a), a, b, c, slack)
            or is_apart(side.cross(c - b), a, b, c, slack)
            or is_apart(side.cross(a - c), a, b, c, slack)
        )
    return not apart


@func
def first_voxel(low, resolution):
    """Index of the first voxel that touches what begins at ``low``, within the grid."""
    return ti.cast(ti.min(ti.max(ti.ceil(low) - 1, 0), resolution), ti.i32)


@func
def end_voxel(high, resolution):
    """One more than the index of the last voxel that touches what ends at ``high``."""
    return ti.cast(ti.min(ti.max(ti.floor(high) + 1, 0), resolution), ti.i32)


@func
def load_corners(vertices: ti.template(), faces: ti.template(), f, turn):
    """Load a face's corners, with their coordinates turned round by so many places."""
    x = turn % 3
    y = (turn + 1) % 3
    z = (turn + 2) % 3
    i = faces[f, 0]
    j = faces[f, 1]
    k = faces[f, 2]
    a = ti.Vector([vertices[i, x], vertices[i, y], vertices[i, z]])
    b = ti.Vector([vertices[j, x], vertices[j, y], vertices[j, z]])
    c = ti.Vector([vertices[k, x], vertices[k, y], vertices[k, z]])
    return a, b, c


@functools.cache
def surface_kernel():
    """Build the kernel that marks the voxels that faces touch."""

    @kernel
    def mark_surface(
        vertices: ti.types.ndarray(dtype=ti.f64, ndim=2),  # (V, 3) in voxels, in
        faces: ti.types.ndarray(dtype=ti.i32, ndim=2),  # (F, 3), in
        voxels: ti.types.ndarray(dtype=ti.u8, ndim=3),  # (R, R, R), out
    ):
        """Write 1 to each voxel that has a point in common with a face."""
        for f in range(faces.shape[0]):
            resolution = voxels.shape[0]
            a, b, c = load_corners(vertices, faces, f, 0)
            size = ti.abs((b - a).cross(c - a))
            # Coordinates are turned round so that the third is that in which the face is a
            # function of the others: a column of voxels then meets its plane in few.
            turn = 0
            if size[0] >= size[1] and size[0] >= size[2]:
                turn = 1
            elif size[1] >= size[2]:
                turn = 2
            a, b, c = load_corners(vertices, faces, f, turn)
            normal = (b - a).cross(c - a)
            longest = ti.max((b - a).norm(), (c - b).norm(), (a - c).norm())
            is_thin = ti.abs(normal[2]) <= longest * longest * ti.cast(SMALLEST_SINE, ti.f64)
            half = ti.cast(0.5, ti.f64)
            low = ti.min(a, b, c)
            high = ti.max(a, b, c)
            for i in range(first_voxel(low[0], resolution), end_voxel(high[0], resolution)):
                for j in range(first_voxel(low[1], resolution), end_voxel(high[1], resolution)):
                    near = low[2]
                    far = high[2]
                    if not is_thin:
                        # The plane over the middle of the column; to its sides it rises or falls
                        # by 1 at most. One more is to spare: the exact test refuses the rest.
                        slope_x = -normal[0] / normal[2]
                        slope_y = -normal[1] / normal[2]
                        middle = a[2] + slope_x * (i + half - a[0]) + slope_y * (j + half - a[1])
                        near = ti.max(near, middle - 2)
                        far = ti.min(far, middle + 2)
                    for k in range(first_voxel(near, resolution), end_voxel(far, resolution)):
                        center = ti.Vector([i, j, k]) + half
                        if touches_voxel(center, a, b, c):
                            if turn == 0:
                                voxels[i, j, k] = ti.cast(1, ti.u8)
                            elif turn == 1:
                                voxels[k, i, j] = ti.cast(1, ti.u8)
                            else:
                                voxels[j, k, i] = ti.cast(1, ti.u8)

    return mark_surface
