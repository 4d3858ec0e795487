"""The depths that cameras see: a near and a far plane that fit them."""

from __future__ import annotations

import numpy as np

from taichi_softras.arrays.bridge import to_numpy
from taichi_softras.arrays.conversion import as_item
from taichi_softras.arrays.operator import Array
from taichi_softras.arrays.options import check_number
from taichi_softras.arrays.user_warnings import warn_user
from taichi_softras.cameras.poses import Pose
from taichi_softras.cameras.projection import to_view

NEAREST = 1e-3
"""Least near plane, as a share of the far plane: what reaches nearer is cut off."""

NARROWEST = 1e-2
"""Least difference of far and near, as a share of the far plane.

Gamma is in units of that difference. A mesh that is flat and faces the camera has none; of a much
smaller one than this, gamma would be as small as the rounding of float32 depths.
"""

_TOLD: set[tuple[float, float]] = set()
"""Pairs of near and far that were warned of: a loop says it once, whatever the depths in it."""


def depth_range(vertices: Array, camera: Pose, *, margin: float = 0.05) -> tuple[float, float]:
    """Find a near and a far plane that fit a mesh, for `RasterizerSettings`.

    Gamma, the softness of occlusion, is in units of depth over ``far - near``: with a range much
    larger than the mesh, surfaces that lie close behind each other blend.

    Args:
        vertices: (B or 1, V, 3), or (V, 3), in the world. Those that are not finite don't count.
        camera: One camera, or B; the range is one for all of them.
        margin: Room on either side, as a share of the difference between the least and the
            greatest depth. At least 0.

    Returns:
        Near and far: ``0 < near < far``. Where the mesh reaches nearer than a thousandth of far,
        or behind the camera, near is that thousandth. Numbers, without a gradient; on a GPU they
        are waited for.

    Raises:
        TypeError: If an argument is of the wrong kind or type.
        ValueError: If a shape doesn't fit, ``margin`` is below 0, or no vertex is in front of a
            camera.

    Examples:
        >>> import taichi_softras as sr
        >>> vertices = sr.cube().to_taichi()[0]
        >>> near, far = sr.depth_range(vertices, sr.LookAtCamera(eye=(0, 0, 3)), margin=0.1)
        >>> round(near, 6), round(far, 6)
        (2.4, 3.6)
    """
    check_number("margin", margin)
    if margin < 0:
        raise ValueError(f"margin must be at least 0, got {margin}")
    nearest, farthest = extreme_depths(to_view(as_item(vertices, 3), camera))
    if not farthest > 0:
        raise ValueError(
            f"some vertex must be in front of a camera, got depths from {nearest:g} to {farthest:g}"
        )
    room = max(margin * (farthest - nearest), (NARROWEST * farthest - (farthest - nearest)) / 2)
    far = farthest + room
    return max(nearest - room, NEAREST * far), far


def warn_of_depths(points: Array, near: float, far: float) -> None:
    """Warn that nothing is drawn because all depths are outside near to far; once for each range.

    Args:
        points: (B, V, 3), vertices in the view frame.
        near: Depth of the near plane.
        far: Depth of the far plane.
    """
    if (near, far) in _TOLD:
        return
    _TOLD.add((near, far))
    nearest, farthest = extreme_depths(points)
    range_advice = (
        "Give RasterizerSettings a range that holds them: "
        "near, far = sr.depth_range(vertices, camera)"
    )
    if farthest <= 0:
        where, advice = "behind the camera", "Turn the camera towards them"
    else:
        where, advice = "behind far" if nearest > far else "nearer than near", range_advice
    warn_user(
        f"nothing is drawn: all vertices have depths from {nearest:g} to {farthest:g}, {where}, "
        f"with near={near:g} and far={far:g}. {advice}"
    )


def extreme_depths(points: Array) -> tuple[float, float]:
    """Find the least and the greatest depth of points in the view frame, (..., 3).

    Returns:
        Both, of the points that are finite; infinite, and in the wrong order, if there are none.
    """
    numbers = to_numpy(points)
    depths = numbers[np.isfinite(numbers).all(axis=-1)][:, 2]
    return float(depths.min(initial=np.inf)), float(depths.max(initial=-np.inf))
