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

from taichi_softras.kernels.binning import (
    FACE_SHIFT,
    SHOWN,
    SOLID,
    WITHIN,
    depth_term,
    is_reached,
    load_record,
)
from taichi_softras.kernels.geometry import (
    barycentric,
    clip_barycentric,
    corner_of,
    inverse,
    inverse_lengths_sq,
    is_solid,
    is_turned,
    isotropic_scale,
    item_of,
    load_corners,
    pixel_center,
    weight_slopes,
)
from taichi_softras.kernels.lights import shading_func
from taichi_softras.kernels.textures import tapped, taps_at, varying_at
from taichi_softras.kernels.variant import Variant

NO_FACE = -1
"""Winner of a pixel that no face has."""

HIDDEN_LOGIT = {ti.f32: 50.0, ti.f64: 100.0}
"""Logit by which a face is so far behind that its colour has no weight: exp(-50) is 2e-22."""


@ti.func
def depth_rate(gamma, near, far, dtype: ti.template()):
    """Softmax logit by which a face falls behind another, per unit of depth."""
    return inverse((far - near) * gamma, dtype)


@ti.func
def depth_weight(depth, nearest, rate):
    """Weight of a depth in the softmax, relative to that of ``nearest``: at most 1.

    Where ``gamma`` is below the precision of depths, rounding may put a face a little in front
    of ``nearest``; the bound keeps its weight finite.
    """
    return ti.exp(ti.min((nearest - depth) * rate, 1))


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
    return background[
        ti.min(b, background.shape[0] - 1),
        row * background.shape[1] // height,
        col * background.shape[2] // width,
        channel,
    ]


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
    fragment = fragment_funcs(variant)
    image_ndim = 4 if channels else 3
    image_type = ti.types.ndarray(dtype=dtype, ndim=image_ndim)
    constant_image = ti.types.ndarray(dtype=dtype, ndim=image_ndim, needs_grad=False)
    constant3 = ti.types.ndarray(dtype=dtype, ndim=3, needs_grad=False)
    array1 = ti.types.ndarray(dtype=dtype, ndim=1)
    array2 = ti.types.ndarray(dtype=dtype, ndim=2)
    array3 = ti.types.ndarray(dtype=dtype, ndim=3)
    array4 = ti.types.ndarray(dtype=dtype, ndim=4)
    integers = ti.types.ndarray(dtype=ti.i32, ndim=1)
    integers2 = ti.types.ndarray(dtype=ti.i32, ndim=2)
    integers3 = ti.types.ndarray(dtype=ti.i32, ndim=3)

    @ti.kernel
    def forward(
        records: array3,  # (B or 1, F, RECORD_SIZE), as `binning` made them, in
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
        num_items = num_faces.shape[0]
        tile_rows = (height + tile_size - 1) // tile_size
        tile_cols = (width + tile_size - 1) // tile_size
        tile_pixels = tile_size * tile_size
        for i in range(num_items * tile_rows * tile_cols * tile_pixels):
            tile = i // tile_pixels
            b = tile // (tile_rows * tile_cols)
            row = tile // tile_cols % tile_rows * tile_size + i % tile_pixels // tile_size
            col = tile % tile_cols * tile_size + i % tile_size
            if row < height and col < width:
                b_face = ti.min(b, records.shape[0] - 1)
                point = pixel_center(row, col, height, width, dtype)
                inverse_sigma = inverse(item_of(sigma, b), dtype)
                rate = depth_rate(item_of(gamma, b), near, far, dtype)
                state = ti.cast(opacity.start, dtype)
                nearest = far - item_of(eps, b) * (far - near)
                total = dtype(1.0)
                winner = NO_FACE
                color = ti.Vector([dtype(0.0) for _ in range(max(channels, 1))])
                for c in ti.static(range(channels)):
                    color[c] = background_at(
                        background, b, row, col, height, width, first_channel + c
                    )
                for k in range(starts[tile], starts[tile + 1]):
                    # Half of the pixels of the tiles that a small face touches are out of reach.
                    if not is_reached(entries[k], i % tile_pixels // tile_size, i % tile_size):
                        continue
                    f = ti.cast(entries[k] >> FACE_SHIFT, ti.i32)
                    corners, depth_terms, slopes, lengths, flags = load_record(records, b_face, f)
                    w = barycentric(point - corner_of(corners, 0), slopes)
                    inside = (flags & SOLID) != 0 and w.min() > 0
                    s = coverage.signed_distance(point, w, corners, lengths, inside)
                    x = s * inverse_sigma
                    if x <= -cutoff:
                        continue
                    clipped = clip_barycentric(w)
                    depth = fragment_depth(clipped, depth_terms, variant.orthographic, dtype)
                    if (flags & WITHIN) == 0 and (depth < near or depth > far):
                        continue
                    cover, uncovered = coverage.cover(x, dtype)
                    state = opacity.add(state, cover, uncovered)
                    if ti.static(channels > 0):
                        if (flags & SHOWN) == 0:
                            continue
                        if ti.static(is_hard):
                            if not inside or (winner != NO_FACE and depth >= nearest):
                                continue
                            nearest = depth
                            winner = f
                            weights = fragment.weights_of(clipped, depth_terms, depth)
                            color = fragment.colors_at(
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
                        else:
                            if (depth - nearest) * rate > ti.static(HIDDEN_LOGIT[dtype]):
                                continue
                            if depth < nearest:
                                shrink = depth_weight(nearest, depth, rate)
                                total *= shrink
                                color *= shrink
                                nearest = depth
                            weight = cover * depth_weight(depth, nearest, rate)
                            total += weight
                            weights = fragment.weights_of(clipped, depth_terms, depth)
                            color += weight * fragment.colors_at(
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
                alpha = opacity.finish(state, ti.cast(num_faces[b], dtype))
                if ti.static(channels > 0):
                    for c in ti.static(range(channels)):
                        image[b, row, col, first_channel + c] = color[c] / total
                    image[b, row, col, image.shape[3] - 1] = alpha
                    if ti.static(is_hard):
                        winners[b, row, col] = winner
                    else:
                        nearest_depth[b, row, col] = nearest
                        weight_sum[b, row, col] = total
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
        boxes: integers3,  # (B or 1, F, BOX_SIZE), in
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
            for pixel in range(boxes[b_face, f, 2] * boxes[b_face, f, 3]):
                b = boxes[b_face, f, 4]
                row = boxes[b_face, f, 0] + pixel // boxes[b_face, f, 3]
                col = boxes[b_face, f, 1] + pixel % boxes[b_face, f, 3]
                point = pixel_center(row, col, height, width, dtype)
                scale = isotropic_scale(height, width, dtype)
                corners, depths = load_corners(face_vertices, b_face, f, scale)
                w = barycentric(point - corner_of(corners, 0), weight_slopes(corners, dtype))
                inside = is_solid(corners, dtype) and w.min() > 0
                inverse_lengths = inverse_lengths_sq(corners, dtype)
                s = coverage.signed_distance(point, w, corners, inverse_lengths, inside)
                x = s / item_of(sigma, b)
                if x > -cutoff:
                    clipped = clip_barycentric(w)
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
