"""The sum whose gradient is that of the image, for Taichi's autodiff.

It is the oracle of the tests for the gradient by hand (`chunk_sums`), and what differentiates
families without derivatives by hand, and light on fragments.
"""

import functools
from types import SimpleNamespace

from taichi_softras.arrays.kernels.arithmetic import item_of
from taichi_softras.arrays.launcher import kernel
from taichi_softras.backend import ti
from taichi_softras.rasterizer.kernels.boxes import BOX_TYPE
from taichi_softras.rasterizer.kernels.colors import alpha_at, background_at, color_func
from taichi_softras.rasterizer.kernels.face_record import SHOWN, describe_face
from taichi_softras.rasterizer.kernels.fragment import fragment_funcs
from taichi_softras.rasterizer.kernels.plane_geometry import (
    isotropic_scale,
    load_corners,
    pixel_center,
)
from taichi_softras.rasterizer.kernels.softmax import (
    NO_FACE,
    background_depth,
    depth_rate,
    depth_weight,
)
from taichi_softras.rasterizer.kernels.variant import Variant


@functools.cache
def surrogate_kernels(variant: Variant) -> SimpleNamespace:
    """Build the kernels whose gradients are the image's, for one variant."""
    dtype = variant.dtype
    channels = variant.channels
    coverage = variant.coverage
    opacity = variant.alpha
    is_hard = variant.color == "hard"
    fragment = fragment_funcs(variant)
    colors_at = color_func(variant)
    constant_image = ti.types.ndarray(dtype=dtype, ndim=4 if channels else 3, needs_grad=False)
    constant3 = ti.types.ndarray(dtype=dtype, ndim=3, needs_grad=False)
    array1 = ti.types.ndarray(dtype=dtype, ndim=1)
    array2 = ti.types.ndarray(dtype=dtype, ndim=2)
    array4 = ti.types.ndarray(dtype=dtype, ndim=4)
    integers = ti.types.ndarray(dtype=ti.i32, ndim=1)
    integers2 = ti.types.ndarray(dtype=ti.i32, ndim=2)
    integers3 = ti.types.ndarray(dtype=ti.i32, ndim=3)

    @kernel
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
        boxes: ti.types.ndarray(dtype=BOX_TYPE, ndim=2),  # (B or 1, F), in
        first_channel: ti.i32,  # of the image
        first_source: ti.i32,  # of the colours
        with_alpha: ti.i32,  # whether the sum has its alpha part
        image: constant_image,  # as `draw.forward` drew it, in
        nearest_depth: constant3,  # likewise
        weight_sum: constant3,  # likewise
        winners: integers3,  # likewise
        grad_image: constant_image,  # the gradient of the loss with respect to the image, in
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
                face = describe_face(corners, depths, cull, near, far, variant.orthographic, dtype)
                here = fragment.locate(face, point)
                x = here.s / item_of(sigma, b)
                if x > -cutoff:
                    view = fragment.look(face, here, near, far)
                    if view.in_range:
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
                            if (face.flags & SHOWN) != 0:
                                weights = fragment.weights_of(
                                    view.place, face.depth_terms, view.depth
                                )
                                values = colors_at(
                                    *(
                                        colors,
                                        first_source,
                                        varyings,
                                        face_sources,
                                        face_maps,
                                        maps,
                                    ),
                                    *(lighting, b, f, weights),
                                    *(face, view.depth, height, width),
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
                                    weight = cover * depth_weight(view.depth, nearest, rate)
                                    for c in ti.static(range(channels)):
                                        channel = first_channel + c
                                        gain += grad_image[b, row, col, channel] * (
                                            values[c] - image[b, row, col, channel]
                                        )
                                    result[0] += gain * weight / weight_sum[b, row, col]

    @kernel
    def background_surrogate(
        background: array4,  # (B or 1, h, w, C), in
        gamma: array1,  # (B or 1,), in
        eps: array1,  # (B or 1,), in
        near: dtype,
        far: dtype,
        first_channel: ti.i32,
        image: constant_image,  # as `draw.forward` drew it, in
        nearest_depth: constant3,  # likewise
        weight_sum: constant3,  # likewise
        winners: integers3,  # likewise
        grad_image: constant_image,  # the gradient of the loss with respect to the image, in
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
                depth = background_depth(item_of(eps, b), near, far)
                weight = depth_weight(depth, nearest_depth[b, row, col], rate)
                for c in ti.static(range(channels)):
                    channel = first_channel + c
                    gain += grad_image[b, row, col, channel] * (
                        background_at(background, b, row, col, height, width, channel)
                        - image[b, row, col, channel]
                    )
                result[0] += gain * weight / weight_sum[b, row, col]

    return SimpleNamespace(surrogate=surrogate, background_surrogate=background_surrogate)
