"""Cutting faces at the near plane, in the view frame.

What becomes of each face is planned first, by kernels on integers. An output face is a *piece* of
one input face: a number that says which of its corners are the input's own, and which are cut. The
kernels that make corners add to outputs that start as zeros, and are differentiated by Taichi.
"""

import functools
from types import SimpleNamespace

from taichi_softras.arrays.kernels.arithmetic import is_finite
from taichi_softras.arrays.kernels.scan import scan
from taichi_softras.arrays.launcher import func, kernel
from taichi_softras.backend import ti

WHOLE = 0
"""Piece: the face as it is."""

NOTHING = 1
"""Piece: no face; its corners stay zero, in the plane of the camera, where no face is drawn."""

ONE_IN_FRONT = 2
"""First of three pieces: the tip at corner 0, 1 or 2, which alone is in front of the plane."""

ONE_BEHIND = 5
"""First of three pieces: of the quadrilateral that remains where corner 0, 1 or 2 alone is behind,
the triangle with both whole corners and the cut of the edge between the second and the one behind.
"""

SECOND_PART = 8
"""First of three pieces: the rest of that quadrilateral, with its first whole corner and both cuts.
"""


@func
def is_touched(points: ti.template(), b, f, near):
    """Tell whether a face is finite and has a corner nearer than the near plane."""
    finite = True
    nearest = points[b, f, 0, 2]
    for k, c in ti.static(ti.ndrange(3, 3)):
        finite = finite and is_finite(points[b, f, k, c])
    for k in ti.static(range(1, 3)):
        nearest = ti.min(nearest, points[b, f, k, 2])
    return finite and nearest < near


@func
def first_piece(points: ti.template(), b, f, near, plane):
    """Find what takes a face's own place."""
    piece = WHOLE
    if is_touched(points, b, f, near):
        num_in_front = 0
        in_front = 0  # the sum of the numbers of such corners
        for k in ti.static(range(3)):
            if points[b, f, k, 2] >= plane:
                num_in_front += 1
                in_front += k
        if num_in_front == 0:
            piece = NOTHING
        elif num_in_front == 1:
            piece = ONE_IN_FRONT + in_front
        elif num_in_front == 2:
            piece = ONE_BEHIND + 3 - in_front
    return piece


@func
def is_one_behind(piece):
    """Tell whether a piece has a second part."""
    return piece >= ONE_BEHIND and piece < SECOND_PART


@func
def cut_ends(piece, k):
    """Find the edge of the input face on which corner ``k`` of a piece is.

    Returns:
        The edge's end in front of the plane, and the one behind; twice ``k`` where the corner is
        the input's own. Own corners keep their places in a face, and its winding is kept.
    """
    front = k
    behind = k
    if piece >= SECOND_PART:
        c = piece - SECOND_PART
        if k == c:
            front = (c + 1) % 3
        elif k == (c + 2) % 3:
            behind = c
    elif piece >= ONE_BEHIND:
        c = piece - ONE_BEHIND
        if k == c:
            front = (c + 2) % 3
    elif piece >= ONE_IN_FRONT:
        front = piece - ONE_IN_FRONT
    return ti.Vector([front, behind])


@functools.cache
def plan_kernels(dtype) -> SimpleNamespace:
    """Build the kernels that plan what becomes of each face."""
    points_type = ti.types.ndarray(dtype=dtype, ndim=4)
    int_list = ti.types.ndarray(dtype=ti.i32, ndim=1)

    @kernel
    def count_touched(
        face_points: points_type,  # (B, F, 3, 3) view, in
        near: dtype,
    ) -> ti.i32:
        """Count the faces that clipping changes."""
        result = 0
        for b, f in ti.ndrange(face_points.shape[0], face_points.shape[1]):
            if is_touched(face_points, b, f, near):
                result += 1
        return result

    @kernel
    def lay_out(
        face_points: points_type,  # (B, F, 3, 3) view, in
        near: dtype,
        plane: dtype,
        counts: int_list,  # (B * F,), scratch
        chunk_sums: ti.types.ndarray(dtype=ti.i64, ndim=1),  # (chunks,), scratch
        starts: int_list,  # (B * F + 1,), out
    ) -> ti.i32:
        """Count the faces before each that leave a quadrilateral; return the most of any item."""
        for b, f in ti.ndrange(face_points.shape[0], face_points.shape[1]):
            piece = first_piece(face_points, b, f, near, plane)
            counts[b * face_points.shape[1] + f] = is_one_behind(piece)
        scan(counts, chunk_sums, starts)
        result = 0
        for b in range(face_points.shape[0]):
            num_faces = face_points.shape[1]
            ti.atomic_max(result, starts[(b + 1) * num_faces] - starts[b * num_faces])
        return result

    @kernel
    def plan(
        face_points: points_type,  # (B, F, 3, 3) view, in
        near: dtype,
        plane: dtype,
        starts: int_list,  # (B * F + 1,), in
        source: ti.types.ndarray(dtype=ti.i32, ndim=2),  # (B, F + E), out; starts as zeros
        pieces: ti.types.ndarray(dtype=ti.i32, ndim=2),  # (B, F + E), out
    ):
        """Write what each output face is made of."""
        for b, f in ti.ndrange(face_points.shape[0], face_points.shape[1]):
            source[b, f] = f
            pieces[b, f] = first_piece(face_points, b, f, near, plane)
        for b, e in ti.ndrange(source.shape[0], source.shape[1] - face_points.shape[1]):
            pieces[b, face_points.shape[1] + e] = NOTHING
        for b, f in ti.ndrange(face_points.shape[0], face_points.shape[1]):
            num_faces = face_points.shape[1]
            if is_one_behind(pieces[b, f]):
                j = num_faces + starts[b * num_faces + f] - starts[b * num_faces]
                source[b, j] = f
                pieces[b, j] = pieces[b, f] - ONE_BEHIND + SECOND_PART

    return SimpleNamespace(count_touched=count_touched, lay_out=lay_out, plan=plan)


@func
def outside(depth, near, far):
    """Count a depth nearer than ``near``; and in the upper 32 bits one farther than ``far``.

    One number, because to return it is what a GPU is waited for.
    """
    result = ti.cast(0, ti.i64)
    if depth < near:
        result += ti.cast(1, ti.i64)
    if depth > far:
        result += ti.cast(1, ti.i64) << 32
    return result


@functools.cache
def outside_kernel(dtype):
    """Build the kernel that counts points before the near plane, and points beyond the far one."""

    @kernel
    def count_outside(
        points: ti.types.ndarray(dtype=dtype, ndim=3, needs_grad=False),  # (B, V, 3) view, in
        near: dtype,
        far: dtype,
    ) -> ti.i64:
        """Count points nearer than ``near``, and those farther than ``far``: see `outside`."""
        result = ti.cast(0, ti.i64)
        for b, v in ti.ndrange(points.shape[0], points.shape[1]):
            result += outside(points[b, v, 2], near, far)
        return result

    return count_outside


@functools.cache
def clip_kernel(dtype):
    """Build the kernel that makes the corners of pieces of faces."""
    array4 = ti.types.ndarray(dtype=dtype, ndim=4)
    int_array = ti.types.ndarray(dtype=ti.i32, ndim=2)

    @kernel
    def clip(
        face_points: array4,  # (B, F, 3, 3) view, in
        source: int_array,  # (B, F + E), in
        pieces: int_array,  # (B, F + E), in
        plane: dtype,
        points: array4,  # (B, F + E, 3, 3) view, accumulated
        weights: array4,  # (B, F + E, 3, 3) of the source's corners, accumulated
    ):
        """Copy corners, or cut edges: the depth of a cut is that of the plane, exactly."""
        for b, j, k in ti.ndrange(points.shape[0], points.shape[1], 3):
            f = source[b, j]
            ends = cut_ends(pieces[b, j], k)
            front = ends[0]
            behind = ends[1]
            if pieces[b, j] != NOTHING:
                if front == behind:
                    weights[b, j, k, k] += 1
                    for c in ti.static(range(3)):
                        points[b, j, k, c] += face_points[b, f, k, c]
                else:
                    front_z = face_points[b, f, front, 2]
                    t = (front_z - plane) / (front_z - face_points[b, f, behind, 2])
                    weights[b, j, k, front] += 1 - t
                    weights[b, j, k, behind] += t
                    for c in ti.static(range(2)):
                        points[b, j, k, c] += (1 - t) * face_points[b, f, front, c]
                        points[b, j, k, c] += t * face_points[b, f, behind, c]
                    points[b, j, k, 2] += plane

    return clip


@functools.cache
def finite_faces_kernel(dtype):
    """Build the kernel that finds out which faces have finite attributes."""

    @kernel
    def find_finite_faces(
        attributes: ti.types.ndarray(dtype=dtype, ndim=4, needs_grad=False),  # (B, F, 3, K), in
        finite: ti.types.ndarray(dtype=ti.i32, ndim=2),  # (B, F), out
    ):
        """Write 1 for a face whose attributes are all finite, else 0."""
        for b, f in finite:
            all_finite = True
            for c in range(attributes.shape[3]):
                for k in ti.static(range(3)):
                    all_finite = all_finite and is_finite(attributes[b, f, k, c])
            finite[b, f] = all_finite

    return find_finite_faces


@functools.cache
def clip_attributes_kernel(dtype):
    """Build the kernel that gives pieces of faces what their corners have."""
    array4 = ti.types.ndarray(dtype=dtype, ndim=4)

    @kernel(attributes="item")
    def clip_attributes(
        attributes: array4,  # (B or 1, F, 3, K), in
        source: ti.types.ndarray(dtype=ti.i32, ndim=2),  # (B, F + E), in
        weights: array4,  # (B, F + E, 3, 3) of the source's corners, in
        finite: ti.types.ndarray(dtype=ti.i32, ndim=2),  # (B or 1, F), in
        clipped: array4,  # (B, F + E, 3, K), accumulated
    ):
        """Mix the corners' attributes; those of a face with one that is not finite stay."""
        for b, j, k, c in ti.ndrange(
            clipped.shape[0], clipped.shape[1], clipped.shape[2], clipped.shape[3]
        ):
            f = source[b, j]
            b_source = ti.min(b, attributes.shape[0] - 1)
            if finite[ti.min(b, finite.shape[0] - 1), f] != 0:
                for m in ti.static(range(3)):
                    clipped[b, j, k, c] += weights[b, j, k, m] * attributes[b_source, f, m, c]
            else:
                clipped[b, j, k, c] += attributes[b_source, f, k, c]

    return clip_attributes
