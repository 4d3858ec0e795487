"""What is asked of a face in every pixel, worked out once: its record."""

from typing import Any

from taichi_softras.arrays.kernels.arithmetic import inverse
from taichi_softras.arrays.launcher import func
from taichi_softras.backend import ti
from taichi_softras.rasterizer.kernels.plane_geometry import (
    inverse_lengths_sq,
    is_solid,
    is_turned,
    weight_slopes,
)

SOLID, SHOWN, WITHIN, SEEN = 1, 2, 4, 8
"""Flags of a face: it has an area; it is to be seen in colours, if nothing hides it; all of it is
between near and far; and once it is drawn, that it is seen in colours, in a pixel at least."""

RECORD_SIZE = 17
"""Numbers of a face: corners, depth terms, slopes, 1/lengths, and flags."""

FLAGS_COLUMN = 16
"""Where flags are among them."""

RELATIVE_ROUNDING = {ti.f32: 2.0**-20, ti.f64: 2.0**-49}
"""Error of a barycentric coordinate, relative to the products that it is a sum of: generously."""


def record_type(dtype: Any) -> Any:
    """Make the type of a face's record."""
    return ti.types.vector(RECORD_SIZE, dtype)


@func
def depth_term(depth, orthographic: ti.template(), dtype: ti.template()):
    """What is interpolated to get depths: one over the depth, or itself where rays are parallel."""
    if ti.static(orthographic):
        return depth
    else:
        return inverse(depth, dtype)


@func
def describe_face(
    corners: ti.template(),
    depths: ti.template(),
    cull,
    near,
    far,
    orthographic: ti.template(),
    dtype: ti.template(),
):
    """Work out what is asked of a face in every pixel.

    Args:
        corners: In isotropic NDC, one a row.
        depths: Of the corners.
        cull: 1 leaves back faces out of colours, -1 front faces, 0 none.
        near: Depth of the near plane.
        far: Depth of the far plane.
        orthographic: Whether rays are parallel.
        dtype: Precision.

    Returns:
        A struct of ``corners``, ``depth_terms`` (`depth_term` of each), ``slopes``
        (`weight_slopes`), ``inverse_lengths`` (`inverse_lengths_sq`) and ``flags``.
    """
    within = depths.min() >= near and depths.max() <= far
    return ti.Struct(
        corners=corners,
        depth_terms=ti.Vector([depth_term(depths[k], orthographic, dtype) for k in range(3)]),
        slopes=weight_slopes(corners, dtype),
        inverse_lengths=inverse_lengths_sq(corners, dtype),
        flags=ti.select(is_solid(corners, dtype), SOLID, 0)
        + ti.select(is_turned(corners, cull), 0, SHOWN)
        + ti.select(within, WITHIN, 0),
    )


@func
def mark_seen(records: ti.template(), b, f, face: ti.template(), dtype: ti.template()):
    """Write down that a face is seen. All threads that do so write the same."""
    if (face.flags & SEEN) == 0:
        records[b, f][FLAGS_COLUMN] = ti.cast(face.flags | SEEN, dtype)


@func
def store_face(records: ti.template(), b, f, face: ti.template(), dtype: ti.template()):
    """Write what `describe_face` made."""
    record = ti.Vector([ti.cast(0, dtype)] * RECORD_SIZE)
    for k, c in ti.static(ti.ndrange(3, 2)):
        record[2 * k + c] = face.corners[k, c]
    for k in ti.static(range(3)):
        record[6 + k] = face.depth_terms[k]
        record[13 + k] = face.inverse_lengths[k]
    for k, c in ti.static(ti.ndrange(2, 2)):
        record[9 + 2 * k + c] = face.slopes[k, c]
    record[FLAGS_COLUMN] = ti.cast(face.flags, dtype)
    records[b, f] = record


@func
def load_face(records: ti.template(), b, f):
    """Read what `describe_face` made."""
    record = records[b, f]
    return ti.Struct(
        corners=ti.Matrix([[record[2 * k + c] for c in range(2)] for k in range(3)]),
        depth_terms=ti.Vector([record[6 + k] for k in range(3)]),
        slopes=ti.Matrix([[record[9 + 2 * k + c] for c in range(2)] for k in range(2)]),
        inverse_lengths=ti.Vector([record[13 + k] for k in range(3)]),
        flags=ti.cast(record[FLAGS_COLUMN], ti.i32),
    )
