"""Normals of faces and vertices, as differentiable kernels."""

import functools
from types import SimpleNamespace

from taichi_softras.arrays.kernels.arithmetic import is_workable
from taichi_softras.arrays.kernels.points import is_marked, point_of, unit, unit_adjoint
from taichi_softras.arrays.launcher import func, kernel
from taichi_softras.backend import ti
from taichi_softras.meshes.kernels.incidence import face_vertices, list_of

SMALLEST_SINE = 2.0**-40
"""Area over that of a square as long as the edges, under which there is none: it is rounding."""


@func
def face_normal(p, q, r, dtype: ti.template()):
    """Normal of a face, twice its area long: outward if it is counter-clockwise from outside.

    It is 0 if the face has no area, for the length of its edges.
    """
    left = q - p
    right = r - p
    normal = left.cross(right)
    smallest = dtype(SMALLEST_SINE) * (left.norm_sqr() + right.norm_sqr())
    return ti.select(ti.abs(normal).max() > smallest, 1, 0) * normal


@functools.cache
def normal_kernels(dtype) -> SimpleNamespace:
    """Build the kernels that find the normals of vertices, and differentiate that by hand."""
    array3 = ti.types.ndarray(dtype=dtype, ndim=3)
    integers = ti.types.ndarray(dtype=ti.i32, ndim=1)
    faces_type = ti.types.ndarray(dtype=ti.i32)
    mask = ti.types.ndarray(dtype=ti.i32, ndim=2)
    vec3 = ti.types.vector(3, dtype)

    @kernel
    def find_normals(
        vertices: array3,  # (B or 1, V, 3) world, in
        faces: faces_type,  # (F, 3) or (B or 1, F, 3), in
        starts: integers,  # (L * V + 1,), in
        corners: integers,  # (starts[-1] at least,), in
        finite: mask,  # (B or 1, V), which vertices are, out
        sums: array3,  # (B, V, 3), the sums of normals, twice their faces' area long, out
        normals: array3,  # (B, V, 3), the same of length 1, or 0, out
    ):
        """Add the normals of the faces at each vertex, and scale the sum to length 1."""
        for b, v in finite:
            finite[b, v] = is_workable(point_of(vertices, b, v), dtype)
        for b, v in ti.ndrange(sums.shape[0], sums.shape[1]):
            total = vec3(0)
            longest = dtype(0.0)
            i = list_of(starts, sums.shape[1], b, v)
            for slot in range(starts[i], starts[i + 1]):
                ijk, counts = face_vertices(faces, finite, b, corners[slot] // 3)
                if counts:
                    p = point_of(vertices, b, ijk[0])
                    q = point_of(vertices, b, ijk[1])
                    r = point_of(vertices, b, ijk[2])
                    normal = face_normal(p, q, r, dtype)
                    total += normal
                    longest = ti.max(longest, ti.abs(normal).max())
            # Normals that cancel leave rounding, which has no direction, and so no gradient.
            if ti.abs(total).max() <= dtype(SMALLEST_SINE) * longest:
                total = vec3(0)
            result = unit(total, dtype(0.0), dtype)
            for c in ti.static(range(3)):
                sums[b, v, c] = total[c]
                normals[b, v, c] = result[c]

    @kernel
    def find_normals_backward(
        vertices: array3,  # (B or 1, V, 3) world, in
        faces: faces_type,  # (F, 3) or (B or 1, F, 3), in
        starts: integers,  # (L * V + 1,), in
        corners: integers,  # (starts[-1] at least,), in
        finite: mask,  # (B or 1, V), in
        sums: array3,  # (B, V, 3), in
        grad_normals: array3,  # (B, V, 3), in
        grad_sums: array3,  # (B, V, 3), scratch
        grad_vertices: array3,  # (B or 1, V, 3), accumulated
    ):
        """Add gradients with respect to the vertices: of n = (q - p) x (r - p), dn = dp x (q - r).

        So the derivative of g . n with respect to p is (q - r) x g, where g is the sum of the
        gradients of the normals at the face's three corners.
        """
        for b, v in ti.ndrange(sums.shape[0], sums.shape[1]):
            grad = unit_adjoint(
                point_of(sums, b, v), point_of(grad_normals, b, v), dtype(0.0), dtype
            )
            for c in ti.static(range(3)):
                grad_sums[b, v, c] = grad[c]
        for b_vertex, v in ti.ndrange(grad_vertices.shape[0], grad_vertices.shape[1]):
            items = grad_sums.shape[0] // grad_vertices.shape[0]
            total = vec3(0)
            for b in range(b_vertex * items, (b_vertex + 1) * items):
                i = list_of(starts, grad_vertices.shape[1], b, v)
                for slot in range(starts[i], starts[i + 1]):
                    ijk, counts = face_vertices(faces, finite, b, corners[slot] // 3)
                    if counts:
                        g = vec3(0)
                        for k in ti.static(range(3)):
                            g += point_of(grad_sums, b, ijk[k])
                        q = point_of(vertices, b, ijk[ti.cast((corners[slot] + 1) % 3, ti.i32)])
                        r = point_of(vertices, b, ijk[ti.cast((corners[slot] + 2) % 3, ti.i32)])
                        total += (q - r).cross(g)
            for c in ti.static(range(3)):
                grad_vertices[b_vertex, v, c] += total[c]

    return SimpleNamespace(find=find_normals, differentiate=find_normals_backward)


@functools.cache
def face_normal_kernel(dtype):
    """Build the kernel that finds the normals of faces."""

    @kernel
    def face_normals(
        face_points: ti.types.ndarray(dtype=dtype, ndim=4),  # (B, F, 3, 3) world, in
        finite: ti.types.ndarray(dtype=ti.i32, ndim=2),  # (B, F), in
        normals: ti.types.ndarray(dtype=dtype, ndim=3),  # (B, F, 3), accumulated
    ):
        """Find the normal, of length 1; 0 for faces without area or that are not finite."""
        for b, f in ti.ndrange(normals.shape[0], normals.shape[1]):
            if is_marked(finite, b, f):
                p = corner_of_face(face_points, b, f, 0)
                q = corner_of_face(face_points, b, f, 1)
                r = corner_of_face(face_points, b, f, 2)
                result = unit(face_normal(p, q, r, dtype), dtype(0.0), dtype)
                for c in ti.static(range(3)):
                    normals[b, f, c] += result[c]

    return face_normals


@func
def corner_of_face(corners: ti.template(), b, f, k):
    """Load three numbers of a face's corner, of item ``b`` or of the one item that serves all."""
    b_corner = ti.min(b, corners.shape[0] - 1)
    return ti.Vector([corners[b_corner, f, k, c] for c in range(3)])


@functools.cache
def finite_faces_kernel(dtype):
    """Build the kernel that finds out which faces can be lit."""
    array4 = ti.types.ndarray(dtype=dtype, ndim=4, needs_grad=False)

    @kernel
    def find_finite_faces(
        face_colors: array4,  # (B or 1, F, 3, 3), in
        face_points: array4,  # (B or 1, F, 3, 3), in
        finite: ti.types.ndarray(dtype=ti.i32, ndim=2),  # (B, F), out
    ):
        """Write 1 for a face whose numbers are all finite, and not huge, else 0."""
        for b, f in finite:
            all_finite = 1
            for k in ti.static(range(3)):
                if not is_workable(corner_of_face(face_colors, b, f, k), dtype):
                    all_finite = 0
                if not is_workable(corner_of_face(face_points, b, f, k), dtype):
                    all_finite = 0
            finite[b, f] = all_finite

    return find_finite_faces
