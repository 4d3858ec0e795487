"""Light: one function that lights a point, and the kernels that call it on vertices and on faces.

Taichi differentiates all of it but the kernels that find out what is finite. The numbers of all
lights stand side by side in one array (B or 1, N): a kernel takes only so many arguments, and each
launch costs by the number of its arrays.
"""

import functools

from taichi_softras.arrays.kernels.arithmetic import is_workable
from taichi_softras.arrays.kernels.broadcast import copy_of
from taichi_softras.arrays.kernels.points import is_marked, point_of
from taichi_softras.arrays.launcher import kernel
from taichi_softras.backend import ti
from taichi_softras.lights.kernels.reflection import THIRD, lighting_func, shading_func
from taichi_softras.meshes.kernels.normals import corner_of_face, face_normal


@functools.cache
def shade_kernel(kinds, dtype):
    """Build the kernel that lights vertices."""
    shade_point = shading_func(kinds, dtype)
    array3 = ti.types.ndarray(dtype=dtype, ndim=3)

    @kernel(colors="item", normals="item", positions="item", numbers="row")
    def shade(
        colors: array3,  # (B or 1, V, 3), in
        normals: array3,  # (B or 1, V, 3) world, in
        positions: array3,  # (B or 1, V, 3) world, in
        numbers: ti.types.ndarray(dtype=dtype, ndim=2),  # (B or 1 or B * V, N) of the lights, in
        finite: ti.types.ndarray(dtype=ti.i32, ndim=2),  # (B, V), in
        lit: array3,  # (B, V, 3), accumulated
    ):
        """Light each vertex.

        One with a number that is not finite gets a colour that is not, so that the rasterizer
        leaves its faces out; and no gradient meets it.
        """
        for b, v in ti.ndrange(lit.shape[0], lit.shape[1]):
            color = point_of(colors, b, v)
            normal = point_of(normals, b, v)
            position = point_of(positions, b, v)
            if is_marked(finite, b, v):
                b_light = copy_of(numbers, b, lit.shape[0], v)
                result = shade_point(numbers, b_light, color, normal, position)
                for c in ti.static(range(3)):
                    lit[b, v, c] += result[c]
            else:
                for c in ti.static(range(3)):
                    lit[b, v, c] += color[c] + normal[c] + position[c]

    return shade


@functools.cache
def shade_faces_kernel(kinds, dtype):
    """Build the kernel that lights faces."""
    light_point = lighting_func(kinds, dtype)
    array4 = ti.types.ndarray(dtype=dtype, ndim=4)

    @kernel(face_colors="item", face_points="item", numbers="row")
    def shade_faces(
        face_colors: array4,  # (B or 1, F, 3, 3), in
        face_points: array4,  # (B or 1, F, 3, 3) world, in
        numbers: ti.types.ndarray(dtype=dtype, ndim=2),  # (B or 1 or B * F, N) of the lights, in
        finite: ti.types.ndarray(dtype=ti.i32, ndim=2),  # (B, F), in
        lit: array4,  # (B, F, 3, 3), accumulated
    ):
        """Light each corner by its face's normal, at the face's centroid; see `shade_kernel`."""
        for b, f in ti.ndrange(lit.shape[0], lit.shape[1]):
            p = corner_of_face(face_points, b, f, 0)
            q = corner_of_face(face_points, b, f, 1)
            r = corner_of_face(face_points, b, f, 2)
            if is_marked(finite, b, f):
                centroid = (p + q + r) * dtype(THIRD)
                b_light = copy_of(numbers, b, lit.shape[0], f)
                diffuse, highlights = light_point(
                    numbers, b_light, face_normal(p, q, r, dtype), centroid
                )
                for k in ti.static(range(3)):
                    result = corner_of_face(face_colors, b, f, k) * diffuse + highlights
                    for c in ti.static(range(3)):
                        lit[b, f, k, c] += result[c]
            else:
                for k in ti.static(range(3)):
                    result = corner_of_face(face_colors, b, f, k) + p + q + r
                    for c in ti.static(range(3)):
                        lit[b, f, k, c] += result[c]

    return shade_faces


@functools.cache
def finite_vertices_kernel(dtype):
    """Build the kernel that finds out which vertices can be lit."""
    array3 = ti.types.ndarray(dtype=dtype, ndim=3, needs_grad=False)

    @kernel
    def find_finite_vertices(
        colors: array3,  # (B or 1, V, 3), in
        normals: array3,  # (B or 1, V, 3), in
        positions: array3,  # (B or 1, V, 3), in
        finite: ti.types.ndarray(dtype=ti.i32, ndim=2),  # (B, V), out
    ):
        """Write 1 for a vertex whose numbers are all finite, and not huge, else 0."""
        for b, v in finite:
            finite[b, v] = (
                is_workable(point_of(colors, b, v), dtype)
                and is_workable(point_of(normals, b, v), dtype)
                and is_workable(point_of(positions, b, v), dtype)
            )

    return find_finite_vertices
