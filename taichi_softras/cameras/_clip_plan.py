"""Planning what becomes of faces at the near plane: counts, prefix sum, fill."""

from taichi_softras.arrays.operator import Allocate, Array
from taichi_softras.arrays.scan import scan_arrays
from taichi_softras.backend import ti
from taichi_softras.cameras.kernels.clipping import plan_kernels


def plan_clipping(
    face_points: Array, near: float, plane: float, allocate: Allocate
) -> tuple[Array, Array]:
    """Plan the pieces that faces are cut into, in an order that depends on nothing but the input.

    Args:
        face_points: (B, F, 3, 3), in the view frame.
        near: Depth below which a corner must not be.
        plane: Depth at which faces are cut.
        allocate: Makes arrays.

    Returns:
        The face that each piece is of, and what it is (see `cameras.kernels.clipping`),
        (B, F + E) int32, E the largest number of second parts that faces of one item leave.
    """
    kernels = plan_kernels(allocate.dtype)
    num_items, num_faces = face_points.shape[:2]
    counts = allocate((num_items * num_faces,), ti.i32, clear=False)
    chunk_sums, starts = scan_arrays(counts, allocate)
    num_slots = num_faces + kernels.lay_out(face_points, near, plane, counts, chunk_sums, starts)
    source = allocate((num_items, num_slots), ti.i32)
    pieces = allocate((num_items, num_slots), ti.i32)
    kernels.plan(face_points, near, plane, starts, source, pieces)
    return source, pieces
