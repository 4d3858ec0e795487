"""The vertex stage in one launch each way: world to view to NDC, and on to the corners of faces.

It does what `to_view_kernel`, `to_ndc_kernel` and `gather` do one after the other, by the same
functions, for lenses that want no gradient and have no distortion. Its derivatives with respect to
vertices and views are by hand: the adjoints of two products with matrices, a division and a copy.
"""

import functools
from types import SimpleNamespace

from taichi_softras.arrays.kernels.arithmetic import is_workable
from taichi_softras.arrays.kernels.points import point_of
from taichi_softras.arrays.launcher import func, kernel
from taichi_softras.backend import ti
from taichi_softras.cameras.kernels.clipping import outside
from taichi_softras.cameras.kernels.projection import (
    homogeneous,
    ndc_adjoint,
    ndc_of,
    view_adjoint,
    view_of,
)
from taichi_softras.meshes.kernels.incidence import gather_row, list_of


@functools.cache
def vertex_stage_kernels(dtype, *, serial: bool) -> SimpleNamespace:
    """Build the kernels of the vertex stage, and of its derivatives.

    Args:
        dtype: Floating-point type.
        serial: Whether one thread does all: for so few vertices and faces that to wake others
            takes longer.
    """
    array3 = ti.types.ndarray(dtype=dtype, ndim=3)
    array4 = ti.types.ndarray(dtype=dtype, ndim=4)
    integers = ti.types.ndarray(dtype=ti.i32, ndim=1)
    faces_type = ti.types.ndarray(dtype=ti.i32)
    vec3 = ti.types.vector(3, dtype)

    @func
    def seen_from(view: ti.template(), b, world):
        """Take a vertex to the view frame, as `to_view_kernel` does: else it stays as it is."""
        seen = world
        if is_workable(world, dtype):
            seen = view_of(world, view, b, 1, dtype)
        return seen

    @func
    def place(vertices: ti.template(), view: ti.template(), projection: ti.template(), b, v):
        """Take a vertex to the view frame, and to NDC: 0 if it is not finite in either."""
        seen = seen_from(view, b, point_of(vertices, b, v))
        ndc = vec3(0)
        if is_workable(seen, dtype):
            ndc = ndc_of(seen, projection, b, dtype)
        return seen, ndc

    @func
    def place_all(
        vertices: ti.template(),
        view: ti.template(),
        projection: ti.template(),
        faces: ti.template(),
        depths: ti.template(),
        ndc: ti.template(),
        corners: ti.template(),
    ):
        """Place vertices and faces; count vertices outside depths, near and far, if there are any.

        Returns:
            The count, of 64 bits: see `outside`.
        """
        count = ti.cast(0, ti.i64)
        if ti.static(serial):
            ti.loop_config(serialize=True)
        for b, v in ti.ndrange(ndc.shape[0], ndc.shape[1]):
            seen, placed = place(vertices, view, projection, b, v)
            if ti.static(len(depths) > 0):
                count += outside(seen[2], depths[0], depths[1])
            for c in ti.static(range(3)):
                ndc[b, v, c] = placed[c]
        if ti.static(serial):
            ti.loop_config(serialize=True)
        for b, f in ti.ndrange(corners.shape[0], corners.shape[1]):
            gather_row(ndc, faces, b, f, corners, dtype)
        return count

    @kernel
    def place_and_count(
        vertices: array3,  # (B or 1, V, 3) world, in
        view: array3,  # (B or 1, 4, 4) world to view, in
        projection: array3,  # (B or 1, 4, 4) view to clip coordinates, in
        faces: faces_type,  # (F, 3) or (B or 1, F, 3), in
        near: dtype,
        far: dtype,
        ndc: array3,  # (B, V, 3) NDC x y, depth, scratch
        corners: array4,  # (B, F, 3, 3) likewise, of faces, out
    ) -> ti.i64:
        """Place vertices and faces, and count vertices outside near to far: see `outside`."""
        return place_all(vertices, view, projection, faces, (near, far), ndc, corners)

    @kernel
    def place_uncounted(
        vertices: array3,  # as above
        view: array3,
        projection: array3,
        faces: faces_type,
        ndc: array3,
        corners: array4,
    ):
        """Place vertices and faces, where a GPU is not to be waited for."""
        place_all(vertices, view, projection, faces, (), ndc, corners)

    @func
    def differentiate(
        vertices: ti.template(),
        view: ti.template(),
        projection: ti.template(),
        starts: ti.template(),
        slots: ti.template(),
        grad_corners: ti.template(),
        num_vertices,
        b,
        v,
    ):
        """Add up the gradients of the corners at a vertex, and take them to the view frame.

        Returns:
            The vertex in the world, and the gradient with respect to it in the view frame.
        """
        grad = vec3(0)
        i = list_of(starts, num_vertices, b, v)
        for slot in range(starts[i], starts[i + 1]):
            for c in ti.static(range(3)):
                grad[c] += grad_corners[b, slots[slot] // 3, slots[slot] % 3, c]
        world = point_of(vertices, b, v)
        seen = seen_from(view, b, world)
        by_seen = vec3(0)
        if is_workable(seen, dtype):
            by_seen = ndc_adjoint(seen, grad, projection, b, dtype)
        return world, by_seen

    @kernel
    def place_backward(
        vertices: array3,  # (B or 1, V, 3) world, in
        view: array3,  # (B or 1, 4, 4), in
        projection: array3,  # (B or 1, 4, 4), in
        starts: integers,  # (L * V + 1,) of the faces' `Incidence`, in
        slots: integers,  # (starts[-1] at least,), in
        grad_corners: array4,  # (B, F, 3, 3), in
        by_item: array3,  # (B, V, 3), scratch
        grad_vertices: array3,  # (B or 1, V, 3), accumulated
    ):
        """Add up the gradients of the corners at each vertex, and take them to the world."""
        if ti.static(serial):
            ti.loop_config(serialize=True)
        for b, v in ti.ndrange(by_item.shape[0], by_item.shape[1]):
            world, by_seen = differentiate(
                *(vertices, view, projection, starts, slots, grad_corners),
                *(by_item.shape[1], b, v),
            )
            by_world = by_seen
            if is_workable(world, dtype):
                by_world = view_adjoint(by_seen, view, b)
            for c in ti.static(range(3)):
                by_item[b, v, c] = by_world[c]
        if ti.static(serial):
            ti.loop_config(serialize=True)
        for b_vertex, v in ti.ndrange(grad_vertices.shape[0], grad_vertices.shape[1]):
            items = by_item.shape[0] // grad_vertices.shape[0]
            total = vec3(0)
            for b in range(b_vertex * items, (b_vertex + 1) * items):
                total += point_of(by_item, b, v)
            for c in ti.static(range(3)):
                grad_vertices[b_vertex, v, c] += total[c]

    @kernel
    def view_backward(
        vertices: array3,  # (B or 1, V, 3) world, in
        view: array3,  # (B or 1, 4, 4), in
        projection: array3,  # (B or 1, 4, 4), in
        starts: integers,  # (L * V + 1,) of the faces' `Incidence`, in
        slots: integers,  # (starts[-1] at least,), in
        grad_corners: array4,  # (B, F, 3, 3), in
        num_vertices: ti.i32,
        parts: array3,  # (B, P, 12) sums of every P-th vertex, scratch
        grad_view: array3,  # (B or 1, 4, 4), accumulated
    ):
        """Add up the gradients with respect to the view over vertices, in a fixed order."""
        num_parts = parts.shape[1]
        if ti.static(serial):
            ti.loop_config(serialize=True)
        for b, part in ti.ndrange(parts.shape[0], num_parts):
            total = ti.Matrix([[dtype(0.0)] * 4] * 3)
            for i in range((num_vertices - part + num_parts - 1) // num_parts):
                world, by_seen = differentiate(
                    *(vertices, view, projection, starts, slots, grad_corners),
                    *(num_vertices, b, i * num_parts + part),
                )
                if is_workable(world, dtype):
                    point = homogeneous(world, 1, dtype)
                    for c, j in ti.static(ti.ndrange(3, 4)):
                        total[c, j] += by_seen[c] * point[j]
            for c, j in ti.static(ti.ndrange(3, 4)):
                parts[b, part, 4 * c + j] = total[c, j]
        if ti.static(serial):
            ti.loop_config(serialize=True)
        for b_view, k in ti.ndrange(grad_view.shape[0], 12):
            items = parts.shape[0] // grad_view.shape[0]
            total = dtype(0.0)
            for b in range(b_view * items, (b_view + 1) * items):
                for part in range(num_parts):
                    total += parts[b, part, k]
            grad_view[b_view, k // 4, k % 4] += total

    return SimpleNamespace(
        place_and_count=place_and_count,
        place_uncounted=place_uncounted,
        place_backward=place_backward,
        view_backward=view_backward,
    )
