"""The soft rasterizer: images of faces, and the sum whose gradient is that of the image.

The background stands at the depth ``far - eps * (far - near)``. The softmax over depths is taken
with ``exp(-(z - nearest) / ((far - near) * gamma))``, which is the paper's ``exp(zbar / gamma)``
without the cancellation of ``far - z``: ten times more accurate in float32. ``nearest`` is the
smallest depth of the pixel, so that no term overflows, whatever ``gamma``.

Source:
    Liu et al., "Soft Rasterizer: A Differentiable Renderer for Image-based 3D Reasoning",
    ICCV 2019, sections 3.1 to 3.3.
"""

import functools
from types import SimpleNamespace

import taichi as ti

from taichi_softras.arrays.kernels.arithmetic import greater, inverse, item_of, lesser
from taichi_softras.lights.kernels.reflection import shading_func
from taichi_softras.rasterizer.kernels.blocks import block_at, exp, num_blocks
from taichi_softras.rasterizer.kernels.boxes import (
    BOX_TYPE,
    SHOWN,
    SOLID,
    WITHIN,
    depth_term,
    load_record,
    record_type,
)
from taichi_softras.rasterizer.kernels.plane_geometry import (
    barycentric,
    clip_barycentric,
    corner_of,
    inverse_lengths_sq,
    is_positive,
    is_solid,
    is_turned,
    isotropic_scale,
    load_corners,
    pixel_center,
    weight_slopes,
)
from taichi_softras.rasterizer.kernels.textures import tapped, taps_at, varying_at
from taichi_softras.rasterizer.kernels.tiles import FACE_SHIFT, reaches_block
from taichi_softras.rasterizer.kernels.variant import Variant

NO_FACE = -1
"""Winner of a pixel that no face has."""

HIDDEN_LOGIT = {ti.f32: 50.0, ti.f64: 100.0}
"""Logit by which a face is so far behind that its colour has no weight: exp(-50) is 2e-22."""


@ti.func
def depth_rate(gamma, near, far, dtype: ti.template()):
    """Softmax logit by which a face falls behind another, per unit of depth."""
    return inverse((far - near) * gamma, dtype)


@ti.func
def depth_logit(depth, nearest, rate):
    """Logit of a depth in the softmax, relative to that of ``nearest``: at most 0.

    Where ``gamma`` is below the precision of depths, rounding may put a face a little in front
    of ``nearest``; the bound keeps its weight finite.
    """
    return lesser((nearest - depth) * rate, 0 * rate + 1)


@ti.func
def depth_weight(depth, nearest, rate):
    """Weight of a depth in the softmax, relative to that of ``nearest``: at most 1."""
    return ti.exp(depth_logit(depth, nearest, rate))


@ti.func
def fragment_depth(w, depth_terms, orthographic: ti.template(), dtype: ti.template()):
    """Depth of a face at clipped barycentric coordinates ``w`` of the image."""
    if ti.static(orthographic):
        return w.dot(depth_terms)
    else:
        return inverse(w.dot(depth_terms), dtype)


@ti.func
def interpolation_weights(w, depth_terms, depth, affine: ti.template()):
    """Weights of a face's corners in what is seen at clipped coordinates ``w``."""
    weights = w
    if ti.static(not affine):
        weights = w * depth_terms * depth
    return weights


@ti.func
def background_at(background: ti.template(), b, row, col, height, width, channel):
    """Colour of the background at a pixel, whatever the size of its image; items may share it."""
    y = 0
    x = 0
    if background.shape[1] * background.shape[2] > 1:  # dividing takes long
        y = row * background.shape[1] // height
        x = col * background.shape[2] // width
    return background[ti.min(b, background.shape[0] - 1), y, x, channel]


@ti.func
def alpha_at(image: ti.template(), b, row, col):
    """Alpha of a pixel: the last channel of an image, all there is of a silhouette."""
    if ti.static(len(image.shape) == 4):
        return image[b, row, col, image.shape[3] - 1]
    else:
        return image[b, row, col]


@functools.cache
def fragment_funcs(variant: Variant) -> SimpleNamespace:
    """Build the functions of one face at one pixel that depend on the variant."""
    dtype = variant.dtype
    channels = variant.channels
    is_lit = variant.lights is not None
    lit = shading_func(variant.lights, dtype) if is_lit else None
    first_normal = 2 if variant.texture == "uv" else 0
    first_normal = 3 if variant.texture == "surface" else first_normal

    @ti.func
    def weights_of(clipped, depth_terms, depth):
        """Weights of a face's corners in its colour."""
        return interpolation_weights(
            clipped, depth_terms, depth, variant.orthographic or not variant.perspective_correct
        )

    @ti.func
    def colors_at(
        colors: ti.template(),
        first_source,
        varyings: ti.template(),
        face_sources: ti.template(),
        face_maps: ti.template(),
        maps: ti.template(),
        lighting: ti.template(),
        b,
        f,
        weights,
    ):
        """The channels of a fragment's colour, from the given one of its source's on."""
        rows, cols, tap_weights = taps_at(
            variant.texture,
            *(colors, varyings, face_sources, face_maps, maps),
            *(b, f, weights, dtype),
        )
        values = ti.Vector(
            [
                tapped(colors, b, rows, cols, tap_weights, first_source + c)
                for c in range(max(channels, 1))
            ]
        )
        if ti.static(is_lit):
            normal = ti.Vector(
                [varying_at(varyings, b, f, first_normal + k, weights) for k in range(3)]
            )
            position = ti.Vector(
                [varying_at(varyings, b, f, first_normal + 3 + k, weights) for k in range(3)]
            )
            return lit(lighting, b, values, normal, position)
        else:
            return values

    return SimpleNamespace(weights_of=weights_of, colors_at=colors_at)


@functools.cache
def rasterizer_kernels(variant: Variant) -> SimpleNamespace:
    """Build the kernels that draw, and that give gradients, for one variant."""
    dtype = variant.dtype
    channels = variant.channels
    coverage = variant.coverage
    opacity = variant.alpha
    is_hard = variant.color == "hard"
    is_lit = variant.lights is not None
    texture = variant.texture
    block_rows, block_cols = variant.block
    lanes = block_rows * block_cols
    cover = coverage.cover_plainly or coverage.cover
    fragment = fragment_funcs(variant)
    image_ndim = 4 if channels else 3
    image_type = ti.types.ndarray(dtype=dtype, ndim=image_ndim)
    constant_image = ti.types.ndarray(dtype=dtype, ndim=image_ndim, needs_grad=False)
    constant3 = ti.types.ndarray(dtype=dtype, ndim=3, needs_grad=False)
    records_type = ti.types.ndarray(dtype=record_type(dtype), ndim=2)
    array1 = ti.types.ndarray(dtype=dtype, ndim=1)
    array2 = ti.types.ndarray(dtype=dtype, ndim=2)
    array3 = ti.types.ndarray(dtype=dtype, ndim=3)
    array4 = ti.types.ndarray(dtype=dtype, ndim=4)
    integers = ti.types.ndarray(dtype=ti.i32, ndim=1)
    integers2 = ti.types.ndarray(dtype=ti.i32, ndim=2)
    boxes_type = ti.types.ndarray(dtype=BOX_TYPE, ndim=2)
    integers3 = ti.types.ndarray(dtype=ti.i32, ndim=3)

    @ti.kernel
    def forward(
        records: records_type,  # (B or 1, F), as `binning` made them, in
        colors: array4,  # (B or 1, F, 3, C), or texels: see `textures`, in
        varyings: array4,  # (B or 1, F or 1, 3, K), in
        background: array4,  # (B or 1, h, w, C), stretched over the image, in
        lighting: array2,  # (B or 1, N), numbers of the lights on fragments, in
        sigma: array1,  # (B or 1,), in
        gamma: array1,  # (B or 1,), in
        eps: array1,  # (B or 1,), in
        face_sources: integers2,  # (B or 1, F) whose texture a face has; (1, 1) its own, in
        face_maps: integers,  # (F or 1,) the map of each face's texture, in
        maps: integers2,  # (M, 4), in
        num_faces: integers,  # (B,) faces of each item, in
        near: dtype,
        far: dtype,
        cutoff: dtype,
        height: ti.i32,
        width: ti.i32,
        tile_size: ti.i32,
        starts: integers,  # (B * tile_rows * tile_cols + 1,), in
        entries: ti.types.ndarray(dtype=ti.i64, ndim=1),  # (starts[-1],) faces by tile, in
        first_channel: ti.i32,  # of the image
        first_source: ti.i32,  # of the colours
        image: image_type,  # (B, H, W, C + 1) or (B, H, W), out
        nearest_depth: array3,  # (B, H, W), out; unless silhouettes
        weight_sum: array3,  # (B, H, W), out; unless silhouettes
        winners: integers3,  # (B, H, W) the nearest face, out; if colours are hard
    ):
        """Draw ``channels`` colours from ``first_channel`` on, and alpha.

        Not differentiated: it carries sums from face to face. `surrogate` has the gradient.
        """
        for i in range(num_blocks(num_faces.shape[0], height, width, tile_size, variant.block)):
            tile, b, top, left = block_at(i, height, width, tile_size, variant.block)
            if top < height and left < width:
                b_face = ti.min(b, records.shape[0] - 1)
                inverse_sigma = inverse(item_of(sigma, b), dtype)
                rate = depth_rate(item_of(gamma, b), near, far, dtype)
                state = ti.Vector([ti.cast(opacity.start, dtype)] * lanes)
                # Of each pixel, besides: the nearest depth so far, the sum of weights, relative to
                # that depth's, and of colours; the nearest face, if only that is seen.
                nearest = ti.Vector([far - item_of(eps, b) * (far - near)] * lanes)
                total = ti.Vector([dtype(1.0)] * lanes)
                color = ti.Matrix([[dtype(0.0)] * lanes] * max(channels, 1))
                winner = ti.Vector([NO_FACE] * lanes)
                # Of each pixel and one face: coverage, depth, clipped barycentric coordinates.
                covers = ti.Vector([dtype(0.0)] * lanes)
                depths = ti.Vector([dtype(0.0)] * lanes)
                clips = ti.Matrix([[dtype(0.0)] * lanes] * 3)
                for lane in range(lanes):
                    row = ti.min(top + lane // block_cols, height - 1)
                    col = ti.min(left + lane % block_cols, width - 1)
                    for c in ti.static(range(channels)):
                        color[c, lane] = background_at(
                            background, b, row, col, height, width, first_channel + c
                        )
                for k in range(starts[tile], starts[tile + 1]):
                    # Most blocks of the tiles that a small face touches are out of its reach.
                    if not reaches_block(
                        entries[k], top % tile_size, left % tile_size, block_rows, block_cols
                    ):
                        continue
                    f = ti.cast(entries[k] >> FACE_SHIFT, ti.i32)
                    corners, depth_terms, slopes, lengths, flags = load_record(records, b_face, f)
                    solid = (flags & SOLID) != 0
                    within = (flags & WITHIN) != 0
                    shown = (flags & SHOWN) != 0
                    visible = 0
                    for lane in range(lanes):
                        point = pixel_center(
                            top + lane // block_cols, left + lane % block_cols, height, width, dtype
                        )
                        w = barycentric(point - corner_of(corners, 0), slopes)
                        inside = solid & is_positive(w)
                        s = coverage.signed_distance(point, w, corners, lengths, inside)
                        x = s * inverse_sigma
                        clipped, _scale = clip_barycentric(w, dtype)
                        depth = fragment_depth(clipped, depth_terms, variant.orthographic, dtype)
                        alive = (x > -cutoff) & (within | ((depth >= near) & (depth <= far)))
                        covered, uncovered = cover(greater(x, -cutoff), dtype)
                        state[lane] = ti.select(
                            alive, opacity.add(state[lane], covered, uncovered), state[lane]
                        )
                        if ti.static(channels > 0):
                            seen = alive & shown
                            if ti.static(is_hard):
                                seen &= inside & (
                                    (winner[lane] == NO_FACE) | (depth < nearest[lane])
                                )
                            else:
                                behind = (depth - nearest[lane]) * rate
                                seen &= behind < ti.static(HIDDEN_LOGIT[dtype])
                            covers[lane] = ti.select(seen, covered, dtype(0.0))
                            depths[lane] = depth
                            for j in ti.static(range(3)):
                                clips[j, lane] = clipped[j]
                            visible |= ti.cast(seen, ti.i32)
                    if visible == 0:
                        continue
                    for lane in range(lanes):
                        # Where nothing calls or reads what others share, there is no branch.
                        if ti.static(lanes == 1 or texture != "vertex" or is_lit):
                            if covers[lane] == 0:
                                continue
                        clipped = ti.Vector([clips[0, lane], clips[1, lane], clips[2, lane]])
                        depth = depths[lane]
                        values = fragment.colors_at(
                            *(colors, first_source, varyings, face_sources, face_maps, maps),
                            *(lighting, b, f, fragment.weights_of(clipped, depth_terms, depth)),
                        )
                        if ti.static(is_hard):
                            seen = covers[lane] > 0
                            nearest[lane] = ti.select(seen, depth, nearest[lane])
                            winner[lane] = ti.select(seen, f, winner[lane])
                            for c in ti.static(range(channels)):
                                color[c, lane] = ti.select(seen, values[c], color[c, lane])
                        else:
                            # Of two faces the one behind weighs less, relative to the other.
                            closer = (covers[lane] > 0) & (depth < nearest[lane])
                            less = exp(-ti.abs(depth - nearest[lane]) * rate, dtype)
                            shrink = ti.select(closer, less, dtype(1.0))
                            weight = covers[lane] * ti.select(closer, dtype(1.0), less)
                            nearest[lane] = ti.select(closer, depth, nearest[lane])
                            total[lane] = total[lane] * shrink + weight
                            for c in ti.static(range(channels)):
                                color[c, lane] = color[c, lane] * shrink + weight * values[c]
                for lane in range(lanes):
                    row = top + lane // block_cols
                    col = left + lane % block_cols
                    if row < height and col < width:
                        alpha = opacity.finish(state[lane], ti.cast(num_faces[b], dtype))
                        if ti.static(channels > 0):
                            scale = inverse(total[lane], dtype)
                            for c in ti.static(range(channels)):
                                image[b, row, col, first_channel + c] = color[c, lane] * scale
                            image[b, row, col, image.shape[3] - 1] = alpha
                            if ti.static(is_hard):
                                winners[b, row, col] = winner[lane]
                            else:
                                nearest_depth[b, row, col] = nearest[lane]
                                weight_sum[b, row, col] = total[lane]
                        else:
                            image[b, row, col] = alpha

    @ti.kernel
    def surrogate(
        face_vertices: array4,  # (B or 1, F, 3, 3) NDC x y, depth, in
        colors: array4,  # (B or 1, F, 3, C), or texels: see `textures`, in
        varyings: array4,  # (B or 1, F or 1, 3, K), in
        lighting: array2,  # (B or 1, N), in
        sigma: array1,  # (B or 1,), in
        gamma: array1,  # (B or 1,), in
        face_sources: integers2,  # (B or 1, F) or (1, 1), in
        face_maps: integers,  # (F or 1,), in
        maps: integers2,  # (M, 4), in
        num_faces: integers,  # (B,) faces of each item, in
        near: dtype,
        far: dtype,
        cutoff: dtype,
        height: ti.i32,
        width: ti.i32,
        cull: ti.i32,  # 1 leaves back faces out of colours, -1 front faces, 0 none
        boxes: boxes_type,  # (B or 1, F), in
        first_channel: ti.i32,  # of the image
        first_source: ti.i32,  # of the colours
        with_alpha: ti.i32,  # whether the sum has its alpha part
        image: constant_image,  # as `forward` drew it, in
        nearest_depth: constant3,  # likewise
        weight_sum: constant3,  # likewise
        winners: integers3,  # likewise
        grad_image: constant_image,  # derivative of the loss by the image, in
        result: array1,  # (1,), accumulated
    ):
        """Add a sum over fragments whose gradient is that of the loss by way of the image.

        With the image, its ``weight_sum`` S and ``nearest_depth``, and the incoming gradient g
        held constant, the derivative of

            sum over pixels i and faces j of
                g_color (C_ij - I_i) D_ij exp(...) / S_i + g_alpha slope(A_i) term(D_ij)

        by anything that D, C and the depths depend on equals that of the loss. (For hard colours
        the first part is ``g_color C_ij`` of the nearest face.) No state crosses from one term to
        the next, as Taichi's reverse mode needs; for the same reason everything but integers is
        read inside the inner loop.
        """
        for b_face, f in ti.ndrange(face_vertices.shape[0], face_vertices.shape[1]):
            for pixel in range(boxes[b_face, f][2] * boxes[b_face, f][3]):
                b = boxes[b_face, f][4]
                row = boxes[b_face, f][0] + pixel // boxes[b_face, f][3]
                col = boxes[b_face, f][1] + pixel % boxes[b_face, f][3]
                point = pixel_center(row, col, height, width, dtype)
                scale = isotropic_scale(height, width, dtype)
                corners, depths = load_corners(face_vertices, b_face, f, scale)
                w = barycentric(point - corner_of(corners, 0), weight_slopes(corners, dtype))
                inside = is_solid(corners, dtype) & is_positive(w)
                inverse_lengths = inverse_lengths_sq(corners, dtype)
                s = coverage.signed_distance(point, w, corners, inverse_lengths, inside)
                x = s / item_of(sigma, b)
                if x > -cutoff:
                    clipped, _scale = clip_barycentric(w, dtype)
                    depth_terms = ti.Vector(
                        [depth_term(depths[k], variant.orthographic, dtype) for k in range(3)]
                    )
                    depth = fragment_depth(clipped, depth_terms, variant.orthographic, dtype)
                    within = depths.min() >= near and depths.max() <= far
                    if within or (near <= depth and depth <= far):
                        cover, uncovered = coverage.cover(x, dtype)
                        if with_alpha:
                            result[0] += (
                                alpha_at(grad_image, b, row, col)
                                * opacity.slope(
                                    alpha_at(image, b, row, col), ti.cast(num_faces[b], dtype)
                                )
                                * opacity.term(cover, uncovered, dtype)
                            )
                        if ti.static(channels > 0):
                            if not is_turned(corners, cull):
                                weights = fragment.weights_of(clipped, depth_terms, depth)
                                values = fragment.colors_at(
                                    colors,
                                    first_source,
                                    varyings,
                                    face_sources,
                                    face_maps,
                                    maps,
                                    lighting,
                                    b,
                                    f,
                                    weights,
                                )
                                gain = dtype(0.0)
                                if ti.static(is_hard):
                                    if winners[b, row, col] == f:
                                        for c in ti.static(range(channels)):
                                            grad = grad_image[b, row, col, first_channel + c]
                                            result[0] += grad * values[c]
                                else:
                                    rate = depth_rate(item_of(gamma, b), near, far, dtype)
                                    nearest = nearest_depth[b, row, col]
                                    weight = cover * depth_weight(depth, nearest, rate)
                                    for c in ti.static(range(channels)):
                                        channel = first_channel + c
                                        gain += grad_image[b, row, col, channel] * (
                                            values[c] - image[b, row, col, channel]
                                        )
                                    result[0] += gain * weight / weight_sum[b, row, col]

    @ti.kernel
    def background_surrogate(
        background: array4,  # (B or 1, h, w, C), in
        gamma: array1,  # (B or 1,), in
        eps: array1,  # (B or 1,), in
        near: dtype,
        far: dtype,
        first_channel: ti.i32,
        image: constant_image,  # as `forward` drew it, in
        nearest_depth: constant3,  # likewise
        weight_sum: constant3,  # likewise
        winners: integers3,  # likewise
        grad_image: constant_image,  # derivative of the loss by the image, in
        result: array1,  # (1,), accumulated
    ):
        """Add the background's terms of `surrogate`."""
        for b, row, col in ti.ndrange(image.shape[0], image.shape[1], image.shape[2]):
            height = image.shape[1]
            width = image.shape[2]
            gain = dtype(0.0)
            if ti.static(is_hard):
                if winners[b, row, col] == NO_FACE:
                    for c in ti.static(range(channels)):
                        channel = first_channel + c
                        result[0] += grad_image[b, row, col, channel] * background_at(
                            background, b, row, col, height, width, channel
                        )
            else:
                rate = depth_rate(item_of(gamma, b), near, far, dtype)
                depth = far - item_of(eps, b) * (far - near)
                weight = depth_weight(depth, nearest_depth[b, row, col], rate)
                for c in ti.static(range(channels)):
                    channel = first_channel + c
                    gain += grad_image[b, row, col, channel] * (
                        background_at(background, b, row, col, height, width, channel)
                        - image[b, row, col, channel]
                    )
                result[0] += gain * weight / weight_sum[b, row, col]

    return SimpleNamespace(
        forward=forward, surrogate=surrogate, background_surrogate=background_surrogate
    )
