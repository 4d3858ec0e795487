"""The soft rasterizer: images of faces, blocks of pixels by blocks of pixels.

Not differentiated: sums are carried from face to face. `surrogate` is the sum that has the image's
gradient, and `chunk_sums` its adjoint by hand.

Source:
    Liu et al., "Soft Rasterizer: A Differentiable Renderer for Image-based 3D Reasoning",
    ICCV 2019, sections 3.1 to 3.3.
"""

import functools
from typing import Any

from taichi_softras.arrays.kernels.arithmetic import greater, inverse, item_of
from taichi_softras.arrays.launcher import func, kernel
from taichi_softras.backend import ti
from taichi_softras.rasterizer.kernels.blocks import exp, num_parts, part_at
from taichi_softras.rasterizer.kernels.colors import background_at, color_func
from taichi_softras.rasterizer.kernels.face_record import (
    SHOWN,
    load_face,
    mark_seen,
    record_type,
)
from taichi_softras.rasterizer.kernels.fragment import fragment_funcs
from taichi_softras.rasterizer.kernels.pixel_output import image_type, output_funcs
from taichi_softras.rasterizer.kernels.plane_geometry import pixel_center
from taichi_softras.rasterizer.kernels.softmax import (
    HIDDEN_LOGIT,
    NO_FACE,
    background_depth,
    depth_rate,
)
from taichi_softras.rasterizer.kernels.tiles import FACE_SHIFT, block_bit
from taichi_softras.rasterizer.kernels.variant import Variant


@functools.cache
def drawing_kernel(variant: Variant, *, whole_pixels: bool = False) -> Any:
    """Build the kernel that draws, for one variant.

    Args:
        variant: What it is specialised on.
        whole_pixels: Whether the image is an array of vectors, of all channels and alpha, which are
            drawn at once: they are written faster than as single numbers.
    """
    dtype = variant.dtype
    channels = variant.channels
    opacity = variant.alpha
    is_hard = variant.color == "hard"
    block_rows, block_cols = variant.block
    lanes = block_rows * block_cols
    # Where nothing calls or reads what others share, there is no branch.
    has_branches = lanes == 1 or variant.texture != "vertex" or variant.lights is not None
    cover = variant.coverage.cover_plainly or variant.coverage.cover
    fragment = fragment_funcs(variant)
    colors_at = color_func(variant)
    array1 = ti.types.ndarray(dtype=dtype, ndim=1)
    array2 = ti.types.ndarray(dtype=dtype, ndim=2)
    array3 = ti.types.ndarray(dtype=dtype, ndim=3)
    array4 = ti.types.ndarray(dtype=dtype, ndim=4)
    integers = ti.types.ndarray(dtype=ti.i32, ndim=1)
    integers2 = ti.types.ndarray(dtype=ti.i32, ndim=2)
    integers3 = ti.types.ndarray(dtype=ti.i32, ndim=3)
    output = output_funcs(variant, whole_pixels=whole_pixels)

    @func
    def start_block(background: ti.template(), depth, b, top, left, height, width, first_channel):
        """Start the pixels of a block with the background, which stands at ``depth``.

        Returns:
            A struct of numbers of each pixel: the ``state`` of alpha; the ``nearest`` depth so far;
            the ``total`` of weights, relative to that depth's; the sums of ``color``; and the
            ``winner``, the nearest face, if only that is seen.
        """
        color = ti.Matrix([[dtype(0.0)] * lanes] * max(channels, 1))
        for lane in range(lanes):
            row = ti.min(top + lane // block_cols, height - 1)
            col = ti.min(left + lane % block_cols, width - 1)
            for c in ti.static(range(channels)):
                color[ti.i32(c), lane] = background_at(
                    background, b, row, col, height, width, first_channel + c
                )
        return ti.Struct(
            state=ti.Vector([ti.cast(opacity.start, dtype)] * lanes),
            nearest=ti.Vector([depth] * lanes),
            total=ti.Vector([dtype(1.0)] * lanes),
            color=color,
            winner=ti.Vector([NO_FACE] * lanes),
        )

    @func
    def cover_block(
        pixels: ti.template(),
        seen: ti.template(),
        face: ti.template(),
        inverse_sigma: ti.template(),
        rate: ti.template(),
        near,
        far,
        cutoff,
        top,
        left,
        height,
        width,
    ):
        """Add a face to the alpha of a block's pixels, and write down what is seen of it.

        Returns:
            Whether its colour is seen in any of them.
        """
        visible = 0
        for lane in range(lanes):
            point = pixel_center(
                top + lane // block_cols, left + lane % block_cols, height, width, dtype
            )
            here = fragment.locate(face, point)
            view = fragment.look(face, here, near, far)
            x = here.s * inverse_sigma
            alive = (x > -cutoff) & view.in_range
            covered, uncovered = cover(greater(x, -cutoff), dtype)
            pixels.state[lane] = ti.select(
                alive, opacity.add(pixels.state[lane], covered, uncovered), pixels.state[lane]
            )
            if ti.static(channels > 0):
                shown = alive & ((face.flags & SHOWN) != 0)
                if ti.static(is_hard):
                    shown &= here.inside & (
                        (pixels.winner[lane] == NO_FACE) | (view.depth < pixels.nearest[lane])
                    )
                else:
                    behind = (view.depth - pixels.nearest[lane]) * rate
                    shown &= behind < ti.static(HIDDEN_LOGIT[dtype])
                seen.covers[lane] = ti.select(shown, covered, dtype(0.0))
                seen.depths[lane] = view.depth
                for k in ti.static(range(3)):
                    seen.places[ti.i32(k), lane] = view.place[k]
                visible |= ti.cast(shown, ti.i32)
        return visible

    @func
    def mix(
        pixels: ti.template(),
        lane: ti.template(),
        f: ti.template(),
        covered: ti.template(),
        depth: ti.template(),
        rate: ti.template(),
        values: ti.template(),
    ):
        """Mix a face's colour into a pixel's."""
        if ti.static(is_hard):
            shown = covered > 0
            pixels.nearest[lane] = ti.select(shown, depth, pixels.nearest[lane])
            pixels.winner[lane] = ti.select(shown, f, pixels.winner[lane])
            for c in ti.static(range(channels)):
                pixels.color[ti.i32(c), lane] = ti.select(
                    shown, values[c], pixels.color[ti.i32(c), lane]
                )
        else:
            # Of two faces the one behind weighs less, relative to the other.
            closer = (covered > 0) & (depth < pixels.nearest[lane])
            less = exp(-ti.abs(depth - pixels.nearest[lane]) * rate, dtype)
            shrink = ti.select(closer, less, dtype(1.0))
            weight = covered * ti.select(closer, dtype(1.0), less)
            pixels.nearest[lane] = ti.select(closer, depth, pixels.nearest[lane])
            pixels.total[lane] = pixels.total[lane] * shrink + weight
            for c in ti.static(range(channels)):
                pixels.color[ti.i32(c), lane] = (
                    pixels.color[ti.i32(c), lane] * shrink + weight * values[c]
                )

    @func
    def draw_block(
        images: ti.template(),
        records: ti.template(),
        colors: ti.template(),
        textures: ti.template(),
        background: ti.template(),
        lighting: ti.template(),
        sigma: ti.template(),
        gamma: ti.template(),
        starts: ti.template(),
        entries: ti.template(),
        frame: ti.template(),
        tile,
        b,
        top,
        left,
    ):
        """Draw the faces of a tile's list into a block of its pixels."""
        b_face = ti.min(b, records.shape[0] - 1)
        inverse_sigma = inverse(item_of(sigma, b), dtype)
        rate = depth_rate(item_of(gamma, b), frame.near, frame.far, dtype)
        height = frame.height
        width = frame.width
        pixels = start_block(
            background, frame.depth_behind, b, top, left, height, width, frame.first_channel
        )
        # What is seen of one face in each pixel: its coverage, 0 where nothing, its depth, and
        # where on the face.
        seen = ti.Struct(
            covers=ti.Vector([dtype(0.0)] * lanes),
            depths=ti.Vector([dtype(0.0)] * lanes),
            places=ti.Matrix([[dtype(0.0)] * lanes] * 3),
        )
        bit = block_bit(top % frame.tile_size, left % frame.tile_size, frame.tile_size)
        for k in range(starts[tile], starts[tile + 1]):
            # Most blocks of the tiles that a small face touches are out of its reach.
            if (entries[k] >> bit & 1) == 0:
                continue
            f = ti.cast(entries[k] >> FACE_SHIFT, ti.i32)
            face = load_face(records, b_face, f)
            visible = cover_block(
                *(pixels, seen, face, inverse_sigma, rate, frame.near, frame.far, frame.cutoff),
                *(top, left, height, width),
            )
            if visible == 0:
                continue
            mark_seen(records, b_face, f, face, dtype)
            for lane in range(lanes):
                if ti.static(has_branches):
                    if seen.covers[lane] == 0:
                        continue
                place = ti.Vector([seen.places[ti.i32(k), lane] for k in range(3)])
                depth = seen.depths[lane]
                weights = fragment.weights_of(place, face.depth_terms, depth)
                values = colors_at(
                    *(colors, frame.first_source),
                    *textures,
                    *(lighting, b, f, weights, face, depth, height, width),
                )
                covered = seen.covers[lane]
                mix(pixels, lane, f, covered, depth, rate, values)
        for lane in range(lanes):
            row = top + lane // block_cols
            col = left + lane % block_cols
            if row < height and col < width:
                alpha = opacity.finish(pixels.state[lane], ti.cast(frame.num_faces, dtype))
                shrink = inverse(pixels.total[lane], dtype)
                color = ti.Vector(
                    [pixels.color[ti.i32(c), lane] * shrink for c in range(max(channels, 1))]
                )
                output.write_pixel(
                    *images,
                    *(b, row, col, frame.first_channel, color, alpha),
                    *(pixels.nearest[lane], pixels.total[lane], pixels.winner[lane]),
                )

    @kernel(quick=True)
    def forward(
        records: ti.types.ndarray(dtype=record_type(dtype), ndim=2),  # (B or 1, F), in
        # and out: which are seen
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
        image: image_type(
            variant, whole_pixels=whole_pixels
        ),  # (B, H, W, C + 1), or of vectors, out
        nearest_depth: array3,  # (B, H, W), out; unless silhouettes
        weight_sum: array3,  # (B, H, W), out; unless silhouettes
        winners: integers3,  # (B, H, W) the nearest face, out; if colours are hard
    ):
        """Draw ``channels`` colours from ``first_channel`` on, and alpha, (B, H, W) if alone."""
        for i in range(num_parts(num_faces.shape[0], height, width, tile_size, variant.block)):
            tile, b, top, left, rows, cols = part_at(i, height, width, tile_size, variant.block)
            if top < height and left < width:
                frame = ti.Struct(
                    near=near,
                    far=far,
                    cutoff=cutoff,
                    height=height,
                    width=width,
                    tile_size=tile_size,
                    first_channel=first_channel,
                    first_source=first_source,
                    num_faces=num_faces[b],
                    depth_behind=background_depth(item_of(eps, b), near, far),
                )
                if starts[tile] == starts[tile + 1]:
                    output.write_background(
                        *(image, nearest_depth, weight_sum, winners, background),
                        *(frame.num_faces, frame.depth_behind, b, top, left, rows, cols),
                        *(height, width, first_channel),
                    )
                else:
                    for y, x in ti.ndrange(rows // block_rows, cols // block_cols):
                        row = top + y * block_rows
                        col = left + x * block_cols
                        if row < height and col < width:
                            draw_block(
                                (image, nearest_depth, weight_sum, winners),
                                records,
                                colors,
                                (varyings, face_sources, face_maps, maps),
                                *(background, lighting, sigma, gamma, starts, entries),
                                *(frame, tile, b, row, col),
                            )

    return forward
