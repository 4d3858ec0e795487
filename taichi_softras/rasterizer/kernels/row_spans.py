"""Which pixels of a face's box the face can reach: `weight_bounds` say."""

from taichi_softras.arrays.kernels.arithmetic import greater, inverse, lesser
from taichi_softras.arrays.launcher import func
from taichi_softras.backend import ti
from taichi_softras.rasterizer.kernels.face_record import RELATIVE_ROUNDING, SOLID
from taichi_softras.rasterizer.kernels.plane_geometry import (
    barycentric,
    corner_of,
    isotropic_scale,
    pixel_center,
)

BOUNDLESS = -(2.0**120)
"""Bound of barycentric coordinates that are not known to have one."""

LEAST_BOUNDED_PIXELS = 48
"""Pixels of a box from which on it pays to look which of them the face can reach."""

LEAST_GROWTH = 2.0**-40
"""Growth of a barycentric coordinate from pixel to pixel that tells nothing of columns."""

SLACK = 2.0**-6
"""Part of a pixel that a column may be off by rounding."""


@func
def weight_bounds(face: ti.template(), s, scale, border: ti.template(), dtype: ti.template()):
    """Barycentric coordinates that are passed nowhere where a face can be drawn, from above.

    For distances from an edge they are those of a line beside each edge; rounding, of these and of
    what they will be compared with, is counted in.

    Args:
        face: As `describe_face` made it.
        s: The face is drawn where its signed distance is above minus this.
        scale: `isotropic_scale` of the image.
        border: `families.Coverage.border` of the signed distance.
        dtype: Precision.

    Returns:
        One for each coordinate; `BOUNDLESS` where nothing is known.
    """
    slope1 = ti.Vector([face.slopes[0, 0], face.slopes[0, 1]])
    slope2 = ti.Vector([face.slopes[1, 0], face.slopes[1, 1]])
    steep = ti.Vector([(slope1 + slope2).norm(), slope1.norm(), slope2.norm()])
    farthest = scale.max() + ti.abs(face.corners).max()
    rounding = (steep[1] + steep[2]) * farthest * dtype(ti.static(RELATIVE_ROUNDING[dtype]))
    bounds = ti.Vector([ti.cast(BOUNDLESS, dtype)] * 3)
    if ti.static(border != "none"):
        # Where rounding is larger, not even the sign of the area is sure.
        if (face.flags & SOLID) != 0 and rounding < ti.cast(0.5, dtype):
            beyond = ti.Vector([ti.sqrt(s)] * 3)
            if ti.static(border == "edge"):
                beyond *= steep
            bounds = -(beyond + 4 * rounding) * (1 + ti.cast(2.0**-10, dtype) + rounding)
    return bounds


@func
def weight_steps(face: ti.template(), height, width, dtype: ti.template()):
    """How barycentric coordinates change from a pixel to the next: to the right, and down."""
    scale = isotropic_scale(height, width, dtype)
    step_x = 2 * scale[0] * inverse(ti.cast(width, dtype), dtype)
    step_y = 2 * scale[1] * inverse(ti.cast(height, dtype), dtype)
    right = ti.Vector([face.slopes[0, 0], face.slopes[1, 0]]) * step_x
    down = ti.Vector([face.slopes[0, 1], face.slopes[1, 1]]) * -step_y
    growth = ti.Vector([-right[0] - right[1], right[0], right[1]])
    sinking = ti.Vector([-down[0] - down[1], down[0], down[1]])
    return growth, sinking


@func
def find_spans(
    firsts: ti.template(),
    ends: ti.template(),
    face: ti.template(),
    bounds: ti.template(),
    chunk: ti.template(),
    first_row,
    lanes: ti.template(),
    dtype: ti.template(),
):
    """Find the columns that a face, which has bounds, can reach in some rows of a chunk.

    Args:
        firsts: The first column of each row, counted in the chunk, out.
        ends: The one after the last of each row, out; at most the first where there is none.
        face: As `describe_face` made it.
        bounds: Its `weight_bounds`.
        chunk: What `chunks.pixel_of` asks for, and the image's height and width.
        first_row: The first of the rows, counted in the chunk.
        lanes: How many rows.
        dtype: Precision.
    """
    row = chunk.first_row + first_row
    point = pixel_center(row, chunk.first_col, chunk.height, chunk.width, dtype)
    w = barycentric(point - corner_of(face.corners, 0), face.slopes)
    growth, sinking = weight_steps(face, chunk.height, chunk.width, dtype)
    per_growth = ti.Vector([dtype(0.0)] * 3)
    for k in ti.static(range(3)):
        if ti.abs(growth[k]) > ti.cast(LEAST_GROWTH, dtype):
            per_growth[k] = inverse(growth[k], dtype)
    cols = ti.cast(chunk.num_cols, dtype)
    for lane in range(lanes):
        first = 0 * cols
        last = cols - 1
        for k in ti.static(range(3)):
            bound = (bounds[k] - w[k] - ti.cast(lane, dtype) * sinking[k]) * per_growth[k]
            first = ti.select(per_growth[k] > 0, greater(first, bound), first)
            last = ti.select(per_growth[k] < 0, lesser(last, bound), last)
        first = lesser(first, cols) - ti.cast(SLACK, dtype)
        last = greater(last, 0 * cols - 1) + ti.cast(SLACK, dtype)
        firsts[lane] = ti.cast(ti.ceil(first), ti.i32)
        ends[lane] = ti.cast(ti.floor(last), ti.i32) + 1
