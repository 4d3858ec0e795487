"""A fragment: what a face is at a pixel. Drawing, gradients and inspection all ask here.

Numbers of faces and points are handed on as `ti.template()` arguments, by reference. By value,
Taichi copies each of them into memory for every pixel, and the loops over pixels are slower; the
bits are the same.
"""

import functools
from types import SimpleNamespace

import taichi as ti

from taichi_softras.arrays.kernels.arithmetic import inverse
from taichi_softras.rasterizer.kernels.face_record import SOLID, WITHIN
from taichi_softras.rasterizer.kernels.plane_geometry import (
    barycentric,
    clip_barycentric,
    corner_of,
    is_positive,
    nearest_edge,
)
from taichi_softras.rasterizer.kernels.variant import Variant


@functools.cache
def fragment_funcs(variant: Variant) -> SimpleNamespace:
    """Build the functions that say what a face is at a pixel, for one variant."""
    dtype = variant.dtype
    coverage = variant.coverage

    @ti.func
    def depth_at(place: ti.template(), depth_terms: ti.template()):
        """Depth of a face at barycentric coordinates of the image."""
        if ti.static(variant.orthographic):
            return place.dot(depth_terms)
        else:
            return inverse(place.dot(depth_terms), dtype)

    @ti.func
    def fragment_at(face: ti.template(), point: ti.template(), near, far):
        """Look at a face from a point.

        Args:
            face: As `describe_face` made it.
            point: The centre of a pixel, in isotropic NDC.
            near: Depth of the near plane.
            far: Depth of the far plane.

        Returns:
            A struct of
                start: The point, relative to the face's first corner.
                w: Its barycentric coordinates.
                inside: Whether it is inside the face.
                s: Its signed distance from the border, which sigma divides.
                offset, foot: See `nearest_edge`, if coverage is by the distance to the border.
                place: Barycentric coordinates of what is seen of the face.
                scale: By what these were multiplied after they were clipped.
                depth: Of what is seen.
                in_range: Whether that is between near and far.
        """
        start = point - corner_of(face.corners, 0)
        w = barycentric(start, face.slopes)
        inside = ((face.flags & SOLID) != 0) & is_positive(w)
        s = dtype(0.0)
        offset = ti.Vector([dtype(0.0)] * 2)
        foot = ti.Vector([dtype(0.0)] * 3)
        if ti.static(coverage.border == "edge"):
            s, offset, foot = nearest_edge(point, face.corners, face.inverse_lengths)
            s = ti.select(inside, s, -s)
        else:
            s = coverage.signed_distance(point, w, face.corners, face.inverse_lengths, inside)
        place, scale = clip_barycentric(w, dtype)
        depth = depth_at(place, face.depth_terms)
        return ti.Struct(
            start=start,
            w=w,
            inside=inside,
            s=s,
            offset=offset,
            foot=foot,
            place=place,
            scale=scale,
            depth=depth,
            in_range=((face.flags & WITHIN) != 0) | ((depth >= near) & (depth <= far)),
        )

    @ti.func
    def weights_of(place: ti.template(), depth_terms: ti.template(), depth: ti.template()):
        """Weights of a face's corners in what is seen at barycentric coordinates of the image."""
        weights = place
        if ti.static(variant.perspective_correct and not variant.orthographic):
            weights = place * depth_terms * depth
        return weights

    return SimpleNamespace(fragment_at=fragment_at, weights_of=weights_of)
