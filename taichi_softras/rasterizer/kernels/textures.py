"""The colour of a face at a point: a sum over a few *taps*, numbers read with weights.

A tap is an index into the second and third dimension of an array of colours: a corner of the face
(vertex colours), a texel of its grid (surface textures) or of its image map (UV textures). What
decides which, and how they weigh, is interpolated over the face from `varyings`, numbers at its
corners.
"""

from taichi_softras.arrays.launcher import func
from taichi_softras.backend import ti

LARGEST_TEXEL = 2.0**24
"""Texture coordinate, in texels, beyond which maps are not resolved: positions still fit an int."""

ROUNDING = 2.0**-12
"""Part of a texel by which a point may be off."""


@func
def varying_at(varyings: ti.template(), b, f, column, weights):
    """Interpolate one of the numbers at a face's corners, which items and faces may share."""
    b_ = ti.min(b, varyings.shape[0] - 1)
    f_ = ti.min(f, varyings.shape[1] - 1)
    return (
        weights[0] * varyings[b_, f_, 0, column]
        + weights[1] * varyings[b_, f_, 1, column]
        + weights[2] * varyings[b_, f_, 2, column]
    )


@func
def load_corner_numbers(
    values: ti.template(), b, f, first, columns: ti.template(), dtype: ti.template()
):
    """Load some numbers at a face's corners, which items and faces may share: one corner a row."""
    b_ = ti.min(b, values.shape[0] - 1)
    f_ = ti.min(f, values.shape[1] - 1)
    numbers = ti.Matrix([[dtype(0.0)] * max(columns, 1)] * 3)
    for k, c in ti.static(ti.ndrange(3, columns)):
        numbers[k, c] = values[b_, f_, k, first + c]
    return numbers


@func
def source_face(face_sources: ti.template(), b, f):
    """The face whose texture a face has: another one where it was cut out of that."""
    column = ti.min(f, face_sources.shape[1] - 1)
    listed = face_sources[ti.min(b, face_sources.shape[0] - 1), column]
    return ti.select(face_sources.shape[1] > 1, listed, f)


@func
def map_of(face_sources: ti.template(), face_maps: ti.template(), b, f):
    """The image map of a face."""
    return face_maps[ti.min(source_face(face_sources, b, f), face_maps.shape[0] - 1)]


@func
def surface_texel(w, resolution, dtype: ti.template()):
    """Index of the texel at barycentric coordinates ``w`` in a face's grid of texels.

    The first two coordinates, times ``resolution``, are a column and a row; what lies beyond the
    diagonal is the upper half of a cell, and stored in the other half of the square.

    Source:
        The layout of SoftRas's "surface" textures. Its index can be one too large; here it can't.
    """
    last = resolution - 1
    col = ti.math.clamp(ti.cast(ti.floor(w[0] * resolution), ti.i32), 0, last)
    row = ti.math.clamp(ti.cast(ti.floor(w[1] * resolution), ti.i32), 0, last)
    # The third coordinate of points on a border is 0: rounding must not take them beyond it.
    is_lower = (w[0] + w[1]) * resolution - col - row <= 1 + ti.cast(ROUNDING, dtype)
    return ti.select(is_lower, row * resolution + col, (last - row) * resolution + last - col)


REPEAT, CLAMP, MIRROR = 0, 1, 2
"""What is beyond the border of an image: it again, its border, or it turned over each time."""

NUM_WRAPS = 3


@func
def wraps_of(code):
    """How a map wraps along u and v, of the one number that says both: see `UVTexture.maps`."""
    mixed = ti.max(code - NUM_WRAPS, 0)
    return (
        ti.select(code < NUM_WRAPS, code, mixed // NUM_WRAPS),
        ti.select(code < NUM_WRAPS, code, mixed % NUM_WRAPS),
    )


@func
def wrap_index(i, size, wrap):
    """Bring an index into an image, as its border is passed."""
    period = ti.select(wrap == MIRROR, 2 * size, size)
    repeated = i % period
    inside = ti.select(repeated < size, repeated, period - 1 - repeated)
    return ti.select(wrap == CLAMP, ti.math.clamp(i, 0, size - 1), inside)


@func
def map_position(t, size, dtype: ti.template()):
    """Where a texture coordinate is among ``size`` texels: a whole number at the centre of each."""
    largest = ti.cast(LARGEST_TEXEL, dtype)
    return ti.math.clamp(t * size - ti.cast(0.5, dtype), -largest, largest)


@func
def bilinear_taps(u, v, maps: ti.template(), m, level, dtype: ti.template()):
    """Find the four texels round a point of a map, and where the point is between them.

    Args:
        u: To the right.
        v: Up.
        maps: (M, 4 L) int32: of each of a map's L levels its first texel, height, width, and how
            it wraps.
        m: Which map.
        level: Which level of it.
        dtype: Precision.

    Returns:
        Indices, top left, top right, bottom left, bottom right; and the position between them, to
        the right and down, 0 to 1.
    """
    first = 4 * level
    height = maps[m, first + 1]
    width = maps[m, first + 2]
    x = map_position(u, width, dtype)
    y = map_position(1 - v, height, dtype)
    col = ti.cast(ti.floor(x), ti.i32)
    row = ti.cast(ti.floor(y), ti.i32)
    wrap_u, wrap_v = wraps_of(maps[m, first + 3])
    left = wrap_index(col, width, wrap_u)
    right = wrap_index(col + 1, width, wrap_u)
    above = maps[m, first] + wrap_index(row, height, wrap_v) * width
    below = maps[m, first] + wrap_index(row + 1, height, wrap_v) * width
    return [above + left, above + right, below + left, below + right], ti.Vector(
        [x - ti.floor(x), y - ti.floor(y)]
    )


@func
def bilinear_weights(t):
    """Weights of the four texels round a point at ``t`` between them."""
    return ti.Vector([(1 - t[0]) * (1 - t[1]), t[0] * (1 - t[1]), (1 - t[0]) * t[1], t[0] * t[1]])


@func
def taps_at(
    texture: ti.template(),
    colors: ti.template(),
    varyings: ti.template(),
    face_sources: ti.template(),
    face_maps: ti.template(),
    maps: ti.template(),
    b,
    f,
    weights,
    dtype: ti.template(),
):
    """Find what a face's colour is made of, where its corners weigh ``weights``.

    Returns:
        The taps, as rows and columns (second and third index) of the colours' array; and their
        weights.
    """
    if ti.static(texture == "vertex"):
        return [f, f, f], [0, 1, 2], weights
    elif ti.static(texture == "surface"):
        w = ti.Vector([varying_at(varyings, b, f, k, weights) for k in range(3)])
        root = ti.sqrt(ti.cast(colors.shape[2], ti.f32))  # of a square number
        resolution = ti.cast(root + ti.cast(0.5, ti.f32), ti.i32)
        tap = surface_texel(w, resolution, dtype)
        return [source_face(face_sources, b, f)], [tap], ti.Vector([ti.cast(1, dtype)])
    else:
        u = varying_at(varyings, b, f, 0, weights)
        v = varying_at(varyings, b, f, 1, weights)
        m = map_of(face_sources, face_maps, b, f)
        taps, t = bilinear_taps(u, v, maps, m, 0, dtype)
        rows = [taps[k] // colors.shape[2] for k in range(4)]
        cols = [taps[k] % colors.shape[2] for k in range(4)]
        return rows, cols, bilinear_weights(t)


@func
def tapped(colors: ti.template(), b, rows, cols, tap_weights, channel):
    """Add the taps of one channel up, from colours that items may share."""
    b_color = ti.min(b, colors.shape[0] - 1)
    value = tap_weights[0] * colors[b_color, rows[0], cols[0], channel]
    for t in ti.static(range(1, len(rows))):
        value += tap_weights[t] * colors[b_color, rows[t], cols[t], channel]
    return value
