"""A fragment: what a face is at a pixel. Drawing, gradients and inspection all ask here.

Numbers of faces and points are handed on as `ti.template()` arguments, by reference. By value,
Taichi copies each of them into memory for every pixel, and the loops over pixels are slower; the
bits are the same.
"""

import functools
from types import SimpleNamespace

from taichi_softras.arrays.kernels.arithmetic import inverse
from taichi_softras.arrays.launcher import func
from taichi_softras.backend import ti
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

    @func
    def depth_at(place: ti.template(), depth_terms: ti.template()):
        """Depth of a face at barycentric coordinates of the image."""
        if ti.static(variant.orthographic):
            return place.dot(depth_terms)
        else:
            return inverse(place.dot(depth_terms), dtype)

    @func
    def locate(face: ti.template(), point: ti.template()):
        """Find where a point is, relative to a face.

        Args:
            face: As `describe_face` made it.
            point: The centre of a pixel, in isotropic NDC.

        Returns:
            A struct of
                start: The point, relative to the face's first corner.
                w: Its barycentric coordinates.
                inside: Whether it is inside the face.
                border: `nearest_edge`.
                s: Its signed distance from the border, which sigma divides.
        """
        start = point - corner_of(face.corners, 0)
        w = barycentric(start, face.slopes)
        inside = ((face.flags & SOLID) != 0) & is_positive(w)
        border = nearest_edge(point, face.corners, face.inverse_lengths)
        s = dtype(0.0)
        if ti.static(coverage.border == "edge"):
            s = ti.select(inside, border.distance_sq, -border.distance_sq)
        else:
            s = coverage.signed_distance(point, w, face.corners, face.inverse_lengths, inside)
        return ti.Struct(start=start, w=w, inside=inside, border=border, s=s)

    @func
    def look(face: ti.template(), here: ti.template(), near, far):
        """Find what is seen of a face: its nearest point, or where clipped coordinates are.

        The nearest point is the pixel itself, or on the nearest edge. Clipped coordinates, which
        are SoftRas's, are far from it where a face is thin.

        Args:
            face: As `describe_face` made it.
            here: What `locate` found.
            near: Depth of the near plane.
            far: Depth of the far plane.

        Returns:
            A struct of
                place: Barycentric coordinates of the point, in the image.
                scale: By what these were multiplied, if they were clipped.
                depth: Of the point.
                in_range: Whether that is between near and far.
        """
        place = ti.Vector([dtype(0.0)] * 3)
        scale = dtype(1.0)
        if ti.static(variant.interpolation == "nearest"):
            place = ti.select(here.inside, here.w, here.border.weights)
        else:
            place, scale = clip_barycentric(here.w, dtype)
        depth = depth_at(place, face.depth_terms)
        in_range = ((face.flags & WITHIN) != 0) | ((depth >= near) & (depth <= far))
        return ti.Struct(place=place, scale=scale, depth=depth, in_range=in_range)

    @func
    def weights_of(place: ti.template(), depth_terms: ti.template(), depth: ti.template()):
        """Weights of a face's corners in what is seen at barycentric coordinates of the image."""
        weights = place
        if ti.static(variant.perspective_correct and not variant.orthographic):
            weights = place * depth_terms * depth
        return weights

    @func
    def ratios_of(depth_terms: ti.template(), depth: ti.template()):
        """Weights of a face's corners in what is seen, over its barycentric coordinates."""
        ratios = ti.Vector([dtype(1.0)] * 3)
        if ti.static(variant.perspective_correct and not variant.orthographic):
            ratios = depth_terms * depth
        return ratios

    return SimpleNamespace(locate=locate, look=look, weights_of=weights_of, ratios_of=ratios_of)
